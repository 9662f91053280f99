"""The chart: a PNG of the right size for whatever series there are."""

import struct
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from io import BytesIO
from itertools import pairwise

import pytest
from matplotlib import image
from matplotlib.figure import Figure

from alerts.chart import HEIGHT_PIXELS, WIDTH_PIXELS, _time_axis, render_png
from alerts.model import Series
from rules.slices import Slice
from tests.alerts.make import START, cause, tick
from tests.contracts.outbox_contract import message


def series(*observed: float | None, step: timedelta = timedelta(hours=1)) -> Series:
    """Buckets that end at the first bad one, expecting a hundred each."""
    count = len(observed)
    starts = tuple(START - step * (count - 2 - n) for n in range(count))
    return Series(starts, observed, (100.0,) * count, (80.0,) * count, (120.0,) * count)


def charted(line: Series, total: Series | None = None, where: Slice | None = None):
    ios = cause(device="ios") if where is None else where
    return replace(message(), chart=line, total_chart=total, since=START, cause=ios)


def size(png: bytes) -> tuple[int, int]:
    assert png.startswith(b"\x89PNG\r\n\x1a\n")
    width, height = struct.unpack(">II", png[16:24])
    return width, height


@pytest.mark.parametrize(
    ("line", "total"),
    [
        (series(*[100.0] * 60, 0.0, 0.0), series(*[900.0] * 62)),
        (series(*[100.0] * 60, None, 0.0), None),
        (series(0.0), series(0.0)),
        (series(None, None, None), series(None, None, None)),
        (series(*[100.0] * 50, 0.0, step=timedelta(days=1)), None),
        (series(100.0, 0.0, step=timedelta(minutes=5)), None),
    ],
    ids=["main case", "unknown buckets", "one bucket", "nothing known", "days", "minutes"],
)
def test_every_series_makes_a_picture_of_the_same_size(line, total):
    """Nine hundred pixels wide, without a warning from the library."""
    assert size(render_png(charted(line, total))) == (WIDTH_PIXELS, HEIGHT_PIXELS)


@pytest.mark.parametrize("most", [0.031, 7.0, 812_345.0, 2.4e9], ids=str)
def test_nothing_that_is_written_is_cut_off(most):
    """Neither the scale nor the last count, of whatever size they are: the edge of the picture is white."""
    line = series(*[most] * 30, most * 0.87)
    picture = image.imread(BytesIO(render_png(charted(line, series(*[most * 12] * 31)))))
    edges = (picture[:2], picture[-2:], picture[:, :2], picture[:, -2:])
    assert all(bool((edge[..., :3] == 1).all()) for edge in edges)


def test_names_from_outside_are_drawn_as_they_are():
    """Dollar signs are no mathematics, and characters the font lacks raise no warning."""
    for value in ("$x^", "日本", "a\nb", "x" * 10_000):
        assert size(render_png(charted(series(1.0, 0.0), None, cause(device=value))))


def test_the_total_is_a_panel_of_its_own_only_beside_a_slice():
    """For a cause that is everything the second panel would repeat the first."""
    line, total = series(*[100.0] * 9, 0.0), series(*[900.0] * 10)
    pictures = [
        render_png(charted(line)),
        render_png(charted(line, total)),
        render_png(charted(line, None, Slice())),
    ]
    assert all(a != b for a, b in pairwise(pictures))
    assert render_png(charted(line, total, Slice())) == pictures[2]


def test_the_same_message_makes_the_same_bytes():
    """No date, no version: nothing but the data is in the file."""
    one = charted(series(5.0, 4.0, 0.0), series(9.0, 9.0, 9.0))
    assert render_png(one) == render_png(one)


def test_no_series_no_chart():
    """Asking for a chart of nothing is the caller's mistake."""
    with pytest.raises(ValueError, match="has no chart"):
        render_png(replace(message(), chart=None))


def test_the_mark_of_the_start_is_within_the_picture_or_absent():
    """A start before the first bucket shown draws nothing, and does not stretch the axis."""
    line = series(5.0, 4.0, 0.0)
    early = replace(charted(line), since=tick(-5_000))
    assert render_png(early) == render_png(replace(charted(line), since=None))


def test_known_changes_are_drawn_where_the_chart_reaches():
    """A release within the stretch is in the picture, with whatever words; one of last month is not."""
    plain = charted(series(5, 5, 0, 0))
    first = plain.chart.starts[0]
    inside = replace(plain, marks=((first + timedelta(hours=1), "app $7.3$ <released>\u202e"),))
    outside = replace(plain, marks=((first - timedelta(days=30), "app 7.2"),))
    assert render_png(inside) != render_png(plain)
    assert render_png(outside) == render_png(plain)


@pytest.mark.parametrize("hour", [23, 0, 12, 11])
def test_days_have_the_dates_of_their_own_time_zone(hour):
    """A day of Oslo begins at 23:00 UTC of the date before; of Honolulu at ten of its own."""
    midnight = datetime(2026, 3, 1, hour, tzinfo=UTC) - timedelta(days=hour >= 12)
    starts = tuple(midnight + timedelta(days=n) for n in range(56))
    figure = Figure()
    axis = figure.subplots()
    _time_axis(axis, Series(starts, *[(1.0,) * 56] * 4))
    assert [label.get_text() for label in axis.get_xticklabels()] == ["2 Mar", "16 Mar", "30 Mar", "13 Apr"]
    assert axis.get_xlabel() == "days, up to Sat 25 Apr 2026"


def test_a_few_days_without_a_monday_have_a_date_too():
    """The first one."""
    starts = tuple(datetime(2026, 3, 3, tzinfo=UTC) + timedelta(days=n) for n in range(3))
    axis = Figure().subplots()
    _time_axis(axis, Series(starts, *[(1.0,) * 3] * 4))
    assert [label.get_text() for label in axis.get_xticklabels()] == ["3 Mar"]
