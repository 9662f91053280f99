"""The shape of a rule file: every key, its type, its default and its meaning."""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainValidator, Strict, StringConstraints

from rules.alerting import EscalationShape, MuteShape
from rules.cron import Cron
from rules.cron_key import read_cron
from rules.document import Path
from rules.duration import format_duration, parse_duration
from rules.explain import Doc, described, refusal
from rules.known import KnownShape
from rules.model import Bound, Bounds, DetectorChoice, Direction, Holidays, Metric, Mode, NewValues, Severity
from rules.rule_tests import TestShape
from rules.size_key import read_size
from rules.timezone_key import read_timezone
from rules.vocabulary import did_you_mean, nearest, one_of

DAY = timedelta(days=1)
MINUTE = timedelta(minutes=1)

SENSITIVITY = {"low": 0.25, "medium": 1.0, "high": 7.0}
"""The alert budget by name: false incidents a week."""


# --- values -----------------------------------------------------------------------------------------------------


def _duration(raw: object) -> timedelta:
    if isinstance(raw, timedelta):
        return raw
    hint = "write a number and a unit: 15m, 1h, 28d"
    if raw == 0 and not isinstance(raw, bool):
        return timedelta(0)
    if not isinstance(raw, str):
        raise refusal("bad-duration", f"{described(raw)} is no duration", hint)
    try:
        return parse_duration(raw)
    except ValueError as error:
        raise refusal("bad-duration", str(error), hint) from None


def _size(raw: object) -> int:
    return read_size(raw, "write a number and a unit: 500MB, 20GB")


def _positive(raw: object) -> timedelta:
    value = _duration(raw)
    if value < MINUTE:
        raise refusal("bad-duration", f"{described(raw)} is too short", "a minute (1m) is the least")
    return value


def _schedule(raw: object) -> timedelta | Cron:
    if isinstance(raw, str) and (len(raw.split()) > 1 or "*" in raw):
        return read_cron(raw)
    return _positive(raw)


def _bucket(raw: object) -> timedelta:
    value = _positive(raw)
    if DAY % value:
        hint = "a bucket divides a day: 5m, 15m, 1h, 6h, 1d"
        raise refusal("bad-value", f"a bucket of {format_duration(value)} does not divide a day", hint)
    return value


def _persistence(raw: object) -> int | timedelta:
    """Evaluations of buckets, or a duration that the bucket's length turns into them."""
    if isinstance(raw, int) and not isinstance(raw, bool):
        if raw < 0:
            raise refusal("bad-value", f"{raw} is less than no evaluation", "write 0 or more")
        return raw
    return int(raw) if isinstance(raw, str) and re.fullmatch(r"[0-9]{1,6}", raw) else _duration(raw)


def _word(kind: type[StrEnum]) -> BeforeValidator:
    known = [item.value for item in kind]

    def read(raw: object) -> StrEnum:
        if isinstance(raw, str) and raw in known:
            return kind(raw)
        match = nearest(raw, known) if isinstance(raw, str) else None
        hint = f"did you mean '{match}'?" if match else ""
        raise refusal("unknown-value", f"{described(raw)} is not {one_of(known)}", hint)

    return BeforeValidator(read)


def _number(raw: object, code: str, hint: str) -> float:
    if isinstance(raw, bool) or not isinstance(raw, int | float) or not math.isfinite(raw):
        raise refusal(code, f"{described(raw)} is not a number", hint)
    return float(raw)


def _sensitivity(raw: object) -> float:
    hint = "write low, medium, high, or false incidents a week"
    if isinstance(raw, str):
        if raw in SENSITIVITY:
            return SENSITIVITY[raw]
        raise refusal("unknown-value", f"'{raw}' is no sensitivity", hint)
    value = _number(raw, "bad-value", hint)
    if value <= 0:
        raise refusal("bad-value", f"{described(raw)} false incidents a week would never alert", hint)
    return value


def _share(raw: object) -> float:
    hint = "write 20% or 0.2"
    if isinstance(raw, str):
        if not re.fullmatch(r"[0-9]{1,6}(\.[0-9]{1,6})? ?%", raw):
            raise refusal("bad-value", f"'{raw}' is no share", hint)
        return float(raw.rstrip(" %")) / 100
    value = _number(raw, "bad-value", hint)
    if not 0 <= value <= 1:
        raise refusal("bad-value", f"{described(raw)} is no share between 0 and 1", f"did you mean {described(raw)}%?")
    return value


