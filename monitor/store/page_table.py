"""History: what the source answered, per bucket and lag class, as compressed pages of leaf counts.

A page with no rows says that the source was asked and nothing came; where there is no page, nothing is known.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from sqlalchemy import and_, bindparam, delete, distinct, func, select

from monitor.store import schema
from monitor.store.codec import CHUNK, Unpacker, compress, decode_page, encode_page, version_of
from monitor.store.leaf_ids import LeafIds
from monitor.store.rule_table import ensure_rule, leaf_ids, rule_key
from monitor.store.tx import Tx

LAG_FINAL = 3
"""The ripest lag class. Classes below it are: 0 at the detection delay, 1 three hours later, 2 a day later."""


@dataclass(frozen=True)
class PageBlock:
    """Counts of S leaves (by id) in T buckets, M measures.

    `values` [M, S, T]: 0 where the source was asked and the leaf had no row, NaN in buckets that are unknown.
    `known` [T] says which buckets have a page, `lag` [T] at which class it was read (-1 where unknown).
    """

    starts: npt.NDArray[np.int64]
    values: npt.NDArray[np.floating[Any]]
    known: npt.NDArray[np.bool_]
    lag: npt.NDArray[np.int8]


@dataclass(frozen=True)
class Page:
    """What was counted in a bucket, as read at a lag class: `values` [M, n] of the leaves `ids` [n], in any order."""

    bucket: int
    lag: int
    ids: npt.NDArray[np.int32]
    values: npt.NDArray[np.int64]


_page = schema.page.c
_WITHIN = and_(_page.rule == bindparam("rule"), _page.bucket >= bindparam("start"), _page.bucket < bindparam("end"))
_VERSIONS = select(_page.bucket, _page.lag, _page.chunk, _page.version).where(_WITHIN)
_RIPEST = select(_page.bucket, func.max(_page.lag).label("lag")).where(_WITHIN, _page.chunk == 0).group_by(_page.bucket)
# Chunk by chunk: the writes into the block stay within a few rows of memory.
_BODIES = (
    select(_page.bucket, _page.lag, _page.chunk, _page.leaves, _page.version, _page.body)
    .where(_WITHIN, _page.chunk < bindparam("chunks"))
    .order_by(_page.chunk, _page.bucket)
)
_BODIES_AT_LAG = _BODIES.where(_page.lag == bindparam("lag"))
_ripest = _RIPEST.subquery()
_RIPEST_BODIES = _BODIES.join(_ripest, and_(_page.bucket == _ripest.c.bucket, _page.lag == _ripest.c.lag))


def put_page(
    tx: Tx, rule: str, bucket: int, ids: npt.NDArray[np.int32], values: npt.NDArray[np.int64], *, lag: int
) -> bool:
    """As `put_pages`, of one page."""
    return put_pages(tx, rule, [Page(bucket, lag, ids, values)])


def put_pages(tx: Tx, rule: str, fresh: Sequence[Page]) -> bool:
    """Replace what is known of each page's bucket at its lag class.

    Writes nothing where the content is what is stored; says whether it wrote. Raises ValueError for shapes that do
    not fit, ids below zero or twice.
    """
    if not fresh:
        return False
    key = ensure_rule(tx, rule)
    stored, ids = _versions(tx, key, fresh), leaf_ids(tx, key).ids
    rows: list[dict[str, Any]] = []
    gone: list[dict[str, Any]] = []
    for page in fresh:
        place = {"rule": key, "bucket": page.bucket, "lag": page.lag}
        known, chunks = stored.get((page.bucket, page.lag), {}), chunks_of(ids(page.ids), page.values)
        rows += [
            {**place, "chunk": chunk, "leaves": leaves, "version": version_of(content), "body": compress(content)}
            for chunk, (leaves, content) in chunks.items()
            if known.get(chunk) != version_of(content)
        ]
        gone += [{**place, "chunk": chunk} for chunk in known.keys() - chunks.keys()]
    tx.put(schema.page, rows)
    for one in gone:
        tx.connection.execute(delete(schema.page).where(*(_page[name] == value for name, value in one.items())))
    return bool(rows or gone)


def chunks_of(ids: npt.NDArray[np.integer[Any]], values: npt.NDArray[np.int64]) -> dict[int, tuple[int, bytes]]:
    """Number of leaves and content by chunk; chunk 0 is there even where nothing came."""
    if values.ndim != 2 or ids.shape != values.shape[1:]:
        raise ValueError(f"values {values.shape} of {ids.shape} leaves")
    order = np.argsort(ids, kind="stable")
    sorted_ids, sorted_values = ids[order].astype(np.int64), values[:, order]
    if np.any(sorted_ids[:1] < 0) or np.any(np.diff(sorted_ids) == 0):
        raise ValueError("leaf ids must be distinct and not negative")
    chunks = {}
    for chunk in sorted({0, *(sorted_ids // CHUNK).tolist()}):
        first, end = np.searchsorted(sorted_ids, [chunk * CHUNK, (chunk + 1) * CHUNK])
        content = encode_page(sorted_ids[first:end] - chunk * CHUNK, sorted_values[:, first:end])
        chunks[chunk] = (int(end - first), content)
    return chunks


def _versions(tx: Tx, key: int, fresh: Sequence[Page]) -> dict[tuple[int, int], dict[int, bytes]]:
    """Versions by chunk, of each bucket and lag class from the first of the pages to the last."""
    buckets = [page.bucket for page in fresh]
    found: dict[tuple[int, int], dict[int, bytes]] = {}
    values = {"rule": key, "start": min(buckets), "end": max(buckets) + 1}
    for bucket, lag, chunk, version in tx.connection.execute(_VERSIONS, values):
        found.setdefault((bucket, lag), {})[chunk] = version
    return found


def coverage(tx: Tx, rule: str, start: int, end: int) -> dict[int, int]:
    """Ripest lag class stored, by bucket, for the known buckets that start in [start, end)."""
    key = rule_key(tx, rule)
    if key is None:
        return {}
    return tx.pairs(_RIPEST, {"rule": key, "start": start, "end": end})


def read_again(tx: Tx, rule: str, start: int, end: int) -> int | None:
    """Start of the first bucket in [start, end) that is known at the first lag class and a riper one, or None."""
    page = schema.page.c
    within = and_(page.rule == rule_key(tx, rule), page.bucket >= start, page.bucket < end, page.chunk == 0)
    twice = (
        select(page.bucket)
        .where(within)
        .group_by(page.bucket)
        .having(func.count() > 1, func.min(page.lag) == 0)
        .subquery()
    )
    return tx.connection.execute(select(func.min(twice.c.bucket))).scalar()


def first_events(tx: Tx, rule: str) -> int | None:
    """Start of the earliest bucket kept in which anything came."""
    page = schema.page.c
    query = select(page.bucket).where(page.rule == rule_key(tx, rule), page.leaves > 0)
    return tx.connection.execute(query.order_by(page.bucket).limit(1)).scalar()


def any_ripened(tx: Tx, rule: str, start: int, end: int) -> bool:
    """Whether any bucket in [start, end) holds something else at one lag class than at another."""
    page = schema.page.c
    within = and_(page.rule == rule_key(tx, rule), page.bucket >= start, page.bucket < end)
    groups = select(page.bucket).where(within).group_by(page.bucket, page.chunk)
    return tx.connection.execute(groups.having(func.count(distinct(page.version)) > 1).limit(1)).first() is not None


def pages(
    tx: Tx,
    rule: str,
    starts: Sequence[int] | npt.NDArray[np.int64],
    *,
    n_leaves: int,
    measures: int,
    lag: int | None = None,
    dtype: npt.DTypeLike = np.float64,
) -> PageBlock:
    """The buckets `starts` [T] (ascending) as a dense block of leaves 0..n_leaves-1.

    Each bucket is taken at its ripest lag class, or at `lag` only. Leaves with larger ids are left out.
    float32 halves the memory and is exact up to 16.7 million events in a cell.
    """
    times = np.asarray(starts, dtype=np.int64)
    if np.any(np.diff(times) <= 0):
        raise ValueError("bucket starts must ascend")
    block = _unknown(times, (measures, n_leaves, len(times)), dtype)
    key = rule_key(tx, rule)
    if key is not None and len(times):
        ids = leaf_ids(tx, key)
        values = {
            "rule": key,
            "start": int(times[0]),
            "end": int(times[-1]) + 1,
            "chunks": -(-max(ids.id_after(n_leaves), 1) // CHUNK),
        }
        found = (_RIPEST_BODIES, values) if lag is None else (_BODIES_AT_LAG, {**values, "lag": lag})
        _fill(block, tx.connection.execute(*found), ids)
    block.values[:, :, ~block.known] = np.nan
    return block


def _unknown(times: npt.NDArray[np.int64], shape: tuple[int, int, int], dtype: npt.DTypeLike) -> PageBlock:
    count = len(times)
    return PageBlock(times, np.zeros(shape, dtype), np.zeros(count, dtype=bool), np.full(count, -1, dtype=np.int8))


def _fill(block: PageBlock, rows: Any, ids: LeafIds) -> None:
    column = {int(start): index for index, start in enumerate(block.starts)}
    unpack = Unpacker()
    measures, n_leaves, _ = block.values.shape
    for bucket, lag, chunk, leaves, version, body in rows:
        at = column.get(bucket)
        if at is None:
            continue
        block.known[at] = True
        block.lag[at] = lag
        positions, values = decode_page(unpack.content(body, version), leaves)
        if len(values) != measures:
            raise ValueError(f"the page of {bucket} holds {len(values)} measures, not {measures}")
        first = chunk * CHUNK
        if ids:
            places = ids.places(positions + first)
            there = (places >= 0) & (places < n_leaves)
            for measure, row in enumerate(values):
                block.values[measure, places[there], at] = row[there]
            continue
        keep = int(np.searchsorted(positions, n_leaves - first))
        for measure, row in enumerate(values):
            block.values[measure, first : first + CHUNK, at][positions[:keep]] = row[:keep]


def newest_bucket(tx: Tx, rule: str) -> int | None:
    """Start of the newest bucket that is known."""
    page = schema.page.c
    return tx.connection.execute(
        select(func.max(page.bucket)).where(page.rule == rule_key(tx, rule), page.chunk == 0)
    ).scalar()
