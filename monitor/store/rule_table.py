"""Rules as the store knows them: a key for their history, and what its ids mean."""

from __future__ import annotations

import numpy as np
from sqlalchemy import bindparam, delete, select, update

from monitor.store import schema
from monitor.store.codec import compress, decode_ids, decompressed, encode_ids
from monitor.store.leaf_ids import NONE_DROPPED, LeafIds
from monitor.store.tx import Tx

_KEY = select(schema.rule.c.id).where(schema.rule.c.name == bindparam("rule"))
# "No key update" lets foreign keys refer to the row meanwhile; SQLite knows no row locks and needs none.
_LOCKED_KEY = _KEY.with_for_update(key_share=True)
_DROPPED = select(schema.rule.c.dropped).where(schema.rule.c.id == bindparam("key"))


def rule_key(tx: Tx, rule: str) -> int | None:
    """The key of a rule's history; None where it has none yet.

    In a writing transaction the rule's row is locked until its end, so that replicas judge a rule one after another.
    """
    if rule not in tx.rule_keys:
        found = tx.connection.execute(_LOCKED_KEY if tx.writes else _KEY, {"rule": rule}).scalar()
        if found is None:
            return None
        tx.rule_keys[rule] = found
    return tx.rule_keys[rule]


def ensure_rule(tx: Tx, rule: str) -> int:
    """The key of a rule's history, made where there is none."""
    key = rule_key(tx, rule)
    if key is None:
        tx.put_new(schema.rule, {"name": rule})
        key = rule_key(tx, rule)
    assert key is not None
    return key


def leaf_ids(tx: Tx, key: int | None) -> LeafIds:
    """Which leaves of the rule of this key are no more."""
    if key is None:
        return NONE_DROPPED
    if key not in tx.leaf_ids:
        body = tx.connection.execute(_DROPPED, {"key": key}).scalar()
        ids = None if body is None else decode_ids(decompressed(body))
        tx.leaf_ids[key] = NONE_DROPPED if ids is None else LeafIds(ids)
    return tx.leaf_ids[key]


def dropped_leaves(tx: Tx, rule: str) -> int:
    """How many leaves of a rule were ever dropped: where the number is another one, leaves have other places."""
    return int(leaf_ids(tx, rule_key(tx, rule)).dropped.size)


def put_dropped(tx: Tx, key: int, ids: LeafIds) -> None:
    """Note which leaves of a rule are no more."""
    body = compress(encode_ids(ids.dropped.astype(np.int32))) if ids else None
    tx.connection.execute(update(schema.rule).where(schema.rule.c.id == key).values(dropped=body))
    tx.leaf_ids[key] = ids


def rules(tx: Tx) -> list[str]:
    """Names of all rules with state, sorted."""
    return sorted(tx.connection.execute(select(schema.rule.c.name)).scalars())


def definition(tx: Tx, rule: str) -> str | None:
    """The fingerprint the rule's history was written under; None for a new rule."""
    return tx.connection.execute(select(schema.rule.c.definition).where(schema.rule.c.name == rule)).scalar()


def reset_history(tx: Tx, rule: str, definition: str) -> None:
    """Forget leaves, pages, sums, flags, fits and membership of a rule, and note what the next ones mean.

    Runs and incidents stay: they happened.
    """
    key = ensure_rule(tx, rule)
    for table in (schema.page, schema.sums, schema.flags, schema.fit, schema.membership, schema.leaf):
        tx.connection.execute(delete(table).where(table.c.rule == key))
    put_dropped(tx, key, NONE_DROPPED)
    tx.connection.execute(update(schema.rule).where(schema.rule.c.id == key).values(definition=definition))
