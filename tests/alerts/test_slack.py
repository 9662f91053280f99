"""The Slack notifier against a real HTTP server that answers as Slack does."""

import json
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from random import Random

import pytest

from alerts.deliver import Courier, Result, drain
from alerts.model import Change, Receipt, SendError, Series, State
from alerts.notifiers.slack import SlackNotifier
from alerts.ports import Delivery, Part
from tests.alerts.memory_outbox import MemoryOutbox
from tests.contracts.notifier_contract import lossy
from tests.contracts.outbox_contract import NOW, message
from tests.standins.slack import Fault, SlackStandin

ROOT = Path(__file__).parents[2]


def notifier(slack: SlackStandin, channel: str = "#oncall", **options) -> SlackNotifier:
    return SlackNotifier(channel, options.pop("token", slack.token), base_url=slack.url, **{"timeout": 20, **options})


def delivery(root: Receipt | None = None, part: Part = Part.TEXT, plain: bool = False, **fields) -> Delivery:
    return Delivery("1", "team", part, replace(message(), **fields), 0, NOW, root=root, plain=plain)


def charted() -> dict:
    line = Series(tuple(NOW + timedelta(hours=n) for n in range(3)), (5, 4, 0), (5, 5, 5), (3, 3, 3), (7, 7, 7))
    return {"chart": line, "total_chart": line}


RESOLVED = {
    "seq": 2,
    "change": Change.RESOLVED,
    "state": State.RESOLVED,
    "push": "RESOLVED it is back",
    "title": "back",
}


def failure(slack: SlackStandin, item: Delivery | None = None, **options) -> SendError:
    with pytest.raises(SendError) as caught:
        notifier(slack, **options).send(item or delivery())
    return caught.value


def test_the_first_message_is_posted_and_carries_the_incident(slack):
    """One root message: the push text as notification, blocks as body, the incident as metadata."""
    receipt = notifier(slack).send(delivery())
    (root,) = slack.posts()
    assert receipt == Receipt("C0ONCALL", root["ts"])
    assert root["text"] == "push 1"
    assert [b["type"] for b in root["blocks"]] == ["header", "section", "context"]
    payload = {"incident": "sw-1", "seq": 1, "rule": "playback_volume", "change": "opened"}
    assert root["metadata"] == {"event_type": "slicewatch_incident", "event_payload": payload}


def test_a_later_change_edits_the_root_and_replies_in_its_thread(slack):
    """The root shows how it stands, the thread what happened; the channel hears of it only where it should."""
    receipt = notifier(slack).send(delivery())
    for broadcast in (False, True):
        assert notifier(slack).send(delivery(receipt, broadcast=broadcast, **RESOLVED)) == receipt
    root, quiet, loud = slack.posts()
    assert root["text"] == "RESOLVED it is back"
    assert root["blocks"][0]["text"]["text"] == "🟢 back"
    assert root["metadata"]["event_payload"]["seq"] == 2
    assert quiet["thread_ts"] == loud["thread_ts"] == root["ts"]
    assert "reply_broadcast" not in quiet
    assert loud["reply_broadcast"] is True


def test_a_chart_goes_into_the_thread(slack):
    """Uploaded under the root, with the push text for those who do not see it."""
    receipt = notifier(slack).send(delivery())
    notifier(slack).send(delivery(receipt, Part.CHART, **charted()))
    upload = slack.posts()[-1]
    assert upload["thread_ts"] == receipt.ref
    assert slack.uploads[upload["files"][0]].startswith(b"\x89PNG")
    assert slack.calls("files.getUploadURLExternal")[0].args["alt_txt"] == "push 1"


def test_what_to_load_again_goes_into_the_thread_as_a_file(slack):
    """As CSV, under the root whose small print says so."""
    receipt = notifier(slack).send(delivery())
    for part in (Part.TEXT, Part.FILE):
        notifier(slack).send(delivery(receipt, part, **lossy()))
    root, reply, upload = slack.posts()
    assert [post["blocks"][-1]["elements"][0]["text"].endswith("below, in the thread") for post in (root, reply)]
    assert upload["thread_ts"] == receipt.ref
    assert slack.uploads[upload["files"][0]].decode().startswith("rule,source,metric,device,start,end,")
    assert slack.calls("files.getUploadURLExternal")[0].args["filename"] == "reprocess-sw-1.csv"


