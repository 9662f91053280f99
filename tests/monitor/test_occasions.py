"""Whole ticks on holidays and through planned events."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from alerts.model import Kind, State
from monitor import store
from monitor.buckets import DAY, Grid, to_datetime
from rules.model import Direction, Holidays, Interval, PlannedEvent
from rules.slices import Slice
from tests.monitor.ticks import Ticks
from tests.monitor.world import BEGIN, World, cause, world

COUNTRIES = ("EE", "SE", "DK", "DE", "FI")
HOLIDAY = 50
"""Tuesday 2026-02-24, the independence day of Estonia."""
SUNDAYS = range(6, 60, 7)

Over = Callable[..., Ticks]


def sleepy() -> World:
    """Sixty days; on Sundays a fifth of what other days have."""
    made = world({"country": COUNTRIES, "device": ("web", "app")}, days=60, volume=200_000, grid=Grid(DAY), spread=0.2)
    for day in SUNDAYS:
        made = made.scaled(0.2, day, day + 1, seed=day)
    return made


MADE = sleepy()


@pytest.fixture
def over(tmp_path: Path) -> Over:
    """Ticks of a daily rule over a world, learned up to a day, run over others."""
    opened: list[store.Store] = []

    def make(made: World, days: range, **rule) -> Ticks:
        opened.append(store.Store.open(f"sqlite:///{tmp_path}/{len(opened)}.db"))
        return Ticks.over(made, opened[-1], time_bucket=timedelta(days=1), **rule).learn(days[0]).run(days)

    yield make
    for state in opened:
        state.close()


def at(day: int):
    return to_datetime(BEGIN + day * DAY)


def planned(first: int, stop: int, factor: float | None, **terms: str) -> PlannedEvent:
    return PlannedEvent("sale", Interval(at(first), at(stop)), Slice.of(terms), factor)


def told(ticks: Ticks) -> list[tuple[str, Slice]]:
    return [(i.kind.value, i.cause) for i in ticks.incidents if i.raised_at is not None]


RESTS = MADE.scaled(0.2, HOLIDAY, HOLIDAY + 1, country="EE")


def test_a_country_at_rest_is_a_drop_to_a_rule_without_a_calendar(over):
    """What the calendar is for."""
    assert told(over(RESTS, range(HOLIDAY, HOLIDAY + 1))) == [("drop", cause(country="EE"))]


@pytest.mark.parametrize("holidays", [Holidays(by="country"), Holidays(("EE",))])
def test_on_its_holiday_a_country_may_do_as_on_a_sunday(over, holidays):
    """Neither the country nor the total is told, on the day and on those after it."""
    made = RESTS if holidays.by else MADE.scaled(0.2, HOLIDAY, HOLIDAY + 1)
    assert told(over(made, range(HOLIDAY, HOLIDAY + 5), holidays=holidays)) == []


def test_a_country_that_is_gone_on_its_holiday_is_told(over):
    """A wider allowance is no blindness, and the message knows the day."""
    gone = MADE.scaled(0.0, HOLIDAY, HOLIDAY + 1, country="EE")
    ticks = over(gone, range(HOLIDAY, HOLIDAY + 1), holidays=Holidays(by="country"))
    assert told(ticks) == [("drop", cause(country="EE"))]
    (incident,) = ticks.incidents
    usual = float(MADE.values[0][MADE.inside(country="EE"), HOLIDAY - 2].sum())
    assert incident.expected == pytest.approx(usual, rel=0.2)
    ((_, message),) = ticks.outcomes[-1].messages
    assert "Independence Day (EE)" in next(fact.text for fact in message.facts if fact.label == "Calendar")


def test_a_country_without_the_holiday_has_none(over):
    """Sweden at rest on Estonia's holiday is a drop all the same."""
    made = MADE.scaled(0.2, HOLIDAY, HOLIDAY + 1, country="SE")
    ticks = over(made, range(HOLIDAY, HOLIDAY + 1), holidays=Holidays(by="country"))
    assert told(ticks) == [("drop", cause(country="SE"))]


SALE = MADE.scaled(2.0, HOLIDAY, HOLIDAY + 2, device="app")


def test_a_planned_rise_is_no_spike(over):
    """Twice the events on both days of a sale that says so; without it they are told."""
    rule = {"direction": Direction.BOTH}
    days = range(HOLIDAY, HOLIDAY + 4)
    assert ("spike", cause(device="app")) in told(over(SALE, days, **rule))
    assert told(over(SALE, days, events=(planned(HOLIDAY, HOLIDAY + 2, 2.0, device="app"),), **rule)) == []


def test_a_sale_that_does_not_happen_is_a_drop(over):
    """Four times the events were planned, and only the usual ones came."""
    ticks = over(MADE, range(HOLIDAY, HOLIDAY + 2), events=(planned(HOLIDAY, HOLIDAY + 2, 4.0, device="app"),))
    assert told(ticks) == [("drop", cause(device="app"))]


def test_an_event_of_unknown_effect_is_not_judged(over):
    """Nothing of the slice is told, whatever it does; another slice's loss on the same day is."""
    made = MADE.scaled(0.3, HOLIDAY, HOLIDAY + 2, device="app")
    unknown = (planned(HOLIDAY, HOLIDAY + 2, None, device="app"),)
    days = range(HOLIDAY, HOLIDAY + 4)
    assert told(over(made, days)) == [("drop", cause(device="app"))]
    assert told(over(made, days, events=unknown)) == []
    both = made.scaled(0.0, HOLIDAY + 1, HOLIDAY + 2, country="SE", device="web")
    assert told(over(both, days, events=unknown)) == [("drop", cause(country="SE", device="web"))]


def test_an_event_of_unknown_effect_resolves_nothing(over):
    """A loss from before stays open through the event, though the slice seems to be back; it resolves after it."""
    made = MADE.scaled(0.1, HOLIDAY - 2, HOLIDAY, device="app")
    unknown = (planned(HOLIDAY, HOLIDAY + 3, None, device="app"),)
    ticks = over(made, range(HOLIDAY - 2, HOLIDAY + 3), events=unknown)
    (incident,) = ticks.incidents
    assert (incident.cause, incident.kind, incident.state) == (cause(device="app"), Kind.DROP, State.FIRING)
    ticks.run(range(HOLIDAY + 3, HOLIDAY + 6))
    assert ticks.incidents[0].state is State.RESOLVED


def test_a_calendar_that_changes_is_learned_at_once(over):
    """The fit of the same midnight is made anew when the rule gets a calendar."""
    ticks = over(RESTS, range(HOLIDAY - 1, HOLIDAY))
    again = Ticks.over(RESTS, ticks.state, time_bucket=timedelta(days=1), holidays=Holidays(by="country"))
    assert told(again.run(range(HOLIDAY, HOLIDAY + 2))) == []
