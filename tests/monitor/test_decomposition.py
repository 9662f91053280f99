"""A slice as a sum: its parts add up to what came, and what was lost once is in none that comes again."""

from __future__ import annotations

import numpy as np
import pytest

from monitor.views.slice import decomposed

STARTS = np.arange(4 * 168, dtype=np.int64) * 3600
DAILY = 100 + 40 * np.sin(np.arange(4 * 168) / 24 * 2 * np.pi)


def test_parts_add_up_and_an_outage_is_in_the_rest():
    """Unknown buckets are as expected, and said; three lost hours bend neither the day nor the week."""
    came = DAILY.copy()
    came[500:503] = 0.0
    came[100:104] = np.nan
    found = decomposed(STARTS, came, DAILY, 24)
    assert found.filled == 4
    assert [name for name, _ in found.parts] == ["trend", "each day", "each week", "rest"]
    sums = np.sum([values for _, values in found.parts], axis=0)
    assert sums == pytest.approx(np.where(np.isnan(came), DAILY, came), abs=0.1)
    rest = np.array(dict(found.parts)["rest"])
    assert rest[500:503] == pytest.approx(-DAILY[500:503], rel=0.1)
    assert abs(np.delete(rest, range(500, 503))).max() < 10


def test_less_than_two_weeks_say_nothing():
    """Neither a young slice nor one that was hardly ever known."""
    assert decomposed(STARTS[:300], DAILY[:300], DAILY[:300], 24) is None
    hidden = np.where(np.arange(4 * 168) % 4 == 0, DAILY, np.nan)
    assert decomposed(STARTS, hidden, DAILY, 24) is None
