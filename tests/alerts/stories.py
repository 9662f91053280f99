"""The incidents whose messages are committed under `expected/`: each a name and the transition it tells.

`python -m tests.alerts.stories` writes the files anew; read the difference before you commit it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from datetime import timedelta
from pathlib import Path

from alerts.absences import absent
from alerts.actions import acknowledge, dismiss, expired, reopen, snooze
from alerts.digest_message import compose_digest
from alerts.digests import digest_key
from alerts.following import Followed, follow
from alerts.incidents import StepPolicy
from alerts.marks import new_mark
from alerts.message import RuleFacts, compose, plain_text
from alerts.missed_message import compose_missed
from alerts.model import (
    Absence,
    Actor,
    Assessment,
    Feedback,
    Incident,
    Kind,
    Message,
    Outside,
    Recovery,
    Series,
    State,
    TotalState,
    Transition,
)
from alerts.newcomers import told_once
from alerts.notifiers import slack_blocks
from alerts.notifiers.slack import CARRIED
from alerts.operations import Operations, ReceiverPolicy
from alerts.outside import location
from alerts.plan import Routes, plan
from alerts.reminders import Telling, remind
from alerts.removal import removed
from alerts.reprocess import csv_of, file_name
from alerts.silences import Scope, new_silence
from dashboards.weekly import BlindSpot, Coverage, RuleWeek, Week
from dashboards.weekly_message import compose_week
from rules.model import Escalation, Severity
from rules.slices import Slice
from tests.alerts.make import START, History, assess, blind, cause, evidence, fact, finding, tick

EXPECTED = Path(__file__).parent / "expected"

RULE = RuleFacts(
    name="playback_volume",
    source="lake.playback",
    place="rules/playback.yaml:2",
    owner="recs-data",
    dimensions=("device", "os", "country"),
    runbook_url="https://wiki.example.com/recs/event-loss",
    query=(
        "SELECT date_trunc('hour', event_time) AS hour, count(*) AS events\nFROM playback\n"
        "WHERE device = 'ios' AND event_time >= '2026-11-23 14:00:00' AND event_time < '2026-11-23 15:00:00'\n"
        "GROUP BY 1 ORDER BY 1"
    ),
)
VISITS = replace(
    RULE, name="shop_visits", source="warehouse.web.visits", place="rules/web.yaml:9", query="", owner=None
)
CRITICAL = StepPolicy(keep_firing_for=1, severity=Severity.CRITICAL)
IOS = cause(device="ios")

CHILDREN = tuple(fact(0, 90_000 - 7_000 * n, device="ios", country=code) for n, code in enumerate(
    ("NO", "SE", "DK", "FI", "DE", "GB", "FR", "ES", "IT", "NL", "PL", "PT")
))  # fmt: skip


def told(*steps: object, policy: StepPolicy = CRITICAL) -> Transition:
    """The last transition of a history of assessments; functions of the history make one that names its incidents."""
    history = History(policy)
    for step in steps:
        history.see(step(history) if callable(step) else step)
    return history.transitions[-1]


def device_gone() -> Transition:
    """All of ios stopped while android and web grew: the case slicewatch exists for."""
    return told(assess(1, finding(also=(cause(os="ios"),), evidence=evidence(children=CHILDREN, children_count=412))))


def partial_drop() -> Transition:
    """A part of one country and OS, too small to be seen in the total, of a summed column."""
    where = cause(os="android 14", country="NO")
    quiet = evidence(
        total=fact(5_190_000, 5_300_000), low=251_000.0, high=277_000.0, grew=(),
        fine=(fact(88_000, 87_500, os="android 14", country="SE"), fact(41_000, 41_800, os="ios 17", country="NO")),
    )  # fmt: skip
    lost = finding(where, metric="sum(visits)", observed=153_000.0, expected=264_000.0, until=tick(3), evidence=quiet)
    return told(assess(3, replace(lost, rule="shop_visits")), policy=StepPolicy())


def total_outage() -> Transition:
    """Nothing came at all."""
    whole = evidence(total=fact(0, 4_000_000), total_state=TotalState.DOWN, low=3.8e6, high=4.2e6, grew=(), fine=())
    return told(assess(1, finding(Slice(), expected=4_000_000.0, evidence=whole)))


def source_blind() -> Transition:
    """The query failed; what was wrong before is frozen."""
    history = History(CRITICAL)
    dark = blind(2, detail='connection to "10.0.0.7" refused\nIs the server running?')
    return history.see(assess(2, unseen=dark))[0]


def renamed() -> Transition:
    """A device came back under a name never seen before."""
    new = evidence(grew=(fact(805_000, 0, device="iOS"),), fine=(fact(640_000, 638_000, device="tv"),))
    return told(assess(1, finding(kind=Kind.RENAMED, to=cause(device="iOS"), evidence=new)))


def moved() -> Transition:
    """A device's events arrive as those of another."""
    other = evidence(
        grew=(fact(1_430_000, 640_000, device="tv"),), fine=(fact(1_600_000, 1_610_000, device="android"),)
    )
    return told(assess(1, finding(kind=Kind.MOVED, to=cause(device="tv"), evidence=other)))


