"""The data that flows from a judgement to a delivered message."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from rules.model import Severity
from rules.slices import Slice, Value


class Kind(StrEnum):
    """What happened to a slice (or, for LATE and BLIND, to its source)."""

    DROP = "drop"
    SPIKE = "spike"
    MOVED = "moved"
    RENAMED = "renamed"
    LATE = "late"
    BLIND = "blind"
    NEW = "new"
    """A value never seen before: told once, where the rule asks for it."""


class State(StrEnum):
    """Where an incident stands. UNKNOWN is frozen: no clock runs, nothing resolves."""

    PENDING = "pending"
    FIRING = "firing"
    ACKNOWLEDGED = "acknowledged"
    SNOOZED = "snoozed"
    UNKNOWN = "unknown"
    RESOLVED = "resolved"


class TotalState(StrEnum):
    """How the rule's total stands beside a finding, judged by the same test as any slice."""

    STABLE = "stable"
    DOWN = "down"
    UP = "up"


@dataclass(frozen=True)
class SliceFact:
    """One slice's observed and expected events over a finding's window."""

    slice: Slice
    observed: float
    expected: float


@dataclass(frozen=True)
class Series:
    """Buckets of one slice for a chart; `starts` are UTC, None in the others is unknown."""

    starts: tuple[datetime, ...]
    observed: tuple[float | None, ...]
    expected: tuple[float | None, ...]
    low: tuple[float | None, ...]
    high: tuple[float | None, ...]


@dataclass(frozen=True)
class Evidence:
    """What stands beside a finding so that a person can believe it."""

    total: SliceFact
    total_state: TotalState
    low: float
    high: float
    """Band of the cause over the finding's window: outside it an observed sum is not chance."""
    grew: tuple[SliceFact, ...] = ()
    """Siblings that grew and so keep the total stable (a masked loss), largest growth first."""
    fine: tuple[SliceFact, ...] = ()
    """Siblings that are not affected, largest first."""
    children: tuple[SliceFact, ...] = ()
    """Alarmed slices this cause explains, largest loss first; never sent on their own."""
    children_count: int = 0
    last_seen: datetime | None = None
    """Start of the last bucket in which the cause had any event."""
    series: Series | None = None
    total_series: Series | None = None
    occasions: tuple[str, ...] = ()
    """Holidays and planned events of the cause within its window, by name: what was expected knows of them."""


@dataclass(frozen=True)
class Finding:
    """A cause that is bad at this tick. Sums run from `since` to `until` (end of the last bad bucket)."""

    rule: str
    metric: str
    kind: Kind
    slice: Slice
    since: datetime
    until: datetime
    observed: float
    expected: float
    p: float
    """Calibrated probability of a change at least as large by chance; 0 where not applicable."""
    evidence: Evidence | None = None
    also: tuple[Slice, ...] = ()
    """Other names of the same cells."""
    to: Slice | None = None
    """For MOVED and RENAMED: where the events went."""
    continues: str | None = None
    """Id of the open incident whose cells this finding shares, if any."""
    apart: tuple[str, ...] = ()
    """Ids of open incidents around it or within it of which it is another cause."""
    detail: str = ""
    """For BLIND and LATE: the source's own error, in a line."""
    late: bool = False
    """What was missing in its older buckets has arrived since; what is missing in the newest may yet come."""


@dataclass(frozen=True)
class Recovery:
    """An open incident whose cause is back at what was expected at this tick."""

    incident: str
    until: datetime
    """End of the last bad bucket."""
    observed: float
    expected: float
    """Sums from `since` to `until`: expected minus observed is what was lost."""
    late: bool = False
    """What was missing has arrived since: it was late, not lost."""


@dataclass(frozen=True)
class Absence:
    """A stretch of time in which nothing was judged: from the last evaluation before it to when it was looked again."""

    since: datetime
    until: datetime


@dataclass(frozen=True)
class Assessment:
    """All that one tick of one rule says. Open incidents named nowhere are neither worse nor better."""

    rule: str
    tick: datetime
    findings: tuple[Finding, ...] = ()
    recoveries: tuple[Recovery, ...] = ()
    blind: Finding | None = None
    """Set where the source could not be asked: every slice incident freezes."""
    absence: Absence | None = None
    """Set where the tick is judged after it: what fires at it was missed by all who would have been told then."""


@dataclass(frozen=True)
class CauseAt:
    """A cause an incident had, and the tick from which on it had it."""

    slice: Slice
    at: datetime


@dataclass(frozen=True)
class Stretch:
    """A slice that lost events from `since` to `until` (excluded), with its sums where they are known."""

    slice: Slice
    since: datetime
    until: datetime
    observed: float | None = None
    expected: float | None = None


