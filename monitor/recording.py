"""What a tick leaves in the store: pages, flags, fits, incidents, decisions and messages, in one transaction."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from alerts.model import Decision, Message
from monitor import store
from monitor.counts import Counts, Terms
from monitor.news import News, record_news
from monitor.tick import Judged, Remembered


def same_leaves(tx: store.Tx, rule: str, dropped: int) -> None:
    """Raises ConflictError where leaves were dropped since so many had been: those read then have other places."""
    if store.dropped_leaves(tx, rule) != dropped:
        raise store.ConflictError(f"{rule}: leaves that are no more were dropped meanwhile; run the tick again")


def write_pages(tx: store.Tx, rule: str, counts: Counts, known: Sequence[Terms], to_read: Mapping[int, int]) -> None:
    """Store what was counted: new leaves first, then a page per bucket at its lag class, and at earlier known ones."""
    fresh = counts.terms[len(known) :]
    if fresh:
        seen = counts.values[:, len(known) :].any(axis=0)
        first = counts.starts[np.argmax(seen, axis=1)]
        ids = store.add_leaves(tx, rule, list(fresh), first)
        expected = np.arange(len(known), len(counts.terms))
        if not np.array_equal(ids, expected):
            raise store.ConflictError(f"{rule}: another process counted the same rule meanwhile; run the tick again")
    store.put_pages(tx, rule, [page for bucket, lag in to_read.items() for page in _pages_of(counts, bucket, lag)])


def _pages_of(counts: Counts, bucket: int, lag: int) -> Iterator[store.Page]:
    for earlier in range(lag if counts.earlier is not None else 0):
        yield store.Page(bucket, earlier, *counts.page(bucket, earlier))
    yield store.Page(bucket, lag, *counts.page(bucket))


def record(
    tx: store.Tx,
    rule: str,
    before: Remembered,
    fresh: Counts | None,
    judged: Judged,
    decisions: Sequence[Decision],
    messages: Sequence[tuple[str, Message]],
) -> News:
    """Write it all; what is told, as it was written. `fresh` is None where the source could not be asked."""
    if fresh is not None:
        write_pages(tx, rule, fresh, before.terms, before.to_read)
    for as_of, blob in judged.fits.items():
        store.put_fit(tx, rule, as_of, blob)
    for bucket, inside in judged.flags.items():
        store.put_flags(tx, rule, bucket, np.flatnonzero(inside).astype(np.int32))
    return record_news(tx, judged.transitions, decisions, messages, before.now)
