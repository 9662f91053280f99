"""What every source must do. A test class inherits `SourceContract` and gives a `warehouse` fixture."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any, Protocol
from zoneinfo import ZoneInfo

import pandas as pd
import pytest

from monitor.query import Arrivals, CountQuery, QueryRefusedError, Source, SourceError
from rules.model import Interval, Metric, SourceRef, Timestamp
from rules.slices import Slice

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
COUNT = Metric("count")
TIMES = frozenset({"naive", "aware", "date"})


@dataclass(frozen=True)
class Events:
    """A small table: column name to kind (naive, aware, date, text, integer, boolean, float), and its rows."""

    kinds: Mapping[str, str]
    rows: Sequence[tuple[Any, ...]]

    def records(self) -> Iterator[dict[str, Any]]:
        """Rows as mappings."""
        return (dict(zip(self.kinds, row, strict=True)) for row in self.rows)


class Warehouse(Protocol):
    """An engine that a test can fill."""

    def load(self, events: Events, timeout: timedelta = timedelta(seconds=30)) -> tuple[Source, SourceRef]: ...

    def shown(self, kind: str, value: Any) -> str | None:
        """How the engine prints a dimension's value."""
        ...


@dataclass(frozen=True)
class Asked:
    """A query in short; `start` and `end` bound its only window unless `windows` are given."""

    dimensions: tuple[str, ...] = ()
    time: str = "ts"
    zone: str = "UTC"
    bucket: timedelta = HOUR
    days: str = "UTC"
    start: datetime = datetime(2026, 1, 5, tzinfo=UTC)
    end: datetime = datetime(2026, 1, 7, tzinfo=UTC)
    windows: tuple[Interval, ...] = ()
    measures: tuple[Metric, ...] = (COUNT,)
    where: str | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)

    def of(self, ref: SourceRef) -> CountQuery:
        """The query of a table."""
        return CountQuery(
            source=ref,
            timestamp=Timestamp(self.time, self.zone),
            bucket=self.bucket,
            windows=self.windows or (Interval(self.start, self.end),),
            dimensions=self.dimensions,
            measures=self.measures,
            where=self.where,
            timezone=self.days,
            **self.extra,
        )


def reference(events: Events, query: CountQuery, warehouse: Warehouse, keep: Any = None) -> dict[tuple[Any, ...], Any]:
    """The leaves by plain Python: (bucket, values...) to the tuple of measures."""
    found: dict[tuple[Any, ...], list[int]] = {}
    for row in events.records():
        moment = utc_of(row[query.timestamp.column], ZoneInfo(query.timestamp.timezone))
        if moment is None or not any(w.start <= moment < w.end for w in query.windows):
            continue
        if keep is not None and not keep(row):
            continue
        values = (warehouse.shown(events.kinds[d], row[d]) for d in query.dimensions)
        key = (bucket_of(moment, query.bucket, ZoneInfo(query.timezone)), *values)
        sums = found.setdefault(key, [0] * len(query.measures))
        for i, measure in enumerate(query.measures):
            sums[i] += 1 if measure.column is None else row[measure.column] or 0
    return {key: tuple(sums) for key, sums in found.items()}


def utc_of(value: Any, zone: ZoneInfo) -> datetime | None:
    """An event time in UTC."""
    if value is None:
        return None
    if not isinstance(value, datetime):
        value = datetime(value.year, value.month, value.day)
    return (value if value.tzinfo else value.replace(tzinfo=zone)).astimezone(UTC)


def bucket_of(moment: datetime, bucket: timedelta, zone: ZoneInfo) -> datetime:
    """The UTC start of a moment's bucket."""
    if bucket < DAY:
        return EPOCH + (moment - EPOCH) // bucket * bucket
    day = moment.astimezone(zone).date()
    return datetime(day.year, day.month, day.day, tzinfo=zone).astimezone(UTC)


def leaves(frame: pd.DataFrame, dimensions: int) -> dict[tuple[Any, ...], Any]:
    """A frame as the mapping that `reference` gives; a leaf that comes twice is an error."""
    found: dict[tuple[Any, ...], Any] = {}
    for row in frame.itertuples(index=False, name=None):
        key = (row[0].to_pydatetime(), *row[1 : 1 + dimensions])
        assert key not in found
        found[key] = tuple(row[1 + dimensions :])
    return found


