"""Event counts of an imaginary product, with losses whose place, time and size are known.

25 devices, 6 operating systems and 60 countries (30 % of device x OS empty, affinities exp(N(0,1))) make 300,000 events
an hour, for 56 days of hours: daily and weekly waves with a phase per country, AR(1) noise that countries, devices and
systems share, slow drifts of devices, over-dispersed leaves, spikes, and outages that nobody flagged in the time before
the losses. `inject` thins any counts, real ones too; half of the losses are masked by growth of siblings that keeps
the total.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from monitor.lattice import ANY, Lattice, Leaves

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

HOUR = 3600
DAY_HOURS = 24
START = 1_767_571_200
"""2026-01-05T00:00Z, a Monday."""
DIMENSIONS = ("device", "os", "country")
DEVICES, SYSTEMS = 25, 6
EVENTS_AN_HOUR = 300_000.0
DAYS, TEST_DAYS = 56, 14
SHARES = (1.0, 0.5, 0.3)
HOURS = (6, 12, 24)
LEVELS = ((0, 1, 2), (0, 2), (0, 1), (0,), (2,))
"""Dimensions named at leaf, device x country, device x OS, device and country level."""
NOISE = {0: 0.03, 1: 0.02, 2: 0.05}
"""Standard deviation of the noise that the slices of a device, system or country share, by dimension."""
COMMON_NOISE = 0.03
"""Of the noise that everything shares."""
RHO = 0.9
"""How much of the noise is left an hour later."""
REFILLED = 0.1
"""Share of a loss that another one's masking may give back: beyond it nothing would be missing."""
SMALLEST, LARGEST = 0.5, 0.35
"""Events an hour of the smallest slice that loses, and share of all events of the largest."""


@dataclass(frozen=True)
class Loss:
    """What was taken out: `share` of a slice's events in columns [start, stop); `lost` is how many it came to."""

    codes: tuple[int, ...]
    members: Bools
    """[S]: leaves of the slice."""
    start: int
    stop: int
    share: float
    masked: bool
    lost: int = 0


@dataclass(frozen=True)
class Truth:
    """How counts were drawn: what nobody who only sees them can know."""

    mean: Floats
    """[S, T]: with the waves, drifts and what everything has in common, without other noise and spikes."""
    alpha: Floats
    """[S]: over-dispersion of each leaf."""


@dataclass(frozen=True)
class World:
    """Counts [S, T] of leaves in consecutive buckets, judged from column `begin` on, and what was done to them."""

    leaves: Leaves
    starts: Ints
    counts: Ints
    begin: int
    losses: tuple[Loss, ...] = ()
    truth: Truth | None = None
    """Of simulated counts."""


@dataclass(frozen=True)
class Plan:
    """Which losses are to be laid into a world; cycled through in turn."""

    losses: int
    levels: tuple[tuple[int, ...], ...] = LEVELS
    shares: tuple[float, ...] = SHARES
    lengths: tuple[int, ...] = HOURS
    """In buckets."""
    apart: int = 24
    """Buckets between two losses of the same cells."""
    masked: int = 0
    """0: every second loss from the second on is masked; 1: the other half; -1: none."""


def simulate(seed: int, *, days: int = DAYS, test_days: int = TEST_DAYS, countries: int = 60) -> World:
    """Counts without any loss in the last `test_days` days."""
    rng = np.random.default_rng([seed, 0])
    leaves = _leaves(rng, countries)
    hours, begin = days * DAY_HOURS, (days - test_days) * DAY_HOURS
    mean = _volume(rng, leaves, countries)[:, None] * _waves(rng, leaves, countries, hours)
    known, unknown = _noise(rng, leaves, countries, hours)
    truth = mean * np.exp(known)
    mean *= np.exp(known + unknown)
    _spike(rng, mean)
    alpha = np.exp(rng.uniform(np.log(0.002), np.log(0.05), len(mean)))[:, None]
    counts = rng.poisson(mean * rng.gamma(1.0 / alpha, alpha, mean.shape))
    _past_outages(rng, leaves, counts, begin)
    starts = START + HOUR * np.arange(hours, dtype=np.int64)
    return World(leaves, starts, counts, begin, truth=Truth(truth, alpha[:, 0]))


