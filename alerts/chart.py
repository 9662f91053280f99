"""The chart of an incident as a PNG: the slice with its expected band, and the total beside it.

Colours are those of Okabe and Ito, which people with any colour vision tell apart; lines differ in style as well.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from io import BytesIO
from typing import TYPE_CHECKING

from alerts.model import Message, Series
from alerts.wording import name_of, number, shorten

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WIDTH_PIXELS = 900
HEIGHT_PIXELS = 720
DPI = 100
OBSERVED = "#0072B2"
EXPECTED = "#444444"
BAND = "#BBBBBB"
START = "#D55E00"
UNKNOWN = "#CC79A7"
LABEL_LENGTH = 60
AN_HOUR = 1 / 24
"""In days: the width of a bucket that stands alone."""
NEARLY_A_DAY, HALF_A_DAY = timedelta(hours=23), timedelta(hours=12)
MOST_WEEKS = 5
"""Dates of weeks that stand side by side on a phone."""
TICKS = ["%Y", "%b", "%-d %b", "%H:%M", "%H:%M", "%S.%f"]
"""What a tick says, by its unit: years, months, days, hours, minutes, seconds."""
TICKS_AT_ZERO = ["", "%Y", "%b", "%-d %b", "%H:%M", "%H:%M"]
"""The same for the first of its unit: midnight says the day."""
CHANGE = "#6A3D9A"
CHANGE_LENGTH, MOST_CHANGES = 28, 3
BORDER, ABOVE, BELOW, BETWEEN = 24, 84, 66, 64
"""Pixels: at the sides beside what is written there; above, below and between the panels with what is written there."""
SCALE_DIGIT, LAST_DIGIT = 13, 16
"""Pixels of a character of the scale, and of the last count, which is bold."""
TEXT_SIZE = 15
"""Points at 900 pixels: legible when a phone shows the picture at 360."""


def render_png(message: Message) -> bytes:
    """The chart of a message that has one; raises ValueError for one that has none.

    Buckets whose count is unknown leave a gap, shaded; zero is drawn as zero.
    """
    if message.chart is None or not message.chart.starts:
        raise ValueError(f"message {message.key}/{message.seq} has no chart")
    panels = [(name_of(message.cause), message.chart)]
    if message.total_chart is not None and message.total_chart.starts and message.cause.terms:
        panels.append(("total", message.total_chart))
    figure = _figure()
    axes = figure.subplots(len(panels), 1, sharex=True, squeeze=False, height_ratios=[5, 3][: len(panels)])[:, 0]
    for axis, (label, series) in zip(axes, panels, strict=True):
        _panel(axis, label, series, message.since)
        _changes(axis, _edges(series), message.marks, named=axis is axes[0])
    _time_axis(axes[-1], message.chart)
    _legend(figure, axes[0])
    _place(figure, [series for _, series in panels], list(axes))
    return _png(figure)


def _figure() -> Figure:
    # The object interface: pyplot keeps figures in a global, which a daemon of many threads must not share.
    from matplotlib.figure import Figure  # noqa: PLC0415  # takes half a second; a text needs no chart

    size = (WIDTH_PIXELS / DPI, HEIGHT_PIXELS / DPI)
    return Figure(figsize=size, dpi=DPI, facecolor="white")


def _place(figure: Figure, shown: Sequence[Series], axes: Sequence[Axes]) -> None:
    """Room for what is written around the panels: the library's own way to find it draws everything twice more."""
    scale = max((_length(value) for axis in axes for value in axis.get_yticks()), default=1)
    last = max((_length(value) for series in shown for value in series.observed[-1:] if value is not None), default=0)
    left, right = BORDER + scale * SCALE_DIGIT, BORDER + max(last, len("now")) * LAST_DIGIT
    figure.subplots_adjust(
        left=left / WIDTH_PIXELS,
        right=1 - right / WIDTH_PIXELS,
        top=1 - ABOVE / HEIGHT_PIXELS,
        bottom=BELOW / HEIGHT_PIXELS,
        hspace=BETWEEN / HEIGHT_PIXELS * len(axes),
    )


def _length(value: float) -> int:
    return len(number(value))


def _png(figure: Figure) -> bytes:
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: PLC0415  # as above

    FigureCanvasAgg(figure)
    out = BytesIO()
    figure.savefig(out, format="png", dpi=DPI, metadata={"Software": None})
    return out.getvalue()


def _panel(axis: Axes, label: str, series: Series, since: datetime | None) -> None:
    times = _edges(series)
    _unknown(axis, series, times)
    axis.fill_between(
        times, _steps(series.low), _steps(series.high), step="post", color=BAND, alpha=0.55, lw=0, label="normal range"
    )
    axis.step(times, _steps(series.expected), where="post", color=EXPECTED, lw=1.8, ls=(0, (4, 2)), label="expected")
    axis.step(times, _steps(series.observed), where="post", color=OBSERVED, lw=3, label="observed")
    _marks(axis, series, times, since)
    _frame(axis, label)


def _edges(series: Series) -> list[float]:
    """Starts of the buckets and the end of the last, in days, so that every bucket is drawn at its width."""
    starts = [_days(start) for start in series.starts]
    width = starts[-1] - starts[-2] if len(starts) > 1 else AN_HOUR
    return [*starts, starts[-1] + width]


def _days(at: datetime) -> float:
    """Matplotlib's own unit of time: days since 1970, UTC."""
    return at.timestamp() / 86_400


def _steps(values: Sequence[float | None]) -> list[float]:
    """Values with the last one repeated for the last edge; unknown is NaN, which draws nothing."""
    known = [math.nan if value is None else value for value in values]
    return [*known, known[-1]]


