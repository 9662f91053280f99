"""What was learned, between refits: stored once a day, carried over when new leaves appear."""

from __future__ import annotations

import hashlib
import io
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from monitor.completeness import Curves
from monitor.detectors.fit import Fit
from monitor.lattice import Lattice
from rules.model import Rule

HEAD = struct.Struct("<IH8s")
"""Leaves at the refit, number of metrics, fingerprint of the rule's method."""


@dataclass(frozen=True)
class Learned:
    """What one metric's history teaches: its fit, and how late its events come (None: never late)."""

    fit: Fit
    curves: Curves | None = None

    @property
    def judging(self) -> Fit:
        """The fit that judges: with what is not known of late events in its dispersions."""
        return self.fit if self.curves is None else self.curves.widened(self.fit)


def pack(leaves: int, learned: Sequence[Learned], method: bytes = b"") -> bytes:
    """What was learned of all metrics of a rule, how many leaves it knows, and by which method it was made."""
    out = io.BytesIO()
    out.write(HEAD.pack(leaves, len(learned), method))
    for body in (
        *(item.fit.to_bytes() for item in learned),
        *(b"" if item.curves is None else item.curves.to_bytes() for item in learned),
    ):
        out.write(struct.pack("<I", len(body)))
        out.write(body)
    return out.getvalue()


def method_of(rule: Rule) -> bytes:
    """Fingerprint of what a rule says about how to learn: fits of another method are made anew."""
    calendar = (rule.holidays, rule.events) if rule.holidays or rule.events else ()
    regions = (rule.common_mode,) if rule.common_mode else ()
    return hashlib.blake2b(
        repr((rule.detector, calendar, *regions)).encode("utf-8", "surrogatepass"), digest_size=8
    ).digest()


def is_of(blob: bytes, method: bytes) -> bool:
    """Whether packed fits were made by this method."""
    return len(blob) >= HEAD.size and HEAD.unpack_from(blob)[2] == method


def unpack(blob: bytes) -> tuple[int, list[Learned]]:
    """The inverse of `pack`."""
    leaves, count, _ = HEAD.unpack_from(blob)
    bodies = list(_bodies(blob[HEAD.size :]))
    curves = [Curves.from_bytes(body) if body else None for body in bodies[count:]]
    return leaves, [Learned(Fit.from_bytes(body), late) for body, late in zip(bodies[:count], curves, strict=True)]


def _bodies(blob: bytes) -> Iterator[bytes]:
    at = 0
    while at < len(blob):
        (size,) = struct.unpack_from("<I", blob, at)
        at += 4
        yield blob[at : at + size]
        at += size


def carry_over(found: Learned, old: Lattice, new: Lattice) -> Learned:
    """What the first leaves taught, laid on the lattice of all of them; what is new is not yet judged."""
    if len(new.leaves) == len(old.leaves):
        return found
    rows = old.rows_of(new.codes)
    curves = None if found.curves is None else found.curves.carried(rows, len(new.leaves))
    return Learned(_fit_over(found.fit, rows, len(new.leaves) - len(old.leaves)), curves)


def _fit_over(found: Fit, rows: NDArray[np.int64], missing: int) -> Fit:
    known = rows >= 0

    def take(values: NDArray[Any]) -> NDArray[Any]:
        return np.where(known[:, None], values[np.maximum(rows, 0)], 0.0)

    def mark(values: NDArray[np.bool_]) -> NDArray[np.bool_]:
        return known & values[np.maximum(rows, 0)]

    return replace(
        found,
        mean=take(found.mean),
        leaf_mean=np.pad(found.leaf_mean, ((0, missing), (0, 0))),
        alpha=take(found.alpha),
        alpha_plain=take(found.alpha_plain),
        unrest=np.maximum(take(found.unrest), 1.0),
        unrest_plain=np.maximum(take(found.unrest_plain), 1.0),
        eligible=mark(found.eligible),
        plain=mark(found.plain),
        references=found.references.carried(rows),
        held_back=np.concatenate([found.held_back, np.zeros(missing)]),
    )
