"""Which rules earn their place: what fired, what people made of it, and what would make a rule quieter. Pure."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import median
from typing import Protocol

from alerts.incidents import gap
from alerts.model import Incident
from dashboards.precision import is_false
from dashboards.views.common import IncidentLine, Table
from rules.slices import Slice

ENOUGH = 2
"""Incidents that people called no problem, from which a change is suggested."""
MARGIN = 1.1
"""How far beyond the largest of them a suggested bound lies, at least."""


@dataclass(frozen=True)
class Lived:
    """An incident that fired, and what people did about it."""

    incident: Incident
    acted: frozenset[str]
    """Names of the actions, as the log has them."""
    night: int
    """Messages about it that reached somebody out of working hours."""

    @property
    def false(self) -> bool:
        """Whether somebody called it no problem."""
        return is_false(self.incident)

    @property
    def ignored(self) -> bool:
        """Whether it came and went, and nobody did anything."""
        return not self.acted and self.incident.feedback is None and self.incident.resolved_at is not None


@dataclass(frozen=True)
class NoiseRow:
    """How loud one rule was."""

    rule: str
    owner: str | None
    fired: int
    acknowledged: int
    no_problem: int
    ignored: int
    nominal: float
    """False incidents that its budget allows in as long."""
    detect_seconds: float | None
    """From the beginning of what was bad to the message, the middle one."""
    reset_seconds: float | None
    """From the message to the end of what was bad, the middle one."""
    night: int

    @property
    def precision(self) -> float | None:
        """Share of what fired that nobody called no problem, from 0 to 1; None where nothing fired."""
        return None if not self.fired else 1.0 - self.no_problem / self.fired


@dataclass(frozen=True)
class Suggestion:
    """A change of one key of a rule that would have told none of what people called no problem."""

    rule: str
    key: str
    value: str
    why: str
    removes: int
    """Incidents that were no problem, and would not have been told."""
    costs: int
    """Others that would not have been told either."""
    diff: str = ""
    """As a unified diff of the rule's file; "" where the file cannot be read."""


@dataclass(frozen=True)
class Rehearsed:
    """What a rule tells of the newest history that is remembered, as it is and as it would be."""

    rule: str
    key: str
    value: str
    begin: datetime
    end: datetime
    before: tuple[IncidentLine, ...]
    after: tuple[IncidentLine, ...]

    @property
    def gone(self) -> tuple[IncidentLine, ...]:
        """What would not be told any more."""
        left = {(line.cause, line.since) for line in self.after}
        return tuple(line for line in self.before if (line.cause, line.since) not in left)


@dataclass(frozen=True)
class NoisePage:
    """All rules over the last so many days, the least precise first."""

    since: datetime
    days: int
    rows: tuple[NoiseRow, ...]
    owners: tuple[tuple[str, int], ...]
    """Messages out of working hours by owner, most first."""
    suggestions: tuple[Suggestion, ...]


class Noises(Protocol):
    """Where the noise review comes from."""

    def noise(self, now: datetime, days: int, owner: str | None) -> NoisePage:
        """Of the last so many days."""
        ...

    def rehearse(self, rule: str, key: str, value: str, now: datetime) -> Rehearsed:
        """What a suggested change would have told. Raises `MissingError` for a rule or a key that there is not."""
        ...


def row_of(rule: str, owner: str | None, nominal: float, lived: Sequence[Lived]) -> NoiseRow:
    """How loud a rule was; `nominal` is what its budget allows in as long."""
    detect = [(i.raised_at - i.since).total_seconds() for i in _incidents(lived) if i.raised_at is not None]
    reset = [
        (i.resolved_at - i.raised_at).total_seconds()
        for i in _incidents(lived)
        if i.raised_at is not None and i.resolved_at is not None
    ]
    return NoiseRow(
        rule=rule,
        owner=owner,
        fired=len(lived),
        acknowledged=sum("acknowledge" in item.acted for item in lived),
        no_problem=sum(item.false for item in lived),
        ignored=sum(item.ignored for item in lived),
        nominal=nominal,
        detect_seconds=median(detect) if detect else None,
        reset_seconds=median(reset) if reset else None,
        night=sum(item.night for item in lived),
    )


