"""What a person should know once and nobody is woken for: slices that retired, a cube that has begun to be folded."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from monitor import store
from monitor.buckets import DAY
from monitor.counts import Counts
from monitor.lattice import Lattice
from monitor.membership import Lookback, overflow_text, overflows, retired, retired_text
from monitor.watched import Watched


def retirements(
    tx: store.Tx, watched: Watched, midnights: Sequence[int], leaves: int, lattice: Callable[[], Lattice]
) -> Iterator[str]:
    """A line for each midnight (epoch seconds) at which slices have been silent for the whole lookback."""
    for as_of in midnights if leaves else ():
        gone = retired(tx, Lookback.of(watched, as_of, leaves), lattice())
        if gone:
            yield retired_text(gone, watched.lookback // DAY)


def overflow(tx: store.Tx, watched: Watched, fresh: Counts, to_judge: Sequence[int]) -> Iterator[str]:
    """A line where the buckets `to_judge` hold folded events, and the day before them held none."""
    rule = watched.rule
    folded = fresh.folded()
    came = folded is not None and fresh.values[:, folded, np.isin(fresh.starts, to_judge)].any()
    if came and (
        store.newest_run(tx, rule.name) is None
        or overflows(tx, rule.name, watched.grid, to_judge[0], fresh.terms, len(rule.metrics))
    ):
        yield overflow_text(rule.slices.max)