Table = tuple[str | None, tuple[str, ...]]
"""A table as it is called where a rule watches several, and its parts: source, or source and table, or with a schema."""


def _source(raw: object) -> tuple[Table, ...]:
    """One table, or a list of them."""
    if not isinstance(raw, list):
        return ((None, _parts(raw, ())),)
    if not raw:
        raise refusal("empty", "'source' may not be empty", "name a table, or several")
    for index, name in enumerate(raw):
        if name in raw[:index]:
            raise refusal("duplicate-value", f"{described(name)} is watched already", "remove one", at=(index,))
    return tuple((str(name), _parts(name, (index,))) for index, name in enumerate(raw))


def _parts(raw: object, at: Path) -> tuple[str, ...]:
    """The parts of `source`, `source.table` or `source.schema.table`; `at` is where it stands below the key."""
    hint = "write source.table or source.schema.table, the source as slicewatch.toml names it"
    if not isinstance(raw, str):
        raise refusal("wrong-type", f"'source' must be a string, not {described(raw)}", hint, at=at)
    parts = tuple(raw.split("."))
    if not 1 <= len(parts) <= 3 or any(not part.strip() or part != part.strip() for part in parts):
        raise refusal("bad-source", f"'{raw}' names no table of a source", hint, at=at)
    return parts


def _name(raw: object) -> str:
    hint = "use letters, digits, '_', '-' and '.', at most 100"
    if not isinstance(raw, str) or not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}", raw):
        raise refusal("bad-name", f"{described(raw)} is no name of a rule", hint)
    return raw


def _timestamp(raw: object) -> object:
    return {"column": raw} if isinstance(raw, str) else raw


def _metric(raw: object) -> Metric:
    later = {"null_rate", "ratio", "mean", "freshness", "distinct"}
    kind, column = next(iter(raw.items())) if isinstance(raw, dict) and len(raw) == 1 else (raw, None)
    if kind in {*later} if isinstance(kind, str) else False:
        raise refusal("not-yet-available", f"the metric '{kind}' is not yet available", "use count or {sum: column}")
    if kind == "count" and column is None:
        return Metric("count")
    if kind == "sum" and isinstance(column, str) and column:
        return Metric("sum", column)
    hint = did_you_mean(kind, ["count", "sum"]) if isinstance(kind, str) and kind != "sum" else "write {sum: column}"
    raise refusal("unknown-metric", f"{described(kind)} is not a metric", hint)


def _receivers(raw: object, at: Path = ()) -> tuple[str, ...]:
    """One name or a list of them; `at` is where they stand below `notify`."""
    if raw is None:
        hint = "a '#' begins a comment: write \"#channel\" in quotes"
        raise refusal("wrong-type", "'notify' names nobody", hint, at=at)
    if raw == []:
        raise refusal("empty", "'notify' names nobody", "leave the key out for the operators' fallback", at=at)
    names = enumerate(raw) if isinstance(raw, list) else [(None, raw)]
    return tuple(dict.fromkeys(_receiver(name, at if index is None else (*at, index)) for index, name in names))


def _receiver(raw: object, at: Path) -> str:
    if isinstance(raw, str) and raw.strip():
        return raw
    hint = "write a receiver's name, a list of them, or a mapping by severity"
    raise refusal("wrong-type", f"{described(raw)} is not the name of a receiver", hint, at=at)


def _notify(raw: object) -> tuple[tuple[Severity, tuple[str, ...]], ...]:
    if not isinstance(raw, dict) or not raw:
        everyone = _receivers(raw or None if isinstance(raw, dict) else raw)
        return tuple((severity, everyone) for severity in Severity)
    known = [severity.value for severity in Severity]
    for key in raw:
        if key not in known:
            raise refusal("unknown-value", f"'{key}' is no severity", did_you_mean(key, known), at=(key,), at_key=True)
    return tuple((Severity(name), _receivers(raw[name], (name,))) for name in known if name in raw)


def _exclusion(raw: object) -> tuple[datetime, datetime]:
    """Naive start and end of an excluded stretch, or with an offset as written; a single day is that day."""
    hint = "write a day (2026-11-01) or start/end (2026-11-01/2026-11-03, the end not included)"
    try:
        first, _, last = str(raw).partition("/")
        start = datetime.fromisoformat(first)
        end = datetime.fromisoformat(last) if last else start + DAY
        backwards = end.replace(tzinfo=end.tzinfo or UTC) <= start.replace(tzinfo=start.tzinfo or UTC)
    except (ValueError, OverflowError):
        raise refusal("bad-interval", f"{described(raw)} is no stretch of time", hint) from None
    if backwards:
        raise refusal("bad-interval", f"{described(raw)} ends before it starts", hint)
    return start, end


