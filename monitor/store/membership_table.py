"""Which known leaves of a bounded cube are folded, and since which midnight that holds."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
from sqlalchemy import select

from monitor.store import schema
from monitor.store.codec import compress, decode_ids, decompressed, encode_ids
from monitor.store.rule_table import ensure_rule, leaf_ids, rule_key
from monitor.store.tx import Tx


def _none() -> npt.NDArray[np.int64]:
    return np.zeros(0, dtype=np.int64)


@dataclass(frozen=True)
class Membership:
    """Decided at the local midnight `as_of` (epoch seconds; 0: never yet)."""

    as_of: int = 0
    combinations: int = 0
    """How many combinations of values the folded leaf held in the lookback."""
    folded: npt.NDArray[np.int64] = field(default_factory=_none)
    """Ids of leaves that once had a place of their own: what they count belongs to the folded leaf."""


def membership(tx: Tx, rule: str) -> Membership:
    """As it was decided last."""
    table = schema.membership.c
    key = rule_key(tx, rule)
    query = select(table.as_of, table.combinations, table.folded).where(table.rule == key)
    row = tx.connection.execute(query).first()
    if row is None:
        return Membership()
    folded = leaf_ids(tx, key).places(decode_ids(decompressed(row.folded)))
    return Membership(row.as_of, row.combinations, folded[folded >= 0])


def put_membership(tx: Tx, rule: str, decided: Membership) -> None:
    """Replace what was decided last."""
    key = ensure_rule(tx, rule)
    body = compress(encode_ids(leaf_ids(tx, key).ids(decided.folded).astype(np.int32)))
    row = {"rule": key, "as_of": decided.as_of, "combinations": decided.combinations, "folded": body}
    tx.put(schema.membership, [row])
