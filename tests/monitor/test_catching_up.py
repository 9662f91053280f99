"""A rule that was not evaluated for a while: every bucket is judged, and what is over is told once."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.absences import LONGEST_WAIT, QUIET
from alerts.hours import Hours
from alerts.model import Change, Kind, Message, Reason
from alerts.operations import Operations, ReceiverPolicy
from monitor import store
from monitor.buckets import DAY, Grid, to_datetime, to_epoch
from monitor.catching_up import LATE, MOST_TICKS, Backlogs, merged
from monitor.missed import tell_missed
from monitor.ticks import due_ticks
from monitor.watched import Watched
from rules.cron import Cron
from rules.model import Mute, NewValues, Rule, Severity, SourceRef, Timestamp
from rules.problem import Place
from tests.monitor.ticks import Ticks, told
from tests.monitor.world import HOUR, World, WorldSource, cause, coming, world

SMALL = {"device": ("phone", "tablet", "tv", "web"), "country": ("NO", "SE", "DK"), "version": ("1", "2")}
N = 28 * 24 + 10
"""The first tick; all columns before are history."""
FRESH = world(SMALL, days=33)
ONCALL = Operations("oncall")

Over = Callable[..., Ticks]


@pytest.fixture(scope="module")
def learned(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store that has counted four weeks of FRESH."""
    path = tmp_path_factory.mktemp("learned") / "state.db"
    state = store.Store.open(f"sqlite:///{path}")
    Ticks.over(FRESH, state).learn(N)
    state.close()
    return path


@pytest.fixture
def over(learned: Path, tmp_path: Path) -> Over:
    """Ticks over a world whose first four weeks are those of FRESH, each in a file store of its own."""
    opened: list[store.Store] = []

    def make(made: World, name: str = "state", **rule) -> Ticks:
        path = tmp_path / f"{name}.db"
        shutil.copy(learned, path)
        opened.append(store.Store.open(f"sqlite:///{path}"))
        return Ticks.over(made, opened[-1], **rule)

    yield make
    for state in opened:
        state.close()


@pytest.fixture
def arriving() -> Iterator[Ticks]:
    """A table that says when its events arrived, all of them at once."""
    state = store.Store.open("sqlite://")
    ticks = Ticks.over(FRESH, state, arrived_at=Timestamp("arrived"))
    ticks.source.coming = coming(FRESH, np.tile([1.0, 0.0, 0.0, 0.0], (len(FRESH.terms), 1)))
    yield ticks.learn(N)
    state.close()


def losses() -> World:
    """Two losses that end, and one that does not; hours are counted from the first tick."""
    made = FRESH.scaled(0.0, N + 3, N + 6, device="tv").scaled(0.0, N + 10, N + 13, device="web", country="NO")
    return made.scaled(0.3, N + 17, None, device="phone", country="SE")


def facts(ticks: Ticks) -> list[tuple]:
    return [
        (i.kind, i.cause, i.since, i.until, i.raised_at, i.resolved_at, i.observed, round(i.expected, 3))
        for i in ticks.incidents
    ]


def sent(ticks: Ticks) -> list[tuple[str, Change]]:
    """What is in the outbox about single incidents, in the order in which it was queued."""
    return [(m.cause.label(), m.change) for outcome in ticks.outcomes for _, m in outcome.messages]


def digests(ticks: Ticks, column: int, **fields) -> list[Message]:
    return [m for _, m in tell_missed(ticks.state, ONCALL, ticks.at(column), caught_up=True, **fields)]


# --- what is judged ------------------------------------------------------------------------------------------


def test_catching_up_finds_what_being_there_would_have(over):
    """A day is missed: the same incidents, with the same times and sums, however the ticks are taken."""
    live = over(losses(), "live").run(range(N, N + 25))
    late = over(losses(), "late").run([N]).catch_up(N + 24)
    at_once = over(losses(), "once").run([N, N + 24])
    assert facts(live) == facts(late) == facts(at_once)
    assert [o.judged for o in late.outcomes[1:]] == [o.judged for o in live.outcomes[1:]]


def test_many_ticks_are_merged_and_no_bucket_is_lost(over):
    """Three days are judged day by day, then hour by hour: each bucket once, in order, with the verdicts of those who were there."""
    live = over(losses(), "live").run(range(N, N + 75))
    late = over(losses(), "late").run([N]).catch_up(N + 74)
    assert len(late.outcomes) < 1 + 24 + MOST_TICKS
    judged = [start for outcome in late.outcomes[1:] for start in outcome.judged]
    assert judged == [to_datetime(int(start)) for start in FRESH.starts[N + 1 : N + 75]]
    assert facts(live) == facts(late)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_a_partial_loss_is_found_by_one_evaluation_of_three_hours(seed):
    """On the first day of a store, too: that nothing came late is known from what was read before the hours are judged."""
    made = world(SMALL, seed=seed, days=30).scaled(0.65, N + 1, None, device="tv")
    with_state = store.Store.open("sqlite://")
    ticks = Ticks.over(made, with_state).learn(N).run([N, N + 3])
    assert told(ticks.transitions) == [("opened", "drop", "device=tv")]
    with_state.close()


