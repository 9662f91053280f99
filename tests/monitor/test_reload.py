"""Rule files edited while the daemon runs: nothing lost, nothing doubled, nothing stale, and a broken file breaks nobody."""

from __future__ import annotations

import shutil
import threading
import time
from contextlib import contextmanager
from datetime import datetime, timedelta

import pytest

from monitor import store
from monitor.app import App
from monitor.rulebook import Rulebook, Swap
from monitor.scheduler import Daemon
from monitor.settings import load_settings
from rules.load import RuleSet
from tests.monitor.commands.place import END, HOUR, OUTAGE, RULE, TOML, Place, events

SLOW = 120.0
BROKEN = "rules:\n  - name: [\n"
OTHER = RULE.replace("playback_volume", "other") + "    min_loss: 1\n"


@pytest.fixture(scope="module")
def lake(tmp_path_factory):
    """A folder whose lake ends at END, with an outage."""
    place = Place(tmp_path_factory.mktemp("reload") / "lake")
    place.write("slicewatch.toml", TOML)
    place.write("rules/playback.yaml", RULE)
    place.write_events(events(END))
    return place


@pytest.fixture
def place(lake, tmp_path) -> Place:
    shutil.copytree(lake.folder, tmp_path / "place")
    return Place(tmp_path / "place")


def names(rules: RuleSet) -> list[str]:
    return [rule.name for rule in rules.rules]


# --- the files -------------------------------------------------------------------------------------------------


def test_a_broken_file_keeps_its_last_good_version(place):
    """Its rules stay as they were, with today's problem; another file's change is taken; mended, it counts again."""
    book = Rulebook(load_settings(place.config, {}))
    book.read()
    place.write("rules/playback.yaml", BROKEN)
    place.write("rules/other.yaml", OTHER)
    found = book.read()
    assert names(found) == ["other", "playback_volume"]
    assert [problem.place.file.endswith("playback.yaml") for problem in found.problems] == [True]
    place.write("rules/playback.yaml", RULE.replace("critical", "warning"))
    mended = book.read()
    assert mended.problems == ()
    assert {rule.severity.value for rule in mended.rules} == {"critical", "warning"}


def test_a_rule_of_a_source_that_is_not_there_breaks_its_file(place):
    """A mistyped table stops no rule while the daemon runs: the last good version stands, and the file counts as broken."""
    book = Rulebook(load_settings(place.config, {}))
    (good,) = book.read().rules
    place.write("rules/playback.yaml", RULE.replace("source: lake.playback", "source: lake.playbakc"))
    found = book.read()
    assert found.rules == (good,)
    assert [problem.code for problem in found.problems] == ["unknown-table"]
    assert [(item.kept, len(item.errors)) for item in book.broken] == [(True, 1)]
    assert book.names is None
    fresh = Rulebook(load_settings(place.config, {}))
    assert fresh.read().rules == ()
    assert [(item.kept, item.rules) for item in fresh.broken] == [(False, ())]


def test_a_file_that_is_gone_takes_its_rules_along(place):
    """Removed is not broken: its last good version is forgotten."""
    place.write("rules/other.yaml", OTHER)
    book = Rulebook(load_settings(place.config, {}))
    before = book.read()
    (place.folder / "rules" / "other.yaml").unlink()
    after = book.read()
    assert names(after) == ["playback_volume"]
    assert Swap.between(before, after) == Swap((), (), ("other",))


def test_a_change_counts_once_the_files_stand_still(place):
    """Not at the first look after it, for the file may be half written; and not a second time once it was read."""
    book = Rulebook(load_settings(place.config, {}))
    book.read()
    assert not book.changed()
    place.write("rules/playback.yaml", "")
    assert not book.changed()
    place.write("rules/playback.yaml", RULE.replace("critical", "warning"))
    assert not book.changed()
    assert book.changed()
    book.read()
    assert [book.changed(), book.changed()] == [False, False]


# --- the daemon ------------------------------------------------------------------------------------------------


class Clock:
    """The daemon's time, which a test moves."""

    def __init__(self, start: datetime) -> None:
        self.at = start

    def __call__(self) -> datetime:
        return self.at


@contextmanager
def watching(place: Place, clock: Clock):
    """A daemon in a thread, over the place's files, that looks at them every few milliseconds."""
    with App.open(place.config, {}, out=Sink()) as app:
        daemon = Daemon(app, now=clock, watch_seconds=0.02)
        thread = threading.Thread(target=daemon.run)
        thread.start()
        try:
            yield daemon
        finally:
            daemon.stop()
            thread.join(SLOW)
            assert not thread.is_alive()


