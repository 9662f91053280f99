"""The slider's places, and stretches of time from runs of buckets."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from dashboards.views.slice import BUDGETS, LOWEST, steps, stretches

START = datetime(2026, 3, 4, tzinfo=UTC)
HOUR = timedelta(hours=1)


@given(st.floats(0.01, 100), st.floats(3, 30))
def test_a_larger_budget_never_asks_for_more_surprise(budget, threshold):
    """The rule's own place has its own threshold; more false incidents a week are a lower one, down to a floor."""
    found = steps(budget, threshold)
    (own,) = [step for step in found if step.current]
    assert abs(own.threshold - threshold) < 1e-3
    assert all(a.budget < b.budget and a.threshold >= b.threshold >= LOWEST for a, b in pairwise(found))
    assert {*BUDGETS} <= {step.budget for step in found}


@given(st.lists(st.booleans(), max_size=50))
def test_stretches_hold_just_the_buckets_they_are_made_of(inside):
    """Neighbours become one; what lies between two is in neither."""
    starts = [START + n * HOUR for n in range(len(inside))]
    found = stretches(starts, inside, HOUR, "unknown", "why")
    assert [any(s.start <= at < s.end for s in found) for at in starts] == inside
    assert all(a.end < b.start for a, b in pairwise(found))
