"""The query to paste returns the incident's own numbers, in a real engine."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import duckdb
import pytest
import sqlalchemy as sa

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


ROWS = [
    ("11-16 13:59:59", "ios", "NO", 2),
    ("11-16 14:00:00", "ios", "NO", 20),
    ("11-16 15:59:59", "ios", "SE", 200),
    ("11-23 13:59:59", "ios", "NO", 1),
    ("11-23 14:00:00", "ios", "NO", 10),
    ("11-23 14:30:00", "ios", None, 100),
    ("11-23 15:59:59", "o'brien\"s", "NO", 1_000),
    ("11-23 15:00:00", "", "NO", 10_000),
    ("11-23 16:00:00", "ios", "NO", 100_000),
]
TABLE = 'CREATE TABLE playback ("at" TIMESTAMP, device TEXT, "Country Code" TEXT, visits BIGINT)'


def _duckdb():
    connection = duckdb.connect()
    connection.execute(TABLE)
    connection.executemany("INSERT INTO playback VALUES (?, ?, ?, ?)", [(f"2026-{at}", *rest) for at, *rest in ROWS])
    yield lambda text: connection.execute(text).fetchone()
    connection.close()


def _postgres(url: str):
    engine = sa.create_engine(url)
    with engine.connect() as connection:
        connection.exec_driver_sql("CREATE SCHEMA main; SET search_path TO main; " + TABLE)
        for at, *rest in ROWS:
            connection.exec_driver_sql("INSERT INTO playback VALUES (%s, %s, %s, %s)", (f"2026-{at}", *rest))
        yield lambda text: tuple(connection.exec_driver_sql(text.replace("%", "%%")).one())
    engine.dispose()


@pytest.fixture(params=["duckdb", "postgres"])
def ask(request):
    """Events of two hours and around them, and of the same hours a week before, in a real engine."""
    if request.param == "duckdb":
        yield from _duckdb()
    else:
        yield from _postgres(request.getfixturevalue("postgres_url"))


@pytest.mark.parametrize(
    ("slice_", "count", "visits"),
    [
        (Slice(), (4, 2), (11_110, 220)),
        (cause(device="ios"), (2, 2), (110, 220)),
        (Slice.of({"device": "ios", "Country Code": None}), (1, 0), (100, 0)),
        (cause(device="o'brien\"s"), (1, 0), (1_000, 0)),
        (cause(device=""), (1, 0), (10_000, 0)),
        (cause(device="NULL"), (0, 0), (0, 0)),
    ],
)
def test_it_returns_the_numbers_of_the_slice(ask, slice_, count, visits):
    """Observed, expected, a week before: quotes, NULL, empty strings and odd column names included."""
    now, then = count
    assert ask(query_to_paste(RULE, incident(slice_, expected=812_345.6))) == (now, 812_346, then)
    now, then = visits
    summed = query_to_paste(RULE, incident(slice_, metric="sum(visits)", expected=0.4))
    assert ask(summed) == (now, Decimal("0.4"), then)


def test_an_incident_of_weeks_counts_each_stretch_in_full(ask):
    """Where the two stretches overlap, an event belongs to both."""
    long = incident(cause(device="ios"), since=SINCE - timedelta(days=7))
    assert ask(query_to_paste(RULE, long)) == (5, 0, 3)


def test_it_keeps_the_rule_s_own_filter(ask):
    """`where` is one condition among others, whatever it holds."""
    rule = replace(RULE, where="device = 'ios' OR visits > 5000")
    assert ask(query_to_paste(rule, incident(cause(device=""))))[0] == 1
    assert ask(query_to_paste(rule, incident(cause(device="o'brien\"s"))))[0] == 0


def test_it_asks_the_rule_s_own_query(ask):
    """A rule over a query counts within it."""
    rule = replace(RULE, source=SourceRef("lake", query="SELECT * FROM playback WHERE visits < 50"))
    assert ask(query_to_paste(rule, incident(cause(device="ios")))) == (1, 0, 1)


def test_it_speaks_the_column_s_own_time(ask):
    """A naive column on Oslo's clock: two hours from 14:00 UTC are those from 15:00 there."""
    rule = replace(RULE, timestamp=Timestamp("at", "Europe/Oslo"))
    assert ask(query_to_paste(rule, incident(Slice()))) == (3, 0, 1)


def test_a_week_before_is_the_same_time_of_day():
    """Norway's clocks went back on 25 October: ten in the morning is compared with ten in the morning."""
    since = datetime(2026, 10, 26, 9, tzinfo=UTC)
    rule = replace(RULE, timezone="Europe/Oslo")
    text = query_to_paste(rule, incident(Slice(), since=since, until=since + timedelta(hours=1)))
    assert "'2026-10-26 09:00:00'" in text
    assert "'2026-10-19 08:00:00'" in text


def test_plain_names_stay_bare():
    """What every engine takes as it is, is not quoted: easier to read, and engines that fold case agree."""
    rule = replace(RULE, timestamp=Timestamp("event_time"))
    now = "event_time >= '2026-11-23 14:00:00' AND event_time < '2026-11-23 16:00:00'"
    then = "event_time >= '2026-11-16 14:00:00' AND event_time < '2026-11-16 16:00:00'"
    assert query_to_paste(rule, incident(cause(device="ios"), expected=96.2)).splitlines() == [
        f"SELECT count(CASE WHEN {now} THEN 1 END) AS observed,",
        "       96 AS expected,",
        f"       count(CASE WHEN {then} THEN 1 END) AS week_before",
        "FROM main.playback",
        f"WHERE ({now} OR {then})",
        "  AND device = 'ios'",
    ]


@pytest.mark.parametrize(
    "item", [incident(Slice(), kind=Kind.BLIND), incident(Slice(), kind=Kind.LATE), incident(cause(device=FOLDED))]
)
def test_where_no_sql_can_say_it_there_is_none(item):
    """A blind source and the folded rest have no query."""
    assert query_to_paste(RULE, item) == ""