def test_a_chart_without_a_message_to_hang_under_is_given_up(slack):
    """Its text died: a picture alone would say nothing."""
    assert failure(slack, delivery(None, Part.CHART, **charted())).permanent


@pytest.mark.parametrize(
    ("fault", "wanted"),
    [
        (Fault("error", error="service_unavailable"), {}),
        (Fault("error", error="fatal_error"), {"unknown": True}),
        (Fault("error", error="is_archived"), {"permanent": True}),
        (Fault("error", error="not_in_channel"), {"permanent": True}),
        (Fault("error", error="missing_scope"), {"permanent": True}),
        (Fault("error", error="account_inactive"), {"permanent": True}),
        (Fault("error", error="msg_too_long"), {"refused": True}),
        (Fault("error", error="msg_blocks_too_long"), {"refused": True}),
        (Fault("status", status=413), {"refused": True}),
    ],
    ids=lambda v: f"{v.kind}-{v.error}" if isinstance(v, Fault) else "",
)
def test_words_of_slack_are_classified(slack, fault, wanted):
    """What Slack alone answers; what goes wrong with any service stands in the contract."""
    slack.faults.append(fault)
    error = failure(slack)
    found = {name: getattr(error, name) for name in ("permanent", "retry_after", "unknown", "refused")}
    assert found == {"permanent": False, "retry_after": None, "unknown": False, "refused": False} | wanted
    assert slack.token not in str(error)


def test_a_wrong_token_and_an_unknown_channel_are_permanent(slack):
    """Somebody has to change the configuration."""
    assert failure(slack, token="xoxb-wrong").permanent
    assert failure(slack, channel="#nowhere").permanent
    slack.archived.add("C0ONCALL")
    assert str(failure(slack)) == "Slack answers is_archived"


def test_plain_text_carries_the_whole_message(slack):
    """Without blocks everything stands in the text, and an edit takes the old blocks away."""
    receipt = notifier(slack).send(delivery())
    slack.faults.append(Fault("refuse_blocks"))
    notifier(slack).send(delivery(receipt, plain=True, **RESOLVED))
    root, reply = slack.posts()
    assert root["blocks"] == []
    assert root["text"].split("\n\n") == ["back", "a paragraph", "footer"]
    assert reply["text"] == "*RESOLVED it is back*\na paragraph"


def test_a_deleted_root_is_posted_anew(slack):
    """News about an incident whose message is gone go to the channel, and the new message is the root."""
    receipt = notifier(slack).send(delivery())
    slack.messages[receipt.channel, receipt.ref]["deleted"] = True
    anew = notifier(slack).send(delivery(receipt, **RESOLVED))
    assert anew.ref != receipt.ref
    assert slack.posts()[-1]["text"] == "RESOLVED it is back"


def test_a_root_that_may_not_be_edited_is_still_replied_to(slack):
    """The thread tells what the root cannot."""
    receipt = notifier(slack).send(delivery())
    slack.faults.append(Fault("error", error="cant_update_message", methods=("chat.update",)))
    assert notifier(slack).send(delivery(receipt, **RESOLVED)) == receipt
    assert slack.posts()[-1]["thread_ts"] == receipt.ref


@pytest.mark.parametrize("status", [429, 500])
def test_a_failing_upload_is_retried_as_told(slack, status):
    """The upload's own server answers without Slack's JSON."""
    receipt = notifier(slack).send(delivery())
    kind = Fault("rate_limit", seconds=9) if status == 429 else Fault("status", status=500)
    slack.faults.append(replace(kind, methods=("upload",)))
    error = failure(slack, delivery(receipt, Part.CHART, **charted()))
    assert (error.permanent, error.retry_after) == (False, 9.0 if status == 429 else None)


# --- the whole way: outbox, deliver loop, HTTP, faults ---


class Ticks:
    """A clock that moves when the loop waits, so that minutes of trouble take no time."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self):
        return self.now

    def wait(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


def deliver(slack: SlackStandin, before=None, timeout=20):
    """Two incidents, each opened with a chart and resolved five minutes later, to #oncall; #ops is the fallback."""
    outbox, clock = MemoryOutbox(), Ticks()
    both = {"team": notifier(slack, timeout=timeout), "ops": notifier(slack, "#ops", timeout=timeout)}
    wait = clock.wait if before is None else before(clock.wait)
    courier, outcomes = Courier("test", Random(1), both, "ops"), ()
    for news, parts, minutes in ((charted(), [Part.TEXT, Part.CHART], 5), (RESOLVED, [Part.TEXT], 60)):
        for key in ("sw-1", "sw-2"):
            outbox.put(replace(message(key), **news), "team", parts, clock())
        until = NOW + timedelta(minutes=minutes)
        outcomes += drain(outbox, courier, clock=clock, wait=wait, until=until)
        clock.now = max(clock.now, until)
    return outcomes