def _holidays(raw: object) -> Holidays:
    """A list of countries, or the dimension that names one."""
    hint = "write a list of countries, [NO, SE], or {by: dimension}"
    if isinstance(raw, dict):
        if set(raw) != {"by"} or not isinstance(raw["by"], str) or not raw["by"]:
            raise refusal("bad-value", "'holidays' as a mapping names one dimension", "write {by: country}")
        return Holidays(by=raw["by"])
    if not isinstance(raw, list) or not raw:
        raise refusal("wrong-type", f"'holidays' must be a list of countries, not {described(raw)}", hint)
    for index, code in enumerate(raw):
        if not isinstance(code, str) or (
            not code.isalnum() and not re.fullmatch(r"[A-Za-z]{2}-[A-Za-z0-9]{1,3}", code)
        ):
            raise refusal("bad-value", f"{described(code)} is no country", "write its code: NO, US-CA", at=(index,))
    return Holidays(tuple(dict.fromkeys(raw)))


def _detector(raw: object) -> DetectorChoice:
    """A detector's name, or a mapping of its name to what it is told."""
    if isinstance(raw, str) and raw.strip():
        if raw == "threshold":
            raise refusal("missing-key", "'threshold' needs a bound", "write {threshold: {min: 100}}")
        return DetectorChoice(raw)
    if not isinstance(raw, dict) or len(raw) != 1:
        hint = "write default, stl, ets, a plug-in's name, or {threshold: {min: 100}}"
        raise refusal("wrong-type", f"{described(raw)} is no detector", hint)
    name, told = next(iter(raw.items()))
    if name == "threshold":
        return DetectorChoice(name, bounds=_threshold(told, name))
    if name in {"default", "stl", "ets"}:
        raise refusal("bad-value", f"'{name}' has no settings", f"write detector: {name}", at=(name,), at_key=True)
    return DetectorChoice(name, options=_options(told, name))


def _options(raw: object, name: str) -> tuple[tuple[str, str | int | float | bool | None], ...]:
    plain = isinstance(raw, dict) and all(not isinstance(value, dict | list) for value in raw.values())
    if not isinstance(raw, dict) or not plain:
        raise refusal("wrong-type", f"the settings of '{name}' are a mapping of plain values", "", at=(name,))
    return tuple(sorted(raw.items()))


def _threshold(raw: object, name: str) -> tuple[tuple[str, Bounds], ...]:
    """Bounds of every metric, or a mapping of metrics to theirs."""
    if not isinstance(raw, dict) or not raw:
        raise refusal("wrong-type", "'threshold' is a mapping of bounds", "write {min: 100}", at=(name,))
    if all(isinstance(value, dict) for value in raw.values()):
        return tuple((metric, _bounds(value, (name, metric))) for metric, value in raw.items())
    return (("*", _bounds(raw, (name,))),)


def _bounds(raw: dict[str, object], at: Path) -> Bounds:
    for key in raw:
        if key not in {"min", "max"}:
            hint = did_you_mean(key, ["min", "max"])
            raise refusal("unknown-key", f"'{key}' is no bound", hint, at=(*at, key), at_key=True)
    if not raw:
        raise refusal("empty", "no bound stands here", "write {min: 100}", at=at)
    low, high = (_bound(raw[key], (*at, key)) if key in raw else None for key in ("min", "max"))
    if low and high and low.of_last_week is high.of_last_week and low.value >= high.value:
        raise refusal("contradiction", "min is not below max", "nothing could be normal", at=(*at, "min"))
    return Bounds(low, high)


def _bound(raw: object, at: Path) -> Bound:
    """`100` events a bucket, or `60%` of the same bucket a week before."""
    hint = "write events a bucket (100), or a share of the same bucket last week (60%)"
    if isinstance(raw, str) and re.fullmatch(r"[0-9]{1,6}(\.[0-9]{1,6})? ?%", raw):
        return Bound(float(raw.rstrip(" %")) / 100, of_last_week=True)
    if isinstance(raw, bool) or not isinstance(raw, int | float) or not math.isfinite(raw) or raw < 0:
        raise refusal("bad-value", f"{described(raw)} is no bound", hint, at=at)
    return Bound(float(raw))


