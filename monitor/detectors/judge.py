"""Steps 4 to 10: which slices are alarmed at the newest bucket."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from monitor.detectors.fit import Fit
from monitor.detectors.model import Context, Verdicts
from monitor.detectors.view import View
from monitor.statistics import constants as k
from monitor.statistics.common_mode import contrastable, excuse
from monitor.statistics.negbin import lower_tail, silence, upper_tail

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


def judge(view: View, left_out: Bools) -> Verdicts:
    """Test every eligible slice; `left_out` [N] are slices the common mode must not be taken from."""
    observed, expected = view.windows()
    common = view.common(observed, expected, left_out)
    drop, spike = surprise(view.fit, observed, expected, common)
    return Verdicts(
        windows=view.fit.windows,
        observed=observed,
        expected=expected,
        common=common,
        alpha=view.fit.alpha,
        alpha_plain=view.fit.alpha_plain,
        drop=drop,
        spike=spike,
        threshold=view.fit.threshold,
    )


def surprise(fit: Fit, observed: Floats, expected: Floats, common: Floats) -> tuple[Floats, Floats]:
    """Calibrated surprise (drop, spike) [N, W]; 0 where a slice is not tested.

    A slice is tested where its silence would pass the threshold (testability). Those judged plainly count
    with the larger of both surprises.
    """
    return _direction(fit, observed, expected, common, down=True), _direction(
        fit, observed, expected, common, down=False
    )


def _direction(fit: Fit, observed: Floats, expected: Floats, common: Floats, *, down: bool) -> Floats:
    excused = excuse(common, down=down)
    contrast = _nats(fit, observed, expected * excused[None, :], plain=False, down=down)
    # Without references there is no common mode: a contrast would be the plain test under another name.
    usable = contrastable(excused) & (~fit.plain[:, None] | bool(fit.references.any()))
    contrast = np.where(usable, contrast, 0.0)
    bare = _nats(fit, observed, expected, plain=True, down=down)
    nats = np.where(fit.plain[:, None], np.maximum(contrast, bare), contrast)
    leans = observed < expected if down else observed > expected
    return np.where(fit.eligible[:, None] & (expected > 0) & leans, nats, 0.0)


def _nats(fit: Fit, y: Floats, mu: Floats, *, plain: bool, down: bool) -> Floats:
    """Calibrated surprise [N, W] where a slice's silence would be noticed, else 0."""
    classes = fit.volume_class()
    alpha, unrest = (fit.alpha_plain, fit.unrest_plain) if plain else (fit.alpha, fit.unrest)
    tested = lower_tail if down else upper_tail
    out = np.zeros(y.shape)
    for w in range(y.shape[1]):
        possible = silence(mu[:, w], alpha[:, w]) / unrest[:, w]
        for c in range(len(fit.class_edges) + 1):
            tail = fit.tails_plain[w] if plain else fit.tails[w][c]
            part = np.flatnonzero((classes == c) & (fit.plain if plain else True))
            part = part[-np.log(tail.survival(possible[part])) >= fit.threshold]
            p = tested(np.nan_to_num(y[part, w]), mu[part, w], alpha[part, w])
            out[part, w] = -np.log(tail.survival(-np.log(p) / unrest[part, w]))
    return out


@dataclass(frozen=True)
class Alarm:
    """A slice and window beyond the threshold, large and lasting enough to be told."""

    row: int
    window: int
    """Index into the windows."""
    surprise: float
    down: bool


def alarms(view: View, verdicts: Verdicts, context: Context, *, down: bool) -> list[Alarm]:
    """Effect and persistence (step 10), strongest first."""
    nats = verdicts.drop if down else verdicts.spike
    beyond = (nats >= verdicts.threshold) & _effect(verdicts, context, down=down)
    beyond &= _persistent(view, verdicts, context, nats, down=down)
    rows, windows = np.nonzero(beyond)
    order = np.argsort(-nats[rows, windows], kind="stable")
    return [Alarm(int(rows[i]), int(windows[i]), float(nats[rows[i], windows[i]]), down) for i in order]


def _effect(verdicts: Verdicts, context: Context, *, down: bool) -> Bools:
    """At least `min_change`, against the bare expectation and against the common mode, and `min_loss`.

    What is judged plainly needs the bare change only.
    """
    y, mu = verdicts.observed, verdicts.expected
    change = (mu - y) if down else (y - mu)
    large = (change >= context.min_change * mu) & (change >= context.min_loss)
    return np.asarray(large)


def _persistent(view: View, verdicts: Verdicts, context: Context, nats: Floats, *, down: bool) -> Bools:
    """Bad in the newest bucket, and in the one before as well, unless one is evidence enough by itself.

    One is enough where it is overwhelming or, for long buckets, ten times less likely than the budget asks.
    """
    y, mu = view.windows()
    first = verdicts.windows.index(1)
    newest = _leans(y[:, first], mu[:, first], context, down=down)
    before_y, before_mu = view.windows(back=1)
    before = _leans(before_y[:, first], before_mu[:, first], context, down=down) & ~np.isnan(view.observed[:, -2])
    enough = np.zeros(y.shape, dtype=bool)
    if view.grid.seconds >= k.LONG_BUCKET_SECONDS:
        enough = nats >= verdicts.threshold + k.LONG_BUCKET_MARGIN
    elif down:
        excused = excuse(verdicts.common, down=True)[first]
        nominal = lower_tail(y[:, first], mu[:, first] * excused, view.fit.alpha[:, first])
        gone = y[:, first] < k.OVERWHELMING_RATIO * mu[:, first]
        enough = np.broadcast_to(((nominal < k.OVERWHELMING_P) & gone)[:, None], y.shape)
    return np.asarray(newest[:, None] & (before[:, None] | enough))


def _leans(y: Floats, mu: Floats, context: Context, *, down: bool) -> Bools:
    """Whether a bucket leans the way of the alarm by at least half the smallest change told."""
    half = context.min_change / 2.0
    with np.errstate(invalid="ignore"):
        return np.asarray(y <= (1.0 - half) * mu if down else y >= (1.0 + half) * mu)
