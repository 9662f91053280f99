"""`slicewatch once`: one evaluation, from the command line to the receiver."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.monitor.commands.place import END, HOUR, OUTAGE, RULE, TOML, at
from tests.standins.slack import Answer, SlackStandin

pytestmark = pytest.mark.xdist_group("commands")

BEFORE, AFTER = OUTAGE[0], OUTAGE[1]
SLACK = '[receivers.oncall]\nkind = "slack"\nchannel = "#oncall"\ntoken = {{env = "SLACK_TOKEN"}}\nbase_url = "{url}"\n'


def with_slack(url: str) -> str:
    return TOML.split("[receivers")[0] + SLACK.format(url=url)


def test_history_is_read_at_first_contact_and_its_cost_is_told_before(fresh):
    """The cost stands on standard error; standard output holds the result and nothing else."""
    run = fresh.run("once", *at(BEFORE))
    assert run.exit_code == 0
    assert run.stdout == "playback_volume: 1 bucket judged at 2026-03-04T06:00:00Z, 0 messages\n"
    assert run.stderr.startswith(
        "playback_volume: reading 677 buckets of history in 29 steps, newest first, 1 of 1 files"
    )
    assert len(run.stderr.splitlines()) == 1


def test_the_outage_is_told_once_to_the_receiver(told):
    """The incident is in the store and its message delivered; the evaluation after it has nothing new to say."""
    assert len(told.lines("status")[0]["rules"][0]["open"]) == 1
    run = told.run("once", *at(AFTER + HOUR))
    assert "stopped" not in run.stdout
    assert told.lines("status")[0]["deliveries"]["queued"] == 0


def test_a_tick_again_changes_nothing(told):
    """The store is equal row by row, and the output says that there was nothing to do."""
    before = told.dump()
    run = told.run("once", *at(AFTER))
    assert (run.exit_code, run.stdout) == (
        0,
        "playback_volume: 2026-03-04T09:00:00Z was evaluated before; nothing to do\n",
    )
    assert told.dump() == before
    assert told.lines("once", *at(AFTER))[0]["repeated"] is True


def test_an_older_tick_is_refused_where_newer_ones_exist(told):
    """What came later would be judged out of order: refused with both times, nothing written."""
    before = told.dump()
    run = told.run("once", *at(AFTER - HOUR))
    assert run.exit_code == 2
    assert "playback_volume was evaluated at 2026-03-04T09:00:00Z, after 2026-03-04T08:00:00Z" in run.stderr
    assert "--dry-run" in run.stderr
    assert run.stdout == ""
    assert told.dump() == before


def test_a_dry_run_prints_the_message_and_writes_nothing(told):
    """An older tick may be tried; the store stays equal row by row, the outbox included."""
    before = told.dump()
    run = told.run("once", *at(BEFORE + HOUR), "--dry-run")
    assert run.exit_code == 0
    assert "to terminal:\nCRITICAL playback_volume: device=ios stopped\n" in run.stdout
    assert "The total is stable" in run.stdout
    assert told.dump() == before


def test_a_dry_run_tells_what_was_told_live(told):
    """The same judged buckets, transitions and messages as the evaluation itself, when it is done afterwards."""
    live = told.lines("once", *at(END))
    assert live[0]["messages"]
    assert told.lines("once", *at(END), "--dry-run") == live


def test_a_dry_run_of_a_fresh_or_changed_rule_leaves_the_store_as_it_was(told):
    """A rule that now counts something else is learned on a private copy; the real history is not forgotten."""
    before = told.dump()
    told.write("rules/playback.yaml", RULE + "    where: device <> 'web'\n")
    told.write("rules/second.yaml", RULE.replace("playback_volume", "second"))
    run = told.run("once", *at(AFTER), "--dry-run")
    assert run.exit_code == 0
    assert "second: reading 680 buckets of history" in run.stderr
    assert "playback_volume: reading 678 buckets of history" in run.stderr
    assert told.dump() == before


def test_json_is_one_object_per_rule_and_nothing_else(told):
    """The documented keys; a console receiver's own text goes to standard error."""
    told.write("rules/second.yaml", RULE.replace("playback_volume", "second"))
    run = told.run("once", *at(END), "--json")
    lines = [json.loads(line) for line in run.stdout.splitlines()]
    assert [line["rule"] for line in lines] == ["playback_volume", "second"]
    assert all(
        list(line) == ["rule", "tick", "judged", "repeated", "blind", "late", "transitions", "messages", "notices"]
        for line in lines
    )
    assert lines[0]["tick"] == "2026-03-04T12:00:00Z"
    assert lines[0]["judged"] == ["2026-03-04T09:00:00Z", "2026-03-04T10:00:00Z", "2026-03-04T11:00:00Z"]
    assert lines[0]["transitions"][-1]["change"] == "resolved"
    assert lines[0]["messages"][0]["receiver"] == "terminal"
    assert "RESOLVED playback_volume: device=ios is back to normal" in run.stderr


def test_only_the_rules_that_are_named_are_evaluated(told):
    """And a name that is none is answered with those there are."""
    told.write("rules/second.yaml", RULE.replace("playback_volume", "second"))
    assert [line["rule"] for line in told.lines("once", "playback_volume", *at(END))] == ["playback_volume"]
    run = told.run("once", "playback_volum", *at(END))
    assert (run.exit_code, run.stdout) == (2, "")
    assert "no rule is called 'playback_volum' - did you mean 'playback_volume'?" in run.stderr