@dataclass
class Stopping(WorldSource):
    """Fails once it was asked so many times."""

    left: int = 10**9

    def count(self, query):
        self.left -= 1
        self.broken = "connection refused" if self.left < 0 else ""
        return super().count(query)


def test_counts_are_read_newest_first_and_a_stop_loses_none(over):
    """Three days are asked for day by day, the newest first; who stops in between goes on with what is missing."""
    ticks = over(FRESH).run([N])
    source = ticks.source = ticks.evaluator.source = Stopping(FRESH, left=2)
    ticks.catch_up(N + 74)
    days = [query.windows[0] for query in source.asked]
    assert [(day.start, day.end) for day in days] == [
        (to_datetime(int(FRESH.starts[31 * 24])), ticks.at(N + 73)),
        (to_datetime(int(FRESH.starts[30 * 24])), to_datetime(int(FRESH.starts[31 * 24]))),
    ]
    assert [o.blind for o in ticks.outcomes[1:]] == ["connection refused"]

    source.left, asked = 10**9, len(source.asked)
    ticks.catch_up(N + 75)
    again = [window for query in source.asked[asked:] for window in query.windows]
    riper = [window for window in again if days[1].start <= window.start < ticks.at(N + 69)]
    assert sum((window.end - window.start for window in riper), timedelta(0)) <= timedelta(hours=1), "read again"
    assert [start for o in ticks.outcomes for start in o.judged] == [
        to_datetime(int(start)) for start in FRESH.starts[N : N + 76]
    ]


def test_a_source_that_fails_is_blind_at_once(over):
    """It is asked once, not for each tick: one incident, told at once, and all missed evaluations say so."""
    ticks = over(FRESH).run([N])
    ticks.source.broken = "connection refused"
    ticks.catch_up(N + 24)
    assert len(ticks.outcomes) == 2
    assert sent(ticks) == [("total", Change.OPENED)]
    with ticks.state.read() as tx:
        assert [run.outcome for run in store.runs(tx, ticks.rule.name)] == ["blind"] * 24 + ["ok"]


def test_what_was_behind_and_came_is_judged(arriving):
    """A table with arrivals stood still for hours while nobody looked: nothing is late by now, and nothing lost."""
    ticks = arriving
    ticks.source.halted = (int(FRESH.starts[N + 4]), int(FRESH.starts[N + 9]))
    ticks.run([N]).catch_up(N + 24)
    assert told(ticks.transitions) == []


def test_what_is_still_behind_is_told_as_late(arriving):
    """The table stands still since some hours: what came before is judged, and the silence is no loss."""
    ticks = arriving
    ticks.source.halted = (int(FRESH.starts[N + 18]), int(FRESH.starts[N + 50]))
    ticks.run([N]).catch_up(N + 24)
    assert {t.incident.kind for t in ticks.transitions} == {Kind.LATE}
    assert sent(ticks) == [("total", Change.RELEASED)]
    judged = [start for outcome in ticks.outcomes for start in outcome.judged]
    assert judged[-1] == to_datetime(int(FRESH.starts[N + 16]))


# --- what is told --------------------------------------------------------------------------------------------


def test_what_is_over_is_told_in_one_digest_and_what_is_still_bad_at_once(over):
    """Two incidents began and ended: one message about both. The third is told by itself, with its true beginning."""
    ticks = over(losses()).run([N]).catch_up(N + 24)
    assert sent(ticks) == [("device=phone, country=SE", Change.RELEASED)]
    (message,) = [m for o in ticks.outcomes for _, m in o.messages]
    assert "found late, for nothing was judged from" in " ".join(message.summary).lower()
    assert message.since == to_datetime(int(FRESH.starts[N + 17]))
    (digest,) = digests(ticks, N + 24)
    assert digest.title == "MISSED: 2 incidents began and ended while nothing was judged"
    assert "device=tv" in digest.summary[1]
    assert "device=web, country=NO" in digest.summary[1]
    assert digests(ticks, N + 25) == []


