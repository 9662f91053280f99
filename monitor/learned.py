"""What a rule has learned by some time, as a store has it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from monitor import store
from monitor.buckets import Grid
from monitor.counts import Terms
from monitor.detectors.model import LeafSeries
from monitor.fits import Learned, carry_over, is_of, method_of, unpack
from monitor.history import read_series
from monitor.judging import first_needed
from monitor.lattice import Lattice, Leaves
from rules.model import Rule


@dataclass(frozen=True)
class Knowledge:
    """The slices of a rule and what was learned, one for each metric, with the days before (leaf counts [S, T])."""

    lattice: Lattice
    learned: tuple[Learned, ...]
    recent: tuple[LeafSeries, ...]


def newest(state: store.Store, rule: Rule, at: int) -> Knowledge | None:
    """The newest that a store holds at a time (epoch seconds), over all leaves it knows; None where there is none.

    What was learned by another method than the rule names now is none.
    """
    with state.read() as tx:
        terms = store.leaves(tx, rule.name).terms
        found = store.newest_fit(tx, rule.name, at)
    if found is None or not terms or not is_of(found[1], method_of(rule)):
        return None
    lattice = Lattice.of(Leaves.of(rule.dimensions, terms), rule.depth)
    count, learned = unpack(found[1])
    if count < len(terms):
        old = Lattice.of(Leaves.of(rule.dimensions, terms[:count]), rule.depth)
        learned = [carry_over(item, old, lattice) for item in learned]
    return Knowledge(lattice, tuple(learned), _before(state, rule, terms, found[0]))


def _before(state: store.Store, rule: Rule, terms: Sequence[Terms], as_of: int) -> tuple[LeafSeries, ...]:
    """The days that levels are taken from."""
    grid = Grid.of(rule.time_bucket, rule.timezone)
    stop = grid.floor(as_of)
    starts = grid.starts(first_needed(grid, grid.shift(stop, -1), ()), stop)
    with state.read() as tx:
        return tuple(read_series(tx, rule.name, starts, terms, len(rule.metrics), None))