def told(slack: SlackStandin, channel: str = "#oncall") -> dict[str, list[int]]:
    """The seqs of each incident in the order they were accepted for a channel; a chart is no text."""
    seqs: dict[str, list[int]] = {}
    for call in slack.accepted:
        wanted = call.method == "chat.postMessage" and call.answer["channel"] == slack.channels[channel]
        if wanted and call.args.get("metadata"):
            payload = call.args["metadata"]["event_payload"]
            seqs.setdefault(payload["incident"], []).append(payload["seq"])
    return seqs


def test_without_faults_each_text_arrives_once_in_order(slack):
    """Firing, then resolved, for each incident; each chart in its thread."""
    outcomes = deliver(slack)
    assert told(slack) == {"sw-1": [1, 2], "sw-2": [1, 2]}
    assert {o.result for o in outcomes} == {Result.SENT}
    assert len([m for m in slack.posts() if "files" in m]) == 2


FAULTS = [
    Fault("rate_limit", times=4, seconds=20),
    Fault("status", times=4, status=502),
    Fault("down", times=4),
    Fault("cut_before", times=2),
    Fault("cut_after", times=2, methods=("chat.postMessage",)),
]


@pytest.mark.parametrize("fault", FAULTS, ids=lambda f: f.kind)
def test_faults_delay_and_neither_lose_nor_repeat(slack, fault):
    """Rate limits, server errors, and connections cut after Slack took the message: that one is found and adopted."""
    slack.faults.append(fault)
    deliver(slack)
    assert told(slack) == {"sw-1": [1, 2], "sw-2": [1, 2]}


def test_a_slack_that_takes_a_message_after_it_was_looked_for_repeats_and_loses_nothing(slack):
    """Nobody can see what has not arrived yet; as many repeats as sends of unknown outcome at most, in order."""
    slack.faults.append(Fault("slow", times=2, seconds=1.2, methods=("chat.postMessage",)))
    outcomes = deliver(slack, timeout=1)
    assert all(seqs == sorted(seqs) and set(seqs) == {1, 2} for seqs in told(slack).values())
    assert sum(map(len, told(slack).values())) <= 4 + sum(o.unknown for o in outcomes)


def test_a_token_that_may_not_read_the_channel_repeats_and_loses_nothing(slack):
    """Whether the first send arrived cannot be seen: then once more is better than never."""
    slack.faults.append(Fault("cut_after", times=1, methods=("chat.postMessage",)))
    slack.faults.append(Fault("error", error="missing_scope", methods=("conversations.history", "conversations.list")))
    deliver(slack)
    assert sorted(map(tuple, told(slack).values())) == [(1, 1, 2), (1, 2)]


def test_a_reply_in_doubt_is_looked_for_in_its_thread(slack):
    """The edit may be made twice, the reply that wakes people may not."""
    root = notifier(slack).send(delivery())
    again = replace(delivery(root, **RESOLVED), in_doubt=True)
    for _ in range(2):
        assert notifier(slack).send(again) == root
    assert len(slack.calls("chat.postMessage")) == 2
    assert len(slack.calls("chat.update")) == 2


def test_an_edit_in_doubt_still_owes_its_reply(slack):
    """Nobody hears of an edit: where a process died between it and the reply, the reply comes, and once."""
    root = notifier(slack).send(delivery())  # the receipt is lost with the process
    over = replace(delivery(**RESOLVED), in_doubt=True)
    slack.faults.append(Fault("cut_before", times=1, methods=("chat.postMessage",)))
    with pytest.raises(SendError):
        notifier(slack).send(over)
    assert len(slack.calls("chat.update")) == 1
    for _ in range(2):
        assert notifier(slack).send(over) == root
    replies = [call for call in slack.calls("chat.postMessage") if call.args.get("thread_ts") and call.answer]
    assert len([call for call in replies if call.answer.get("ok")]) == 1