def check(warehouse: Warehouse, events: Events, asked: Asked, keep: Any = None) -> dict[tuple[Any, ...], Any]:
    """Load, count, and compare with the reference."""
    source, ref = warehouse.load(events)
    query = asked.of(ref)
    frame = source.count(query)
    source.close()
    got = leaves(frame, len(query.dimensions))
    assert got == reference(events, query, warehouse, keep)
    assert str(frame.dtypes.iloc[0]) == "datetime64[us, UTC]"
    assert all(str(kind) == "object" for kind in frame.dtypes.iloc[1 : 1 + len(query.dimensions)])
    assert all(str(kind) == "int64" for kind in frame.dtypes.iloc[1 + len(query.dimensions) :])
    return got


AT = datetime(2026, 1, 5, 7, 12)
PLAIN = Events(
    {"ts": "naive", "device": "text", "os": "text", "visits": "integer"},
    [
        (AT, "ios", "v17", 3),
        (AT + HOUR, "ios", "v17", 4),
        (AT + HOUR, "android", "v14", 1),
        (AT + timedelta(minutes=47, seconds=59, microseconds=999_999), "ios", "v16", 2),
        (AT + timedelta(minutes=48), "ios", "v16", 2),
        (AT + 30 * HOUR, "web", None, None),
        (AT + 30 * HOUR, "web", None, 5),
    ],
)


