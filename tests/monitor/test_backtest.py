"""A backtest knows nothing of what came later, and reports what there is to know."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alerts.model import Incident, Kind, State
from dashboards.backtest import Work, compare, report_of
from monitor import store
from monitor.buckets import to_datetime
from monitor.replay import Replay
from rules.model import Interval, KnownIncident, Severity
from tests.monitor.verdicts import bucket_by_bucket
from tests.monitor.world import WorldSource, cause, fleet, rule_of, world

BROKEN = fleet(days=30, volume=5_000.0).scaled(0.0, 28 * 24 + 14, 28 * 24 + 20, device="ios", country="NO")
FIRST = 28 * 24 + 8
HOUR = timedelta(hours=1)


def replay_of(made, first: int, stop: int, **source) -> Replay:
    """A replay of the columns [first, stop) of a world."""
    starts = [to_datetime(int(made.starts[column])) for column in (first, stop)]
    return Replay(rule_of(made), WorldSource(made, **source), store.Store.open("sqlite://"), *starts)


@pytest.fixture(scope="module")
def whole():
    """The verdicts of a stretch with a loss in it and a day after it."""
    replay = replay_of(BROKEN, FIRST, FIRST + 24)
    found = bucket_by_bucket(replay)
    assert [i.cause for i in replay.incidents()] == [cause(device="ios", country="NO")]
    return found


@given(st.integers(1, 24))
@settings(max_examples=3, deadline=None)
def test_cutting_off_the_future_changes_no_past_verdict(whole, kept):
    """Fits, flags, incidents and transitions are the same, bucket by bucket, where nothing after them has happened."""
    until = int(BROKEN.starts[FIRST + kept])
    assert bucket_by_bucket(replay_of(BROKEN, FIRST, FIRST + kept, until=until)) == whole[:kept]


# --- the report ---------------------------------------------------------------------------------------------------

NOON = datetime(2026, 3, 4, 12, tzinfo=UTC)
RULE = rule_of(world({"device": ("ios", "tv"), "country": ("NO", "SE")}, days=1))
STRETCH = Interval(NOON - timedelta(days=7), NOON + timedelta(days=7))
WORK = Work(336, 0, 9, 336, 1.0)


def incident(at: int = 0, lasts: int = 3, kind: Kind = Kind.DROP, delay: int = 1, **terms) -> Incident:
    """An incident that began some hours after noon and was told `delay` hours later."""
    since = NOON + at * HOUR
    return Incident(
        id=f"sw-{at}",
        rule=RULE.name,
        metric="count",
        kind=kind,
        cause=cause(**terms),
        state=State.RESOLVED,
        severity=Severity.WARNING,
        since=since,
        until=since + lasts * HOUR,
        first_seen_at=since + HOUR,
        tick=since + lasts * HOUR,
        observed=0.0,
        expected=100.0,
        p=1e-9,
        raised_at=since + delay * HOUR,
        resolved_at=since + (lasts + 2) * HOUR,
    )


def known(at: int, lasts: int = 2, kind: str | None = None, **terms) -> KnownIncident:
    return KnownIncident(Interval(NOON + at * HOUR, NOON + (at + lasts) * HOUR), cause(**terms), kind)


@pytest.mark.parametrize(
    ("label", "told"),
    [
        (known(1, device="ios"), True),
        (known(-5, device="ios"), False),
        (known(1), True),
        (known(1, device="ios", country="NO"), True),
        (known(1, device="tv"), False),
        (known(1, country="NO"), False),
        (known(1, kind="drop", device="ios"), True),
        (known(1, kind="moved", device="ios"), True),
        (known(1, kind="spike", device="ios"), False),
    ],
    ids=["same", "earlier", "wider", "narrower", "another", "crossing", "kind", "kindred kind", "other kind"],
)
def test_a_known_incident_is_told_by_one_of_its_time_slice_and_kind(label, told):
    """Wider and narrower causes tell of it, others do not; recall and precision follow."""
    report = report_of(replace(RULE, known=(label,)), STRETCH, WORK, [incident(device="ios")])
    assert (report.labels[0].found is not None) is told
    assert (report.recall, report.precision) == ((1.0, 1.0) if told else (0.0, 0.0))
    assert report.noise.unlabelled == (0 if told else 1)


def test_labels_outside_the_stretch_count_for_nothing():
    """A backtest of March does not miss what happened in May."""
    report = report_of(replace(RULE, known=(known(24 * 60, device="tv"),)), STRETCH, WORK, [])
    assert (report.labels, report.recall, report.precision, report.delay) == ((), None, None, None)


def test_noise_is_held_against_the_budget_of_the_stretch():
    """A budget of 7 a week over two weeks allows 14; the noisiest cause stands first."""
    fired = [incident(device="tv"), incident(at=8, device="ios"), incident(at=20, lasts=5, delay=4, device="ios")]
    report = report_of(replace(RULE, false_incidents_per_week=7.0), STRETCH, WORK, fired)
    assert (report.noise.nominal, report.noise.fired, report.noise.unlabelled) == (14.0, 3, 3)
    assert [(row.slice, row.incidents, row.buckets) for row in report.noisiest] == [
        (cause(device="ios"), 2, 8),
        (cause(device="tv"), 1, 3),
    ]
    assert report.delay is not None
    assert (report.delay.median, report.delay.longest) == (HOUR, 4 * HOUR)


def test_a_change_adds_removes_and_delays():
    """What both tell is matched by cause and time, each once; the later telling is said."""
    now = [incident(device="ios", delay=3), incident(at=30, device="tv")]
    then = [incident(device="ios", country="NO", delay=1), incident(at=40, device="tv"), incident(device="ios")]
    found = compare("HEAD~1", now, then)
    assert [i.cause for i in found.added] == [cause(device="tv")]
    assert [i.since for i in found.removed] == [NOON + 40 * HOUR, NOON]
    assert [later.by for later in found.kept] == [2 * HOUR]
