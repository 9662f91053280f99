"""What a rule means, once its file has been read and found sound."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING

from rules.cron import Cron
from rules.problem import Place, Span
from rules.slices import Slice
from rules.written import Written

if TYPE_CHECKING:
    from rules.rule_tests import RuleTest


class Severity(StrEnum):
    """How loud a rule's incidents are, from quiet to loud."""

    INFO = "info"
    WARNING = "warning"
    CRITICAL = "critical"

    @property
    def loudness(self) -> int:
        """0 for the quietest."""
        return list(Severity).index(self)


class Direction(StrEnum):
    """Which changes are sent; both are always computed and shown."""

    DROP = "drop"
    SPIKE = "spike"
    BOTH = "both"


class Mode(StrEnum):
    """Live rules are sent; shadow rules are judged and shown, never sent."""

    LIVE = "live"
    SHADOW = "shadow"


class NewValues(StrEnum):
    """What happens to a value never seen before."""

    LEARN = "learn"
    ALERT = "alert"
    IGNORE = "ignore"


@dataclass(frozen=True)
class Metric:
    """One additive measure: `count` (column is None) or `sum` of a non-negative integer column."""

    kind: str
    column: str | None = None

    @property
    def name(self) -> str:
        """`count` or `sum(visits)`, as shown to people."""
        return self.kind if self.column is None else f"{self.kind}({self.column})"


@dataclass(frozen=True)
class SourceRef:
    """Where a rule's events are: a source of slicewatch.toml, and a table of it or a query."""

    source: str
    table: tuple[str, ...] = ()
    query: str | None = None

    @property
    def name(self) -> str:
        """`lake.playback`, as shown to people."""
        return ".".join((self.source, *self.table)) if self.query is None else f"{self.source} (query)"


@dataclass(frozen=True)
class Timestamp:
    """A column of times; naive values are read in `timezone`."""

    column: str
    timezone: str = "UTC"


@dataclass(frozen=True)
class Interval:
    """A half-open stretch of time [start, end), UTC."""

    start: datetime
    end: datetime


@dataclass(frozen=True)
class Holidays:
    """Whose public holidays: those of `countries` for every slice, or of the country that the dimension `by` names.

    Codes are ISO 3166: `NO`, or with a subdivision `US-CA`.
    """

    countries: tuple[str, ...] = ()
    by: str | None = None

    def __bool__(self) -> bool:
        return bool(self.countries) or self.by is not None


@dataclass(frozen=True)
class PlannedEvent:
    """A stretch in which a slice is expected to have `factor` times its events; None where nobody knows."""

    name: str
    during: Interval
    slice: Slice = field(default_factory=Slice)
    factor: float | None = None


@dataclass(frozen=True)
class KnownIncident:
    """An incident of the past that people know of: what a backtest is held against. No `kind` is any."""

    during: Interval
    slice: Slice = field(default_factory=Slice)
    kind: str | None = None
    name: str = ""


@dataclass(frozen=True)
class Bound:
    """So many events a bucket, or that share of the same bucket a week before."""

    value: float
    of_last_week: bool = False


@dataclass(frozen=True)
class Bounds:
    """What is normal: at least `low` and at most `high`; None is no bound. At least one is given."""

    low: Bound | None = None
    high: Bound | None = None


@dataclass(frozen=True)
class DetectorChoice:
    """Which detector judges, and what it is told. `bounds` are by metric, `*` is any; `options` are a plug-in's."""

    name: str = "default"
    bounds: tuple[tuple[str, Bounds], ...] = ()
    options: tuple[tuple[str, str | int | float | bool | None], ...] = ()


@dataclass(frozen=True)
class Escalation:
    """From which change on an incident has at least this severity: shares of what is expected, lost or too much."""

    severity: Severity
    drop: float | None = None
    spike: float | None = None


@dataclass(frozen=True)
class Mute:
    """Windows of `duration` in which nobody is told; they begin at the times of `cron` in the rule's time zone."""

    cron: Cron
    duration: timedelta
    reason: str


@dataclass(frozen=True)
class SlicePolicy:
    """Which slices are kept and tested."""

    max: int = 20_000
    expected: tuple[tuple[str, tuple[str | None, ...]], ...] = ()
    ignore: tuple[Slice, ...] = ()
    new: NewValues = NewValues.LEARN


@dataclass(frozen=True)
class Rule:
    """One thing to watch. Immutable; durations are timedeltas, `place` is where it was written."""

    name: str
    source: SourceRef
    timestamp: Timestamp
    dimensions: tuple[str, ...]
    place: Place
    metrics: tuple[Metric, ...] = (Metric("count"),)
    arrived_at: Timestamp | None = None
    """The column of the time at which an event could be read, where there is one."""
    where: str | None = None
    was: str | None = None
    """The name it had before: what is kept under that one is this rule's."""
    description: str = ""
    mode: Mode = Mode.LIVE
    depth: int = 2
    time_bucket: timedelta = timedelta(hours=1)
    schedule: timedelta | Cron = timedelta(hours=1)
    """Between two evaluations; or the times of evaluations, in `timezone`."""
    detection_delay: timedelta = timedelta(0)
    timezone: str = "UTC"
    max_scan: int | None = None
    """Bytes that a query may read; None: as many as its source lets it."""
    slices: SlicePolicy = field(default_factory=SlicePolicy)
    lookback: timedelta = timedelta(days=28)
    exclude: tuple[Interval, ...] = ()
    holidays: Holidays = field(default_factory=Holidays)
    common_mode: tuple[str, ...] = ()
    """Dimensions of whose values each has a common mode of its own."""
    events_file: str | None = None
    """The file of planned events as it was written, beside the rule file; `events` is what it says."""
    events: tuple[PlannedEvent, ...] = ()
    detector: DetectorChoice = field(default_factory=DetectorChoice)
    false_incidents_per_week: float = 1.0
    """The alert budget that `sensitivity` names: low .25, medium 1, high 7, or a number."""
    direction: Direction = Direction.DROP
    min_change: float = 0.2
    min_loss: float = 0.0
    for_: int = 0
    keep_firing_for: int = 2
    severity: Severity = Severity.WARNING
    escalate: tuple[Escalation, ...] = ()
    repeat_interval: timedelta = timedelta(hours=24)
    """After so long an incident that still fires is told again; 0 is never."""
    mute: tuple[Mute, ...] = ()
    inhibited_by: tuple[str, ...] = ()
    """Rules while whose incidents are open those of this one are held back."""
    labels: tuple[tuple[str, str], ...] = ()
    owner: str | None = None
    notify: tuple[tuple[Severity, tuple[str, ...]], ...] = ()
    """Receivers by severity; empty means the operators' fallback."""
    runbook_url: str | None = None
    known: tuple[KnownIncident, ...] = ()
    """Labelled incidents of the past."""
    tests: tuple[RuleTest, ...] = ()
    """What must fire and what must not, where events are lost on purpose."""
    written: Written = field(default_factory=Written, compare=False, repr=False)
    """The rule in its files, for messages only: no part of what it means."""

    @property
    def family(self) -> str:
        """The name as it is written: that of all rules which one of several tables became."""
        return self.name.partition("@")[0]

    def span(self, path: str) -> Span:
        """Where the value at `path` (`dimensions.0`; with a `:` its key) was written; else a parent, else the rule."""
        return self.written.span(path) or Span(self.place)
