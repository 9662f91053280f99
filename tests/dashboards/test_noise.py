"""What people called no problem says which bound of a rule would have spared them."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from alerts.model import Feedback, Incident, Kind, State
from dashboards.views.noise import Lived, order, rounded_up, row_of, suggestion
from rules.model import Severity
from rules.slices import Slice

START = datetime(2026, 3, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
RESOLVED = Incident(
    id="sw-1",
    rule="playback",
    metric="count",
    kind=Kind.DROP,
    cause=Slice.of({"device": "tv"}),
    state=State.RESOLVED,
    severity=Severity.WARNING,
    since=START,
    until=START + HOUR,
    first_seen_at=START + HOUR,
    tick=START + HOUR,
    observed=0.0,
    expected=100.0,
    p=1e-9,
    raised_at=START + HOUR,
    resolved_at=START + 4 * HOUR,
)


def false(lost: float, expected: float = 1_000.0, device: str = "tv") -> Lived:
    """An incident that somebody called no problem."""
    item = replace(
        RESOLVED,
        cause=Slice.of({"device": device}),
        observed=expected - lost,
        expected=expected,
        feedback=Feedback.LEAVE_OUT,
    )
    return Lived(item, frozenset({"not-a-problem (leave-out)"}), 0)


def true(lost: float, expected: float = 1_000.0, device: str = "ios") -> Lived:
    """An incident that somebody worked on."""
    item = replace(RESOLVED, cause=Slice.of({"device": device}), observed=expected - lost, expected=expected)
    return Lived(item, frozenset({"acknowledge"}), 1)


def test_a_rule_is_as_precise_as_people_say():
    """Fired, acknowledged, no problem, ignored: each counted once, and times from bucket to message to end."""
    row = row_of("playback", "team", 4.0, [true(500), true(600), false(10), Lived(RESOLVED, frozenset(), 2)])
    assert (row.fired, row.acknowledged, row.no_problem, row.ignored, row.night) == (4, 2, 1, 1, 4)
    assert row.precision == 0.75
    assert (row.detect_seconds, row.reset_seconds) == (3_600.0, 10_800.0)


def test_rules_of_which_nothing_fired_have_no_precision_and_come_last():
    """Nothing is neither good nor bad."""
    rows = [row_of("quiet", None, 1.0, []), row_of("good", None, 1.0, [true(5)]), row_of("bad", None, 1.0, [false(5)])]
    assert [row.rule for row in order(rows)] == ["bad", "good", "quiet"]


def test_a_slice_that_is_never_a_problem_is_to_be_ignored():
    """Where it fired three times and was none each time, and other slices were real."""
    found = suggestion("playback", [false(500), false(900), false(700), true(400)])
    assert (found.key, found.value, found.removes, found.costs) == ("slices.ignore", '[{"device": "tv"}]', 3, 0)


def test_small_losses_that_are_no_problem_raise_the_smallest_one_told():
    """Of several slices: the bound lies beyond the largest of them, below what was real."""
    found = suggestion("playback", [false(30, device="a"), false(45, device="b"), true(400)])
    assert (found.key, found.value, found.removes, found.costs) == ("min_loss", "50", 2, 0)


def test_nothing_is_suggested_that_costs_as_much_as_it_spares():
    """Real incidents were smaller than those that were none."""
    assert suggestion("playback", [false(900, device="a"), false(900, device="b"), true(50), true(60)]) is None


def test_one_opinion_is_not_enough():
    """A single incident that was no problem changes no rule."""
    assert suggestion("playback", [false(500), true(400)]) is None


lives = st.lists(
    st.builds(
        lambda lost, expected, device, is_false: (false if is_false else true)(min(lost, expected), expected, device),
        st.floats(1, 1e6),
        st.floats(1, 1e6),
        st.sampled_from("abc"),
        st.booleans(),
    ),
    max_size=12,
)


@given(lives)
def test_what_is_suggested_would_have_spared_more_than_it_cost(lived):
    """Counted anew from the bound: none of those that were no problem is told, and the others are as it says."""
    found = suggestion("playback", lived)
    if found is None or found.key == "slices.ignore":
        return
    lost = [(abs(i.incident.expected - i.incident.observed), i.incident.expected, i.false) for i in lived]
    if found.key == "min_loss":
        spared = [is_false for gap, _, is_false in lost if gap < float(found.value)]
    else:
        spared = [is_false for gap, mu, is_false in lost if gap / mu * 100 < float(found.value.rstrip("%"))]
    assert sum(spared) == found.removes == sum(item.false for item in lived)
    assert len(spared) - sum(spared) == found.costs < found.removes


@given(st.floats(0.1, 1e9))
def test_bounds_are_round_and_never_lower(value):
    """At most two digits that say anything, and less than a tenth above."""
    found = rounded_up(value)
    assert found >= value
    assert found <= max(1.1 * value, value + 1)
