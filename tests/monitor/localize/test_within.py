"""A cause within one that is known: found where it is far worse than the rest of that, and only then."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.detectors.view import View
from monitor.lattice import ANY
from monitor.localize.within import Part, chance, hidden
from monitor.statistics import constants as k
from tests.monitor.world import World, world

DIMENSIONS = {"device": ("phone", "tablet", "tv", "web"), "country": ("NO", "SE", "DK"), "version": ("1", "2")}
N = 28 * 24 + 20
"""Judged last; the wider cause begins twelve columns before it."""
AGO, ALL = 12, (ANY, ANY, ANY)


@cache
def calm() -> World:
    return world(DIMENSIONS)


def seen(left: float, inner: dict[str, str], lost: int, narrow: float) -> tuple[View, Part, np.ndarray]:
    """All at `left` since AGO columns, a slice at `narrow` of that for the `lost` newest; the cells are flagged."""
    made = calm().scaled(left, N + 1 - AGO, N + 1).scaled(narrow, N + 1 - lost, N + 1, **inner)
    view = made.view(N)
    first = len(view.recent.starts) - AGO
    view.recent.flagged[:, first:] = True
    return view, Part(ALL, np.ones(len(view.lattice.leaves), dtype=bool), first, down=True), made.inside(**inner)


def everywhere(view: View) -> np.ndarray:
    return np.ones(len(view.lattice.leaves), dtype=bool)


@pytest.mark.parametrize("inner", [{"device": "tv"}, {"country": "SE"}, {"device": "tv", "country": "NO"}], ids=str)
@pytest.mark.parametrize("left", [0.8, 0.5, 0.3])
def test_what_has_nothing_while_the_rest_has_some_is_found(inner, left):
    """Under its own name, from about where it began."""
    view, wide, inside = seen(left, inner, 4, 0.0)
    found = hidden(view, wide, everywhere(view))
    assert found is not None
    assert (found.members == inside).all()
    assert abs(found.first - (len(view.recent.starts) - 4)) <= 1


@pytest.mark.parametrize(
    ("why", "left", "lost", "narrow"),
    [
        ("all are alike", 0.6, 0, 1.0),
        ("half of what the rest has", 0.6, 4, 0.5),
        ("it began with the wider one", 0.6, AGO, 0.0),
        ("everything is gone anyway", 0.02, 4, 0.0),
    ],
)
def test_nothing_is_found_where(why, left, lost, narrow):
    """What is no cause of its own stays a part of the wider one."""
    view, wide, _ = seen(left, {"device": "tv"}, lost, narrow)
    assert hidden(view, wide, everywhere(view)) is None, why


def test_what_has_come_back_to_the_rest_is_not_found():
    """A slice was gone for three hours within a wider loss, and has what the rest has since."""
    made = calm().scaled(0.6, N + 1 - AGO, N + 1).scaled(0.0, N - 4, N - 1, device="tv")
    view = made.view(N)
    first = len(view.recent.starts) - AGO
    view.recent.flagged[:, first:] = True
    assert hidden(view, Part(ALL, everywhere(view), first, down=True), everywhere(view)) is None


def test_within_a_device_a_country_is_found_as_that_of_the_device():
    """Its name holds nothing beside the wider cause."""
    made = calm().scaled(0.6, N + 1 - AGO, N + 1, device="web").scaled(0.0, N - 3, N + 1, device="web", country="NO")
    view = made.view(N)
    first, inside = len(view.recent.starts) - AGO, made.inside(device="web")
    view.recent.flagged[inside, first:] = True
    codes = (view.lattice.leaves.code_of(0, "web"), ANY, ANY)
    found = hidden(view, Part(codes, inside, first, down=True), everywhere(view))
    assert found is not None
    assert view.lattice.leaves.slice_of(found.codes).label() == "device=web, country=NO"
    assert (found.members == made.inside(device="web", country="NO")).all()


def test_what_is_known_is_not_found_again():
    """The leaves of the narrower cause are not among those that are free."""
    view, wide, inside = seen(0.6, {"device": "tv"}, 4, 0.0)
    assert hidden(view, wide, ~inside) is None


def test_a_growth_within_a_growth_is_found():
    """Everything half as much again, and a device five times of that."""
    made = calm().scaled(1.5, N + 1 - AGO, N + 1).scaled(5.0, N - 3, N + 1, device="tv")
    view = made.view(N)
    first = len(view.recent.starts) - AGO
    view.recent.flagged[:, first:] = True
    found = hidden(view, Part(ALL, everywhere(view), first, down=False), everywhere(view))
    assert found is not None
    assert (found.members == made.inside(device="tv")).all()


@given(st.integers(0, AGO - 1), st.sampled_from(["tv", "web"]))
def test_two_that_began_together_are_one(apart, device):
    """Whatever else is so: within a bucket of each other they are no two causes; a part is none of itself."""
    view, wide, _ = seen(0.6, {"device": "tv"}, 4, 0.0)
    members = calm().inside(device=device)
    part = Part((view.lattice.leaves.code_of(0, device), ANY, ANY), members, wide.first + apart, down=True)
    p = chance(view, part, wide)
    assert 0.0 <= p <= 1.0
    assert p == 1.0 or (apart > k.TOGETHER and device == "tv")
    assert chance(view, wide, wide) == 1.0