def test_one_evaluation_of_all_of_it_tells_the_same(over):
    """`once`, called after a day: the same digest, the same message of what goes on."""
    ticks = over(losses()).run([N, N + 24])
    assert [label for label, _ in sent(ticks)][:1] == ["device=phone, country=SE"]
    assert {label for label, _ in sent(ticks)} == {"device=phone, country=SE"}
    (digest,) = digests(ticks, N + 24)
    assert digest.title.startswith("MISSED: 2 incidents")


def test_the_decisions_say_why(over):
    """Nothing is told of the steps in between, and why; the last one says in which digest it is told."""
    ticks = over(losses()).run([N]).catch_up(N + 24)
    (digest,) = digests(ticks, N + 24)
    (tv,) = [i for i in ticks.incidents if i.cause == cause(device="tv")]
    with ticks.state.read() as tx:
        decided = store.decisions(tx, tv.id)
    assert {d.reason for d in decided[:-1]} <= {Reason.CATCHING_UP, Reason.NOT_NEWS}
    assert (decided[0].reason, decided[-1].reason) == (Reason.CATCHING_UP, Reason.DIGESTED)
    assert decided[-1].because.startswith(f"told in {digest.key}: nothing was judged from ")


def test_what_ends_that_was_told_before_is_told_at_once(over):
    """Somebody knows of it: the end is theirs to hear, and no part of the digest."""
    ticks = over(FRESH.scaled(0.0, N + 1, N + 6, device="tv")).run([N, N + 1, N + 2]).catch_up(N + 24)
    assert sent(ticks) == [("device=tv", Change.OPENED), ("device=tv", Change.RESOLVED)]
    assert digests(ticks, N + 24) == []


def test_a_restart_in_between_tells_everything_once(over):
    """The process ends after each evaluation: the same digest, and what goes on is told once."""
    ticks = over(losses()).run([N])
    now = ticks.at(N + 24)
    ticks.source.now = to_epoch(now)
    while True:
        with ticks.state.read() as tx:
            newest = store.newest_run(tx, ticks.rule.name)
        due, catching_up = Backlogs().due(ticks.watched, newest, now)
        if not due:
            break
        ticks.restart()
        ticks.outcomes.append(ticks.evaluator.evaluate(due[0], now, catching_up))
    assert sent(ticks) == [("device=phone, country=SE", Change.RELEASED)]
    (digest,) = digests(ticks, N + 24)
    assert digest.title.startswith("MISSED: 2 incidents")


def test_what_was_muted_then_is_in_no_digest(over):
    """A loss that would have been told to nobody is told to nobody now; the other one is."""
    begins = to_datetime(int(FRESH.starts[N + 3]))
    mute = Mute(Cron.parse(f"0 {begins.hour} * * *"), timedelta(hours=5), "nightly load")
    ticks = over(losses(), mute=(mute,)).run([N]).catch_up(N + 24)
    (digest,) = digests(ticks, N + 24)
    assert digest.title.startswith("MISSED: 1 incident ")
    assert "device=tv" not in digest.summary[1]


def test_a_value_that_appeared_meanwhile_is_told_in_the_digest(over):
    """A new device was seen while nobody looked, and is no news of now."""
    made = FRESH.relabelled(N + 5, dimension="version", old="2", new="3", device="web", country="NO")
    kept = replace(
        made,
        values=np.where(
            made.inside(version="2")[None, :, None],
            np.concatenate(
                [FRESH.values, np.zeros((1, len(made.terms) - len(FRESH.terms), FRESH.values.shape[2]), np.int64)],
                axis=1,
            ),
            made.values,
        ),
    )
    rule = {
        "slices": replace(
            Rule("r", SourceRef("s", ("t",)), Timestamp("at"), (), Place("r")).slices, new=NewValues.ALERT
        )
    }
    ticks = over(kept, **rule).run([N]).catch_up(N + 24)
    assert [m for m in sent(ticks) if m[0] == "version=3"] == []
    news = [i for i in ticks.incidents if i.kind is Kind.NEW]
    assert [(i.cause, i.since) for i in news] == [(cause(version="3"), to_datetime(int(FRESH.starts[N + 5])))]
    (digest,) = digests(ticks, N + 24)
    assert "version=3 is new" in digest.summary[1]


def test_a_short_delay_is_no_absence():
    """Buckets of five minutes, judged twenty minutes late: told as ever."""
    made = world(SMALL, days=30, grid=Grid(300))
    column = 29 * 288
    state = store.Store.open("sqlite://")
    lost = made.scaled(0.0, column + 1, column + 3, device="tv")
    ticks = Ticks.over(lost, state, time_bucket=timedelta(minutes=5), schedule=timedelta(minutes=5))
    ticks.learn(column).run([column]).catch_up(column + 5)
    assert all(o.reason is not Reason.CATCHING_UP for outcome in ticks.outcomes for o in outcome.decisions)
    assert [i.absence for i in ticks.incidents] == [None]
    assert to_epoch(ticks.at(column + 5)) - to_epoch(ticks.at(column + 1)) < LATE.total_seconds()
    state.close()


