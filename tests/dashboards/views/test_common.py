"""What several pages show."""

from datetime import UTC, datetime, timedelta

from dashboards.views.common import Curve

START = datetime(2026, 3, 4, tzinfo=UTC)


def test_a_day_of_which_nothing_is_known_has_no_sum():
    """Unknown is not zero: neither as a number on a page nor in what programs read."""
    starts = tuple(START + timedelta(hours=n) for n in range(4))
    curve = Curve(starts, (5.0, 7.0, None, None), (6.0, 6.0, 6.0, 6.0))
    assert curve.sums(2) == (None, None)
    assert curve.sums(3) == (7.0, 6.0)
