"""What moves all of one region at once is one event of that region: `baseline.common_mode`."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from monitor.assess import assess
from monitor.blindspots import sight
from monitor.context import context_of, regions_of
from monitor.detectors.judge import alarms, judge
from monitor.detectors.model import Verdicts
from monitor.detectors.view import View
from monitor.fits import method_of
from tests.monitor.test_assess import Judge
from tests.monitor.world import World, cause, rule_of, world

DAY28 = 28 * 24
NOON = DAY28 + 12
DEVICES = tuple(f"d{n}" for n in range(10))
COUNTRIES = ("NO", "SE", "DK")
WEATHER = [(country, 30 + 61 * n + 17 * c) for c, country in enumerate(COUNTRIES) for n in range(10)]
"""Every few days one of the countries has half a day of its own weather."""


@cache
def made() -> World:
    found = world({"device": DEVICES, "country": COUNTRIES}, volume=60_000, alpha=0.0005)
    for n, (country, first) in enumerate(WEATHER):
        found = found.scaled((0.6, 0.75, 1.4)[n % 3], first, first + 12, seed=n, country=country)
    return found


def seen(given: World, *, by_country: bool) -> tuple[View, Verdicts]:
    """The column NOON, judged with and without a common mode for each country."""
    lattice = given.lattice()
    region = regions_of(("country",) if by_country else (), lattice)
    view = replace(given.view(NOON), fit=given.fit(DAY28, lattice, region=region))
    return view, judge(view, np.zeros(len(lattice), dtype=bool))


def fallen(given: World, *, by_country: bool) -> set[str]:
    """Slices alarmed for a drop at the column NOON."""
    view, verdicts = seen(given, by_country=by_country)
    found = alarms(view, verdicts, given.context(view.lattice), down=True)
    return {view.lattice.slice_of(alarm.row).label() for alarm in found}


def test_a_region_is_what_lies_within_a_value():
    """Devices of a country are in its region; the country, the devices and the total are held against the whole."""
    lattice = made().lattice()
    region = regions_of(("country",), lattice)
    inside = {lattice.slice_of(n).label(): int(region[n]) for n in range(len(lattice))}
    assert inside[cause(device="d1", country="NO").label()] == inside[cause(device="d2", country="NO").label()] > 0
    assert inside[cause(device="d1", country="NO").label()] != inside[cause(device="d1", country="SE").label()]
    assert inside["country=NO"] == inside["device=d1"] == 0 == region[0]
    assert not regions_of((), lattice).any()


def test_what_moves_a_country_is_no_noise_of_its_slices():
    """A country's own weather widens what is normal for each of its devices, unless the rule knows of it."""
    aware, blind = (seen(made(), by_country=flag)[0] for flag in (True, False))
    pairs = aware.lattice.size == 2
    assert np.median(aware.fit.alpha[pairs, 1]) < 0.3 * np.median(blind.fit.alpha[pairs, 1])


def test_a_loss_within_a_country_is_found_in_fine_weather():
    """A device of a country lost 40 %: to who knows the countries' weather that is a loss, to others it may be weather."""
    lost = made().scaled(0.6, NOON - 5, device="d3", country="SE")
    name = cause(device="d3", country="SE").label()
    assert fallen(lost, by_country=True) == {name}
    assert name not in fallen(lost, by_country=False)


def test_a_loss_within_a_country_is_found_in_its_weather():
    """All of a country at 80 %, which excuses its devices, and one of them at 30 %, which it does not."""
    weather = made().scaled(0.8, NOON - 5, country="SE")
    lost = weather.scaled(0.4, NOON - 5, device="d3", country="SE")
    name = cause(device="d3", country="SE").label()
    assert name in fallen(lost, by_country=True)
    assert name not in fallen(weather, by_country=True)


def test_a_country_that_falls_is_one_event():
    """All of a country falls: its devices are excused, and the country itself is what is told."""
    given = made().scaled(0.35, NOON - 6, country="SE")
    found = fallen(given, by_country=True)
    assert "country=SE" in found
    assert not any("device" in name and "SE" in name for name in found)
    region = regions_of(("country",), given.lattice())
    question = Judge(given, given.fit(DAY28, given.lattice(), region=region)).question(NOON)
    assert [finding.slice for finding in assess(question).findings] == [cause(country="SE")]


def test_a_cause_deeper_than_what_is_tested_follows_its_region():
    """A cause of three dimensions under depth 2 has no row: the slices above it say where it lies."""
    deep = world({"device": DEVICES, "os": ("a", "b"), "country": COUNTRIES}, volume=60_000)
    lattice = deep.lattice(2)
    fit = deep.fit(DAY28, lattice, region=regions_of(("country",), lattice))
    view = replace(deep.view(NOON), fit=fit)
    leaf = tuple(int(code) for code in lattice.leaves.codes[0])
    pair = int(lattice.rows_of(np.array([[leaf[0], -1, leaf[2]]], dtype=np.int32))[0])
    assert view.region_of(leaf) == fit.references.region[pair] > 0
    assert view.region_of((leaf[0], -1, -1)) == 0


def test_a_fit_knows_for_which_regions_it_was_made():
    """A rule that comes to name regions learns anew; one that names none keeps the fits it has."""
    rule = rule_of(made())
    assert method_of(replace(rule, common_mode=("country",))) != method_of(rule)
    assert context_of(rule, made().lattice(), made().grid).region.sum() == 0


@pytest.mark.parametrize("by_country", [True, False])
def test_what_takes_its_region_with_it_is_excused(by_country):
    """A device that is most of a country moves the country's common mode: only the whole would show its loss."""
    even = world(
        {"device": ("d0", "d1", "d2"), "os": ("a", "b", "c", "d"), "country": ("NO", "SE", "DK")}, volume=60_000
    )
    values = even.values.copy()
    values[:, even.inside(device="d0", country="NO")] *= 20
    heavy = replace(even, values=values)
    lattice = heavy.lattice(3)
    region = regions_of(("country",) if by_country else (), lattice)
    fit = heavy.fit(DAY28, lattice, region=region)
    deaf = replace(fit, unrest_plain=np.full_like(fit.unrest_plain, 1e6))
    codes = lattice.leaves.codes[np.flatnonzero(heavy.inside(device="d0", country="NO"))[0]]
    row = int(lattice.rows_of(np.array([[codes[0], -1, codes[2]]], dtype=np.int32))[0])
    silence = sight(deaf, lattice, heavy.context(lattice, region=region)).silence[row]
    assert np.isinf(silence).all() == by_country
