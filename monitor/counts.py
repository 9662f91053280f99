"""What a source answered, as arrays: known slices filled with zero, the cube bounded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from monitor.buckets import Times
from monitor.lattice import Leaves
from monitor.ripeness import LAGS
from rules.slices import FOLDED, Value

Terms = tuple[Value, ...]
"""Values of one leaf in the order of the rule's dimensions."""


@dataclass(frozen=True)
class Counts:
    """Leaf counts of one query: `values` int64[M, S, T] of leaves `terms` [S] in buckets `starts` [T].

    0 means that the source was asked and nothing came. The first leaves are the known ones, in their order.
    `earlier` int64[L, M, S, T], where the source knows when events arrived, is what was there at each earlier lag
    class; it says nothing of classes that a bucket has not reached.
    """

    terms: tuple[Terms, ...]
    starts: Times
    values: NDArray[np.int64]
    earlier: NDArray[np.int64] | None = None

    @classmethod
    def from_frame(
        cls,
        frame: pd.DataFrame,
        *,
        dimensions: Sequence[str],
        measures: int,
        starts: Times,
        known: Sequence[Terms],
        leaves: Leaves | None = None,
    ) -> Counts:
        """Fill the answer of `Source.count` up to all known leaves and all buckets asked.

        New leaves follow the known ones, in the order of their values. `leaves` are the known ones as codes, where
        these were made before. An answer by class of lateness counts in full, and fills `earlier` too. Rows of buckets
        that were not asked for raise ValueError.
        """
        seconds = pd.DatetimeIndex(frame.iloc[:, 0]).tz_convert(None).as_unit("s").asi8
        column = pd.Index(starts).get_indexer(pd.Index(seconds))
        if len(column) and column.min() < 0:
            raise ValueError("the source answered for a bucket that was not asked for")
        row, fresh = _placed(frame, dimensions, leaves or Leaves.of(dimensions, known))
        amounts = frame.iloc[:, 1 + len(dimensions) : 1 + len(dimensions) + measures].to_numpy(dtype=np.int64).T
        shape = (measures, len(known) + len(fresh), len(starts))
        values = _summed(shape, row, column, amounts)
        if frame.shape[1] == 1 + len(dimensions) + measures:
            return cls((*known, *fresh), starts, values)
        came = frame.iloc[:, -1].to_numpy()
        by_class = [
            _summed(shape, *(part[..., came == lag] for part in (row, column, amounts))) for lag in range(LAGS - 1)
        ]
        return cls((*known, *fresh), starts, values, np.cumsum(np.stack(by_class), axis=0))

    def with_columns(self, other: Counts) -> Counts:
        """With the buckets of `other`, which are none of these and hold the first of these leaves.

        Of its classes before the ripest nothing is known: `earlier` has the ripest.
        """
        if not len(other.starts):
            return self
        order = np.argsort(np.concatenate([self.starts, other.starts]), kind="stable")
        missing = [(0, 0), (0, len(self.terms) - len(other.terms)), (0, 0)]
        filled = np.pad(other.values, missing)
        values = np.concatenate([self.values, filled], axis=2)[..., order]
        earlier = None
        if self.earlier is not None:
            ripest = np.broadcast_to(filled, (len(self.earlier), *filled.shape))
            earlier = np.concatenate([self.earlier, ripest], axis=3)[..., order]
        return Counts(self.terms, np.concatenate([self.starts, other.starts])[order], values, earlier)

    def bounded(self, known: int, most: int) -> Counts:
        """At most `most` leaves: of the new ones beyond it every count goes to the folded leaf.

        The first `known` leaves are always kept (a kept slice is never folded while silent). New leaves are
        kept by volume while there is room. Kept and folded sum to the total in every bucket.
        """
        folded = tuple([FOLDED] * len(self.terms[0])) if self.terms else ()
        if known == len(self.terms):
            return self
        room = max(most - known + self.terms[:known].count(folded), 0)
        fresh = [i for i in range(known, len(self.terms)) if self.terms[i] != folded]
        if len(fresh) <= room:
            return self
        volume = self.values.sum(axis=(0, 2))
        ranked = sorted(fresh, key=lambda i: (-int(volume[i]), order_of(self.terms[i])))
        kept = [*range(known), *sorted(ranked[:room])]
        return self._fold(kept, ranked[room:], folded)

    def refolded(self, gone: NDArray[np.int64]) -> Counts:
        """The counts of known leaves that are folded (positions) go to the folded leaf; they stay, with zeros.

        The folded leaf is a known one wherever any leaf was folded.
        """
        rest = self.folded()
        if not len(gone) or rest is None:
            return self
        moved = [_moved(block, gone, rest) for block in (self.values, self.earlier) if block is not None]
        return Counts(self.terms, self.starts, moved[0], moved[1] if len(moved) > 1 else None)

    def restricted(self, allowed: frozenset[Terms]) -> Counts:
        """Only leaves of a set kept apart; the others' counts go to the folded leaf."""
        inside = [i for i, terms in enumerate(self.terms) if terms in allowed or FOLDED in terms]
        outside = sorted(set(range(len(self.terms))) - set(inside))
        if not outside:
            return self
        return self._fold(inside, outside, tuple([FOLDED] * len(self.terms[0])))

    def _fold(self, kept: list[int], gone: list[int], folded: Terms) -> Counts:
        terms = [self.terms[i] for i in kept]
        place = terms.index(folded) if folded in terms else None
        named = tuple(terms) if place is not None else (*terms, folded)
        earlier = None if self.earlier is None else _poured(self.earlier, kept, gone, place)
        return Counts(named, self.starts, _poured(self.values, kept, gone, place), earlier)

    def folded(self) -> int | None:
        """Position of the folded leaf; None where nothing is folded."""
        whole = tuple([FOLDED] * len(self.terms[0])) if self.terms else ()
        return self.terms.index(whole) if whole in self.terms else None

    def page(self, bucket: int, lag: int | None = None) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
        """Leaf positions int32[n] with any count in a bucket, and their counts int64[M, n].

        As they were at an earlier lag class, where one is given and `earlier` is known.
        """
        column = int(np.searchsorted(self.starts, bucket))
        cells = self.values[:, :, column] if lag is None or self.earlier is None else self.earlier[lag, :, :, column]
        rows = np.flatnonzero(cells.any(axis=0))
        return rows.astype(np.int32), cells[:, rows]