class SourceContract:
    """Tests that every source passes."""

    @pytest.fixture
    def warehouse(self) -> Warehouse:
        """The engine under test."""
        raise NotImplementedError

    @pytest.mark.parametrize("value", ["ios", "it's; -- 'x", "", None, "NULL"])
    def test_rows_of_one_slice_only(self, warehouse, value):
        """Whatever its value holds, beside the rule's filter, by a dimension that is asked for and by one that is not."""
        values = ["ios", "it's; -- 'x", "", None, "NULL"]
        rows = [(AT, name, os, 1) for name in values for os in ("v17", "v18") for _ in range(2)]
        events = Events(PLAIN.kinds, rows)
        shown = warehouse.shown("text", value)
        within = {"within": Slice((("device", shown), ("os", "v17")))}
        keep = lambda row: warehouse.shown("text", row["device"]) == shown and row["os"] == "v17"  # noqa: E731  # one line
        for dimensions in (("os",), ("device",), ("visits",)):
            check(warehouse, events, Asked(dimensions, extra=within, where="visits < 9"), keep)

    def test_rows_of_a_slice_by_a_number_and_a_truth(self, warehouse):
        """Values are compared as the engine prints them."""
        events = Events({"ts": "naive", "flag": "boolean", "code": "integer"}, [(AT, n % 2 == 0, n) for n in range(6)])
        flag, code = warehouse.shown("boolean", True), warehouse.shown("integer", 4)
        within = {"within": Slice((("flag", flag), ("code", code)))}
        assert len(check(warehouse, events, Asked(("code",), extra=within), lambda row: row["code"] == 4)) == 1

    def test_an_answer_is_no_longer_than_wanted(self, warehouse):
        """Of a column with more values than one wants to read."""
        source, ref = warehouse.load(Events(PLAIN.kinds, [(AT, f"d{n}", "v17", 1) for n in range(30)]))
        frame = source.count(Asked(("device",), extra={"most": 7}).of(ref))
        source.close()
        assert len(frame) == 7

    def test_counts_and_sums_leaves(self, warehouse):
        """One frame has the leaves of every measure, NULLs adding nothing to a sum."""
        asked = Asked(("device", "os"), measures=(COUNT, Metric("sum", "visits")))
        assert len(check(warehouse, PLAIN, asked)) == 6

    def test_no_dimension_counts_the_total(self, warehouse):
        """Without dimensions there is one leaf per bucket."""
        check(warehouse, PLAIN, Asked(measures=(COUNT, COUNT, Metric("sum", "visits"))))

    def test_null_and_strings_like_it_stay_apart(self, warehouse):
        """NULL, 'NULL', '', '(other)', spaces and quotes are values of their own."""
        values = [
            None,
            "NULL",
            "",
            "(other)",
            " ",
            "null",
            "None",
            "nan",
            "a'b",
            'c"d',
            "e,f",
            "Ænes 🙂",
            "a\\b",
            "%s",
            "{x}",
        ]
        events = Events({"ts": "naive", "device": "text"}, [(AT, value) for value in values])
        found = check(warehouse, events, Asked(("device",)))
        assert len(found) == len({warehouse.shown("text", value) for value in values})

    def test_spelling_of_texts_is_kept(self, warehouse):
        """'01' and '1' are two values, in every file and window."""
        rows = [(AT, "01"), (AT + HOUR, "1"), (AT + HOUR, "001")]
        check(warehouse, Events({"ts": "naive", "code": "text"}, rows), Asked(("code",)))

    @pytest.mark.parametrize(
        "name",
        ["order", "select", "two words", 'quo"te', "per%cent", "co:lon", "ørret", "d0", "u", "m0", "bucket", "b"],
    )
    def test_any_column_name_works(self, warehouse, name):
        """Reserved words, quotes, spaces and names like our own are only names."""
        rows = [(AT, "x", "y", 1), (AT, "z", "y", 2)]
        events = Events({"ts": "naive", name: "text", "d1": "text", "x0": "integer"}, rows)
        check(warehouse, events, Asked((name, "d1"), measures=(Metric("sum", "x0"), COUNT)))

    @pytest.mark.parametrize("kind", ["integer", "boolean", "date"])
    def test_other_types_are_dimensions_as_printed(self, warehouse, kind):
        """Whole numbers, truth values and days become strings, NULL stays NULL."""
        values = {
            "integer": [0, -3, None],
            "boolean": [True, False, None],
            "date": [date(2026, 1, 2), None, date(1999, 1, 1)],
        }
        events = Events({"ts": "naive", "d": kind}, [(AT, value) for value in values[kind]])
        assert len(check(warehouse, events, Asked(("d",)))) == 3

    @pytest.mark.parametrize("kind", ["naive", "aware"])
    @pytest.mark.parametrize("zone", ["UTC", "Europe/Oslo", "America/New_York", "Asia/Kathmandu"])
    def test_naive_times_are_read_in_the_rules_zone(self, warehouse, kind, zone):
        """A wall clock belongs to `timestamp.timezone`, an instant to none."""
        info = UTC if kind == "aware" else None
        rows = [(datetime(2026, 1, 5, tzinfo=info) + timedelta(minutes=17 * i), "x") for i in range(150)]
        check(warehouse, Events({"ts": kind, "d": "text"}, rows), Asked(("d",), zone=zone))

    @pytest.mark.parametrize("start", [datetime(2026, 3, 28), datetime(2026, 10, 24)])
    @pytest.mark.parametrize("kind", ["naive", "aware"])
    def test_day_buckets_start_at_local_midnight(self, warehouse, kind, start):
        """Days of 23 and 25 hours in Europe/Oslo, whether the column is in UTC or in that zone."""
        oslo = ZoneInfo("Europe/Oslo")
        info = UTC if kind == "aware" else None
        rows = [(start.replace(tzinfo=info) + timedelta(minutes=30 * i), "x") for i in range(-6, 150)]
        begin = start.replace(tzinfo=oslo).astimezone(UTC)
        end = (start + 3 * DAY).replace(tzinfo=oslo).astimezone(UTC)
        asked = Asked(("d",), bucket=DAY, days="Europe/Oslo", start=begin, end=end, zone="Europe/Oslo")
        found = check(warehouse, Events({"ts": kind, "d": "text"}, rows), asked)
        assert {key[0] for key in found} == {(start + i * DAY).replace(tzinfo=oslo).astimezone(UTC) for i in range(3)}

    def test_hours_over_the_change_of_clocks(self, warehouse):
        """Instants fall into 23 or 25 hours; a skipped or repeated wall clock is read as Python reads it."""
        start = datetime(2026, 10, 24, 22, tzinfo=UTC)
        rows = [(datetime(2026, 10, 25) + timedelta(minutes=20 * i), "x") for i in range(30)]
        asked = Asked(("d",), zone="Europe/Oslo", start=start, end=start + 12 * HOUR)
        check(warehouse, Events({"ts": "naive", "d": "text"}, rows), asked)
        start = datetime(2026, 3, 28, 22, tzinfo=UTC)
        rows = [(datetime(2026, 3, 29) + timedelta(minutes=20 * i), "x") for i in range(30)]
        asked = Asked(("d",), zone="Europe/Oslo", start=start, end=start + 12 * HOUR)
        check(warehouse, Events({"ts": "naive", "d": "text"}, rows), asked)

    def test_days_of_a_date_column(self, warehouse):
        """A date is midnight by the rule's clock."""
        rows = [(date(2026, 1, 3) + i * DAY, "x", i) for i in range(6)]
        asked = Asked(("d",), bucket=DAY, measures=(Metric("sum", "n"),))
        check(warehouse, Events({"ts": "date", "d": "text", "n": "integer"}, rows), asked)
        oslo = ZoneInfo("Europe/Oslo")
        begin, end = (datetime(2026, 1, d, tzinfo=oslo).astimezone(UTC) for d in (4, 7))
        asked = replace(asked, days="Europe/Oslo", zone="Europe/Oslo", start=begin, end=end)
        assert len(check(warehouse, Events({"ts": "date", "d": "text", "n": "integer"}, rows), asked)) == 3

    def test_hours_of_a_date_column_are_refused(self, warehouse):
        """A day has no hours to count in."""
        source, ref = warehouse.load(Events({"ts": "date", "d": "text"}, [(date(2026, 1, 5), "x")]))
        with pytest.raises(QueryRefusedError, match="date column"):
            source.count(Asked().of(ref))
        source.close()

    @pytest.mark.parametrize("bucket", [timedelta(minutes=5), timedelta(minutes=15), 3 * HOUR])
    def test_other_buckets(self, warehouse, bucket):
        """Buckets shorter than a day are aligned to the epoch."""
        check(warehouse, PLAIN, Asked(("device",), bucket=bucket))

    @pytest.mark.parametrize("zone", ["UTC", "Europe/Oslo"])
    def test_several_windows_leave_out_what_lies_between(self, warehouse, zone):
        """Only the windows are counted, their ends excluded."""
        start = datetime(2026, 1, 5, tzinfo=UTC)
        windows = tuple(Interval(start + a * HOUR, start + b * HOUR) for a, b in ((1, 2), (2, 4), (7, 8), (30, 31)))
        rows = [(datetime(2026, 1, 5) + timedelta(minutes=20 * i), "x") for i in range(-10, 120)]
        check(warehouse, Events({"ts": "naive", "d": "text"}, rows), Asked(("d",), zone=zone, windows=windows))

    def test_no_window_is_no_leaf(self, warehouse):
        """Nothing asked, nothing answered."""
        source, ref = warehouse.load(PLAIN)
        assert len(source.count(replace(Asked(("device",)).of(ref), windows=()))) == 0
        source.close()

    @pytest.mark.parametrize(
        ("where", "keep"),
        [
            ("device = 'ios' OR os = 'v14'", lambda r: r["device"] == "ios" or r["os"] == "v14"),
            ("device <> 'it''s'", lambda _: True),
            ("device LIKE 'i%' AND os <> '%(x)s :y %s'", lambda r: r["device"] == "ios"),
            ("device <> 'a:b' AND device <> ':os' AND device <> '\\:c'", lambda r: r["device"] is not None),
            ("visits > 2", lambda r: (r["visits"] or 0) > 2),
            ("os IS NULL", lambda r: r["os"] is None),
            (
                "NOT (device IN ('web', 'tv')) AND visits BETWEEN 1 AND 3",
                lambda r: r["device"] != "web" and r["visits"] <= 3,
            ),
            ("lower(device) = 'ios' AND CASE WHEN visits = 3 THEN 1 ELSE 0 END = 1", lambda r: r["visits"] == 3),
        ],
    )
    def test_where_filters(self, warehouse, where, keep):
        """A filter is the engine's own expression; its colons and percent signs are no parameters."""
        check(warehouse, PLAIN, Asked(("device",), where=where), keep)

    @pytest.mark.parametrize(
        "where",
        [
            "1 = 1) OR (1 = 1",
            "device = 'ios'; DROP TABLE events",
            "device = 'ios' -- and more",
            "device = 'ios' /* and more */",
            "device IN (SELECT device FROM events)",
            "EXISTS (SELECT 1)",
            "(SELECT count(*) FROM events) > 1",
            "device = ?",
            "device = :device",
            "device = $1",
            "device, os",
            "",
            "DELETE FROM events",
            "count(*) > 1",
            "row_number() OVER () = 1",
            "read_text('/etc/passwd') IS NULL",
            "pg_read_file('/etc/passwd') IS NULL",
            "pg_sleep(10) IS NULL",
            "load_extension('x') IS NULL",
            "set_config('transaction_read_only', 'off', false) = 'off'",
            "query_to_xml('DROP TABLE events', true, true, '') IS NULL",
            "device = 'unfinished",
        ],
    )
    def test_where_is_one_expression_and_nothing_else(self, warehouse, where):
        """Statements, subqueries, comments, parameters and functions that reach out are refused, and nothing happens."""
        source, ref = warehouse.load(PLAIN)
        with pytest.raises(QueryRefusedError) as caught:
            source.count(Asked(("device",), where=where).of(ref))
        assert caught.value.subject == "where"
        assert "\n" not in str(caught.value)
        assert len(source.count(Asked(("device",)).of(ref))) > 0
        source.close()

    def test_times_without_value_are_left_out(self, warehouse):
        """A NULL time belongs to no bucket."""
        events = Events({"ts": "naive", "d": "text"}, [(None, "x"), (AT, "x"), (None, None)])
        assert len(check(warehouse, events, Asked(("d",)))) == 1

    def test_times_in_the_future_are_outside_the_window(self, warehouse):
        """An event of the year 2090 is counted by no window of today."""
        events = Events({"ts": "naive", "d": "text"}, [(datetime(2090, 1, 1), "x"), (AT, "x")])
        assert len(check(warehouse, events, Asked(("d",)))) == 1

    def test_no_row_in_the_window_is_an_answer(self, warehouse):
        """Zero rows are zero, not an error."""
        start = datetime(2027, 1, 1, tzinfo=UTC)
        assert check(warehouse, PLAIN, Asked(("device",), start=start, end=start + DAY)) == {}

    def test_an_empty_table_is_an_answer(self, warehouse):
        """A table without rows has no leaves and no span."""
        source, ref = warehouse.load(Events(PLAIN.kinds, []))
        frame = source.count(Asked(("device",), measures=(COUNT,)).of(ref))
        assert (len(frame), list(frame.columns)) == (0, ["bucket", "device", "m0"])
        assert source.span(ref, Timestamp("ts"), None) is None
        source.close()

    def test_a_negative_value_is_not_summed(self, warehouse):
        """A correction is no count."""
        rows = [(AT, "x", 5), (AT, "x", -1)]
        source, ref = warehouse.load(Events({"ts": "naive", "d": "text", "n": "integer"}, rows))
        with pytest.raises(QueryRefusedError, match="negative") as caught:
            source.count(Asked(("d",), measures=(COUNT, Metric("sum", "n"))).of(ref))
        assert caught.value.subject == "n"
        source.close()

    @pytest.mark.parametrize(("kind", "value"), [("float", 1.5), ("text", "x")])
    def test_only_whole_numbers_are_summed(self, warehouse, kind, value):
        """Fractions and texts are refused by name."""
        source, ref = warehouse.load(Events({"ts": "naive", "d": "text", "n": kind}, [(AT, "x", value)]))
        with pytest.raises(QueryRefusedError, match="non-negative integer") as caught:
            source.count(Asked(("d",), measures=(Metric("sum", "n"),)).of(ref))
        assert caught.value.subject == "n"
        source.close()

    def test_sums_are_exact_or_refused(self, warehouse):
        """Beyond 2**53 no digit is lost, beyond 64 bits there is no answer."""
        kinds = {"ts": "naive", "d": "text", "n": "integer"}
        check(warehouse, Events(kinds, [(AT, "x", 2**53), (AT, "x", 1)]), Asked(("d",), measures=(Metric("sum", "n"),)))
        source, ref = warehouse.load(Events(kinds, [(AT, "x", 2**63 - 1), (AT, "x", 1)]))
        with pytest.raises(SourceError) as caught:
            source.count(Asked(("d",), measures=(Metric("sum", "n"),)).of(ref))
        assert not isinstance(caught.value, QueryRefusedError)
        source.close()

    @pytest.mark.parametrize("kind", ["text", "integer", "boolean"])
    def test_the_time_column_must_hold_times(self, warehouse, kind):
        """Texts, numbers and truth values are no times, and the answer says so."""
        value = {"text": "soon", "integer": 1767600000, "boolean": True}[kind]
        source, ref = warehouse.load(Events({"ts": kind, "d": "text"}, [(value, "x")]))
        with pytest.raises(QueryRefusedError, match="time column must be") as caught:
            source.count(Asked(("d",)).of(ref))
        assert caught.value.subject == "ts"
        source.close()

    @pytest.mark.parametrize(
        ("asked", "subject", "close"),
        [
            (Asked(("devise",)), "devise", "device"),
            (Asked(time="tss"), "tss", "ts"),
            (Asked(measures=(Metric("sum", "visit"),)), "visit", "visits"),
            (Asked(where="devise = 'ios'"), "devise", "device"),
        ],
    )
    def test_an_unknown_column_is_named_with_one_like_it(self, warehouse, asked, subject, close):
        """Dimension, time, sum or filter: the refusal carries the name and a suggestion."""
        source, ref = warehouse.load(PLAIN)
        with pytest.raises(QueryRefusedError) as caught:
            source.count(asked.of(ref))
        assert caught.value.subject == subject
        assert caught.value.suggestions[0] == close
        source.close()

    def test_an_unknown_table_is_named_with_one_like_it(self, warehouse):
        """The refusal carries the table's name and a suggestion."""
        source, ref = warehouse.load(PLAIN)
        wrong = replace(ref, table=(*ref.table[:-1], ref.table[-1] + "s"))
        with pytest.raises(QueryRefusedError) as caught:
            source.count(Asked().of(wrong))
        assert caught.value.suggestions == (ref.table[-1],)
        source.close()

    def test_unknown_zones_and_odd_buckets_are_refused(self, warehouse):
        """A zone that does not exist, and buckets that are neither seconds nor days."""
        source, ref = warehouse.load(PLAIN)
        for asked in (
            Asked(zone="Mars/Base"),
            Asked(days="Mars/Base"),
            Asked(bucket=timedelta(milliseconds=1500)),
            Asked(bucket=timedelta(hours=36)),
        ):
            with pytest.raises(QueryRefusedError):
                source.count(asked.of(ref))
        source.close()

    def test_a_query_is_one_select(self, warehouse):
        """A rule's own SELECT is counted as a table is; anything else is refused."""
        source, ref = warehouse.load(PLAIN)
        name = ".".join(f'"{part}"' for part in ref.table)
        text = f"SELECT ts, device AS d, visits FROM {name} WHERE visits > 1 -- the larger ones\n;"
        query = Asked(("d",), measures=(Metric("sum", "visits"),)).of(replace(ref, query=text))
        found = leaves(source.count(query), 1)
        assert sum(value for (value,) in found.values()) == 3 + 4 + 2 + 2 + 5
        for bad in (
            f"DELETE FROM {name}",
            f"SELECT 1; SELECT ts FROM {name}",
            f"WITH x AS (DELETE FROM {name} RETURNING *) SELECT * FROM x",
            "",
            f"SELECT * INTO y FROM {name}",
        ):
            with pytest.raises(QueryRefusedError):
                source.count(replace(query, source=replace(ref, query=bad)))
        source.close()

    def test_columns_and_span(self, warehouse):
        """Families of the columns, first and last time."""
        source, ref = warehouse.load(PLAIN)
        families = {column.name: column.family for column in source.columns(ref)}
        assert families.items() >= {"ts": "time", "device": "string", "visits": "integer"}.items()
        first = datetime(2026, 1, 5, 7, 12, tzinfo=UTC)
        assert source.span(ref, Timestamp("ts"), None) == Interval(first, first + 30 * HOUR)
        oslo = source.span(ref, Timestamp("ts", "Europe/Oslo"), "device = 'android'")
        assert oslo == Interval(first, first)
        source.close()

    def test_threads_may_share_a_source(self, warehouse):
        """Eight threads get the same answer."""
        source, ref = warehouse.load(PLAIN)
        query = Asked(("device", "os")).of(ref)
        found: list[Any] = []
        threads = [threading.Thread(target=lambda: found.append(leaves(source.count(query), 2))) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert found == [leaves(source.count(query), 2)] * 8
        source.close()

    @pytest.mark.parametrize("kind", ["naive", "aware"])
    @pytest.mark.parametrize("zone", ["UTC", "Europe/Oslo"])
    def test_events_are_counted_by_when_they_arrived(self, warehouse, kind, zone):
        """By class of lateness; what arrived after the moment asked for is not there, what has no arrival is punctual."""
        events = late_events(kind, zone)
        found = check_arrivals(warehouse, events, Asked(("d",), zone=zone, extra={"arrivals": arrivals(zone)}))
        assert {key[2] for key in found} == {0, 1, 2}

    @pytest.mark.parametrize("begin", [datetime(2026, 3, 28), datetime(2026, 10, 24)])
    def test_arrivals_of_local_days(self, warehouse, begin):
        """Lateness counts from the day's own end, on days of 23 and 25 hours as well."""
        oslo = ZoneInfo("Europe/Oslo")
        rows = [
            (begin.replace(hour=hour), "x", begin + timedelta(hours=24 + late, minutes=late % 7))
            for hour in range(24)
            for late in range(-24, 40, 2)
        ]
        window = [(begin + i * DAY).replace(tzinfo=oslo).astimezone(UTC) for i in (0, 1)]
        found = {"arrivals": arrivals("Europe/Oslo", until=window[1] + 36 * HOUR)}
        asked = Asked(("d",), zone="Europe/Oslo", days="Europe/Oslo", bucket=DAY, start=window[0], end=window[1])
        events = Events({"ts": "naive", "d": "text", "at": "naive"}, rows)
        assert len(check_arrivals(warehouse, events, replace(asked, extra=found))) == 3

    def test_arrivals_beside_sums_windows_and_filters(self, warehouse):
        """Two windows, a sum and a filter: still one frame."""
        start = datetime(2026, 1, 5, tzinfo=UTC)
        windows = tuple(Interval(start + a * HOUR, start + b * HOUR) for a, b in ((1, 2), (4, 6)))
        asked = Asked(
            ("d",), windows=windows, measures=(COUNT, Metric("sum", "n")), extra={"arrivals": arrivals("UTC")}
        )
        check_arrivals(warehouse, late_events("naive", "UTC"), asked)
        check_arrivals(
            warehouse, late_events("naive", "UTC"), replace(asked, where="n > 3"), keep=lambda row: row["n"] > 3
        )

    def test_the_watermark_is_the_last_arrival_seen(self, warehouse):
        """Among the events of the windows, those a filter leaves out too; none where nothing arrived by then."""
        events = late_events("naive", "UTC")
        source, ref = warehouse.load(events)
        for until, where in ((None, None), (datetime(2026, 1, 5, 9, 20, tzinfo=UTC), "n < 0")):
            query = Asked(("d",), where=where, extra={"arrivals": arrivals("UTC", until=until)}).of(ref)
            seen = [utc_of(row[2], ZoneInfo("UTC")) for row in events.rows]
            wanted = max(at for at in seen if at is not None and at <= query.arrivals.seen_until)
            assert source.watermark(query) == wanted.replace(microsecond=0)
        early = Asked(extra={"arrivals": arrivals("UTC", until=datetime(2026, 1, 1, tzinfo=UTC))}).of(ref)
        assert source.watermark(early) is None
        with pytest.raises(ValueError, match="without arrivals"):
            source.watermark(replace(early, arrivals=None))
        source.close()

    def test_a_day_is_no_time_of_arrival(self, warehouse):
        """An unknown column, a date and a text are refused by name."""
        kinds = {"ts": "naive", "d": "text", "at": "date"}
        source, ref = warehouse.load(Events(kinds, [(AT, "x", date(2026, 1, 5))]))
        with pytest.raises(QueryRefusedError, match="time of day") as caught:
            source.count(Asked(extra={"arrivals": arrivals("UTC")}).of(ref))
        assert caught.value.subject == "at"
        with pytest.raises(QueryRefusedError) as caught:
            source.count(Asked(extra={"arrivals": replace(arrivals("UTC"), column=Timestamp("att"))}).of(ref))
        assert caught.value.suggestions == ("at",)
        with pytest.raises(QueryRefusedError, match="time column must be"):
            source.count(Asked(extra={"arrivals": replace(arrivals("UTC"), column=Timestamp("d"))}).of(ref))
        source.close()


def arrivals(zone: str, until: datetime | None = None) -> Arrivals:
    """Punctual, up to three hours late, later; seen until the morning of the seventh."""
    lags = (timedelta(minutes=10), 3 * HOUR, DAY)
    return Arrivals(Timestamp("at", zone), lags, until or datetime(2026, 1, 7, 5, tzinfo=UTC))


def late_events(kind: str, zone: str) -> Events:
    """Two slices over two days; arrivals from at once to days later, at and around each border, and some unknown."""
    start, hours = datetime(2026, 1, 5), (0.0, 0.5, 1.1, 1.2, 4.0, 4.001, 20.0, 30.0, 60.0)
    info = ZoneInfo(zone).utcoffset(start) if kind == "aware" else None
    rows = []
    for i in range(90):
        at = start + timedelta(minutes=20 * i, seconds=i % 3)
        late = None if i % 11 == 0 else at + timedelta(hours=hours[i % len(hours)], milliseconds=300 * (i % 4))
        if info is not None:
            at, late = ((m - info).replace(tzinfo=UTC) if m is not None else None for m in (at, late))
        rows.append((at, "xy"[i % 2], late, i % 7))
    border = (start + HOUR, start + HOUR + timedelta(minutes=10), start + HOUR + timedelta(minutes=10, seconds=1))
    if info is None:
        rows += [(start, "x", at, 1) for at in border]
    return Events({"ts": kind, "d": "text", "at": kind, "n": "integer"}, rows)


def check_arrivals(warehouse: Warehouse, events: Events, asked: Asked, keep: Any = None) -> dict[tuple[Any, ...], Any]:
    """Count by class of lateness and compare with plain Python: (bucket, values..., class) to the measures."""
    source, ref = warehouse.load(events)
    query = asked.of(ref)
    frame = source.count(query)
    source.close()
    assert str(frame.dtypes["lag"]) == "int64"
    lags = range(len(query.arrivals.lags))
    got = {
        (*key, lag): value
        for lag in lags
        for key, value in leaves(frame[frame["lag"] == lag].drop(columns="lag"), len(query.dimensions)).items()
    }
    wanted = {
        (*key, lag): value
        for lag in lags
        for key, value in reference(
            events,
            query,
            warehouse,
            lambda row, lag=lag: (keep is None or keep(row)) and lag_of(row, query) == lag,
        ).items()
    }
    assert got == wanted
    return got


def lag_of(row: Mapping[str, Any], query: CountQuery) -> int | None:
    """The class of an event; None where it had not arrived."""
    at = utc_of(row[query.arrivals.column.column], ZoneInfo(query.arrivals.column.timezone))
    if at is None:
        return 0
    at = at.replace(microsecond=0)
    if at > query.arrivals.seen_until:
        return None
    moment = utc_of(row[query.timestamp.column], ZoneInfo(query.timestamp.timezone))
    start = bucket_of(moment, query.bucket, ZoneInfo(query.timezone))
    end = start + query.bucket
    if query.bucket >= DAY:
        end = (start.astimezone(ZoneInfo(query.timezone)) + query.bucket).astimezone(UTC)
    return next((i for i, lag in enumerate(query.arrivals.lags) if at - end <= lag), len(query.arrivals.lags) - 1)