def test_a_source_that_cannot_be_asked_is_2_and_one_blind_incident(told):
    """The files are gone: told as blind, twice evaluated it is still one incident, and the open loss stays open."""
    (told.folder / "lake" / "events.parquet").rename(told.folder / "elsewhere.parquet")
    run = told.run("once", *at(AFTER + HOUR))
    assert run.exit_code == 2
    assert "playback_volume: could not ask the source: " in run.stdout
    assert told.run("once", *at(AFTER + 2 * HOUR)).exit_code == 2
    (rule,) = told.lines("status")[0]["rules"]
    assert [(item["kind"], item["state"]) for item in rule["open"]] == [("drop", "unknown"), ("blind", "firing")]


def test_a_source_that_cannot_be_opened_stops_no_other_rule(told):
    """Its URL reads a variable that is not set: told as a source that cannot be asked, exit code 2, the other rule is evaluated."""
    told.write("slicewatch.toml", TOML + '[sources.warehouse]\nkind = "sql"\nurl = {env = "WAREHOUSE_URL"}\n')
    told.write("rules/a.yaml", RULE.replace("playback_volume", "a").replace("lake.", "warehouse."))
    run = told.run("once", *at(AFTER + HOUR))
    assert run.exit_code == 2
    assert "missing secret: sources.warehouse.url reads the variable WAREHOUSE_URL, which is not set" in run.stdout
    assert "playback_volume: 1 bucket judged" in run.stdout
    (rule,) = [rule for rule in told.lines("status")[0]["rules"] if rule["rule"] == "a"]
    assert [(item["kind"], item["state"]) for item in rule["open"]] == [("blind", "firing")]


def test_slack_gets_the_message(told):
    """The receiver is a Slack that answers over HTTP; the token comes from the environment."""
    with SlackStandin() as slack:
        told.write("slicewatch.toml", with_slack(slack.url))
        told.write("rules/second.yaml", RULE.replace("playback_volume", "second"))
        run = told.run("once", "second", *at(BEFORE + HOUR), SLACK_TOKEN=slack.token)
        assert run.exit_code == 0
        (message,) = slack.roots()
        assert "CRITICAL second: device=ios" in message["text"]
    assert told.lines("status")[0]["deliveries"]["queued"] == 0


class Looking(SlackStandin):
    """Looks, while a message is on its way, until when it is held."""

    def __init__(self, store: Path) -> None:
        super().__init__()
        self.store, self.held_until = store, []

    def answer(self, method: str, args: dict[str, Any], token: str) -> Answer:
        with closing(sqlite3.connect(self.store)) as looking:
            (until,) = looking.execute("SELECT max(lease_until) FROM slicewatch_outbox").fetchone()
        self.held_until.append(datetime.fromtimestamp(until / 1e6, UTC))
        return super().answer(method, args, token)


def test_what_is_sent_as_of_the_past_is_held_today(told):
    """A daemon that runs beside it must not take the message for one whose sender has died."""
    with Looking(told.folder / "slicewatch.db") as slack:
        told.write("slicewatch.toml", with_slack(slack.url))
        told.write("rules/second.yaml", RULE.replace("playback_volume", "second"))
        began = datetime.now(UTC)
        assert told.run("once", "second", *at(BEFORE + HOUR), SLACK_TOKEN=slack.token).exit_code == 0
        assert slack.held_until
        assert min(slack.held_until) > began


def test_what_cannot_be_delivered_is_said_and_kept(told):
    """A Slack that refuses the token: exit code 0, for the evaluation went well; the message is told as given up."""
    with SlackStandin() as slack:
        told.write("slicewatch.toml", with_slack(slack.url))
        told.write("rules/second.yaml", RULE.replace("playback_volume", "second"))
        run = told.run("once", "second", *at(BEFORE + HOUR), SLACK_TOKEN="xoxb-another")
    assert run.exit_code == 0
    assert "oncall: dead: " in run.stderr
    assert "invalid_auth" in run.stderr


def test_only_what_sends_needs_the_secret_of_a_receiver(told):
    """A dry run, a replay and the status do without the token; `once` says which variable is missing."""
    told.write("slicewatch.toml", with_slack("http://127.0.0.1:9"))
    missing = "missing secret: receivers.oncall.token reads the variable SLACK_TOKEN, which is not set"
    run = told.run("once", *at(END))
    assert (run.exit_code, missing in run.stderr) == (2, True)
    for args in (("once", *at(END), "--dry-run"), ("status",)):
        assert told.run(*args).exit_code == 0
    stretch = ("--from", AFTER.isoformat(), "--to", (AFTER + HOUR).isoformat())
    assert told.run("replay", *stretch).exit_code == 0


def test_a_time_that_is_none_is_refused(fresh):
    """With the forms that are understood."""
    run = fresh.run("once", "--at", "yesterday")
    assert run.exit_code == 2
    assert "'yesterday' is not a time such as 2026-01-31 or 2026-01-31T14:00Z" in run.stderr


def test_times_have_one_meaning(told):
    """An offset is honoured, and without one it is UTC."""
    ticks = [
        told.lines("once", "--at", text, "--dry-run")[0]["tick"]
        for text in ("2026-03-04T13:00+01:00", "2026-03-04T12:00")
    ]
    assert ticks == ["2026-03-04T12:00:00Z"] * 2


def test_a_renamed_rule_goes_on_with_its_incident(told):
    """`was` brings history and incident along: nothing is read again, and the end is told in the same incident."""
    (before,) = told.lines("status")[0]["rules"][0]["open"]
    told.write("rules/playback.yaml", RULE.replace("playback_volume", "playback\n    was: playback_volume"))
    told.run("once", "--dry-run", *at(AFTER + HOUR))
    runs = [told.run("once", *at(AFTER + n * HOUR)) for n in (1, 2, 3)]
    assert "reading" not in runs[0].stderr
    assert before["id"] in "".join(run.stdout for run in runs)
    assert "RESOLVED playback" in "".join(run.stdout for run in runs)
    assert told.run("explain", before["id"]).exit_code == 0