def spike() -> Transition:
    """Twice the events of a slice, and the total with it."""
    up = evidence(total=fact(4_900_000, 4_000_000), total_state=TotalState.UP, grew=(), low=790_000.0, high=834_000.0)
    return told(assess(1, finding(kind=Kind.SPIKE, observed=1_690_000.0, evidence=up)), policy=StepPolicy())


def resolved() -> Transition:
    """The device is back; what was lost, and what to run again."""
    return told(assess(1, finding(evidence=evidence())), lambda h: assess(5, good=[h.only.id]))


def resolved_wider() -> Transition:
    """One country of ios at first, all of ios two hours later: each is loaded again from its own beginning on."""
    no, usual = cause(device="ios", country="NO"), [90_000.0] * 2
    alone = finding(no, until=tick(2), expected=180_000.0, evidence=evidence(grew=(), series=line(0, [0, 0], usual)))
    all_of_it = line(0, [720_000, 722_000, 0, 0], [812_000.0] * 4)
    wide = finding(since=tick(2), until=tick(4), expected=1_624_000.0, evidence=evidence(series=all_of_it))
    return told(assess(2, alone), assess(4, wide), lambda h: assess(5, good=[h.only.id]))


def line(first: float, observed: Sequence[float], expected: Sequence[float]) -> Series:
    """Hourly buckets from an hour on."""
    starts = tuple(tick(first + n) for n in range(len(observed)))
    return Series(starts, tuple(observed), tuple(expected), (0.0,) * len(starts), tuple(expected))


def accepted() -> Transition:
    """Two weeks later a third of a device is still missing: that is normal now."""
    lost = finding(observed=9.1e6, expected=13.6e6, evidence=evidence())
    return told(assess(1, lost), assess(337, replace(lost, observed=182e6, expected=272e6, until=tick(337))))


def widened() -> Transition:
    """One country of ios turned out to be all of ios."""
    first = finding(cause(device="ios", country="NO"), expected=90_000.0, evidence=evidence(grew=()))
    return told(assess(1, first), assess(2, finding(until=tick(2), evidence=evidence())))


def escalated() -> Transition:
    """Half of ios was missing; by now it is all of it, and the rule says critical from there on."""
    policy = StepPolicy(escalate=(Escalation(Severity.CRITICAL, drop=0.9),))
    half = finding(observed=400_000.0, evidence=evidence(grew=()))
    return told(assess(1, half), assess(2, finding(until=tick(2), evidence=evidence())), policy=policy)


def located() -> Transition:
    """Two fifths of ios are missing, all of them of one content network, which the rule does not watch."""
    quiet = evidence(total=fact(3_690_000, 4_000_000), total_state=TotalState.DOWN, grew=())
    opened = told(assess(1, finding(observed=487_000.0, evidence=quiet)))
    seen = Outside(IOS, START, tick(1), "cdn", "fastly", 1_200.0, 326_000.0, 0.99)
    return location(opened.incident, seen, tick(1))


