"""The query to paste returns the incident's own numbers, in a real engine."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import duckdb
import pytest

from alerts.model import Incident, Kind, State
from monitor.paste import query_to_paste
from rules.model import Metric, Rule, Severity, SourceRef, Timestamp
from rules.problem import Place
from rules.slices import FOLDED, Slice
from tests.monitor.world import cause

SINCE = datetime(2026, 11, 23, 14, tzinfo=UTC)
RULE = Rule(
    name="playback_volume",
    source=SourceRef("lake", ("main", "playback")),
    timestamp=Timestamp("at"),
    dimensions=("device", "Country Code"),
    place=Place("rules/playback.yaml", 1, 1),
    metrics=(Metric("count"), Metric("sum", "visits")),
)


def incident(slice_: Slice, **fields) -> Incident:
    """Two bad hours of a slice."""
    base = Incident(
        id="sw-1",
        rule=RULE.name,
        metric="count",
        kind=Kind.DROP,
        cause=slice_,
        state=State.FIRING,
        severity=Severity.WARNING,
        since=SINCE,
        until=SINCE + timedelta(hours=2),
        first_seen_at=SINCE,
        tick=SINCE,
        observed=0.0,
        expected=0.0,
        p=0.0,
    )
    return replace(base, **fields)


@pytest.fixture
def engine():
    """Three hours of events; the middle two count."""
    connection = duckdb.connect()
    connection.execute('CREATE TABLE playback ("at" TIMESTAMP, device TEXT, "Country Code" TEXT, visits BIGINT)')
    rows = [
        ("13:59:59", "ios", "NO", 1),
        ("14:00:00", "ios", "NO", 10),
        ("14:30:00", "ios", None, 100),
        ("15:59:59", "o'brien\"s", "NO", 1_000),
        ("15:00:00", "", "NO", 10_000),
        ("16:00:00", "ios", "NO", 100_000),
    ]
    for clock, *rest in rows:
        connection.execute("INSERT INTO playback VALUES (?, ?, ?, ?)", [f"2026-11-23 {clock}", *rest])
    yield connection
    connection.close()


@pytest.mark.parametrize(
    ("slice_", "count", "visits"),
    [
        (Slice(), 4, 11_110),
        (cause(device="ios"), 2, 110),
        (Slice.of({"device": "ios", "Country Code": None}), 1, 100),
        (cause(device="o'brien\"s"), 1, 1_000),
        (cause(device=""), 1, 10_000),
        (cause(device="NULL"), 0, None),
    ],
)
def test_it_counts_the_slice_from_since_to_until(engine, slice_, count, visits):
    """Count and sum of the cause in [since, until): quotes, NULL, empty strings and odd column names included."""
    assert engine.execute(query_to_paste(RULE, incident(slice_))).fetchone() == (count,)
    summed = query_to_paste(RULE, incident(slice_, metric="sum(visits)"))
    assert engine.execute(summed).fetchone() == (visits,)


def test_it_keeps_the_rule_s_own_filter(engine):
    """`where` is one condition among others, whatever it holds."""
    rule = replace(RULE, where="device = 'ios' OR visits > 5000")
    assert engine.execute(query_to_paste(rule, incident(cause(device="")))).fetchone() == (1,)
    assert engine.execute(query_to_paste(rule, incident(cause(device="o'brien\"s")))).fetchone() == (0,)


def test_it_asks_the_rule_s_own_query(engine):
    """A rule over a query counts within it."""
    rule = replace(RULE, source=SourceRef("lake", query="SELECT * FROM playback WHERE visits < 50"))
    assert engine.execute(query_to_paste(rule, incident(cause(device="ios")))).fetchone() == (1,)


def test_it_speaks_the_column_s_own_time(engine):
    """A naive column on Oslo's clock: two hours from 14:00 UTC are those from 15:00 there."""
    rule = replace(RULE, timestamp=Timestamp("at", "Europe/Oslo"))
    assert engine.execute(query_to_paste(rule, incident(Slice()))).fetchone() == (3,)


def test_plain_names_stay_bare():
    """What every engine takes as it is, is not quoted: easier to read, and engines that fold case agree."""
    rule = replace(RULE, timestamp=Timestamp("event_time"))
    text = query_to_paste(rule, incident(cause(device="ios")))
    assert text == (
        "SELECT count(*) AS observed FROM main.playback WHERE event_time >= '2026-11-23 14:00:00'"
        " AND event_time < '2026-11-23 16:00:00' AND device = 'ios'"
    )


@pytest.mark.parametrize(
    "item", [incident(Slice(), kind=Kind.BLIND), incident(Slice(), kind=Kind.LATE), incident(cause(device=FOLDED))]
)
def test_where_no_sql_can_say_it_there_is_none(item):
    """A blind source and the folded rest have no query."""
    assert query_to_paste(RULE, item) == ""