def _summed(
    shape: tuple[int, int, int], row: NDArray[np.int64], column: NDArray[np.int64], amounts: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Amounts [M, n] added up in the cells (row, column) [n] of each measure."""
    values = np.zeros(shape, dtype=np.int64)
    for m in range(shape[0]):
        np.add.at(values[m], (row, column), amounts[m])
    return values


def _poured(values: NDArray[np.int64], kept: list[int], gone: list[int], place: int | None) -> NDArray[np.int64]:
    """Counts [..., S, T] of the kept leaves, those of the others added to the leaf at `place`, or to a last one."""
    rest, found = values[..., gone, :].sum(axis=-2), values[..., kept, :]
    if place is None:
        return np.concatenate([found, rest[..., None, :]], axis=-2)
    found[..., place, :] += rest
    return found


def _moved(values: NDArray[np.int64], gone: NDArray[np.int64], rest: int) -> NDArray[np.int64]:
    """Counts [..., S, T] of the leaves `gone` added to the leaf `rest`."""
    out = values.copy()
    out[..., rest, :] += out[..., gone, :].sum(axis=-2)
    out[..., gone, :] = 0
    return out


def _placed(frame: pd.DataFrame, dimensions: Sequence[str], leaves: Leaves) -> tuple[NDArray[np.int64], list[Terms]]:
    """(leaf of each row int64[n], the leaves that are new): new ones follow the known in the order of their values."""
    codes = np.empty((len(frame), len(dimensions)), dtype=np.int32)
    values: list[list[Value]] = []
    # By position: a dimension may bear the name of another column.
    for d in range(len(dimensions)):
        code, unique = pd.factorize(frame.iloc[:, 1 + d].to_numpy(dtype=object), use_na_sentinel=False)
        place = leaves.code_by_value[d].copy()
        names = [None if _is_null(v) else str(v) for v in unique]
        at = [place.setdefault(name, len(place)) for name in names]
        codes[:, d] = np.array(at, dtype=np.int32)[code]
        values.append(list(place))
    row = leaves.find(codes)
    new = np.flatnonzero(row < 0)
    unknown = [tuple(values[d][c] for d, c in enumerate(item)) for item in codes[new].tolist()]
    fresh = sorted(set(unknown), key=order_of)
    later = {terms: len(leaves) + i for i, terms in enumerate(fresh)}
    row[new] = [later[terms] for terms in unknown]
    return row, fresh


def _is_null(value: object) -> bool:
    return value is None or value is pd.NA or (isinstance(value, float) and value != value)  # noqa: PLR0124  # NaN is the one value unequal to itself


def order_of(terms: Terms) -> tuple[tuple[int, str], ...]:
    """Sort key of leaves: NULL first, then strings, then the folded rest."""
    return tuple((0, "") if v is None else (2, "") if v == FOLDED else (1, str(v)) for v in terms)
