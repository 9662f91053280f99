"""Steps 4 to 10: which slices are alarmed at the newest bucket."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from monitor.detectors.fit import Fit
from monitor.detectors.model import Context, Verdicts
from monitor.detectors.view import View
from monitor.lattice import EVERY
from monitor.statistics import constants as k
from monitor.statistics.common_mode import contrastable, excuse
from monitor.statistics.negbin import lower_tail, most_surprise, silence, upper_tail

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Ints = NDArray[np.int64]
Rows = slice | Ints


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


def surprise(fit: Fit, observed: Floats, expected: Floats, common: Floats, rows: Rows = EVERY) -> tuple[Floats, Floats]:
    """Calibrated surprise (drop, spike) [N, W], or [n, W] of the slices `rows`; 0 where it cannot reach the threshold.

    `common` is the common mode that each of them follows, of the same shape.

    A slice is tested where its silence would pass the threshold (testability). Those judged plainly count
    with the larger of both surprises.
    """
    down, up = (_direction(fit, observed, expected, common, rows, down=down) for down in (True, False))
    return down, up


def _direction(fit: Fit, observed: Floats, expected: Floats, common: Floats, rows: Rows, *, down: bool) -> Floats:
    excused = excuse(common, down=down)
    plain = fit.plain[rows]
    leans = observed < expected if down else observed > expected
    leans &= fit.eligible[rows][:, None] & (expected > 0)
    # Without references there is no common mode: a contrast would be the plain test under another name.
    usable = contrastable(excused) & (~plain[:, None] | bool(fit.references.whole.any()))
    contrast = _nats(fit, observed, expected * excused, rows, leans & usable, plain=False, down=down)
    bare = _nats(fit, observed, expected, rows, leans & plain[:, None], plain=True, down=down)
    return np.maximum(contrast, bare, out=contrast)


def _nats(fit: Fit, y: Floats, mu: Floats, rows: Rows, asked: Bools, *, plain: bool, down: bool) -> Floats:
    """Calibrated surprise [n, W] of the cells `asked` where a slice's silence would be noticed, else 0.

    Cells of which a quick bound says that they cannot reach the threshold stay 0 as well.
    """
    alpha, unrest = (fit.alpha_plain, fit.unrest_plain) if plain else (fit.alpha, fit.unrest)
    classes = fit.volume_class()[rows]
    out = np.zeros(y.shape)
    for w in range(y.shape[1]):
        tails = np.array([fit.tails_plain[w]] * len(fit.tails[w]) if plain else fit.tails[w], dtype=object)
        needed = np.array([tail.needed(fit.threshold) for tail in tails])
        part = np.flatnonzero(asked[:, w])
        alpha_w, scale = alpha[rows, w][part], unrest[rows, w][part]
        least = needed[classes[part]] * scale
        near = _reaches(y[part, w], mu[part, w], alpha_w, least)
        out[part[near], w] = _calibrated(
            tails, classes[part[near]], y[part[near], w], mu[part[near], w], alpha_w[near], scale[near], down=down
        )
    return out


def _reaches(y: Floats, mu: Floats, alpha: Floats, least: Floats) -> Bools:
    """Where a surprise of `least` nats is within reach: of silence, or the slice is too small, and of what came."""
    possible = silence(mu, alpha) >= least
    possible[possible] = most_surprise(y[possible], mu[possible], alpha[possible]) >= least[possible]
    return possible


def _calibrated(
    tails: NDArray[np.object_], classes: Ints, y: Floats, mu: Floats, alpha: Floats, unrest: Floats, *, down: bool
) -> Floats:
    x = -np.log((lower_tail if down else upper_tail)(y, mu, alpha)) / unrest
    out = np.zeros(len(x))
    for c in np.unique(classes):
        part = classes == c
        out[part] = -np.log(tails[c].survival(x[part]))
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
    large = large_enough(verdicts.observed, verdicts.expected, context, down=down)
    beyond = (nats >= verdicts.threshold) & large
    rows = np.flatnonzero(beyond.any(axis=1))
    if not len(rows):
        return []
    beyond[rows] &= _persistent(view, verdicts, context, nats, rows, down=down)
    rows, windows = np.nonzero(beyond)
    order = np.argsort(-nats[rows, windows], kind="stable")
    return [Alarm(int(rows[i]), int(windows[i]), float(nats[rows[i], windows[i]]), down) for i in order]


def large_enough(y: Floats, mu: Floats, context: Context, *, down: bool) -> Bools:
    """At least `min_change` of the bare expectation, and `min_loss`."""
    change = (mu - y) if down else (y - mu)
    with np.errstate(invalid="ignore"):
        return np.asarray((change >= context.min_change * mu) & (change >= context.min_loss))


def _persistent(view: View, verdicts: Verdicts, context: Context, nats: Floats, rows: Ints, *, down: bool) -> Bools:
    """[n, W] of the slices `rows`: bad in the newest bucket, and in the one before, or one is evidence enough.

    One is enough where it is overwhelming or, for long buckets, ten times less likely than the budget asks.
    """
    first = verdicts.windows.index(1)
    y, mu = verdicts.observed[rows, first], verdicts.expected[rows, first]
    newest = leans(y, mu, context, down=down)
    before_y, before_mu = (part[rows, first] for part in view.windows(back=1))
    before = leans(before_y, before_mu, context, down=down) & view.known_at(-2)[rows]
    enough = np.zeros((len(rows), nats.shape[1]), dtype=bool)
    if view.grid.seconds >= k.LONG_BUCKET_SECONDS:
        enough = nats[rows] >= verdicts.threshold + k.LONG_BUCKET_MARGIN
    elif down:
        gone = overwhelming(y, mu, verdicts.common[rows, first], view.fit.alpha[rows, first])
        enough = np.broadcast_to(gone[:, None], enough.shape)
    return np.asarray(newest[:, None] & (before[:, None] | enough))


def overwhelming(y: Floats, mu: Floats, common: Floats, alpha: Floats) -> Bools:
    """Where next to nothing came to a slice, and that cannot be chance: one bucket is evidence enough."""
    nominal = lower_tail(y, mu * excuse(common, down=True), alpha)
    return np.asarray((nominal < k.OVERWHELMING_P) & (y < k.OVERWHELMING_RATIO * mu))


def leans(y: Floats, mu: Floats, context: Context, *, down: bool) -> Bools:
    """Whether a bucket leans the way of the alarm by at least half the smallest change told."""
    half = context.min_change / 2.0
    with np.errstate(invalid="ignore"):
        return np.asarray(y <= (1.0 - half) * mu if down else y >= (1.0 + half) * mu)
