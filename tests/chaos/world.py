"""The events of a chaos run: warehouses whose rows follow from the run's clock and its plan, and that fail on command.

A view makes the rows as they are asked for. A bucket's events are there once it is over by the run's clock and not
before, so that whoever looks too early sees that nothing came. Counts differ by a hundredth or so, in a way that
depends on the slice and the bucket alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from tests.chaos.clock import Pace
from tests.chaos.plan import Loss, Plan, names, rule_name, source_of
from tests.chaos.servers import Line, Server

BUCKET = timedelta(minutes=30)
DELAY = timedelta(minutes=15)
"""How long after its end a bucket is judged."""
ORIGIN = datetime(2026, 11, 23, 15, tzinfo=UTC)
"""Start of bucket 0."""
BEGIN = ORIGIN + DELAY
"""Where the clock stands until the run begins: the bucket before the origin is just due."""
HISTORY = timedelta(days=30)
VOLUME = 300
"""Events a bucket of the smallest slice."""
LEAST = 100
"""Fewer events in a bucket are a loss, by the fixed bound."""

CLOCK = """
CREATE TABLE pace (origin DOUBLE PRECISION, real DOUBLE PRECISION, speed DOUBLE PRECISION);
INSERT INTO pace VALUES (0, 0, 0);
CREATE FUNCTION run_clock() RETURNS TIMESTAMPTZ LANGUAGE sql VOLATILE AS $$
    SELECT to_timestamp(origin + (extract(epoch FROM pg_catalog.clock_timestamp()) - real) * speed) FROM pace
$$;
"""
EVENTS = """
CREATE TABLE mood (mood TEXT NOT NULL);
INSERT INTO mood VALUES ('well');
CREATE FUNCTION come_what_may() RETURNS BOOLEAN LANGUAGE plpgsql VOLATILE AS $$
DECLARE how TEXT;
BEGIN
    SELECT mood INTO how FROM mood;
    IF how = 'error' THEN RAISE EXCEPTION 'the warehouse is out of order'; END IF;
    IF how = 'slow' THEN PERFORM pg_sleep(600); END IF;
    RETURN TRUE;
END $$;
CREATE TABLE bucket (starts TIMESTAMP PRIMARY KEY, number INTEGER NOT NULL);
CREATE TABLE leaf (device TEXT, country TEXT, number INTEGER NOT NULL);
CREATE TABLE stream (name TEXT PRIMARY KEY, number INTEGER NOT NULL);
CREATE TABLE loss (stream TEXT, device TEXT, country TEXT, begins TIMESTAMP, ends TIMESTAMP);
CREATE INDEX ON loss (stream);
CREATE VIEW events AS
SELECT s.name AS stream, b.starts AS event_time, l.device, l.country,
       (%(volume)s * (1 + l.number %% 5) * (1 + l.number %% 3)
         * (1 + ((l.number * 7 + b.number * 31 + s.number * 17) %% 21 - 10) / 1000.0))::BIGINT AS events
FROM stream s CROSS JOIN bucket b CROSS JOIN leaf l
WHERE (SELECT come_what_may())
  AND b.starts <= (SELECT run_clock() AT TIME ZONE 'UTC') - INTERVAL '%(bucket)s seconds'
  AND NOT EXISTS (
      SELECT FROM loss x
      WHERE x.stream = s.name AND x.device = l.device AND (x.country IS NULL OR x.country = l.country)
        AND b.starts >= x.begins AND b.starts < x.ends);
"""


def start_of(bucket: int) -> datetime:
    """When a bucket of the plan starts."""
    return ORIGIN + bucket * BUCKET


def due_at(bucket: int) -> datetime:
    """The tick that judges a bucket first."""
    return start_of(bucket + 1) + DELAY


@dataclass
class Warehouse:
    """One source: a database of the warehouses' server, and the line that the program reaches it by."""

    server: Server
    database: str
    line: Line = field(init=False)

    def __post_init__(self) -> None:
        self.line = Line(self.server.socket)
        self.line.start()

    @property
    def url(self) -> str:
        """For the program, by the line."""
        return f"postgresql+psycopg://postgres@127.0.0.1:{self.line.port}/{self.database}?sslmode=disable"

    def fill(self, plan: Plan, number: int) -> None:
        """Make the view, and all that the plan loses."""
        size = plan.size
        rules = [n for n in range(size.rules) if source_of(n, size) == number]
        leaves = [(d, c) for d in names("device", size.devices) for c in names("country", size.countries)]
        mine = {rule_name(n) for n in rules}
        with self.server.connect(self.database) as connection, connection.cursor() as cursor:
            cursor.execute(CLOCK)
            cursor.execute(EVENTS % {"volume": VOLUME, "bucket": int(BUCKET.total_seconds())})
            first, last = (at.replace(tzinfo=None) for at in (ORIGIN - HISTORY, start_of(size.buckets * 4 + 200)))
            cursor.execute(
                "INSERT INTO bucket SELECT at, row_number() OVER (ORDER BY at) FROM generate_series(%s, %s, %s) at",
                [first.replace(hour=0), last, BUCKET],
            )
            cursor.executemany("INSERT INTO leaf VALUES (%s, %s, %s)", [(*leaf, n) for n, leaf in enumerate(leaves)])
            cursor.executemany("INSERT INTO stream VALUES (%s, %s)", [(rule_name(n), n) for n in rules])
            cursor.executemany(
                "INSERT INTO loss VALUES (%s, %s, %s, %s, %s)",
                [_row(loss) for loss in plan.losses if loss.rule in mine],
            )
            cursor.execute("ANALYZE")

    def feel(self, mood: str) -> None:
        """Answer, fail, or take longer than anybody waits; whoever waits already goes on waiting."""
        with self.server.connect(self.database) as connection:
            connection.execute("UPDATE mood SET mood = %s", [mood])

    def keep_time(self, pace: Pace) -> None:
        """Put a pace in force."""
        keep_time(self.server, self.database, pace)


def keep_time(server: Server, database: str, pace: Pace) -> None:
    """Let a database's own clock of the run keep this pace."""
    with server.connect(database) as connection:
        connection.execute("UPDATE pace SET (origin, real, speed) = (%s, %s, %s)", [pace.origin, pace.real, pace.speed])


def _row(loss: Loss) -> Sequence[object]:
    begin, end = (start_of(bucket).replace(tzinfo=None) for bucket in (loss.begin, loss.end))
    return (loss.rule, loss.device, loss.country, begin, end)
