"""Every migration on a store that is full: up and down, step by step and at once, and killed on the way."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from typing import Any

import numpy as np
import pytest
import sqlalchemy as sa
from alembic import command
from alembic.script import ScriptDirectory

from alerts.marks import Mark
from alerts.model import Actor
from alerts.silences import Scope, Silence
from monitor.keeping import Retention
from monitor.retention import Tidying
from monitor.store import (
    LAG_FINAL,
    Acted,
    Canary,
    Claim,
    Effort,
    Failing,
    Membership,
    Replica,
    Store,
    Tally,
    Token,
    Unchecked,
    add_action,
    add_leaves,
    add_tallies,
    add_token,
    begin_canary,
    claim_run,
    daily_sums,
    dropped_leaves,
    dump,
    join_digest,
    leaves,
    migrate,
    pages,
    put_effort,
    put_failing,
    put_fit,
    put_mark,
    put_membership,
    put_page,
    put_replica,
    put_silence,
    put_unchecked,
    put_upkeep,
)
from monitor.store.schema import REVISION, VERSION_TABLE, metadata
from tests.monitor.store.make import START, write_tick
from tests.monitor.store.processes import command as worker_command
from tests.monitor.store.processes import finish

LONG_AGO = 1_499_990_400
"""A midnight of 2017."""
KARI = Actor("slack", "U1", "Kari")
SCRIPTS = ScriptDirectory.from_config(migrate._config(None))
REVISIONS = [script.revision for script in SCRIPTS.walk_revisions()][::-1]
"""The oldest first."""
PLAIN: dict[type[sa.types.TypeEngine[Any]], Any] = {
    sa.Integer: 7,
    sa.String: "w\u00f8rds",
    sa.LargeBinary: b"\x00bytes",
    sa.Boolean: True,
    sa.Float: 0.25,
}


Rows = dict[str, list[dict[str, Any]]]


def rows_of(connection: sa.Connection) -> Rows:
    """All rows of all tables there are, whatever the revision."""
    tables = sa.MetaData()
    tables.reflect(connection)
    return {
        table.name: [dict(row) for row in connection.execute(sa.select(table)).mappings()]
        for table in tables.sorted_tables
        if table.name != VERSION_TABLE
    }


def with_columns(rows: list[dict[str, Any]], names: set[str]) -> list[str]:
    """Some columns of rows, in an order that follows from what they hold."""
    return sorted(repr([(name, row[name]) for name in sorted(names)]) for row in rows)


def old_rows(connection: sa.Connection) -> None:
    """Two rows in every table that the revision has, as a program of that time may have left them."""
    tables = sa.MetaData()
    tables.reflect(connection)
    for table in tables.sorted_tables:
        if table.name != VERSION_TABLE:
            connection.execute(table.insert(), [_row(table, n) for n in (1, 2)])


def _row(table: sa.Table, number: int) -> dict[str, Any]:
    return {column.name: _value(column, number) for column in table.columns}


def _value(column: sa.Column[Any], number: int) -> Any:
    key = column.primary_key or column.unique or column.foreign_keys or column.name in {"name", "digest", "hash"}
    if isinstance(column.type, sa.Boolean):
        return number == 1
    plain = next(value for kind, value in PLAIN.items() if isinstance(column.type, kind))
    if isinstance(plain, int) and not isinstance(plain, bool):
        return number
    if isinstance(plain, str):
        return f"{plain} {number}" if key else plain
    return plain + bytes([number]) if isinstance(plain, bytes) else plain


def upgraded(store: Store, revision: str) -> None:
    """Bring a store that was emptied to a revision."""
    with store.write() as tx:
        command.upgrade(migrate._config(tx.connection), revision)


def survives(before: Rows, after: Rows, without: str = "") -> None:
    """Every row of before is there, with the same value in every column that both have; columns are only added."""
    for name, old in before.items():
        if name != without:
            assert name in after, f"{name} is gone"
            names = set(old[0]) if old else set()
            assert with_columns(after[name], names) == with_columns(old, names), name


@pytest.fixture
def emptied(url: str) -> Iterator[Store]:
    """A store without tables."""
    store = Store.open(url)
    with store.write() as tx:
        migrate.downgrade(tx.connection, "base")
    yield store
    store.close()


@pytest.mark.parametrize("revision", REVISIONS)
def test_a_full_store_of_any_revision_is_upgraded(emptied: Store, revision: str) -> None:
    """Step by step, and then at once from there: every row keeps every value, and what is new is empty or has a default."""
    upgraded(emptied, revision)
    with emptied.write() as tx:
        old_rows(tx.connection)
        before = rows_of(tx.connection)
    for step in REVISIONS[REVISIONS.index(revision) + 1 :]:
        upgraded(emptied, step)
        with emptied.read() as tx:
            survives(before, rows_of(tx.connection))
    with emptied.read() as tx:
        by_steps = rows_of(tx.connection)
        assert set(by_steps) == set(metadata.tables)
    with emptied.write() as tx:
        migrate.downgrade(tx.connection, revision)
        survives(before, rows_of(tx.connection))
        migrate.upgrade(tx.connection)
        assert rows_of(tx.connection) == by_steps


def fill(store: Store) -> None:
    """Something in every table, by the program's own hands."""
    with store.write() as tx:
        put_page(
            tx,
            "old",
            LONG_AGO,
            add_leaves(tx, "old", [("a",), ("b",)], np.full(2, LONG_AGO)),
            np.ones((1, 2), np.int64),
            lag=LAG_FINAL,
        )
        put_page(tx, "old", 1_600_000_000, np.array([1], np.int32), np.array([[5]]), lag=LAG_FINAL)
    Tidying(store, Retention(), START.replace(year=2020)).run([])
    for _ in range(3):
        write_tick(store)
    with store.write() as tx:
        put_fit(tx, "playback", 0, b"fit")
        put_membership(tx, "playback", Membership(1, 2, np.array([1])))
        join_digest(tx, "digest-1", "oncall", ["playback-1"], START)
        put_effort(tx, "playback", Effort(3_600, 1, 0.5, 0.25, 10))
        put_replica(tx, Replica("r", "host", 1, "0", START, START))
        put_upkeep(tx, "retention", START)
        claim_run(tx, Claim("playback", int(START.timestamp()) + 86_400), "r", START, timedelta(seconds=30))
        put_failing(tx, "playback", Failing("mark", 3, START, START + timedelta(hours=1), "a plug-in fails"))
        add_tallies(tx, [Tally("evaluations", "playback", "ok", 3.0)], START)
        put_unchecked(tx, Unchecked("oncall", "playback", "unchecked-000001", START))
        begin_canary(tx, Canary(START, "r", START), START)
        add_action(tx, Acted("snooze", "playback-1", KARI, START, "until noon"))
        put_silence(tx, Silence("sl-1", Scope("play*"), START, START + timedelta(hours=1), KARI, "rolled back"))
        put_mark(tx, Mark("m-1", START, "app 7.3 released", Scope("*"), KARI))
        add_token(tx, Token("t-1", "grafana", "viewer", (), KARI, START, None), "secret")