def _unknown(axis: Axes, series: Series, times: list[float]) -> None:
    """Shade what is not known: a gap alone looks like nothing happened."""
    label = "unknown"
    for index, value in enumerate(series.observed):
        if value is None:
            axis.axvspan(times[index], times[index + 1], color=UNKNOWN, alpha=0.3, lw=0, label=label)
            label = "_"


def _marks(axis: Axes, series: Series, times: list[float], since: datetime | None) -> None:
    """Where it began, and now."""
    if since is not None and times[0] <= _days(since) <= times[-1]:
        axis.axvspan(_days(since), times[-1], color=START, alpha=0.08, lw=0)
        axis.axvline(_days(since), color=START, lw=2.5, zorder=1.5, label="began")
    last = next((v for v in reversed(series.observed) if v is not None), None)
    if last is not None and series.observed[-1] is not None:
        axis.plot([times[-1]], [last], "o", color=OBSERVED, ms=10, clip_on=False, zorder=5)
        axis.annotate(
            f"{number(last)}\nnow",
            (times[-1], last),
            fontsize=TEXT_SIZE,
            fontweight="bold",
            color=OBSERVED,
            va="center",
            xytext=(10, 0),
            textcoords="offset points",
            annotation_clip=False,
        )


def _changes(axis: Axes, times: list[float], marks: Sequence[tuple[datetime, str]], *, named: bool) -> None:
    """Known changes, the latest ones; their words stand in one panel only."""
    inside = [(at, text) for at, text in marks if times[0] <= _days(at) <= times[-1]]
    for at, text in inside[-MOST_CHANGES:]:
        axis.axvline(_days(at), color=CHANGE, lw=1.8, ls=(0, (1, 1.5)), zorder=1.6)
        if named:
            axis.annotate(
                _drawable(shorten(text, CHANGE_LENGTH)),
                (_days(at), 0.97),
                xycoords=("data", "axes fraction"),
                xytext=(-4, 0),
                textcoords="offset points",
                fontsize=TEXT_SIZE - 3,
                color=CHANGE,
                rotation=90,
                ha="right",
                va="top",
                parse_math=False,
                bbox={"boxstyle": "square,pad=0.1", "facecolor": "white", "edgecolor": "none", "alpha": 0.8},
            )


def _frame(axis: Axes, label: str) -> None:
    from matplotlib.ticker import FuncFormatter, MaxNLocator  # noqa: PLC0415  # as above

    # parse_math off: a value such as "$x$" is text, not mathematics.
    axis.set_title(
        _drawable(shorten(label, LABEL_LENGTH)), loc="left", fontsize=TEXT_SIZE + 2, fontweight="bold", parse_math=False
    )
    # A little below zero, so that the line of a slice that stopped is seen.
    axis.set_ylim(bottom=-0.02 * axis.get_ylim()[1])
    axis.margins(x=0)
    axis.yaxis.set_major_locator(MaxNLocator(4))
    axis.yaxis.set_major_formatter(FuncFormatter(lambda value, _: number(value)))
    axis.tick_params(labelsize=TEXT_SIZE - 1, length=0)
    axis.grid(axis="y", color="#E5E5E5", lw=1)
    axis.set_axisbelow(True)
    for side in ("top", "right", "left"):
        axis.spines[side].set_visible(False)


def _drawable(text: str) -> str:
    """Text in characters that the font has: matplotlib warns of every other one."""
    from matplotlib.font_manager import FontProperties, findfont, get_font  # noqa: PLC0415  # as above

    known = get_font(findfont(FontProperties())).get_charmap()
    return "".join(character if ord(character) in known else "▯" for character in text)


def _time_axis(axis: Axes, series: Series) -> None:
    if _daily(series):
        _day_axis(axis, series)
        return
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter  # noqa: PLC0415  # as above

    locator = AutoDateLocator(tz=UTC, minticks=4, maxticks=7)  # type: ignore[no-untyped-call]  # ships no types
    axis.xaxis.set_major_locator(locator)
    formatter = ConciseDateFormatter(  # type: ignore[no-untyped-call]  # as above
        locator, tz=UTC, formats=TICKS, zero_formats=TICKS_AT_ZERO, show_offset=False
    )
    axis.xaxis.set_major_formatter(formatter)
    last = series.starts[-1].astimezone(UTC)
    axis.set_xlabel(f"UTC, up to {last:%-d %b %Y}", fontsize=TEXT_SIZE - 1)


def _daily(series: Series) -> bool:
    """Whether a bucket is a day: of 23 hours, where the clocks change."""
    return len(series.starts) > 1 and series.starts[-1] - series.starts[-2] >= NEARLY_A_DAY


def _day_axis(axis: Axes, series: Series) -> None:
    """The dates of Mondays, or of every second one, at the beginning of their days."""
    dates = [_date(start) for start in series.starts]
    weeks = [n for n, day in enumerate(dates) if day.weekday() == 0]
    shown = (weeks or [0])[:: 1 + len(weeks) // MOST_WEEKS]
    axis.set_xticks([_days(series.starts[n]) for n in shown], [f"{dates[n]:%-d %b}" for n in shown])
    axis.set_xlabel(f"days, up to {dates[-1]:%a %-d %b %Y}", fontsize=TEXT_SIZE - 1)


def _date(start: datetime) -> date:
    """The date of a day that starts at a midnight somewhere: that of its noon, in UTC."""
    return (start.astimezone(UTC) + HALF_A_DAY).date()


def _legend(figure: Figure, axis: Axes) -> None:
    handles, labels = axis.get_legend_handles_labels()
    figure.legend(handles, labels, loc="upper center", ncols=len(labels), frameon=False, fontsize=TEXT_SIZE - 1)
