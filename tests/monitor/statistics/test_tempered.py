"""A level that some hours of growth have lifted."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from monitor.statistics.constants import LEVEL_CLIP, LEVEL_RISE
from monitor.statistics.level import tempered

levels = st.floats(*LEVEL_CLIP)


@given(levels, levels, st.floats(0, 1e9))
def test_it_only_ever_lowers(recent, older, events):
    """Within the clip, and never above the recent level."""
    found = float(tempered(np.array([recent]), np.array([older]), np.array([events]))[0])
    assert LEVEL_CLIP[0] <= found <= recent


def test_a_short_growth_of_a_large_slice_is_not_believed():
    """Half as much again for two days beside steady days before: a tenth is believed."""
    found = tempered(np.array([1.5]), np.array([1.0]), np.array([1e8]))
    np.testing.assert_allclose(found, 1.0 + LEVEL_RISE, rtol=1e-3)


def test_where_little_was_seen_before_the_recent_level_stands():
    """Without events in the days before there is nothing to hold it against."""
    assert tempered(np.array([1.5]), np.array([1.0]), np.array([0.0]))[0] == 1.5