class Sink:
    """Where the console receiver writes."""

    def write(self, text: str) -> int:
        return len(text)

    def flush(self) -> None:
        """Nothing is held."""


def wait_for(what) -> None:
    until = time.monotonic() + SLOW
    while not what():
        assert time.monotonic() < until, "it did not happen in time"
        time.sleep(0.01)


def ran(daemon: Daemon, name: str) -> list[int]:
    with daemon.app.state.read() as tx:
        return sorted(run.tick for run in store.runs(tx, name, limit=10_000))


def edited(number: int) -> str:
    """The rule as its n-th edit leaves it: another owner each time, now and then one more rule or a mistake."""
    text = RULE.replace("recs-data", f"team-{number}")
    return text + (OTHER.partition("rules:\n")[2] if number % 4 == 1 else "")


def edit_and_run(place: Place, edits: int) -> None:
    """Edit the rule that often while the daemon runs; each time an hour passes."""
    clock = Clock(END - timedelta(hours=edits))
    started = clock.at
    with watching(place, clock) as daemon:
        wait_for(lambda: ran(daemon, "playback_volume"))
        for number in range(1, edits + 1):
            clock.at = started + number * HOUR
            if number % 5 == 0:
                place.write("rules/playback.yaml", BROKEN)
                wait_for(lambda: daemon.app.rules.problems)
            place.write("rules/playback.yaml", edited(number))
            wait_for(lambda number=number: owner(daemon) == f"team-{number}" and not daemon.app.rules.problems)
            wait_for(lambda: ran(daemon, "playback_volume")[-1] == int(clock.at.timestamp()))
        ticks = ran(daemon, "playback_volume")
        with daemon.app.state.read() as tx:
            incidents = store.incidents(tx, rule="playback_volume", newest_first=False)
    assert ticks == [int((started + n * HOUR).timestamp()) for n in range(edits + 1)]
    raised = [(i.cause.label(), i.since) for i in incidents if i.raised_at is not None and i.since >= OUTAGE[0]]
    assert raised.count(("device=ios", OUTAGE[0])) == 1
    assert len(raised) == len(set(raised))


def owner(daemon: Daemon) -> str | None:
    rule = daemon.app.rule("playback_volume")
    return None if rule is None else rule.owner


def test_rules_edited_while_the_daemon_runs(place):
    """Six edits, one of them broken on the way: every tick evaluated once, one incident, the newest rule in force."""
    edit_and_run(place, 6)


@pytest.mark.soak
def test_rules_edited_two_hundred_times(place):
    """The same with two hundred edits."""
    edit_and_run(place, 200)


def test_a_rule_removed_is_evaluated_no_more_and_one_added_is_at_once(place):
    """Its history and incidents stay in the store; what is added needs no restart."""
    clock = Clock(END - 2 * HOUR)
    with watching(place, clock) as daemon:
        wait_for(lambda: ran(daemon, "playback_volume"))
        (place.folder / "rules" / "playback.yaml").unlink()
        place.write("rules/other.yaml", OTHER)
        wait_for(lambda: ran(daemon, "other"))
        before = ran(daemon, "playback_volume")
        clock.at = END
        daemon.reload()
        place.write("rules/other.yaml", OTHER.replace("recs-data", "else"))
        wait_for(lambda: ran(daemon, "other")[-1] == int(END.timestamp()))
        assert ran(daemon, "playback_volume") == before


@pytest.mark.soak
def test_a_rule_that_counts_something_else_says_so_and_reads_its_history_again(place, caplog):
    """Another metric: the old counts mean nothing, which the log says, and the lookback is read anew."""
    clock = Clock(END - HOUR)
    with watching(place, clock) as daemon:
        wait_for(lambda: ran(daemon, "playback_volume"))
        clock.at = END
        place.write("rules/playback.yaml", RULE.replace("{sum: events}", "count"))
        wait_for(lambda: ran(daemon, "playback_volume")[-1] == int(END.timestamp()))
        with daemon.app.state.read() as tx:
            known = store.coverage(tx, "playback_volume", 0, 2**40)
    assert "counts something else than before" in caplog.text
    assert len(known) > 27 * 24
