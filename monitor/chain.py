"""Why a slice was, or was not, alarmed at one bucket: every step from counts to causes as data. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np

from monitor.assess import assess, judged_view
from monitor.buckets import to_datetime
from monitor.detectors.bounds import limits
from monitor.detectors.model import Verdicts
from monitor.detectors.view import View
from monitor.question import Question
from monitor.statistics.common_mode import excuse
from monitor.statistics.negbin import lower_tail, quantile_band, upper_tail
from rules.model import Direction
from rules.slices import Slice


@dataclass(frozen=True)
class Past:
    """The same place of the week in a bucket before: `observed` is None where unknown."""

    start: datetime
    observed: float | None
    flagged: bool
    """Some of it was judged bad: that part teaches nothing."""


@dataclass(frozen=True)
class Read:
    """What was there when the bucket was read at a lag class."""

    lag: int
    observed: float


@dataclass(frozen=True)
class Window:
    """One test: a stretch of `buckets` that ends with the judged one."""

    buckets: int
    observed: float
    expected: float
    low: float
    high: float
    """What chance leaves, at the threshold's probability on each side."""
    common: float
    """The common mode, as far as it excuses; 1 where the slice was judged without it, which says more."""
    alpha: float
    p: float
    """Nominal probability of so little (or, for a spike, so much)."""
    surprise: float
    """Calibrated, in nats; 0 where the threshold is out of reach."""
    change: float
    """Share of what was expected; below 0 for a loss."""


@dataclass(frozen=True)
class Chain:
    """From counts to a conclusion. `windows` is empty where the slice is not tested; `conclusion` then says why."""

    rule: str
    metric: str
    slice: Slice
    start: datetime
    end: datetime
    conclusion: str
    reads: tuple[Read, ...] = ()
    present: float = 1.0
    """Share of the bucket's events that should be there at the age it is judged at."""
    past: tuple[Past, ...] = ()
    seasonal: float = 0.0
    """Mean of this place of the week, before the level."""
    level: float = 1.0
    learned: datetime | None = None
    stage: int = 0
    windows: tuple[Window, ...] = ()
    threshold: float = 0.0
    slices: int = 0
    """How many slices are old enough to be judged; each in every window."""
    budget: float = 0.0
    """False incidents a week that the rule allows."""
    causes: tuple[Slice, ...] = ()
    """What was told at this bucket, or goes on."""
    explained_by: Slice | None = None


def chain_of(question: Question, item: Slice, past: tuple[Past, ...], reads: tuple[Read, ...]) -> Chain:
    """The chain of one slice at the newest bucket of a question."""
    view, left_out = judged_view(question)
    row = int(view.lattice.rows_of(np.array([view.lattice.leaves.codes_of(item)], dtype=np.int32))[0])
    causes = tuple(finding.slice for finding in assess(question).findings)
    newest = int(view.recent.starts[-1])
    base = Chain(
        rule=question.rule,
        metric=question.metric,
        slice=item,
        start=to_datetime(newest),
        end=to_datetime(question.grid.end(newest)),
        conclusion="",
        reads=reads,
        past=past,
        learned=to_datetime(view.fit.as_of),
        stage=view.fit.stage,
        threshold=view.fit.threshold,
        slices=int(view.fit.eligible.sum()),
        budget=question.context.false_incidents_per_week,
        causes=causes,
        explained_by=_explained(causes, item),
    )
    if row < 0:
        return replace(base, conclusion="not tested: it was never seen, or names more dimensions than the rule's depth")
    return _tested(base, question, view, question.detector.judge(view, left_out), row)


