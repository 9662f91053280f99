"""How large a store becomes: the formula of docs/storage.md. Pure.

Bytes are those of a SQLite file, its write-ahead log not counted; they were measured by `benchmarks/storage.py`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from monitor.keeping import Retention

EMPTY = 250_000
"""A store with nothing in it."""
PAGE = 110
"""Of each bucket, as read once, and of each 4,096 leaves."""
PAGE_LEAF = 0.5
"""Of each leaf that has events in it, for one event; as much again for each factor of ten."""
LEAF = 120
"""The values of a leaf, of some 40 letters."""
FIT, FIT_LEAF, FIT_SLICE, FITS = 2_000, 285, 420, 3
"""What is learned of a metric, per leaf, per slice that is judged; so many are kept."""
RUN = 35
EFFORT, EFFORTS = 82, 200
"""What an evaluation took; so many are kept of a rule."""
INCIDENT, STEP = 17_500, 12_200
"""An incident, and each step of it: one for each bucket judged while it is open, and about two more."""
DECISION = 250
"""Why somebody was told, or was not: for each step and receiver."""
MESSAGE = 9_500
"""Each text, chart or file that was sent."""
FLAGS = 110
"""A bucket in which anything was flagged."""
READS = 4
"""How often a bucket is read until it is final."""
READ_AFTER_HOURS = (0, 3, 24, 72)
DAY_HOURS = 24


@dataclass(frozen=True)
class RuleUse:
    """What a rule brings with it."""

    leaves: float
    """That have events in a bucket."""
    events: float
    """In a bucket, of all leaves."""
    slices: float
    """That are judged."""
    bucket_hours: float = 1.0
    days: float = 7.0
    """Since it is watched."""
    lookback_days: float = 28.0
    schedule_hours: float = 1.0
    metrics: int = 1
    arrivals: bool = False
    """Whether the source knows when events arrived: the past is read at every age then."""
    known_leaves: float | None = None
    """Leaves ever seen; those of a bucket where it is None."""


@dataclass(frozen=True)
class IncidentUse:
    """What incidents bring with them."""

    count: float
    buckets_open: float = 6.0
    """Judged while one is open."""
    receivers: float = 1.0
    parts: float = 4.0
    """Texts, charts and files sent of one, to one receiver."""


def page_bytes(leaves: float, events: float, metrics: int = 1) -> float:
    """One bucket as read once."""
    each = max(events / max(leaves, 1.0), 1.0)
    chunks = max(math.ceil(leaves / 4_096), 1)
    return PAGE * chunks + leaves * metrics * PAGE_LEAF * (1.0 + math.log10(each))


def rule_bytes(use: RuleUse, keep: Retention | None = None) -> float:
    """All that is kept of a rule, after so many days."""
    keep = keep or Retention()
    a_day, days = DAY_HOURS / use.bucket_hours, keep_days(keep)
    page = page_bytes(use.leaves, use.events, use.metrics)
    past_reads = READS if use.arrivals else 1
    kept = days["fine"] if use.bucket_hours < 1 else days["buckets"]
    watched = use.days + use.lookback_days + 1
    pages = min(watched, max(kept, use.lookback_days + 35)) * a_day
    ripening = a_day * min(use.days, days["ripening"]) * (READS - 1)
    # The newest buckets are not read so often yet.
    ripening -= min(sum(READ_AFTER_HOURS) / use.bucket_hours, ripening)
    ripening += a_day * max(min(watched, days["ripening"]) - use.days, 0.0) * (past_reads - 1)
    leaves = use.known_leaves or use.leaves
    fit = FIT + FIT_LEAF * leaves + FIT_SLICE * use.slices
    runs = min(use.days, days["runs"]) * DAY_HOURS / use.schedule_hours
    return (
        (pages + ripening) * page
        + _sums(use, watched, days)
        + leaves * LEAF
        + FITS * use.metrics * fit
        + runs * RUN
        + min(runs, EFFORTS) * EFFORT
    )


def _sums(use: RuleUse, watched: float, days: dict[str, float]) -> float:
    """Sums of hours, of short buckets, and of days."""
    leaves, events = use.leaves, use.events / use.bucket_hours
    hours = max(min(watched, days["buckets"]) - days["fine"], 0.0) * DAY_HOURS if use.bucket_hours < 1 else 0.0
    whole = max(min(watched, days["days"]) - days["buckets"], 0.0)
    return hours * page_bytes(leaves, events, use.metrics) + whole * page_bytes(leaves, events * 24, use.metrics)


def incident_bytes(use: IncidentUse) -> float:
    """All that is kept of incidents, their messages included."""
    steps = use.buckets_open + 2
    told = steps * DECISION + use.parts * MESSAGE
    return use.count * (INCIDENT + steps * STEP + use.buckets_open * FLAGS + use.receivers * told)


def store_bytes(rules: Sequence[RuleUse], incidents: IncidentUse, keep: Retention | None = None) -> float:
    """A whole store."""
    return EMPTY + sum(rule_bytes(use, keep) for use in rules) + incident_bytes(incidents)


def keep_days(keep: Retention) -> dict[str, float]:
    """How long everything is kept, in days."""
    return {name: value.total_seconds() / 86_400 for name, value in vars(keep).items()}