def repeated() -> Transition:
    """A day later it is still gone."""
    opened = told(assess(1, finding(until=tick(25), evidence=evidence(grew=()))))
    again = {opened.incident.id: Telling(tick(1))}
    (repeat,) = remind([opened.incident], [], again, tick(25), timedelta(days=1), lambda _: None)
    return repeat


def released() -> Transition:
    """It began while the rule was muted, and is still bad at the end of that."""
    opened = told(assess(1, finding(until=tick(3), evidence=evidence(grew=()))))
    held = {opened.incident.id: Telling(held="muted until 23 Nov 17:00 UTC: weekly compaction")}
    (release,) = remind([opened.incident], [], held, tick(3), timedelta(days=1), lambda _: None)
    return release


AWAY = Absence(tick(-5), tick(9.5))


def found_late() -> Transition:
    """It began while nothing was judged, and is still bad."""
    whole = evidence(total=fact(36_000_000, 36_000_000), grew=())
    seen = replace(assess(1, finding(until=tick(9), expected=7_308_000.0, evidence=whole)), absence=AWAY)
    opened = told(seen)
    held = {opened.incident.id: Telling(held=absent(AWAY))}
    (release,) = remind([opened.incident], [], held, tick(9), timedelta(days=1), lambda _: None)
    return release


KARI = Actor("slack", "U123", "Kari")


def acted(action: Callable[[Incident], Transition | None]) -> Transition:
    """What somebody does about the device that is gone, an hour after it was told."""
    made = action(device_gone().incident)
    assert made is not None
    return made


def acknowledged() -> Transition:
    """Somebody works on it."""
    return acted(lambda incident: acknowledge(incident, KARI, tick(2), timedelta(hours=8)))


def snoozed() -> Transition:
    """Not before tomorrow."""
    return acted(lambda incident: snooze(incident, KARI, tick(2), tick(18)))


def over_slept() -> Transition:
    """The snooze is over, and it is still gone."""
    (over,) = expired([snoozed().incident], tick(18))
    return over


def taken_back() -> Transition:
    """Acknowledged by mistake."""
    made = reopen(acknowledged().incident, KARI, tick(3))
    assert made is not None
    return made


def handed_on() -> Transition:
    """Nobody has acknowledged it in a quarter of an hour."""
    told_first, receiver = device_gone(), ReceiverPolicy("oncall", escalate_to="phone")
    sent = plan([told_first], Routes(((Severity.CRITICAL, ("oncall",)),)), tick(1), {})
    known = Followed(told_first.incident, tick(1), sent)
    (on,) = follow([known], Operations(receivers=(receiver,)), tick(1.25))
    return on


def no_problem() -> Transition:
    """A known exception."""
    return acted(lambda incident: dismiss(incident, KARI, tick(2), Feedback.LEAVE_OUT))


def gone_rule() -> Transition:
    """Its rule was removed while it was open."""
    opened = told(assess(1, finding(evidence=evidence(grew=()))))
    (closed,) = removed([opened.incident], tick(5))
    return closed


def new_value() -> Transition:
    """A device that was never seen before, where the rule wants to be told."""
    seen = finding(cause(device="watch"), kind=Kind.NEW, observed=4_400.0, expected=0.0, p=0.0)
    (told_of,) = told_once([seen], Severity.WARNING, tick(1))
    return told_of


def absorbed() -> Transition:
    """A narrower incident closes, since a wider one tells it."""
    narrow = [finding(cause(device="ios", country=code), expected=90_000.0) for code in ("NO", "SE")]
    return told(assess(1, *narrow), assess(2, finding(until=tick(2), evidence=evidence())))


def narrowed() -> Transition:
    """What was told as all of ios is one country of it."""
    less = finding(cause(device="ios", country="NO"), expected=90_000.0, evidence=evidence(grew=()))
    return told(assess(1, finding()), lambda h: assess(2, replace(less, continues=h.only.id)))