def test_down_and_up_again_by_every_step(store: Store) -> None:
    """A step back drops what it had added and keeps every other row; up again the program works on it."""
    fill(store)
    with store.read() as tx:
        before = rows_of(tx.connection)
        assert all(before.values()), [name for name, rows in before.items() if not rows]
        assert dropped_leaves(tx, "old") == 1
    for revision in REVISIONS[-2::-1]:
        with store.write() as tx:
            migrate.downgrade(tx.connection, revision)
            # The gap that a leaf has left is filled, for programs that know of none.
            survives(rows_of(tx.connection), before, without="slicewatch_leaf")
    with store.write() as tx:
        migrate.upgrade(tx.connection)
    write_tick(store)


def test_ids_that_were_given_up_keep_their_gap_in_the_program_before(store: Store) -> None:
    """It counts leaves without gaps: the one that is gone comes back as a value that no event has, and none moves."""
    fill(store)
    with store.write() as tx:
        assert leaves(tx, "old").terms == [("b",)]
        migrate.downgrade(tx.connection, "0010")
        names = tx.connection.execute(sa.text("SELECT id, terms FROM slicewatch_leaf ORDER BY rule, id")).all()
        assert [tuple(row) for row in names[:2]] == [(0, '["(dropped 0)"]'), (1, '["b"]')]
        migrate.upgrade(tx.connection)
    with store.read() as tx:
        assert leaves(tx, "old").terms == [("(dropped 0)",), ("b",)]
        assert pages(tx, "old", [1_600_000_000], n_leaves=2, measures=1).values[0, :, 0].tolist() == [0, 5]
        assert daily_sums(tx, "old", [LONG_AGO], LONG_AGO + 86_400, n_leaves=2, measures=1).buckets.tolist() == [0]


# --- killed on the way ------------------------------------------------------------------------------------------


def test_a_migration_that_is_killed_at_any_statement_is_made_later(url: str) -> None:
    """`kill -9` before each statement, before and after the commit: the store is of the old or of the new revision, whole."""
    store = Store.open(url)
    with store.write() as tx:
        migrate.downgrade(tx.connection, "base")
    upgraded(store, REVISIONS[0])
    with store.write() as tx:
        old_rows(tx.connection)
        before = rows_of(tx.connection)
    store.close()
    report = json.loads(finish(worker_command("killed_migrations", url)))
    assert report["killed"] > len(REVISIONS)
    assert set(report["revisions"][:-1]) == {REVISIONS[0]}, "a part of it was kept"
    assert report["revisions"][-1] == REVISION
    opened = Store.open(url)
    with opened.read() as tx:
        survives(before, rows_of(tx.connection))
        assert set(dump(tx)) <= set(metadata.tables)
    opened.close()
    if url.startswith("sqlite"):
        with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
