"""Where a loss sits that a rule cannot see: a value of a column outside of its dimensions, by counts alone. Pure.

A rule sees device and country; the loss is that of one content network. Counts of the slice by each other column, now
and at the same hours before, tell it: nearly all of the loss lies in one value that was not most of the slice, and the
other values hold. Both the week and the day before must say so, where both can be compared.

The test is a contrast: what the value lost against the part of the loss that would be its own if all values had lost
alike. Under that hypothesis its variance is that of Poisson counts, the scaled ones before included; five standard
deviations leave room for the number of values that are looked at (Kulldorff 1997 scans in the same way).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from alerts.model import Change, Incident, Outside, Transition
from alerts.wording import name_of, percent
from rules.slices import Slice, Value

LEAST_SHARE = 0.8
"""Of the loss, for it to lie in one value."""
MOST_BEFORE = 0.5
"""Share of the slice from which on a value that lost is no news: it is most of the slice."""
HOLDS = (0.8, 1.25)
"""Observed over expected of all other values together, for them to hold."""
COMPARABLE = (0.5, 2.0)
"""Expected over what came before, for the two to be compared."""
DEVIATIONS = 5.0

Amounts = Mapping[Value, float]
"""Events by value of a column."""


@dataclass(frozen=True)
class Counted:
    """Events of a slice by the values of one column: in the bad stretch, and at the same hours before.

    Empty where nothing is known.
    """

    column: str
    now: Amounts
    week: Amounts
    day: Amounts


@dataclass(frozen=True)
class _Found:
    value: Value
    observed: float
    expected: float
    share: float
    deviations: float


@dataclass(frozen=True)
class Lost:
    """A cause, the stretch in which it was looked at, and what was expected of it then; None where that is not known."""

    cause: Slice
    since: datetime
    until: datetime
    expected: float | None = None


def located(lost: Lost, counted: tuple[Counted, ...]) -> Outside | None:
    """The value in which a loss lies; None where it lies in no single one.

    What came before is brought to the level of what was expected. Of several columns the one that stands out most.
    """
    found = [(item, best) for item in counted if (best := _of_column(item, lost.expected)) is not None]
    if not found:
        return None
    item, best = max(found, key=lambda pair: (pair[1].deviations, pair[0].column))
    share = min(best.share, 1.0)
    return Outside(lost.cause, lost.since, lost.until, item.column, best.value, best.observed, best.expected, share)


def location(incident: Incident, found: Outside, at: datetime) -> Transition:
    """The step of an incident of which is known where its loss sits."""
    sits = name_of(Slice(((found.column, found.value),)))
    because = f"{percent(found.share, 1.0)} of the loss is in {sits}, which the rule does not watch"
    return Transition(
        replace(incident, seq=incident.seq + 1, outside=found), Change.LOCATED, at, because, incident.state
    )


def _of_column(item: Counted, expected: float | None) -> _Found | None:
    """What all comparisons that can be made agree on; the weaker one of them."""
    before = [amounts for amounts in (item.week, item.day) if _scale(amounts, expected) is not None]
    found = [_compared(item.now, amounts, expected) for amounts in before]
    agreed = [one for one in found if one is not None]
    if not agreed or len(agreed) < len(found) or len({one.value for one in agreed}) > 1:
        return None
    return min(agreed, key=lambda one: one.deviations)


def _scale(before: Amounts, expected: float | None) -> float | None:
    """What brings counts before to the level that was expected; None where they are not comparable."""
    base = sum(before.values())
    if base <= 0:
        return None
    scale = 1.0 if expected is None else expected / base
    return scale if COMPARABLE[0] <= scale <= COMPARABLE[1] else None


def _compared(now: Amounts, before: Amounts, expected: float | None) -> _Found | None:
    scale = _scale(before, expected)
    assert scale is not None
    usual = {value: scale * amount for value, amount in before.items()}
    whole, lost = sum(usual.values()), sum(usual.values()) - sum(now.values())
    if lost <= 0:
        return None
    value = max(usual, key=lambda one: usual[one] - now.get(one, 0.0))
    mine, came = usual[value], now.get(value, 0.0)
    own = mine / whole
    if own >= MOST_BEFORE or mine - came < LEAST_SHARE * lost or not _hold(now, usual, value):
        return None
    spread = math.sqrt(scale * mine + came + own * own * (scale * whole + sum(now.values())))
    deviations = (mine - came - own * lost) / max(spread, 1.0)
    return _Found(value, came, mine, (mine - came) / lost, deviations) if deviations >= DEVIATIONS else None


def _hold(now: Amounts, usual: Amounts, but: Value) -> bool:
    """Whether all other values together are as usual, those that were never there included."""
    came = sum(amount for value, amount in now.items() if value != but)
    normal = sum(amount for value, amount in usual.items() if value != but)
    return HOLDS[0] * normal <= came <= HOLDS[1] * normal