def reclassified() -> Transition:
    """What was told as lost has moved."""
    elsewhere = finding(kind=Kind.MOVED, to=cause(device="tv"), evidence=evidence(grew=()))
    return told(assess(1, finding()), assess(2, elsewhere))


def late() -> Transition:
    """The data of the source is behind."""
    return told(assess(2, blind(2, kind=Kind.LATE, detail="newest arrival 12:40")))


def amended() -> Transition:
    """What was told as lost has arrived, and the newest hours are still short."""
    came = finding(until=tick(5), observed=3_020_000.0, expected=3_900_000.0, late=True, evidence=evidence(grew=()))
    return told(assess(1, finding()), assess(5, came))


def came_late() -> Transition:
    """All that was missing has arrived; the incident closes as late."""

    def back(history: History) -> Assessment:
        came = Recovery(history.only.id, tick(2), 1_618_000.0, 1_624_000.0, late=True)
        return replace(assess(5), recoveries=(came,))

    return told(assess(1, finding(until=tick(2))), back)


def caught_up() -> Transition:
    """The data of the source has caught up."""
    return told(assess(2, unseen=blind(2, kind=Kind.LATE)), assess(4))


def answers_again() -> Transition:
    """The source can be asked again."""
    return told(assess(2, unseen=blind(2)), assess(4))


def spike_over() -> Transition:
    """A slice is back from above."""
    up = finding(kind=Kind.SPIKE, observed=1_690_000.0)
    closed = told(assess(1, up), lambda h: assess(5, good=[h.only.id]))
    return replace(closed, incident=replace(closed.incident, observed=1_900_000.0))


def moved_back() -> Transition:
    """Events come under their old value again."""
    return told(assess(1, finding(kind=Kind.MOVED, to=cause(device="tv"))), lambda h: assess(5, good=[h.only.id]))


def renamed_over() -> Transition:
    """A rename was told and closes."""
    return told(assess(1, finding(kind=Kind.RENAMED, to=cause(device="iOS"))), assess(2))


def everything_down() -> Transition:
    """The total fell, and no slice explains it."""
    return told(assess(1, finding(Slice(), observed=2_000_000.0, expected=4_000_000.0)))


def appeared() -> Transition:
    """Events where none were expected."""
    return told(assess(1, finding(kind=Kind.SPIKE, observed=4_400.0, expected=0.2)), policy=StepPolicy())


def doubled_day() -> Transition:
    """A day of events came twice, in every slice."""
    start = tick(-15)  # midnight in Oslo
    whole = evidence(
        total=fact(192.1e6, 96e6), total_state=TotalState.UP, low=91e6, high=101e6, grew=(), fine=(), last_seen=None
    )
    twice = finding(
        Slice(),
        kind=Kind.SPIKE,
        since=start,
        until=start + timedelta(days=1),
        observed=192.1e6,
        expected=96e6,
        evidence=whole,
    )
    return told(assess(16, twice), policy=StepPolicy())


def daily() -> Transition:
    """A rule of day buckets in its own time zone."""
    start = tick(-15)  # midnight in Oslo
    day = finding(cause(device="ios"), since=start, until=start + timedelta(days=2), evidence=evidence(last_seen=None))
    return told(assess(40, day))