# --- when the digest is sent ---------------------------------------------------------------------------------


def test_a_digest_waits_for_the_other_rules_and_not_for_ever(over):
    """It is sent when nothing was added for two minutes, or the first of it waits for ten; each incident in it once."""
    ticks = over(losses()).run([N]).catch_up(N + 24)
    now = ticks.at(N + 24) + timedelta(seconds=20)
    assert tell_missed(ticks.state, ONCALL, now + QUIET / 2) == []
    ((name, message),) = tell_missed(ticks.state, ONCALL, now + QUIET)
    assert (name, message.seq) == ("oncall", 1)
    assert tell_missed(ticks.state, ONCALL, now + LONGEST_WAIT) == []


def test_hours_hold_a_digest_back(over):
    """Over is over: outside its hours a receiver is not woken for it, unless some of it was critical."""
    ticks = over(losses()).run([N]).catch_up(N + 24)
    now = ticks.at(N + 24) + timedelta(minutes=5)
    later = now + timedelta(hours=3)
    hours = Hours.parse(f"{later:%H}:00-{later + timedelta(hours=1):%H}:00")
    operations = Operations("oncall", receivers=(ReceiverPolicy("oncall", hours=hours),))
    assert tell_missed(ticks.state, operations, now) == []
    assert len(tell_missed(ticks.state, operations, later)) == 1

    loud = over(losses(), "loud", severity=Severity.CRITICAL).run([N]).catch_up(N + 24)
    assert len(tell_missed(loud.state, operations, now)) == 1


def test_two_rules_share_a_digest(over):
    """Each adds what it missed; one message tells of both."""
    ticks = over(losses()).run([N]).catch_up(N + 24)
    other = Ticks.over(losses(), ticks.state, name="second")
    other.learn(N).run([N]).catch_up(N + 24)
    (digest,) = digests(other, N + 24)
    assert digest.title.startswith("MISSED: 4 incidents")
    assert "By rule: playback_volume 2, second 2." in digest.summary


# --- which ticks ---------------------------------------------------------------------------------------------

BASE = Rule("r", SourceRef("lake", ("t",)), Timestamp("at"), ("device",), Place("r.yaml"), timezone="Europe/Oslo")
rules = st.builds(
    lambda schedule, bucket: Watched.of(replace(BASE, schedule=schedule, time_bucket=bucket)),
    st.sampled_from([timedelta(minutes=5), timedelta(minutes=15), timedelta(hours=1), Cron.parse("0 6 * * *")]),
    st.sampled_from([timedelta(minutes=5), timedelta(hours=1), timedelta(days=1)]),
)
moments = st.datetimes(datetime(2026, 3, 20), datetime(2026, 4, 5), timezones=st.just(UTC)).map(
    lambda moment: moment.replace(microsecond=0)
)


@given(rules, moments, st.integers(0, 9 * DAY))
def test_merged_ticks_judge_every_bucket_once_and_in_order(watched, now, ago):
    """However long it was: the buckets of all ticks, and the last tick is the newest one."""
    last = to_epoch(now) - ago
    ticks = due_ticks(watched, last, now)
    taken = merged(watched, ticks)
    assert set(taken) <= set(ticks)
    assert taken[-1:] == ticks[-1:]
    judged, after = [], last
    for tick in taken:
        judged += watched.schedule.newly_due(after, to_epoch(tick))
        after = to_epoch(tick)
    assert judged == (watched.schedule.newly_due(last, to_epoch(ticks[-1])) if ticks else [])


@given(rules, moments, st.integers(0, 3 * DAY), st.integers(0, HOUR))
def test_the_end_of_a_catch_up_is_fixed_when_it_begins(watched, now, ago, slow):
    """While it lasts, newer ticks wait for it: a rule that is always slow tells what it found all the same."""
    backlogs = Backlogs()
    _, found = backlogs.due(watched, to_epoch(now) - ago, now)
    if found is None:
        return
    ticks, again = backlogs.due(watched, to_epoch(now) - ago, now + timedelta(seconds=slow))
    assert (again, ticks[-1]) == (found, found.last)
    _, after = backlogs.due(watched, to_epoch(found.last), now + timedelta(seconds=slow))
    assert after is None or after.last > found.last