@dataclass(frozen=True)
class Outside:
    """A value of a column that a rule does not watch, in which nearly all of the loss of a cause lies."""

    cause: Slice
    since: datetime
    until: datetime
    """The stretch that was looked at: of a long one the newest part."""
    column: str
    value: Value
    observed: float
    expected: float
    """What it would have had: what came before, at the level that was expected of the cause."""
    share: float
    """Of the loss, 0 to 1."""


@dataclass(frozen=True)
class Actor:
    """Who did something: where they did it (`slack`, `cli`, `web`, `api`), their id there, and a name to show."""

    kind: str
    id: str
    name: str


class Feedback(StrEnum):
    """What "not a problem" means for what is expected from then on."""

    LEAVE_OUT = "leave-out"
    """It was an exception: nothing is learned from it, and it is not told again while it lasts."""
    NEW_NORMAL = "new-normal"
    """It is as it should be: what it has now is what is expected of it."""


class Act(StrEnum):
    """What a person can do about an incident."""

    ACKNOWLEDGE = "acknowledge"
    SNOOZE = "snooze"
    REOPEN = "reopen"
    NOT_A_PROBLEM = "not-a-problem"


@dataclass(frozen=True)
class Hush:
    """Who acknowledged or snoozed an incident, and how long that holds (None: until it is over)."""

    by: Actor
    at: datetime
    until: datetime | None
    rate: float = 0.0
    """Events it was short of (or had too many) an hour at that time."""


@dataclass(frozen=True)
class Incident:
    """One rule and cause: the unit of messages, threads and pages. Immutable; `step` makes the next one."""

    id: str
    rule: str
    metric: str
    kind: Kind
    cause: Slice
    state: State
    severity: Severity
    since: datetime
    until: datetime
    first_seen_at: datetime
    """Tick of the first finding, fired or pending."""
    tick: datetime
    """Last tick that changed or confirmed it."""
    observed: float
    expected: float
    p: float
    raised_at: datetime | None = None
    resolved_at: datetime | None = None
    accepted_at: datetime | None = None
    """Tick at which it lasted so long that what it is became normal; it is resolved then, though nothing came back."""
    causes: tuple[CauseAt, ...] = ()
    """Earlier causes, oldest first."""
    cause_at: datetime | None = None
    """Tick from which on it has its present cause; None where it never had another."""
    cause_since: datetime | None = None
    """From when on its present cause was lost, where that is later than `since`, which an earlier cause began."""
    earlier: tuple[Stretch, ...] = ()
    """What earlier causes, and incidents it took over, lost that its present cause does not hold from `cause_since` on."""
    also: tuple[Slice, ...] = ()
    apart: tuple[str, ...] = ()
    """Ids of incidents around it or within it of which it is another cause: neither takes the other over."""
    to: Slice | None = None
    evidence: Evidence | None = None
    detail: str = ""
    late: bool = False
    """What was missing has arrived since, or most of it: late, not lost."""
    bad_ticks: int = 0
    """Consecutive evaluations that confirmed it while pending (`for`)."""
    good_ticks: int = 0
    """Consecutive evaluations that found it recovered (`keep_firing_for`)."""
    frozen_state: State | None = None
    """State to return to when an UNKNOWN incident thaws."""
    unknown_for: timedelta = timedelta(0)
    """How long it was UNKNOWN, all told: no clock ran then."""
    seq: int = 0
    """Number of transitions so far; with the id it orders messages."""
    resolution: str = ""
    """Why it closed, in a sentence."""
    outside: Outside | None = None
    """Where its loss sits outside of the rule; of the cause that it names, which need not be the present one."""
    hush: Hush | None = None
    """Set while it is acknowledged or snoozed."""
    feedback: Feedback | None = None
    """What a person said it was, where that was no problem; it is resolved then."""
    absence: Absence | None = None
    """Set where it was raised while nothing was judged, and so was found after that."""


class Change(StrEnum):
    """What a transition did to an incident."""

    PENDING = "pending"
    OPENED = "opened"
    WIDENED = "widened"
    NARROWED = "narrowed"
    RECLASSIFIED = "reclassified"
    """Same cause, another reading of it: what looked lost has moved or was renamed, or the other way round."""
    AMENDED = "amended"
    """What was told as lost has arrived since: it was late."""
    CONFIRMED = "confirmed"
    """Facts or counters updated; changes no message by itself."""
    LOCATED = "located"
    """It is known in which value of a column outside of the rule the loss sits."""
    ESCALATED = "escalated"
    REPEATED = "repeated"
    """It goes on, and was told long ago; nothing else has changed."""
    RELEASED = "released"
    """News of it were held back, and it is still bad now that they may be told."""
    FROZEN = "frozen"
    THAWED = "thawed"
    RESOLVED = "resolved"
    ACCEPTED = "accepted"
    """It lasted: from here on it is what is normal."""
    ABSORBED = "absorbed"
    """A wider incident took this one over."""
    REMOVED = "removed"
    """Its rule is no more: nobody follows it, and whether it is over nobody knows."""
    WITHDRAWN = "withdrawn"
    """A pending one that never fired went away."""
    ACKNOWLEDGED = "acknowledged"
    """Somebody works on it."""
    SNOOZED = "snoozed"
    """Somebody wants to hear no more of it for a while."""
    REOPENED = "reopened"
    """Somebody took an acknowledgement or a snooze back."""
    HANDED_ON = "handed-on"
    """Nobody acknowledged it in time: the next receiver is told."""
    EXPIRED = "expired"
    """The time of an acknowledgement or a snooze is up, and it is still bad."""
    DISMISSED = "dismissed"
    """Somebody said that it is no problem."""
    REPORT = "report"
    """Of no incident: what happened in a stretch of time."""