STORIES: dict[str, tuple[Callable[[], Transition], RuleFacts]] = {
    "device_gone": (device_gone, RULE),
    "partial_drop": (partial_drop, VISITS),
    "total_outage": (total_outage, replace(RULE, query="")),
    "blind": (source_blind, replace(RULE, query="")),
    "renamed": (renamed, RULE),
    "moved": (moved, RULE),
    "spike": (spike, RULE),
    "resolved": (resolved, RULE),
    "resolved_wider": (resolved_wider, RULE),
    "accepted": (accepted, RULE),
    "widened": (widened, RULE),
    "escalated": (escalated, RULE),
    "located": (located, RULE),
    "repeated": (repeated, RULE),
    "released": (released, RULE),
    "found_late": (found_late, RULE),
    "acknowledged": (acknowledged, RULE),
    "snoozed": (snoozed, RULE),
    "over_slept": (over_slept, RULE),
    "taken_back": (taken_back, RULE),
    "handed_on": (handed_on, RULE),
    "no_problem": (no_problem, RULE),
    "gone_rule": (gone_rule, RuleFacts(name="playback_volume", source="", place="removed")),
    "new_value": (new_value, RULE),
    "absorbed": (absorbed, replace(RULE, query="")),
    "narrowed": (narrowed, RULE),
    "reclassified": (reclassified, RULE),
    "late": (late, replace(RULE, query="")),
    "amended": (amended, RULE),
    "came_late": (came_late, RULE),
    "caught_up": (caught_up, replace(RULE, query="")),
    "answers_again": (answers_again, replace(RULE, query="")),
    "spike_over": (spike_over, RULE),
    "moved_back": (moved_back, RULE),
    "renamed_over": (renamed_over, RULE),
    "everything_down": (everything_down, RULE),
    "appeared": (appeared, RULE),
    "doubled_day": (doubled_day, replace(RULE, bucket=timedelta(days=1), timezone="Europe/Oslo", query="")),
    "daily": (daily, replace(RULE, bucket=timedelta(days=1), timezone="Europe/Oslo", query="")),
}


def marked() -> tuple[Message, ...]:
    """A release and a migration shortly before the loss; one of last week has nothing to do with it."""
    by, every = Actor("cli", "deploy", "deploy"), Scope()
    known = [
        new_mark("app 7.3 released", START - timedelta(minutes=20), every, by),
        new_mark("ingest moved to <eu-west>", START + timedelta(minutes=5), every, by),
        new_mark("app 7.2 released", START - timedelta(days=7), every, by),
    ]
    return (compose(device_gone(), replace(RULE, marks=tuple(known))),)


FIVE = {"device": "ios", "os": "android 14", "app": "7.3", "country": "NO", "network": "3g"}


def causes(count: int) -> tuple[Transition, ...]:
    """So many causes at once, each loses another share of what it had."""
    named = [cause(**dict([term])) for term in FIVE.items()]
    named += [cause(app=f"8.{n}", country="SE") for n in range(count - len(named))]
    lost = [
        finding(item, observed=9_000.0 * n, expected=812_000.0 - 15_000 * n, evidence=evidence(last_seen=None))
        for n, item in enumerate(named[:count])
    ]
    return History(CRITICAL).see(assess(1, *lost))


def five_causes() -> tuple[Message, ...]:
    """Five things broke at once: five messages, each of its own cause."""
    return tuple(compose(step, replace(RULE, query="")) for step in causes(5))


def storm() -> tuple[Message, ...]:
    """Fifty things broke at once: one digest."""
    return (digest_of(causes(50)),)


def storm_over() -> tuple[Message, ...]:
    """All of them are over."""
    ended = tuple(replace(t, incident=replace(t.incident, state=State.RESOLVED)) for t in causes(50))
    return (digest_of(ended, seq=2, joined=()),)


def digest_of(made: tuple[Transition, ...], seq: int = 1, joined: tuple[str, ...] | None = None) -> Message:
    """The digest that tells these steps; by default they are new in it."""
    new = tuple(t.incident.id for t in made) if joined is None else joined
    return compose_digest(digest_key("recs-oncall", tick(1)), seq, [t.incident for t in made], made, new)


def missed() -> tuple[Message, ...]:
    """Four incidents, of two rules, and a silence of the source began and ended while slicewatch was down; then one more is found."""
    over = [
        replace(step.incident, state=State.RESOLVED, resolved_at=tick(6), until=tick(4), absence=AWAY)
        for step in causes(3)
    ]
    over[1] = replace(over[1], rule="shop_visits", severity=Severity.WARNING)
    behind = replace(late().incident, state=State.RESOLVED, resolved_at=tick(5), absence=AWAY)
    appeared = replace(new_value().incident, absence=AWAY)
    first = [*over[:2], behind, appeared]
    names = [frozenset(i.id for i in part) for part in (first, over[2:])]
    return (
        compose_missed("missed-9dee395a-1795446000", 1, first, names[0]),
        compose_missed("missed-9dee395a-1795446000", 2, [*first, *over[2:]], names[1], len(first)),
    )


