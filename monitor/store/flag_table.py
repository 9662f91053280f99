"""Flags of past verdicts: which leaves were judged bad, per bucket. The baseline leaves those cells out."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from sqlalchemy import delete, select

from monitor.store import schema
from monitor.store.codec import Unpacker, compress, decode_ids, decompressed, encode_ids
from monitor.store.rule_table import ensure_rule, leaf_ids, rule_key
from monitor.store.tx import Tx


def put_flags(tx: Tx, rule: str, bucket: int, ids: npt.NDArray[np.int32]) -> None:
    """Replace the flagged leaves of a bucket; none removes the row, the same ones write nothing."""
    key = ensure_rule(tx, rule)
    here = (schema.flags.c.rule == key, schema.flags.c.bucket == bucket)
    if ids.size == 0:
        tx.connection.execute(delete(schema.flags).where(*here))
        return
    content = encode_ids(leaf_ids(tx, key).ids(ids).astype(np.int32))
    stored = tx.connection.execute(select(schema.flags.c.body).where(*here)).scalar()
    if stored is None or decompressed(stored) != content:
        tx.put(schema.flags, [{"rule": key, "bucket": bucket, "body": compress(content)}])


def flags(tx: Tx, rule: str, starts: Sequence[int] | npt.NDArray[np.int64], n_leaves: int) -> npt.NDArray[np.bool_]:
    """Flagged cells [S, T] of the leaves 0..n_leaves-1 in the buckets `starts` [T]."""
    times = [int(start) for start in starts]
    flagged = np.zeros((n_leaves, len(times)), dtype=bool)
    key = rule_key(tx, rule)
    if key is None or not times:
        return flagged
    table = schema.flags.c
    query = select(table.bucket, table.body).where(
        table.rule == key, table.bucket >= min(times), table.bucket <= max(times)
    )
    bodies = tx.pairs(query)
    unpack, places = Unpacker(), leaf_ids(tx, key).places
    for column, start in enumerate(times):
        if start in bodies:
            found = places(decode_ids(unpack.content(bodies[start])))
            flagged[found[(found >= 0) & (found < n_leaves)], column] = True
    return flagged