def test_refused_blocks_lose_nothing(slack):
    """Every text arrives as plain text."""
    slack.faults.append(Fault("refuse_blocks"))
    outcomes = deliver(slack)
    assert {o.result for o in outcomes if o.delivery.part is Part.TEXT} == {Result.SENT, Result.RETRIED}
    assert len(slack.roots()) == 2
    assert all("blocks" not in m or m["blocks"] == [] for m in slack.posts())


def test_an_archived_channel_moves_everything_to_the_fallback(slack):
    """At once, in order, and the charts die quietly."""
    slack.archived.add("C0ONCALL")
    outcomes = deliver(slack)
    assert told(slack, "#ops") == {"sw-1": [1, 2], "sw-2": [1, 2]}
    assert [o.result for o in outcomes if o.delivery.part is Part.CHART] == [Result.DEAD, Result.DEAD]


def test_a_slack_that_is_gone_for_ten_minutes_tells_the_end_and_the_beginning_as_one(slack):
    """Refused connections, then one message for each incident: it is over, and what it was."""

    def returning(wait):
        slack.stop()
        waited = []

        def wait_and_return(seconds: float) -> None:
            waited.append(seconds)
            wait(seconds)
            if sum(waited) >= 600 and slack._server is None:
                slack.start()

        return wait_and_return

    deliver(slack, before=returning)
    assert told(slack) == {"sw-1": [2], "sw-2": [2]}
    assert all("push 1" in json.dumps(m["blocks"]) for m in slack.roots())


# --- the stand-in as a process ---


@contextmanager
def process(*options: str):
    command = [sys.executable, "-m", "tests.standins.slack", *options]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as running:
        try:
            yield running.stdout.readline().strip()
        finally:
            running.kill()


def test_the_standin_runs_as_a_process_with_a_journal_and_faults(tmp_path):
    """Accepted calls are in the journal when they are answered; faults follow the file; a restart knows it all."""
    journal, faults = tmp_path / "calls.jsonl", tmp_path / "faults.json"
    options = ("--journal", str(journal), "--faults", str(faults))
    with process(*options) as url:
        team = SlackNotifier("#oncall", "xoxb-standin", base_url=url)
        receipt = team.send(delivery())
        faults.write_text(json.dumps([{"kind": "rate_limit", "times": 1, "seconds": 3}]))
        with pytest.raises(SendError) as caught:
            team.send(delivery(receipt, **RESOLVED))
        assert caught.value.retry_after == 3
        team.send(delivery(receipt, **RESOLVED))
    calls = [json.loads(line) for line in journal.read_text().splitlines()]
    assert [c["method"] for c in calls] == ["chat.postMessage", "chat.update", "chat.postMessage"]
    faults.write_text("[]")
    with process(*options) as url:
        SlackNotifier("#oncall", "xoxb-standin", base_url=url).send(delivery(receipt, **RESOLVED))


def test_the_standin_answers_the_other_methods(slack):
    """Who am I, what was said, and what does not exist."""
    from slack_sdk import WebClient

    client = WebClient(slack.token, base_url=slack.url, retry_handlers=[])
    client.proxy = None
    assert client.auth_test()["bot_id"] == "B0STANDIN"
    notifier(slack).send(delivery())
    history = client.conversations_history(channel="C0ONCALL", include_all_metadata=True)
    assert history["messages"][0]["metadata"]["event_payload"]["incident"] == "sw-1"
    assert slack.answer("no.such", {}, slack.token)["error"] == "unknown_method"


def test_the_standin_refuses_blocks_beyond_the_limits(slack):
    """Each limit that Slack publishes, with the place of the breach."""
    header = {"type": "header", "text": {"type": "plain_text", "text": "x" * 151}}
    section = {"type": "section", "text": {"type": "mrkdwn", "text": "x" * 3001}}
    fields = {"type": "section", "fields": [{"type": "mrkdwn", "text": "x" * 2001}] * 11}
    cases = {
        "/blocks/0/text/text": [header],
        "/blocks/1/text/text": [{"type": "divider"}, section],
        "/blocks/0/fields": [fields],
        "/blocks/0/fields/3/text": [fields],
        "/blocks]": [{"type": "divider"}] * 51,
        "/blocks/0/type": [{"type": "blink"}],
        "/blocks/0/elements": [{"type": "context", "elements": []}],
    }
    for place, blocks in cases.items():
        answer = slack.answer("chat.postMessage", {"channel": "#oncall", "blocks": blocks}, slack.token)
        assert answer["error"] == "invalid_blocks"
        assert any(place in line for line in answer["response_metadata"]["messages"])