def week(**fields: object) -> Week:
    """Two rules; five incidents of a week, one of them called no problem."""
    lost = [step.incident for step in causes(4)]
    ended = [replace(i, state=State.RESOLVED, resolved_at=tick(4 + n)) for n, i in enumerate(lost)]
    fine = [replace(ended[0], feedback=Feedback.LEAVE_OUT), *ended[1:]]
    warning = replace(partial_drop().incident, rule="shop_visits")
    covered = Coverage(0.97, 68e6, 3_665, 3_204, (BlindSpot("playback_volume", cause(device="watch"), 41_000.0),))
    made = Week(
        start=tick(-150),
        end=tick(18),
        timezone="Europe/Oslo",
        rules=(
            RuleWeek("playback_volume", "recs-data", "", covered),
            RuleWeek("shop_visits", None, "its source could not be asked"),
        ),
        incidents=(*fine, warning),
        resolved=tuple(fine),
        open=(warning,),
        before=7,
        silences=(new_silence(Scope("shop_*"), KARI, tick(10), tick(10), tick(60), "moving house"),),
    )
    return replace(made, **fields)


def weekly() -> tuple[Message, ...]:
    """A week with news, and one without."""
    quiet = week(incidents=(), resolved=(), open=(), silences=(), rules=(week().rules[0],))
    return compose_week(week(), "week-20261124T0800Z"), compose_week(quiet, "week-20261124T0800Z")


SEVERAL: dict[str, Callable[[], tuple[Message, ...]]] = {
    "marked": marked,
    "five_causes": five_causes,
    "storm": storm,
    "storm_over": storm_over,
    "missed": missed,
    "weekly": weekly,
}


def message_of(name: str) -> Message:
    """The message of a story of one incident."""
    story, rule = STORIES[name]
    return compose(story(), rule)


def messages_of(name: str) -> tuple[Message, ...]:
    """The messages of any story, in the order in which they are sent."""
    return SEVERAL[name]() if name in SEVERAL else (message_of(name),)


NAMES = (*STORIES, *SEVERAL)


def as_text(messages: tuple[Message, ...]) -> str:
    """Push text and the plain form of each, and the file where it has one."""
    return "\n".join(f"{one.push}\n{'=' * len(one.push)}\n{plain_text(one)}\n{_file(one)}" for one in messages)


def _file(message: Message) -> str:
    if message.reprocess is None:
        return ""
    return f"\n--- {file_name(message.key)}\n{csv_of(message.rule, message.reprocess)}"


def as_blocks(messages: tuple[Message, ...]) -> str:
    """What Slack is sent of one message, or of each of several."""
    sent = [_sent(message) for message in messages]
    return json.dumps(sent[0] if len(sent) == 1 else sent, ensure_ascii=False, indent=2) + "\n"


def _sent(message: Message) -> dict[str, object]:
    """The root's text and blocks, and the reply's."""
    return {
        "text": slack_blocks.push(message),
        "blocks": slack_blocks.blocks(message, carried=CARRIED),
        "reply": slack_blocks.reply_blocks(message, carried=CARRIED),
        "metadata": slack_blocks.metadata(message),
        "broadcast": asdict(message)["broadcast"],
    }


def main() -> None:
    """Write what is expected from what is."""
    for name in NAMES:
        messages = messages_of(name)
        (EXPECTED / f"{name}.txt").write_text(as_text(messages), encoding="utf-8")
        (EXPECTED / f"{name}.json").write_text(as_blocks(messages), encoding="utf-8")


if __name__ == "__main__":
    main()
