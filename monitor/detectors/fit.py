"""What history teaches about every slice: seasonal mean, dispersion, calibration and threshold."""

from __future__ import annotations

import io
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import zstandard
from numpy.typing import NDArray

from monitor.buckets import DAY, Grid
from monitor.detectors.model import LeafSeries
from monitor.statistics import constants as k
from monitor.statistics.blocks import LARGE, blocks
from monitor.statistics.calibration import Tail
from monitor.statistics.common_mode import References
from rules.model import Bound, Bounds

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Means = NDArray[np.floating[Any]]
"""float32, half the memory of `Floats`: sums of them are to be taken as float64."""

WEEKLY_STAGE = 2
"""From two weeks of history on weekdays and weekends are told apart."""
FULL_STAGE = 3
"""From four weeks of history on everything is learned; before, dispersion is assumed wide."""
CODES_PER_OCTAVE = 2_048
"""Seasonal means are stored in 16 bits, to within 0.02 % of 1 + mean."""


def windows_of(grid: Grid) -> tuple[int, ...]:
    """Window widths in buckets: 1, 3, 6, 24 h for hours; 1, 2, 3, 7 for days; 5 min to 24 h for less."""
    if grid.daily:
        return (1, 2, 3, 7)
    spans = (
        (grid.seconds, 3 * grid.seconds, 3600, 6 * 3600, DAY)
        if grid.seconds < 3600
        else (grid.seconds, 3 * 3600, 6 * 3600, DAY)
    )
    return tuple(sorted({max(1, span // grid.seconds) for span in spans}))


def level_span(grid: Grid) -> int:
    """Buckets that a slice's level is taken from."""
    return k.LEVEL_DAYS if grid.daily else k.LEVEL_HOURS * 3600 // grid.seconds


@dataclass(frozen=True)
class Fit:
    """All that judging a tick needs besides the last few days of counts."""

    as_of: int
    """Epoch seconds: history before it was used."""
    stage: int
    """0: only total silence; 1: time of day; 2: weekday and weekend; 3: full."""
    begin: int
    """Start of the first bucket with any event: before it the table was not there, which is no outage."""
    windows: tuple[int, ...]
    mean: Means
    """[N, positions]"""
    leaf_mean: Means
    """[S, positions]"""
    alpha: Floats
    """[N, W], around the common mode"""
    alpha_plain: Floats
    """[N, W], without it"""
    unrest: Floats
    """[N, W], at least 1: what surprises are divided by before they are calibrated, around the common mode"""
    unrest_plain: Floats
    """[N, W], without it"""
    eligible: Bools
    """[N]: old enough to be judged"""
    plain: Bools
    """[N]: also judged without the common mode"""
    references: References
    """[N]: slices that common modes are taken from, and which of them each slice follows"""
    tails: tuple[tuple[Tail, ...], ...]
    """[W][class of volume]"""
    class_edges: Floats
    """[classes - 1]: mean volume a bucket that parts the classes"""
    tails_plain: tuple[Tail, ...]
    threshold: float
    held_back: Floats
    """[S]: up to this count a leaf's silence may be suppression; 0 where silence is zero"""
    bounds: Bounds | None = None
    """Set where fixed bounds judge: then what is expected stands as it is, without a level."""

    @cached_property
    def volume(self) -> Floats:
        """[N]: mean events a bucket of each slice."""
        return np.asarray(self.mean.mean(axis=1, dtype=float))

    @cached_property
    def leaf_volume(self) -> Floats:
        """[S]: mean events a bucket of each leaf."""
        return np.asarray(self.leaf_mean.mean(axis=1, dtype=float))

    @cached_property
    def _classes(self) -> NDArray[np.int64]:
        return np.asarray(np.searchsorted(self.class_edges, self.volume), dtype=np.int64)

    def volume_class(self) -> NDArray[np.int64]:
        """int64[N]: class of each slice."""
        return self._classes

    def to_bytes(self) -> bytes:
        """Compressed, stable bytes; equal fits give equal bytes."""
        buffer = io.BytesIO()
        tails = np.array([[_row(t) for t in row] for row in self.tails]).reshape(len(self.windows), -1, 4)
        np.savez(
            buffer,
            head=np.array([self.as_of, self.stage, self.begin]),
            windows=np.array(self.windows),
            # A fixed bound is compared with what was counted, to the last event.
            mean=_coded(self.mean) if self.bounds is None else self.mean.astype(np.float32),
            leaf_mean=_coded(self.leaf_mean),
            alpha=self.alpha.astype(np.float32),
            alpha_plain=self.alpha_plain.astype(np.float32),
            unrest=np.stack([self.unrest, self.unrest_plain]).astype(np.float32),
            marks=np.stack([self.eligible, self.plain, self.references.whole, self.references.regional]),
            region=self.references.region.astype(np.int32),
            tails=tails,
            edges=self.class_edges,
            tails_plain=np.array([_row(t) for t in self.tails_plain]),
            threshold=np.array(self.threshold),
            held_back=self.held_back.astype(np.float32),
            bounds=_packed(self.bounds),
        )
        return zstandard.ZstdCompressor(level=3, write_checksum=True).compress(buffer.getbuffer())

    @classmethod
    def from_bytes(cls, blob: bytes) -> Fit:
        """The inverse of `to_bytes`, up to what fewer bits kept."""
        with np.load(io.BytesIO(zstandard.decompress(blob))) as part:
            as_of, stage, begin = (int(v) for v in part["head"])
            marks = part["marks"]
            return cls(
                as_of=as_of,
                stage=stage,
                begin=begin,
                windows=tuple(int(w) for w in part["windows"]),
                mean=_decoded(part["mean"]),
                leaf_mean=_decoded(part["leaf_mean"]),
                alpha=part["alpha"].astype(float),
                alpha_plain=part["alpha_plain"].astype(float),
                unrest=part["unrest"][0].astype(float),
                unrest_plain=part["unrest"][1].astype(float),
                eligible=marks[0],
                plain=marks[1],
                references=References(marks[2], part["region"].astype(np.int64), marks[3]),
                tails=tuple(tuple(Tail(*(float(v) for v in t)) for t in row) for row in part["tails"]),
                class_edges=part["edges"],
                tails_plain=tuple(Tail(*(float(v) for v in t)) for t in part["tails_plain"]),
                threshold=float(part["threshold"]),
                held_back=part["held_back"].astype(float),
                bounds=_unpacked(part["bounds"]),
            )

    def stored(self) -> Fit:
        """As it will be after a restart: judging uses this form only, so that a restart changes no verdict."""
        return Fit.from_bytes(self.to_bytes())


def _row(tail: Tail) -> tuple[float, float, float, float]:
    return (tail.start, tail.rate, tail.scale, tail.shape)


def _coded(mean: NDArray[np.floating]) -> NDArray[np.uint16]:
    """Means as 16 bits each, evenly spread over the logarithm of 1 + mean; up to four billion."""
    out = np.empty(mean.shape, dtype=np.uint16)
    for rows in blocks(len(mean), LARGE):
        codes = np.rint(CODES_PER_OCTAVE * np.log2(1.0 + mean[rows].astype(float)))
        # What was ever seen stays above nothing.
        out[rows] = np.clip(codes, mean[rows] > 0, np.iinfo(np.uint16).max)
    return out


def _decoded(codes: NDArray[Any]) -> Means:
    """The inverse of `_coded`; means stored as they are come back as they are."""
    if codes.dtype != np.uint16:
        return codes
    table = np.exp2(np.arange(2**16) / CODES_PER_OCTAVE) - 1.0
    return np.asarray(table.astype(np.float32)[codes])


def _packed(bounds: Bounds | None) -> Floats:
    """[0] for none, else [2, 2]: value and whether it is a share of last week, of low and high; NaN is no bound."""
    if bounds is None:
        return np.zeros(0)
    parts = (bounds.low, bounds.high)
    return np.array([[np.nan, 0.0] if part is None else [part.value, part.of_last_week] for part in parts])


def _unpacked(packed: Floats) -> Bounds | None:
    if not packed.size:
        return None
    return Bounds(*(None if np.isnan(value) else Bound(float(value), bool(share)) for value, share in packed))


def from_begin(series: LeafSeries, begin: int) -> LeafSeries:
    """The series with everything before `begin` unknown: a young table answers with no rows for its unborn days."""
    if not len(series.starts) or series.starts[0] >= begin:
        return series
    return replace(series, values=np.where(series.starts < begin, np.nan, series.values))
