"""What is asked of a source at once: refused before it runs, or cut off while the answer is read."""

from __future__ import annotations

from dataclasses import replace

from monitor.query import Cost, CountQuery, QueryRefusedError, ScanTooLargeError
from monitor.sources import Limits


def scan_limit(query: CountQuery, limits: Limits) -> int | None:
    """Bytes that a query may read: the least of what its rule and its source say."""
    return min((most for most in (query.max_scan, limits.max_scan) if most is not None), default=None)


def refuse_large_scan(query: CountQuery, cost: Cost) -> None:
    """Raise `ScanTooLargeError` where the engine estimates more than may be read."""
    if cost.too_large:
        raise ScanTooLargeError.of(query.source.name, cost)


def row_limited(query: CountQuery, limits: Limits) -> CountQuery:
    """The query, for one row more than may be taken into memory: with it one knows that there were too many."""
    most = limits.max_rows + 1
    return replace(query, most=most if query.most is None else min(query.most, most))


def refuse_many_rows(query: CountQuery, rows: int, limits: Limits) -> None:
    """Raise `QueryRefusedError` for an answer that is cut off."""
    if rows > limits.max_rows:
        raise QueryRefusedError(
            f"{query.source.name} answers with more than {limits.max_rows:,} rows, one for each combination and bucket: "
            "name fewer dimensions, or raise max_rows of the source",
            subject="max_rows",
        )
