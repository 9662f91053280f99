"""The curve of a cause for its chart."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from monitor.buckets import DAY, Grid
from monitor.curve import MOST_DAYS, curve_of
from monitor.detectors.model import LeafSeries
from monitor.localize.track import track
from tests.monitor.world import CROSS, World, world

NEWEST, JUDGED = 75, 27
"""The day that is judged, and how many days the judge reads."""


@cache
def days() -> World:
    return world(CROSS, days=NEWEST + 1, grid=Grid(DAY, "Europe/Oslo"))


def curve(made: World, past: LeafSeries | None = None, **terms):
    """Of a slice, with a band of a tenth."""
    view = made.view(NEWEST)
    recent = made.series(NEWEST + 1, NEWEST + 1 - JUDGED)
    view = replace(view, recent=recent, healed=np.zeros_like(recent.flagged))
    inside = made.inside(**terms)
    codes = view.lattice.leaves
    item = tuple(codes.code_of(d, terms[name]) if name in terms else -1 for d, name in enumerate(made.dimensions))
    followed = track(view, item, inside, JUDGED - 1)
    return curve_of(view, followed, lambda mu: (0.9 * mu, 1.1 * mu), inside, past)


def earlier(made: World, first: int) -> LeafSeries:
    """Days from the one numbered `first` up to those that are judged by."""
    return made.series(NEWEST + 1 - JUDGED, first)


def test_days_are_shown_for_eight_weeks():
    """What came is what was counted, and a weekend is expected to be one, at the level of its time."""
    made = days()
    series = curve(made, earlier(made, NEWEST + 1 - MOST_DAYS - 7), device="tv")
    assert len(series.starts) == MOST_DAYS
    inside = made.inside(device="tv")
    assert list(series.observed) == made.values[0][inside, NEWEST + 1 - MOST_DAYS :].sum(axis=0).tolist()
    true = made.mean[inside, NEWEST + 1 - MOST_DAYS :].sum(axis=0)
    assert list(series.expected) == pytest.approx(true.tolist(), rel=0.12)
    assert all(low <= mu <= high for low, mu, high in zip(series.low, series.expected, series.high, strict=True))


def test_a_level_of_the_past_is_that_of_its_time():
    """A slice that had half of it until a month ago was expected to have half."""
    made = days().scaled(0.5, 0, NEWEST + 1 - JUDGED, device="tv")
    series = curve(made, earlier(made, NEWEST + 1 - MOST_DAYS - 7), device="tv")
    then, now = (np.array(series.expected[part]) for part in (slice(0, 20), slice(-20, None)))
    assert 0.4 < then.mean() / now.mean() < 0.6


def test_flagged_days_do_not_lower_what_was_expected_after_them():
    """A week that was lost is no part of what is normal."""
    made = days().scaled(0.0, NEWEST + 1 - JUDGED - 7, NEWEST + 1 - JUDGED - 3, device="tv")
    past = earlier(made, NEWEST + 1 - MOST_DAYS - 7)
    past.flagged[made.inside(device="tv"), -7:-3] = True
    series = curve(made, past, device="tv")
    lost = MOST_DAYS - JUDGED - 7
    assert set(series.observed[lost : lost + 4]) == {0.0}
    assert min(series.expected) > 0.7 * max(series.expected)


def test_what_lies_before_all_that_is_known_is_not_drawn():
    """A young rule's chart begins with its history; a gap within stays one."""
    made = days()
    past = earlier(made, NEWEST + 1 - MOST_DAYS - 7)
    past.values[:, :20] = np.nan
    past.values[:, 25] = np.nan
    series = curve(made, past)
    assert len(series.starts) == len(past.starts) - 20 + JUDGED
    assert [n for n, value in enumerate(series.observed) if value is None] == [5]
    assert (series.expected[0], series.low[0], series.high[0]) == (None, None, None)


def test_without_a_past_it_is_what_is_judged_by():
    """As for rules of hours."""
    series = curve(days(), None, device="tv")
    assert len(series.starts) == JUDGED
    assert series.starts == curve(days(), earlier(days(), NEWEST + 1 - JUDGED), device="tv").starts
