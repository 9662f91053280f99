"""The dictionary of leaves, rules, fits and runs."""

import itertools

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from monitor.store import (
    Run,
    Store,
    add_leaves,
    definition,
    dump,
    fit,
    leaves,
    newest_fit,
    newest_run,
    put_fit,
    record_run,
    reset_history,
    rules,
    run,
    run_done,
    runs,
)
from rules.slices import FOLDED, Value

_names = itertools.count()
VALUE = st.one_of(
    st.none(), st.just(FOLDED), st.sampled_from(["", "(other)", "null", "NO", "\x00"]), st.text(max_size=6)
)
TERMS = st.lists(st.tuples(VALUE, VALUE), unique=True, max_size=12)


def at(count: int, bucket: int = 0) -> np.ndarray:
    """The same first sight for all."""
    return np.full(count, bucket, dtype=np.int64)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60)
@given(first=TERMS, second=TERMS)
def test_ids_are_stable_and_values_exact(
    memory: Store, first: list[tuple[Value, Value]], second: list[tuple[Value, Value]]
) -> None:
    """NULL, '', '(other)' and folded are four values; known leaves keep their ids, new ones get the next."""
    rule = f"r{next(_names)}"
    with memory.write() as tx:
        ids = add_leaves(tx, rule, first, at(len(first)))
        assert ids.tolist() == list(range(len(first)))
        more = add_leaves(tx, rule, second, at(len(second)))
        table = leaves(tx, rule)
    assert table.ids.tolist() == list(range(len(table)))
    assert [table.terms[leaf] for leaf in ids] == first
    assert [table.terms[leaf] for leaf in more] == second
    assert len(set(table.terms)) == len(table)


def test_values_of_any_length_and_script_come_back(store: Store) -> None:
    """Values longer than a PostgreSQL index entry, NUL, emoji, and half a surrogate pair."""
    terms = [("x" * 100_000, "\x00"), ("🎬", "\ud800"), (None, FOLDED), ("", "(other)")]
    with store.write() as tx:
        add_leaves(tx, "r", terms, at(4))
        assert leaves(tx, "r").terms == terms


def test_first_seen_only_goes_back(store: Store) -> None:
    """A backfill goes back in time; a later sight changes nothing."""
    with store.write() as tx:
        add_leaves(tx, "r", [("a",), ("b",)], at(2, 7200))
        add_leaves(tx, "r", [("b",), ("a",)], np.array([3600, 9000]))
        assert leaves(tx, "r").first_seen.tolist() == [7200, 3600]


def test_a_leaf_twice_is_refused(memory: Store) -> None:
    """One combination has one id."""
    with memory.write() as tx, pytest.raises(ValueError, match="twice"):
        add_leaves(tx, "r", [("a",), ("a",)], at(2))


def test_many_leaves_come_in_batches(store: Store) -> None:
    """More than the engines take in one statement, some of them known."""
    terms = [(str(number),) for number in range(3_000)]
    with store.write() as tx:
        add_leaves(tx, "r", terms[::3], at(1_000))
        ids = add_leaves(tx, "r", terms, at(3_000))
        table = leaves(tx, "r")
    assert [table.terms[leaf] for leaf in ids] == terms


def test_an_unknown_rule_is_empty(store: Store) -> None:
    """Reading makes nothing."""
    with store.read() as tx:
        assert len(leaves(tx, "r")) == 0
        assert rules(tx) == []
        assert definition(tx, "r") is None
        assert fit(tx, "r", 0) is None
        assert newest_fit(tx, "r", 10**12) is None
        assert newest_run(tx, "r") is None
        assert not run_done(tx, "r", 0)
        assert runs(tx, "r") == []


def test_a_definition_is_kept_until_the_next_reset(store: Store) -> None:
    """It says what the ids mean; runs stay, ids begin anew."""
    with store.write() as tx:
        reset_history(tx, "r", "a, b")
        add_leaves(tx, "r", [("x", "y")], at(1))
        record_run(tx, "r", 60, "ok")
        put_fit(tx, "r", 0, b"old")
    with store.write() as tx:
        assert definition(tx, "r") == "a, b"
        reset_history(tx, "r", "a")
        assert add_leaves(tx, "r", [("z",)], at(1)).tolist() == [0]
        assert leaves(tx, "r").terms == [("z",)]
        assert fit(tx, "r", 0) is None
        assert newest_run(tx, "r") == 60


def test_the_newest_three_fits_are_kept(store: Store) -> None:
    """And the newest that is not younger than a time can be found."""
    with store.write() as tx:
        for day in range(5):
            put_fit(tx, "r", day, bytes([day]))
        assert [row[1] for row in dump(tx)["slicewatch_fit"]] == [2, 3, 4]
        assert newest_fit(tx, "r", 10) == (4, b"\x04")
        assert newest_fit(tx, "r", 3) == (3, b"\x03")
        assert newest_fit(tx, "r", 1) is None
        put_fit(tx, "r", 3, b"again")
        assert fit(tx, "r", 3) == b"again"


def test_a_tick_is_one_run(store: Store) -> None:
    """Evaluated again with the same outcome it is the same row; a blind tick can become ok."""
    with store.write() as tx:
        record_run(tx, "r", 60, "blind", "connection refused")
        before = dump(tx)
        record_run(tx, "r", 60, "blind", "connection refused")
        assert dump(tx) == before
        record_run(tx, "r", 60, "ok", "")
        record_run(tx, "r", 120, "ok", "two findings")
        assert run_done(tx, "r", 60)
        assert not run_done(tx, "r", 90)
        assert run(tx, "r", 120) == Run(120, "ok", "two findings")
        assert runs(tx, "r") == [Run(120, "ok", "two findings"), Run(60, "ok", "")]
        assert runs(tx, "r", limit=1) == [Run(120, "ok", "two findings")]