def _web_address(raw: object) -> str:
    try:
        parts = urlsplit(raw) if isinstance(raw, str) else None
    except ValueError:
        parts = None
    if parts is None or parts.scheme not in {"http", "https"} or not parts.netloc:
        raise refusal("bad-value", f"{described(raw)} is no web address", "write https://...")
    return str(raw)


def _non_blank(raw: object) -> object:
    if isinstance(raw, str) and not raw.strip():
        raise refusal("empty", "nothing stands here", "write it, or remove the key")
    return raw


def _version(raw: object) -> int:
    if raw != 1 or isinstance(raw, bool):
        raise refusal("bad-version", f"version {described(raw)} is not known", "write version: 1")
    return 1


def is_yaml_name(raw: object) -> bool:
    """Whether it names a YAML file: another one is not opened, for a message would show what stands in it."""
    return isinstance(raw, str) and raw.endswith((".yaml", ".yml")) and "\0" not in raw


def _yaml_file(raw: object) -> object:
    if not is_yaml_name(raw):
        raise refusal("bad-value", f"{described(raw)} is no YAML file", "write one path, such as ../defaults.yaml")
    return raw


def _nothing_is_empty(raw: object) -> object:
    """A key with nothing after its colon, while a file is being written."""
    return () if raw is None else raw


Text = Annotated[str, BeforeValidator(_non_blank)]
ColumnName = Annotated[str, StringConstraints(min_length=1)]
Dimensions = Annotated[tuple[ColumnName, ...], Field(min_length=1)]
Values = Annotated[tuple[str | None, ...], Field(min_length=1)]
Terms = Annotated[dict[str, str | None], Field(min_length=1)]
Detector = Annotated[DetectorChoice, PlainValidator(_detector)]


# --- keys -------------------------------------------------------------------------------------------------------


class TimestampShape(BaseModel):
    """The long form of `timestamp`."""

    model_config = ConfigDict(extra="forbid", frozen=True, title="timestamp")

    column: Annotated[ColumnName, Doc("column", "Column of event time.")]
    timezone: Annotated[str, BeforeValidator(read_timezone), Doc("time zone", "Of naive times.")] = "UTC"


class ArrivedAtShape(BaseModel):
    """The long form of `arrived_at`."""

    model_config = ConfigDict(extra="forbid", frozen=True, title="arrived_at")

    column: Annotated[ColumnName, Doc("column", "Column of the time at which an event could be read.")]
    timezone: Annotated[str, BeforeValidator(read_timezone), Doc("time zone", "Of naive times.")] = "UTC"


class SlicesShape(BaseModel):
    """Which slices are kept and tested."""

    model_config = ConfigDict(extra="forbid", frozen=True, title="slices")

    max: Annotated[
        int,
        Strict(),
        Field(ge=1),
        Doc("whole number", "Leaves kept apart; the rest folds into one slice of its own."),
    ] = 20_000
    expected: Annotated[
        dict[str, Values],
        Doc("mapping of dimension to values", "Slices that must exist even before they were ever seen."),
    ] = {}
    ignore: Annotated[
        tuple[Terms, ...],
        Doc("list of slices", "Slices that are counted in the total and never tested."),
    ] = ()
    new: Annotated[
        NewValues,
        _word(NewValues),
        Doc(
            "`learn`, `alert`, `ignore`",
            "A value never seen before: tested once it is learned, told too, never tested.",
        ),
    ] = NewValues.LEARN


class BaselineShape(BaseModel):
    """What a bucket is compared with."""

    model_config = ConfigDict(extra="forbid", frozen=True, title="baseline")

    lookback: Annotated[
        timedelta | None,
        BeforeValidator(_positive),
        Doc("duration", "How much history is learned from.", default="28d; 56d for buckets of a day"),
    ] = None
    exclude: Annotated[
        tuple[Annotated[tuple[datetime, datetime], PlainValidator(_exclusion)], ...],
        Doc(
            "list of `day` or `start/end`",
            "Stretches never learned from, the end not included; naive times are in the rule's `timezone`.",
        ),
    ] = ()
    holidays: Annotated[
        Holidays,
        PlainValidator(_holidays),
        Doc(
            "list of countries, or `{by: dimension}`",
            "On their public holidays a slice is expected to do as on a Sunday, give or take more than usual.",
            default="none",
        ),
    ] = Holidays()
    events: Annotated[
        Text | None,
        Doc("path beside the rule file", "A file of planned events, and what each is expected to change."),
    ] = None
    common_mode: Annotated[
        tuple[ColumnName, ...],
        BeforeValidator(_nothing_is_empty),
        Doc(
            "list of dimensions",
            "Dimensions whose values each have a weather of their own: what moves all of one at once is one event.",
        ),
    ] = ()


