"""The dictionary of leaves: which combination of values an id stands for."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from sqlalchemy import bindparam, func, insert, select, update

from monitor.store import schema
from monitor.store.rule_table import ensure_rule, leaf_ids, rule_key
from monitor.store.tx import Tx
from rules.slices import Value, value_from_json, value_to_json

Terms = tuple[Value, ...]
"""Values in the order of the rule's dimensions."""


@dataclass(frozen=True)
class LeafTable:
    """Leaves of a rule in the order of their places, `ids` [n]; `first_seen` [n] are starts of buckets."""

    ids: npt.NDArray[np.int32]
    terms: list[Terms]
    first_seen: npt.NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.terms)


def leaves(tx: Tx, rule: str, first: int = 0) -> LeafTable:
    """All leaves of a rule, or those from the place `first` on.

    Places run from 0 without gaps, in the order of first sight. A leaf keeps its place until others are dropped.
    """
    key = rule_key(tx, rule)
    table = schema.leaf.c
    query = (
        select(table.id, table.terms, table.first_seen)
        .where(table.rule == key, table.id >= leaf_ids(tx, key).id_after(first))
        .order_by(table.id)
    )
    rows = tx.connection.execute(query).all() if key is not None else []
    _, texts, first_seen = zip(*rows, strict=True) if rows else ((), (), ())
    places = np.arange(first, first + len(rows), dtype=np.int32)
    return LeafTable(places, _from_json(texts), np.array(first_seen, dtype=np.int64))


def add_leaves(tx: Tx, rule: str, terms: Sequence[Terms], first_seen: npt.NDArray[np.int64]) -> npt.NDArray[np.int32]:
    """Places [n] of the combinations `terms`, in their order; new ones get the next places.

    A known one keeps its place, and the earlier of both times of first sight (a backfill goes back in time).
    Raises ValueError where a combination comes twice.
    """
    key = ensure_rule(tx, rule)
    texts = [json.dumps([value_to_json(value) for value in item], ensure_ascii=True) for item in terms]
    digests = [_digest(text) for text in texts]
    if len(set(digests)) != len(digests):
        raise ValueError("a combination of values comes twice")
    size = tx.connection.execute(
        select(func.count()).select_from(schema.leaf).where(schema.leaf.c.rule == key)
    ).scalar_one()
    known = _known(tx, key, digests) if size else {}
    rows = [
        {"rule": key, "terms": text, "digest": digest, "first_seen": seen}
        for text, digest, seen in zip(texts, digests, first_seen.tolist(), strict=True)
    ]
    new = [row for row in rows if row["digest"] not in known]
    ids = leaf_ids(tx, key)
    for number, row in enumerate(new, start=size + ids.dropped.size):
        row["id"] = number
    if new:
        tx.connection.execute(insert(schema.leaf), new)
    _lower_first_seen(tx, key, [(*known[row["digest"]], row["first_seen"]) for row in rows if row["digest"] in known])
    made = [known[row["digest"]][0] if row["digest"] in known else row["id"] for row in rows]
    return ids.places(np.array(made, dtype=np.int64)).astype(np.int32)


def _known(tx: Tx, key: int, digests: Sequence[bytes]) -> dict[bytes, tuple[int, int]]:
    """Id and first sight of those that are stored."""
    table = schema.leaf.c
    found: dict[bytes, tuple[int, int]] = {}
    for first in range(0, len(digests), 500):
        some = digests[first : first + 500]
        query = select(table.digest, table.id, table.first_seen).where(table.rule == key, table.digest.in_(some))
        found.update((digest, (number, seen)) for digest, number, seen in tx.connection.execute(query))
    return found


def _lower_first_seen(tx: Tx, key: int, sights: Iterable[tuple[int, int, int]]) -> None:
    """From (id, stored first sight, another sight)."""
    earlier = [{"leaf": number, "seen": seen} for number, stored, seen in sights if seen < stored]
    if earlier:
        here = (schema.leaf.c.rule == key, schema.leaf.c.id == bindparam("leaf"))
        tx.connection.execute(update(schema.leaf).where(*here).values(first_seen=bindparam("seen")), earlier)


def _digest(text: str) -> bytes:
    return hashlib.blake2b(text.encode("ascii"), digest_size=16).digest()


def _from_json(texts: Sequence[str]) -> list[Terms]:
    """All lists in one parse: a hundred thousand small ones would take four times as long."""
    raw: list[list[object]] = json.loads(f"[{','.join(texts)}]")
    return list(_values(raw))


def _values(raw: Iterable[list[object]]) -> Iterator[Terms]:
    for item in raw:
        yield tuple(value if isinstance(value, str) else value_from_json(value) for value in item)