def _leaves(rng: np.random.Generator, countries: int) -> Leaves:
    pairs = [(d, o) for d in range(DEVICES) for o in range(SYSTEMS)]
    kept = sorted(rng.permutation(len(pairs))[: round(0.7 * len(pairs))])
    terms = [
        (f"device-{d:02}", f"os-{o}", f"country-{c:02}") for d, o in (pairs[i] for i in kept) for c in range(countries)
    ]
    return Leaves.of(DIMENSIONS, terms)


def _volume(rng: np.random.Generator, leaves: Leaves, countries: int) -> Floats:
    """Events an hour [S]: sizes of devices, systems and countries, times what they have in common."""
    d, o, c = leaves.codes.T
    sizes = [np.exp(rng.normal(0.0, 1.0, n)) for n in (DEVICES, SYSTEMS, countries)]
    common = [
        np.exp(rng.normal(0.0, 1.0, shape))
        for shape in ((DEVICES, SYSTEMS), (DEVICES, countries), (SYSTEMS, countries))
    ]
    volume = sizes[0][d] * sizes[1][o] * sizes[2][c] * common[0][d, o] * common[1][d, c] * common[2][o, c]
    return np.asarray(EVENTS_AN_HOUR * countries / 60 * volume / volume.sum())


def _waves(rng: np.random.Generator, leaves: Leaves, countries: int, hours: int) -> Floats:
    """Day and week [S, T], mean about 1, each country by its own clock."""
    local = np.arange(hours)[None, :] + rng.integers(0, 24, countries)[:, None]
    day = 1.0 + rng.uniform(0.4, 0.7, countries)[:, None] * np.sin(2 * np.pi * local / 24)
    weekend = np.where(local // 24 % 7 >= 5, rng.uniform(0.7, 1.2, countries)[:, None], 1.0)
    return np.asarray((day * weekend)[leaves.codes[:, 2]])


def _noise(rng: np.random.Generator, leaves: Leaves, countries: int, hours: int) -> tuple[Floats, Floats]:
    """Logarithms [S, T]: the drift of devices and what everything has in common; what countries and the like have."""
    d, o, c = leaves.codes.T
    drift = np.cumsum(rng.normal(0.0, 0.004 / np.sqrt(24), (DEVICES, hours)), axis=1)
    country = _ar1(rng, NOISE[2], countries, hours)
    device = _ar1(rng, NOISE[0], DEVICES, hours)
    system = _ar1(rng, NOISE[1], SYSTEMS, hours)
    return drift[d] + _ar1(rng, COMMON_NOISE, 1, hours), country[c] + device[d] + system[o]


def _ar1(rng: np.random.Generator, sd: float, series: int, hours: int, rho: float = RHO) -> Floats:
    """Autoregressive noise [series, T] of standard deviation `sd`."""
    noise = rng.normal(0.0, sd, (series, hours))
    noise[:, 1:] *= np.sqrt(1.0 - rho * rho)
    for t in range(1, hours):
        noise[:, t] += rho * noise[:, t - 1]
    return np.asarray(noise)


def _spike(rng: np.random.Generator, mean: Floats) -> None:
    """2 % of leaves grow to two to six times their size for 2 to 11 hours, once."""
    leaves, hours = mean.shape
    for leaf in rng.permutation(leaves)[: round(0.02 * leaves)]:
        start = int(rng.integers(0, hours - 12))
        mean[leaf, start : start + int(rng.integers(2, 12))] *= rng.uniform(2.0, 6.0)


def _past_outages(rng: np.random.Generator, leaves: Leaves, counts: Ints, begin: int) -> None:
    """1 % of slices were silent for 4 to 23 hours once before `begin`."""
    lattice = Lattice.of(leaves, len(leaves.dimensions))
    small = np.flatnonzero(lattice.size > 0)
    for row in rng.permutation(small)[: round(0.01 * len(lattice))]:
        inside = lattice.incidence[[int(row)]].toarray()[0] > 0
        start = int(rng.integers(0, begin - 24))
        counts[inside, start : start + int(rng.integers(4, 24))] = 0


# --- losses --------------------------------------------------------------------------------------------------


def inject(world: World, plan: Plan, seed: int) -> World:
    """The world with losses in its judged stretch; two losses never take the same cells at the same time."""
    rng = np.random.default_rng([seed, 1])
    lattice = Lattice.of(world.leaves, len(world.leaves.dimensions))
    volume = lattice.rollup(world.counts.mean(axis=1))
    placed: list[Loss] = []
    for i in range(plan.losses):
        found = _place(rng, world, plan, i, lattice, volume, placed)
        if found is not None:
            placed.append(found)
    counts = world.counts.copy()
    losses = tuple(
        _take(np.random.default_rng([seed, 2, i]), counts, world.leaves, loss) for i, loss in enumerate(placed)
    )
    return replace(world, counts=counts, losses=losses)


def _place(
    rng: np.random.Generator, world: World, plan: Plan, i: int, lattice: Lattice, volume: Floats, placed: Sequence[Loss]
) -> Loss | None:
    level, length = plan.levels[i % len(plan.levels)], plan.lengths[i // 3 % len(plan.lengths)]
    mask = sum(1 << d for d in level)
    largest = LARGEST * volume[0]
    rows = np.flatnonzero((lattice.cuboid == mask) & (volume >= SMALLEST) & (volume <= largest))
    masked = plan.masked >= 0 and (i + plan.masked) % 2 == 1
    for _ in range(300):
        wanted = rng.uniform(np.log(SMALLEST), np.log(largest))
        near = rows[np.argsort(np.abs(np.log(volume[rows]) - wanted))[:3]]
        row = int(rng.choice(near))
        start = int(rng.integers(world.begin, world.counts.shape[1] - length))
        members = lattice.incidence[[row]].toarray()[0] > 0
        codes = tuple(int(code) for code in lattice.codes[row])
        loss = Loss(codes, members, start, start + length, plan.shares[i % len(plan.shares)], masked)
        if not any(_clash(loss, other, world, plan.apart) for other in placed):
            return loss
    return None


def _clash(a: Loss, b: Loss, world: World, apart: int) -> bool:
    """Whether two losses at about the same time share cells, or the masking of one would undo the other.

    Whether they are masked does not matter: each pair of worlds, masked the other way round, holds the same losses.
    """
    if a.start >= b.stop + apart or b.start >= a.stop + apart:
        return False
    size = world.counts.mean(axis=1)
    shared = float(size[a.members & b.members].sum())
    if shared > 0.1 * min(float(size[a.members].sum()), float(size[b.members].sum())):
        return True
    together = a.start < b.stop and b.start < a.stop
    return together and (_refills(a, b, world.leaves, size) or _refills(b, a, world.leaves, size))


def _refills(one: Loss, other: Loss, leaves: Leaves, size: Floats) -> bool:
    """Whether the growth that masks one loss gives back what another one takes."""
    siblings = _siblings(leaves, one, size)
    growth = one.share * float(size[one.members].sum()) / max(float(size[siblings].sum()), 1e-9)
    returned = growth * float(size[other.members & siblings].sum())
    return returned > REFILLED * other.share * float(size[other.members].sum())


def _take(rng: np.random.Generator, counts: Ints, leaves: Leaves, loss: Loss) -> Loss:
    """Thin the slice in place; where it is masked, its siblings get as many events as it lost, hour by hour."""
    stretch = slice(loss.start, loss.stop)
    before = counts[loss.members, stretch]
    gone = rng.binomial(before, loss.share)
    counts[loss.members, stretch] = before - gone
    if loss.masked:
        siblings = _siblings(leaves, loss, counts[:, stretch].sum(axis=1))
        for t, amount in enumerate(gone.sum(axis=0)):
            now = counts[siblings, loss.start + t]
            if now.sum() > 0:
                counts[siblings, loss.start + t] += rng.multinomial(int(amount), now / now.sum())
    return replace(loss, lost=int(gone.sum()))


def _siblings(leaves: Leaves, loss: Loss, size: NDArray[Any]) -> Bools:
    """Leaves of the other values of the first dimension named, in the same place otherwise; everything else if none.

    `size` [S] says which leaves have events.
    """
    parent = np.ones(len(leaves), dtype=bool)
    first = next(d for d, code in enumerate(loss.codes) if code != ANY)
    for d, code in enumerate(loss.codes):
        if code != ANY and d != first:
            parent &= leaves.codes[:, d] == code
    siblings = parent & ~loss.members
    return siblings if size[siblings].sum() > 0 else ~loss.members