class RuleShape(BaseModel):
    """One rule as it is written, after `defaults`."""

    model_config = ConfigDict(extra="forbid", frozen=True, title="a rule")

    name: Annotated[str, BeforeValidator(_name), Doc("name", "Its name, unique over all files.")]
    was: Annotated[
        str | None,
        BeforeValidator(_name),
        Doc("name", "The name it had before: history and incidents come along."),
    ] = None
    description: Annotated[Text, Doc("string", "What the events are and who needs them.")] = ""
    mode: Annotated[Mode, _word(Mode), Doc("`live`, `shadow`", "Shadow rules are judged and shown, never sent.")] = (
        Mode.LIVE
    )
    source: Annotated[
        tuple[Table, ...],
        PlainValidator(_source),
        Doc(
            "`source.table`, `source.schema.table`, or a list",
            "Where the events are; beside `query` the source alone; of a list each table is a rule, `name@table`.",
        ),
    ]
    query: Annotated[Text | None, Doc("SQL", "One SELECT that stands for a table.")] = None
    where: Annotated[Text | None, Doc("SQL", "One boolean expression: which events count.")] = None
    timestamp: Annotated[
        TimestampShape,
        BeforeValidator(_timestamp),
        Doc("column, or `{column, timezone}`", "Column of event time; naive times are UTC unless said otherwise."),
    ]
    arrived_at: Annotated[
        ArrivedAtShape | None,
        BeforeValidator(_timestamp),
        Doc("column, or `{column, timezone}`", "When an event could be read: teaches at once how late events come."),
    ] = None
    metrics: Annotated[
        tuple[Annotated[Metric, PlainValidator(_metric)], ...],
        Field(min_length=1),
        Doc("list of `count`, `{sum: column}`", "What is counted; a sum is of whole numbers, none negative."),
    ] = (Metric("count"),)
    dimensions: Annotated[Dimensions, Doc("list of columns", "What the events are sliced by.")]
    depth: Annotated[
        int,
        Strict(),
        Field(ge=1, le=3),
        Doc("1, 2, 3", "How many dimensions the tested slices combine at most."),
    ] = 2
    time_bucket: Annotated[
        timedelta,
        BeforeValidator(_bucket),
        Doc("duration", "Length of the buckets of event time; divides a day."),
    ] = timedelta(hours=1)
    schedule: Annotated[
        timedelta | Cron | None,
        PlainValidator(_schedule),
        Doc(
            "duration, or cron",
            "How often, or at which times of its `timezone`, it is evaluated.",
            default="the bucket",
        ),
    ] = None
    detection_delay: Annotated[
        timedelta, BeforeValidator(_duration), Doc("duration", "Wait after a bucket's end before it is first judged.")
    ] = timedelta(0)
    timezone: Annotated[
        str, BeforeValidator(read_timezone), Doc("time zone", "Of the seasonal pattern and of day buckets.")
    ] = "UTC"
    max_scan: Annotated[
        int | None,
        BeforeValidator(_size),
        Doc(
            "amount of data",
            "A query that would read more is refused before it runs; the source's own `max_scan` holds as well.",
        ),
    ] = None
    slices: Annotated[SlicesShape, Doc("mapping", "Which slices are kept and tested.")] = SlicesShape()
    baseline: Annotated[BaselineShape, Doc("mapping", "What a bucket is compared with.")] = BaselineShape()
    detector: Annotated[
        Detector,
        Doc(
            "`default`, `stl`, `ets`, `{threshold: ...}`, a plug-in's name",
            "How a bucket is judged.",
            default="`default`",
        ),
    ] = DetectorChoice()
    sensitivity: Annotated[
        float,
        BeforeValidator(_sensitivity),
        Doc(
            "`low`, `medium`, `high`, number",
            "Budget of false incidents a week: low 0.25, medium 1, high 7, or a number.",
            default="`medium`",
        ),
    ] = SENSITIVITY["medium"]
    direction: Annotated[
        Direction,
        _word(Direction),
        Doc("`drop`, `spike`, `both`", "Which changes are sent; both are computed and shown."),
    ] = Direction.DROP
    min_change: Annotated[
        float,
        BeforeValidator(_share),
        Doc("share: `20%`, `0.2`", "Smaller changes are never sent.", default="20%"),
    ] = 0.2
    min_loss: Annotated[
        float,
        Strict(),
        Field(ge=0, allow_inf_nan=False),
        Doc("number", "Expected minus observed below which nobody is told."),
    ] = 0.0
    for_: Annotated[
        int | timedelta,
        PlainValidator(_persistence),
        Field(alias="for"),
        Doc("evaluations or duration", "Further evaluations that must confirm it before it is sent."),
    ] = 0
    keep_firing_for: Annotated[
        int | timedelta,
        PlainValidator(_persistence),
        Doc("evaluations or duration", "Evaluations it must be well before it resolves."),
    ] = 2
    severity: Annotated[
        Severity, _word(Severity), Doc("`info`, `warning`, `critical`", "How loud its incidents are.")
    ] = Severity.WARNING
    escalate: Annotated[
        tuple[EscalationShape, ...],
        BeforeValidator(_nothing_is_empty),
        Doc("list of escalations", "From which change on an incident is louder; it is never quieter again."),
    ] = ()
    repeat_interval: Annotated[
        timedelta,
        BeforeValidator(_duration),
        Doc("duration", "An incident that still fires so long after it was told is told again; `0`: never."),
    ] = timedelta(hours=24)
    mute: Annotated[
        tuple[MuteShape, ...],
        BeforeValidator(_nothing_is_empty),
        Doc("list of windows", "When nobody is told: what is still bad at its end is told then."),
    ] = ()
    inhibited_by: Annotated[
        tuple[Annotated[str, BeforeValidator(_name)], ...],
        BeforeValidator(_nothing_is_empty),
        Doc("list of rules", "While an incident of one of them covers the slice, nobody is told of this rule's."),
    ] = ()
    labels: Annotated[dict[str, str], Doc("mapping of strings", "Shown with its incidents.")] = {}
    owner: Annotated[Text | None, Doc("string", "The team that answers for it.")] = None
    notify: Annotated[
        tuple[tuple[Severity, tuple[str, ...]], ...],
        PlainValidator(_notify),
        Doc(
            "name, list, or mapping by severity",
            "Receivers of `slicewatch.toml`.",
            default="the operators' `fallback`, or the only receiver",
        ),
    ] = ()
    runbook_url: Annotated[
        str | None, BeforeValidator(_web_address), Doc("web address", "What to do about an incident.")
    ] = None
    known: Annotated[
        tuple[KnownShape, ...],
        BeforeValidator(_nothing_is_empty),
        Doc("list of incidents", "Incidents of the past, that `backtest` is held against."),
    ] = ()
    tests: Annotated[
        tuple[TestShape, ...],
        BeforeValidator(_nothing_is_empty),
        Doc("list of tests", "What must fire and what must not, tried by `slicewatch test`."),
    ] = ()


Defaults = Annotated[
    dict[str, Any],
    BeforeValidator(lambda raw: {} if raw is None else raw),
    Doc("mapping", "Keys that hold for every rule of the file that does not name them."),
]


class FileShape(BaseModel):
    """A rule file. Its rules are read one by one, so that one never hides another's mistakes."""

    model_config = ConfigDict(extra="forbid", frozen=True, title="a rule file")

    version: Annotated[Literal[1], BeforeValidator(_version), Doc("1", "Version of this format.")] = 1
    extends: Annotated[
        str | None,
        BeforeValidator(_yaml_file),
        Doc(
            "path beside the rule file", "A file of `defaults` that several rule files share; this file's own go first."
        ),
    ] = None
    defaults: Defaults = {}
    rules: Annotated[
        tuple[Any, ...], BeforeValidator(_nothing_is_empty), Doc("list of rules", "The rules of this file.")
    ]


class SharedShape(BaseModel):
    """A file that others extend: defaults, and no rules."""

    model_config = ConfigDict(extra="forbid", frozen=True, title="a file of defaults")

    version: Annotated[Literal[1], BeforeValidator(_version), Doc("1", "Version of this format.")] = 1
    defaults: Defaults