def _tested(base: Chain, question: Question, view: View, verdicts: Verdicts, row: int) -> Chain:
    down = verdicts.observed[row, 0] <= verdicts.expected[row, 0]
    windows = tuple(_window(view, verdicts, row, w, down=down) for w in range(len(verdicts.windows)))
    seasonal, level = float(view.seasonal_of(row)[-1]), float(view.levels[row, 0])
    present = 1.0 if view.present is None else float(view.present.slices[row, -1])
    alarmed = any(a.row == row for a in question.detector.alarms(view, verdicts, question.context, down=down))
    found = replace(base, windows=windows, seasonal=seasonal, level=level, present=present)
    return replace(found, conclusion=_why(found, question, view, row, alarmed=alarmed))


def _window(view: View, verdicts: Verdicts, row: int, w: int, *, down: bool) -> Window:
    y, mu = float(verdicts.observed[row, w]), float(verdicts.expected[row, w])
    contrast = (float(excuse(verdicts.common[row], down=down)[w]), float(verdicts.alpha[row, w]))
    plain = [(1.0, float(verdicts.alpha_plain[row, w]))] if view.fit.plain[row] else []
    p, common, alpha = min((_tail(y, mu * c, a, down=down), c, a) for c, a in (contrast, *plain))
    low, high = _band(view, mu * common, alpha, verdicts.windows[w])
    return Window(
        buckets=verdicts.windows[w],
        observed=y,
        expected=mu,
        low=low,
        high=high,
        common=common,
        alpha=alpha,
        p=p,
        surprise=float((verdicts.drop if down else verdicts.spike)[row, w]),
        change=y / mu - 1.0 if mu > 0 else 0.0,
    )


def _tail(y: float, mu: float, alpha: float, *, down: bool) -> float:
    return float((lower_tail if down else upper_tail)(np.array([y]), np.array([mu]), np.array([alpha]))[0])


def _band(view: View, mu: float, alpha: float, buckets: int) -> tuple[float, float]:
    """By chance, or by the rule's fixed bounds."""
    if view.fit.bounds is not None:
        low, high = limits(view.fit.bounds, np.array([mu / buckets]))
        return float(low[0]) * buckets, float(high[0]) * buckets
    low, high = quantile_band(np.array([mu]), np.array([alpha]), float(np.exp(-view.fit.threshold)))
    return float(low[0]), float(high[0])


def _explained(causes: tuple[Slice, ...], item: Slice) -> Slice | None:
    return next((cause for cause in causes if cause.covers(item)), None)


def _why(chain: Chain, question: Question, view: View, row: int, *, alarmed: bool) -> str:
    """The first step at which the slice fell out, or what became of its alarm."""
    context, newest = question.context, chain.windows[0]
    unsent = question.direction is (Direction.SPIKE if newest.observed <= newest.expected else Direction.DROP)
    beyond = [w for w in chain.windows if w.surprise >= chain.threshold]
    large = [
        w for w in beyond if abs(w.change) >= context.min_change and abs(w.observed - w.expected) >= context.min_loss
    ]
    steps = (
        (chain.explained_by == chain.slice, "alarmed, and told as a cause of its own"),
        (chain.explained_by is not None and alarmed, f"alarmed, and explained by {_label(chain.explained_by)}"),
        (alarmed and unsent, f"no alarm: it would be one, and the rule sends direction: {question.direction.value}"),
        (alarmed, "alarmed, and no cause of its own: what is told below explains it, or it is not sent"),
        (bool(context.ignored[row]), "not tested: slices.ignore names it"),
        (not view.fit.eligible[row], "not tested: too young, or silent for the whole lookback"),
        (chain.windows[0].expected <= 0, "not tested: nothing was expected"),
        (not beyond and view.fit.bounds is not None, "no alarm: it lies within the rule's bounds"),
        (not beyond, "no alarm: in no window is it as unlikely as the alert budget asks"),
        (not large, "no alarm: the change is below min_change or min_loss"),
        (True, "no alarm yet: one bucket is not enough, it needs a second one in a row"),
    )
    return next(text for holds, text in steps if holds)


def _label(item: Slice | None) -> str:
    return "" if item is None else item.label()
