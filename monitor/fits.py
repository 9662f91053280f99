"""Fits between refits: stored once a day, carried over when new leaves appear."""

from __future__ import annotations

import io
import struct
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from monitor.detectors.fit import Fit
from monitor.lattice import Lattice

HEAD = struct.Struct("<IH")
"""Leaves at the refit, number of metrics."""


def pack(leaves: int, fits: Sequence[Fit]) -> bytes:
    """Fits of all metrics of a rule, and how many leaves they know."""
    out = io.BytesIO()
    out.write(HEAD.pack(leaves, len(fits)))
    for item in fits:
        body = item.to_bytes()
        out.write(struct.pack("<I", len(body)))
        out.write(body)
    return out.getvalue()


def unpack(blob: bytes) -> tuple[int, list[Fit]]:
    """The inverse of `pack`."""
    leaves, count = HEAD.unpack_from(blob)
    at, fits = HEAD.size, []
    for _ in range(count):
        (size,) = struct.unpack_from("<I", blob, at)
        at += 4
        fits.append(Fit.from_bytes(blob[at : at + size]))
        at += size
    return leaves, fits


def carry_over(found: Fit, old: Lattice, new: Lattice) -> Fit:
    """A fit of the first leaves, laid on the lattice of all of them; what is new is not yet judged."""
    if len(new.leaves) == len(old.leaves):
        return found
    rows = _rows(old, new)
    known = rows >= 0
    missing = len(new.leaves) - len(old.leaves)

    def take(values: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.where(known[:, None], values[np.maximum(rows, 0)], 0.0)

    def mark(values: NDArray[np.bool_]) -> NDArray[np.bool_]:
        return known & values[np.maximum(rows, 0)]

    return replace(
        found,
        mean=take(found.mean),
        leaf_mean=np.concatenate([found.leaf_mean, np.zeros((missing, found.leaf_mean.shape[1]))]),
        alpha=take(found.alpha),
        alpha_plain=take(found.alpha_plain),
        unrest=np.maximum(take(found.unrest), 1.0),
        unrest_plain=np.maximum(take(found.unrest_plain), 1.0),
        eligible=mark(found.eligible),
        plain=mark(found.plain),
        references=mark(found.references),
        held_back=np.concatenate([found.held_back, np.zeros(missing)]),
    )


def _rows(old: Lattice, new: Lattice) -> NDArray[np.int64]:
    """int64[N new]: the old row of each slice, by any of its names; -1 where it is new."""
    place = {tuple(int(c) for c in codes): row for row, codes in enumerate(old.codes)}
    for row, names in old.also.items():
        for codes in names:
            place.setdefault(codes, row)
    return np.array([place.get(tuple(int(c) for c in codes), -1) for codes in new.codes], dtype=np.int64)
