"""Sums of buckets that are no longer kept one by one: of hours, and of days. Read together with the buckets that are.

A sum holds what its buckets held, leaf by leaf, as a page does; where only some of them were known, it says how many.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
from sqlalchemy import and_, delete, func, literal, select

from monitor.store import schema
from monitor.store.codec import CHUNK, Unpacker, compress, decode_page, version_of
from monitor.store.errors import Damage
from monitor.store.page_table import chunks_of
from monitor.store.rule_table import leaf_ids, rule_key
from monitor.store.tx import Tx

HOUR, DAY = 3_600, 86_400
"""Spans of sums, in seconds; a local day of 23 or 25 hours is a day."""

Totals = dict[int, npt.NDArray[np.int64]]
"""Counts [M, CHUNK] by chunk of ids."""

_page, _sum = schema.page.c, schema.sums.c


@dataclass(frozen=True)
class DailySums:
    """Counts of S leaves on D days, M measures."""

    starts: npt.NDArray[np.int64]
    """[D]: when each day begins, epoch seconds."""
    values: npt.NDArray[np.float64]
    """[M, S, D]; NaN on days of which nothing is known."""
    gone: npt.NDArray[np.float64]
    """[M, D]: of leaves that are known by name no more; with `values` it makes the whole of a day."""
    buckets: npt.NDArray[np.int64]
    """[D]: how many buckets of each day are known."""


def daily_sums(tx: Tx, rule: str, days: Sequence[int], end: int, *, n_leaves: int, measures: int) -> DailySums:
    """What was counted on the days that start at `days` (ascending), the last of which ends at `end`.

    Whatever is kept of a day is what it is made of: its sum, sums of hours, or buckets.
    """
    starts = np.asarray(days, dtype=np.int64)
    if np.any(np.diff([*starts, end]) <= 0):
        raise ValueError("days must ascend")
    values, gone = np.zeros((measures, n_leaves, len(starts))), np.zeros((measures, len(starts)))
    known = np.zeros(len(starts), dtype=np.int64)
    key = rule_key(tx, rule)
    places = leaf_ids(tx, key).places
    for day, (start, stop) in enumerate(pairwise([*starts.tolist(), end])):
        for part in _kept(tx, key, start, stop, DAY):
            known[day] += part.buckets
            if len(part.counts) != measures:
                raise ValueError(f"the sum of {start} holds {len(part.counts)} measures, not {measures}")
            place = places(part.ids)
            there = (place >= 0) & (place < n_leaves)
            values[:, place[there], day] += part.counts[:, there]
            gone[:, day] += part.counts[:, place < 0].sum(axis=1)
    values[:, :, known == 0] = np.nan
    gone[:, known == 0] = np.nan
    return DailySums(starts, values, gone, known)


@dataclass(frozen=True)
class _Part:
    """One chunk of something that is kept: leaf ids [n], counts [M, n], and the buckets it stands for."""

    ids: npt.NDArray[np.int64]
    counts: npt.NDArray[np.int64]
    buckets: int
    """0 for all chunks but the first."""


def _kept(tx: Tx, key: int | None, start: int, end: int, span: int) -> list[_Part]:
    """What is kept of [start, end) in the way that knows most of its buckets, the finer one where two know as much.

    History that was read again, for a longer lookback say, stands beside the sums of the same days.
    """
    if key is None:
        return []
    ways = [list(_parts(tx.connection.execute(_pages_within(key, start, end))))]
    ways += [list(_parts(tx.connection.execute(_sums_within(key, start, end, n)))) for n in (HOUR, DAY) if n <= span]
    return max(ways, key=lambda parts: sum(part.buckets for part in parts))


def _sums_within(key: int, start: int, end: int, span: int) -> Any:
    within = and_(_sum.rule == key, _sum.span == span, _sum.start >= start, _sum.start < end)
    return select(_sum.chunk, _sum.leaves, _sum.version, _sum.body, _sum.buckets).where(within)


def _pages_within(key: int, start: int, end: int) -> Any:
    """Each bucket at its ripest lag class."""
    within = and_(_page.rule == key, _page.bucket >= start, _page.bucket < end)
    ripest = select(_page.bucket, func.max(_page.lag).label("lag")).where(within, _page.chunk == 0)
    found = ripest.group_by(_page.bucket).subquery()
    here = and_(_page.bucket == found.c.bucket, _page.lag == found.c.lag)
    query = select(_page.chunk, _page.leaves, _page.version, _page.body, literal(1))
    return query.join(found, here).where(within)


def _parts(rows: Any) -> Iterator[_Part]:
    unpack = Unpacker()
    for chunk, leaves, version, body, buckets in rows:
        positions, values = decode_page(unpack.content(body, version), leaves)
        counts = np.array([row.astype(np.int64) for row in values], dtype=np.int64).reshape(len(values), leaves)
        yield _Part(positions + chunk * CHUNK, counts, buckets if chunk == 0 else 0)


def sum_up(tx: Tx, rule: str, start: int, end: int, span: int) -> int:
    """Put one sum in the place of all that is kept of [start, end) in shorter spans; how many buckets it stands for.

    Their flags go with them.
    """
    key = rule_key(tx, rule)
    totals: Totals = {}
    parts = _kept(tx, key, start, end, span)
    buckets = sum(part.buckets for part in parts)
    if key is None or not buckets:
        return 0
    for part in parts:
        _add(totals, part.ids, part.counts)
    within_pages = and_(_page.rule == key, _page.bucket >= start, _page.bucket < end)
    within_sums = and_(_sum.rule == key, _sum.span <= span, _sum.start >= start, _sum.start < end)
    flag = schema.flags.c
    tx.connection.execute(delete(schema.page).where(within_pages))
    tx.connection.execute(delete(schema.sums).where(within_sums))
    tx.connection.execute(delete(schema.flags).where(flag.rule == key, flag.bucket >= start, flag.bucket < end))
    place = {"rule": key, "span": span, "start": start, "buckets": buckets}
    rows = [
        {**place, "chunk": chunk, "leaves": leaves, "version": version_of(content), "body": compress(content)}
        for chunk, (leaves, content) in chunks_of(*_whole(totals)).items()
    ]
    tx.put(schema.sums, rows)
    return buckets


def _add(totals: Totals, ids: npt.NDArray[np.int64], counts: npt.NDArray[np.int64]) -> None:
    if not ids.size:
        totals.setdefault(0, np.zeros((len(counts), CHUNK), dtype=np.int64))
        return
    chunk = int(ids[0]) // CHUNK
    total = totals.setdefault(chunk, np.zeros((len(counts), CHUNK), dtype=np.int64))
    if total.shape[0] != len(counts):
        raise Damage("pages of one rule that hold different measures")
    total[:, ids - chunk * CHUNK] += counts


def _whole(totals: Totals) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Ids [n] that counted anything, and their counts [M, n]."""
    whole = [(chunk, np.flatnonzero(total.any(axis=0)), total) for chunk, total in sorted(totals.items())]
    ids = np.concatenate([there + chunk * CHUNK for chunk, there, _ in whole])
    return ids, np.concatenate([total[:, there] for _, there, total in whole], axis=1)
