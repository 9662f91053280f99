"""Days unlike others: public holidays and planned events, over the leaves and buckets of a view. Pure.

The tables of holidays come from the package `holidays`, which asks nobody and always answers alike.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from monitor.buckets import DAY, Grid, Times, to_epoch
from monitor.detectors.occasions import Occasion, Occasions
from monitor.lattice import Leaves
from rules.model import Holidays, PlannedEvent, Rule

if TYPE_CHECKING:
    from holidays import HolidayBase

Bools = NDArray[np.bool_]

SUNDAY = 6
EPOCH = date(1970, 1, 1)


@dataclass(frozen=True)
class Calendar:
    """What a rule says of days unlike others."""

    holidays: Holidays = field(default_factory=Holidays)
    events: tuple[PlannedEvent, ...] = ()

    @classmethod
    def of(cls, rule: Rule) -> Calendar:
        """The calendar of a rule."""
        return cls(rule.holidays, rule.events)

    def __bool__(self) -> bool:
        return bool(self.holidays or self.events)

    def over(self, grid: Grid, leaves: Leaves, starts: Times) -> Occasions:
        """The occasions that touch these leaves [S] in these buckets [T]."""
        if not self or not len(starts):
            return Occasions()
        found = [*self._planned(grid, leaves, starts), *self._public(grid, leaves, starts)]
        return Occasions(tuple(item for item in found if item.inside.any() and item.share.any()))

    def _planned(self, grid: Grid, leaves: Leaves, starts: Times) -> Iterator[Occasion]:
        ends = np.append(starts[1:], grid.end(int(starts[-1])))
        for event in self.events:
            begin, stop = to_epoch(event.during.start), to_epoch(event.during.end)
            inside = np.clip(np.minimum(ends, stop) - np.maximum(starts, begin), 0, None)
            yield Occasion(
                name=event.name,
                inside=leaves.members(event.slice),
                share=inside / (ends - starts),
                factor=1.0 if event.factor is None else event.factor,
                known=event.factor is not None,
            )

    def _public(self, grid: Grid, leaves: Leaves, starts: Times) -> Iterator[Occasion]:
        day = grid.local(starts) // DAY
        for country, inside in self._countries(leaves):
            for number in np.unique(day):
                name = holiday(country, EPOCH + timedelta(days=int(number)))
                if name:
                    here = (day == number).astype(float)
                    yield Occasion(f"{name} ({country})", inside, here, weekday=rest_day(country))

    def _countries(self, leaves: Leaves) -> Iterator[tuple[str, Bools]]:
        """Each calendar, and the leaves it holds for."""
        everywhere = np.ones(len(leaves), dtype=bool)
        yield from ((code, everywhere) for code in self.holidays.countries)
        if self.holidays.by in leaves.dimensions:
            d = leaves.dimensions.index(self.holidays.by)
            for code, value in enumerate(leaves.values[d]):
                if isinstance(value, str) and rest_day(value) is not None:
                    yield value, leaves.codes[:, d] == code


@cache
def holiday(country: str, day: date) -> str:
    """The public holiday that a day is in a country (`NO`, `US-CA`), by its English name where there is one; or ""."""
    book = _book(country)
    return "" if book is None else str(book.get(day, ""))


@cache
def rest_day(country: str) -> int | None:
    """The last day of a country's weekend, 0 is Monday; None where the country has no calendar."""
    book = _book(country)
    return None if book is None else max(book.weekend, default=SUNDAY)


@cache
def _book(country: str) -> HolidayBase | None:
    import holidays  # noqa: PLC0415  half a second, only for rules with a calendar of countries

    code, _, subdivision = country.partition("-")
    try:
        return holidays.country_holidays(code, subdiv=subdivision or None, language="en_US")
    except NotImplementedError:
        return None