def _incidents(lived: Iterable[Lived]) -> Iterable[Incident]:
    return (item.incident for item in lived)


def order(rows: Iterable[NoiseRow]) -> tuple[NoiseRow, ...]:
    """The least precise first, then the loudest; rules of which nothing fired at the end."""
    return tuple(sorted(rows, key=lambda row: (row.precision is None, row.precision or 0.0, -row.fired, row.rule)))


def by_owner(rows: Iterable[NoiseRow]) -> tuple[tuple[str, int], ...]:
    """Messages out of working hours by owner, most first."""
    found: Counter[str] = Counter()
    for row in rows:
        found[row.owner or "nobody"] += row.night
    return tuple(found.most_common())


def suggestion(rule: str, lived: Sequence[Lived]) -> Suggestion | None:
    """The mildest change that would have spared people what they called no problem, and cost the fewest others.

    A slice that alone was called so each time it fired is left out by `slices.ignore`; else the smallest loss, or the
    smallest change, that is told is raised beyond the largest of them. None where no such change spares more than it costs.
    """
    false = [item.incident for item in lived if item.false]
    true = [item.incident for item in lived if not item.false]
    if len(false) < ENOUGH:
        return None
    found = [maker(rule, false, true) for maker in (_ignored, _loss, _change)]
    worth = [item for item in found if item is not None and item.removes > item.costs]
    return min(worth, key=lambda item: item.costs - item.removes, default=None)


def _ignored(rule: str, false: Sequence[Incident], true: Sequence[Incident]) -> Suggestion | None:
    causes = Counter(item.cause for item in false)
    cause, often = causes.most_common(1)[0]
    if often < ENOUGH or not cause.terms or any(item.cause == cause for item in true):
        return None
    why = f"all {often} incidents of {cause.label()} were called no problem"
    return Suggestion(rule, "slices.ignore", ignore_value(cause), why, often, 0)


def ignore_value(item: Slice) -> str:
    """A slice as `slices.ignore` writes it: YAML's flow style, which is JSON's too."""
    return json.dumps([dict(item.terms)], ensure_ascii=False, default=str)


def _loss(rule: str, false: Sequence[Incident], true: Sequence[Incident]) -> Suggestion:
    bound = rounded_up(MARGIN * max(abs(gap(item)) for item in false))
    costs = sum(abs(gap(item)) < bound for item in true)
    why = f"the {len(false)} that were no problem were short of fewer than {bound:,} events"
    return Suggestion(rule, "min_loss", str(bound), why, len(false), costs)


def _change(rule: str, false: Sequence[Incident], true: Sequence[Incident]) -> Suggestion | None:
    shares = [_share(item) for item in false]
    bound = math.ceil(min(MARGIN * max(shares), 1.0) * 100)
    if bound >= 100:
        return None
    costs = sum(_share(item) * 100 < bound for item in true)
    why = f"the {len(false)} that were no problem had changed by less than {bound} %"
    return Suggestion(rule, "min_change", f"{bound}%", why, len(false), costs)


def _share(item: Incident) -> float:
    return abs(gap(item)) / item.expected if item.expected > 0 else 1.0


def rounded_up(value: float) -> int:
    """To two digits, upwards: 1,234 becomes 1,300."""
    if value <= 10:
        return max(1, math.ceil(value))
    step = 10 ** (math.floor(math.log10(value)) - 1)
    return int(math.ceil(value / step) * step)


def table(page: NoisePage) -> Table:
    """One row a rule."""
    columns = (
        *("rule", "owner", "fired", "acknowledged", "no_problem", "ignored", "nominal", "precision"),
        *("detect_seconds", "reset_seconds", "out_of_hours"),
    )
    rows = [
        (
            *(r.rule, r.owner or "", r.fired, r.acknowledged, r.no_problem, r.ignored, r.nominal, r.precision),
            *(r.detect_seconds, r.reset_seconds, r.night),
        )
        for r in page.rows
    ]
    return Table(columns, rows)


WEEK = timedelta(days=7)