@dataclass(frozen=True)
class Transition:
    """One step of one incident: the incident as it is afterwards, and why."""

    incident: Incident
    change: Change
    at: datetime
    because: str
    before: State | None = None
    gap_before: float | None = None
    """Events the incident was short of (or had too many) before this step; None for a new one."""
    to: tuple[str, ...] = ()
    """Receivers it is for; () is whoever is told of such a step."""


class Reason(StrEnum):
    """Why a decision came out as it did."""

    NEW = "new"
    CHANGED = "changed"
    REPEATED = "repeated"
    RELEASED = "released"
    RESOLVED = "resolved"
    ACCEPTED = "accepted"
    REMOVED = "removed"
    SHADOW = "shadow"
    DIRECTION = "direction"
    MUTED = "muted"
    MAINTENANCE = "maintenance"
    SILENCED = "silenced"
    INHIBITED = "inhibited"
    CATCHING_UP = "catching-up"
    """It happened while nothing was judged: it is told once it is known how it stands now."""
    OUT_OF_HOURS = "out-of-hours"
    """This receiver is told once its hours begin, where it is still bad then."""
    DIGESTED = "digested"
    """Sent, in a digest of many."""
    ACTION = "action"
    """A person did something about it."""
    HANDED_ON = "handed-on"
    EXPIRED = "expired"
    SNOOZED = "snoozed"
    NO_PROBLEM = "no-problem"
    NOT_NEWS = "not-news"
    NEVER_SENT = "never-sent"
    NO_RECEIVER = "no-receiver"


@dataclass(frozen=True)
class Decision:
    """Whether one transition is sent to one receiver ("" where none applies), and why."""

    incident: str
    seq: int
    receiver: str
    send: bool
    reason: Reason
    because: str
    at: datetime


@dataclass(frozen=True)
class Fact:
    """A labelled line of a message."""

    label: str
    text: str
    at: datetime | None = None
    """The instant `text` names, where a channel can show it in the reader's own time zone."""


@dataclass(frozen=True)
class Reprocess:
    """What to load again of a table: the stretches, oldest first; `dimensions` are those of the rule, in its order."""

    source: str
    metric: str
    dimensions: tuple[str, ...]
    stretches: tuple[Stretch, ...]


@dataclass(frozen=True)
class Message:
    """Channel-neutral: what a person is told about one transition. `key` names the incident's thread."""

    key: str
    seq: int
    rule: str
    change: Change
    state: State
    severity: Severity
    push: str
    """At most 150 characters: what a phone shows."""
    title: str
    summary: tuple[str, ...]
    """Paragraphs, most important first."""
    facts: tuple[Fact, ...]
    footer: str
    cause: Slice = field(default_factory=Slice)
    query: str = ""
    """SQL to paste that returns the numbers in the warehouse; "" where there is none."""
    runbook_url: str | None = None
    page_url: str | None = None
    """Where it is looked at in a browser; known when it is sent."""
    broadcast: bool = False
    """Whether a thread reply also goes to the channel."""
    chart: Series | None = None
    total_chart: Series | None = None
    since: datetime | None = None
    marks: tuple[tuple[datetime, str], ...] = ()
    """Known changes, for the chart: when, and what."""
    reprocess: Reprocess | None = None
    """What to load again, where something was lost and is over; channels that carry files bring it as CSV."""
    acts: tuple[Act, ...] = ()
    """What a person can do about the incident as it stands; a channel that brings answers back offers them."""


@dataclass(frozen=True)
class Receipt:
    """What a channel returned: enough to edit the message and to reply in its thread."""

    channel: str = ""
    ref: str = ""
    """Slack's `ts`, an e-mail's Message-ID, and the like."""


class SendError(Exception):
    """A send failed. Permanent errors are not retried; `retry_after` (seconds) does not count as an attempt.

    `unknown` says the receiver may have got it all the same (a connection cut after sending). `refused` says
    the channel will not take the rich form (too large, invalid): the plain one may pass.
    """

    def __init__(
        self,
        message: str,
        *,
        permanent: bool = False,
        retry_after: float | None = None,
        unknown: bool = False,
        refused: bool = False,
    ) -> None:
        super().__init__(message)
        self.permanent = permanent
        self.retry_after = retry_after
        self.unknown = unknown
        self.refused = refused
