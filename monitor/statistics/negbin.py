"""Tails of the negative binomial with mean mu and variance mu + alpha mu^2.

Never a Gaussian band: its lower bound goes below zero, and then a total loss cannot be noticed.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import special

Floats = NDArray[np.float64]

POISSON_BELOW = 1e-6
"""Dispersion below which the Poisson limit is used; the incomplete beta loses accuracy there."""
TINY = 1e-300
SLACK = 2.0
"""Nats by which a quick bound is loosened, for all that Stirling's formula leaves out."""


def lower_tail(y: Floats, mu: Floats, alpha: Floats) -> Floats:
    """P(Y <= y), elementwise; real-valued y by the continuous extension. NaN stays NaN."""
    y, mu, alpha = np.broadcast_arrays(*(np.asarray(a, dtype=float) for a in (y, mu, alpha)))
    safe_mu = np.maximum(mu, 1e-12)
    poisson = alpha < POISSON_BELOW
    size = 1.0 / np.where(poisson, 1.0, alpha)
    p = special.betainc(size, y + 1.0, 1.0 / (1.0 + np.where(poisson, 1.0, alpha) * safe_mu))
    if poisson.any():
        p = np.where(poisson, special.gammaincc(y + 1.0, safe_mu), p)
    return np.asarray(np.maximum(p, TINY))


def upper_tail(y: Floats, mu: Floats, alpha: Floats) -> Floats:
    """P(Y >= y), elementwise; 1 for y <= 0."""
    y, mu, alpha = np.broadcast_arrays(*(np.asarray(a, dtype=float) for a in (y, mu, alpha)))
    safe_mu = np.maximum(mu, 1e-12)
    positive = np.where(y > 0, y, 1.0)
    poisson = alpha < POISSON_BELOW
    safe_alpha = np.where(poisson, 1.0, alpha)
    share = safe_alpha * safe_mu / (1.0 + safe_alpha * safe_mu)
    p = special.betainc(positive, 1.0 / safe_alpha, share)
    if poisson.any():
        p = np.where(poisson, special.gammainc(positive, safe_mu), p)
    return np.asarray(np.where(y > 0, np.maximum(p, TINY), np.where(np.isnan(y), np.nan, 1.0)))


def most_surprise(y: Floats, mu: Floats, alpha: Floats) -> Floats:
    """A quick bound: neither -ln P(Y <= y) nor -ln P(Y >= y) is larger, for y on either side of mu.

    Both tails hold P(Y = y), by Stirling's formula about exp(-I)/sqrt(2 pi y (1 + alpha y)) with the Cramer rate I.
    """
    poisson = alpha < POISSON_BELOW
    safe = np.maximum(alpha, POISSON_BELOW)
    shrunk = (y + 1.0 / safe) * (np.log1p(safe * y) - np.log1p(safe * mu))
    rate = y * np.log(np.maximum(y, TINY) / np.maximum(mu, TINY)) - np.where(poisson, y - mu, shrunk)
    spread = np.log1p(y) + np.where(poisson, 0.0, np.log1p(safe * (y + 1.0)))
    return np.asarray(rate + 0.5 * spread + SLACK)


def silence(mu: Floats, alpha: Floats) -> Floats:
    """-ln P(Y = 0): how surprising total silence would be, in nats."""
    alpha = np.asarray(alpha, dtype=float)
    safe = np.maximum(alpha, POISSON_BELOW)
    return np.asarray(np.where(alpha < POISSON_BELOW, mu, np.log1p(safe * mu) / safe))


def log_likelihood(y: Floats, mu: Floats, alpha: Floats) -> Floats:
    """Log-likelihood of y up to a term that does not depend on mu."""
    mu = np.maximum(mu, 1e-9)
    safe = np.maximum(alpha, POISSON_BELOW)
    return np.asarray(y * np.log(mu) - (y + 1.0 / safe) * np.log1p(safe * mu))


def quantile_band(mu: Floats, alpha: Floats, p: float) -> tuple[Floats, Floats]:
    """Lower and upper count that chance leaves with probability p on each side, by a Wilson-Hilferty cube.

    A gamma with the negative binomial's first two moments stands in for it (continuous, never negative).
    """
    mu = np.maximum(np.asarray(mu, dtype=float), 1e-9)
    variance = mu + alpha * mu * mu
    shape, scale = mu * mu / variance, variance / mu
    low = special.gammaincinv(shape, p) * scale
    high = special.gammainccinv(shape, p) * scale
    return np.asarray(low), np.asarray(high)
