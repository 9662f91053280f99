"""Leaves that no bucket names any more: their ids are given up, for ever.

Whatever still bears such an id, a daily sum or a bitmap of flags, says of it that it is gone.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from sqlalchemy import ColumnElement, and_, delete, func, select

from monitor.store import schema
from monitor.store.codec import CHUNK, Unpacker, decode_page
from monitor.store.leaf_table import leaves
from monitor.store.membership_table import membership
from monitor.store.rule_table import leaf_ids, put_dropped, rule_key
from monitor.store.sum_table import HOUR
from monitor.store.tx import Tx
from rules.slices import FOLDED

WORTH = 0.1
"""Share of a rule's leaves that must be gone before any is dropped: each time, everything learned is learned anew."""

Mask = npt.NDArray[np.bool_]
_page, _sum = schema.page.c, schema.sums.c


def old_leaves(tx: Tx, rule: str) -> Mask:
    """bool[S] by place: leaves that may be in no bucket, since they were first seen before all that is kept.

    The folded one is not among them, nor are those that were folded: the source still counts them.
    """
    found = leaves(tx, rule)
    key = rule_key(tx, rule)
    kept = (
        select(func.min(_page.bucket)).where(_page.rule == key),
        select(func.min(_sum.start)).where(_sum.rule == key, _sum.span == HOUR),
    )
    firsts = [first for query in kept if (first := tx.connection.execute(query).scalar()) is not None]
    own = np.array([FOLDED not in terms for terms in found.terms], dtype=bool)
    own[membership(tx, rule).folded] = False
    return own & (found.first_seen < min(firsts)) if firsts else own


def buckets_before(tx: Tx, rule: str, before: int | None, limit: int) -> list[int]:
    """Starts of kept buckets before one, the newest first; from the newest on where it is None."""
    within = [_page.rule == rule_key(tx, rule), _page.chunk == 0, *([] if before is None else [_page.bucket < before])]
    query = select(_page.bucket).where(*within).distinct().order_by(_page.bucket.desc()).limit(limit)
    return list(tx.connection.execute(query).scalars())


def unseen(tx: Tx, rule: str, leaves: Mask, start: int, end: int, *, hours: bool = False) -> Mask:
    """bool[S] by place: those of `leaves` that no page of [start, end) names; with `hours` no sum of an hour."""
    ids, key = leaf_ids(tx, rule_key(tx, rule)), rule_key(tx, rule)
    places = np.flatnonzero(leaves)
    wanted = np.zeros(ids.id_after(len(leaves)), dtype=bool)
    wanted[ids.ids(places)] = True
    chunks = np.unique(ids.ids(places) // CHUNK).tolist()
    pages = _bodies(_page, and_(_page.rule == key, _page.bucket >= start, _page.bucket < end, _page.chunk.in_(chunks)))
    sums = _bodies(
        _sum, and_(_sum.rule == key, _sum.span == HOUR, _sum.start >= start, _sum.start < end, _sum.chunk.in_(chunks))
    )
    unpack = Unpacker()
    for chunk, count, version, body in tx.connection.execute(sums if hours else pages):
        positions, _ = decode_page(unpack.content(body, version), count)
        seen = positions + chunk * CHUNK
        wanted[seen[seen < len(wanted)]] = False
    left = np.zeros(len(leaves), dtype=bool)
    left[places] = wanted[ids.ids(places)]
    return left


def _bodies(table: Any, within: ColumnElement[bool]) -> Any:
    return select(table.chunk, table.leaves, table.version, table.body).where(within)


def drop_leaves(tx: Tx, rule: str, places: Sequence[int] | npt.NDArray[np.int64]) -> int:
    """Give up the ids of the leaves at these places, which no bucket names; how many. Those behind get lower places.

    What was learned goes too: it holds a row for each place. It is learned again at the next evaluation.
    """
    key = rule_key(tx, rule)
    if key is None or not len(places):
        return 0
    found = np.asarray(places, dtype=np.int64)
    ids = leaf_ids(tx, key)
    for some in np.array_split(ids.ids(found), -(-len(found) // 500)):
        gone = and_(schema.leaf.c.rule == key, schema.leaf.c.id.in_(some.tolist()))
        tx.connection.execute(delete(schema.leaf).where(gone))
    tx.connection.execute(delete(schema.fit).where(schema.fit.c.rule == key))
    put_dropped(tx, key, ids.without(found))
    return len(found)
