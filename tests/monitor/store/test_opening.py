"""Opening: migrations, newer schemas, bad URLs, several at once."""

import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import inspect, text

from monitor.store import Store, StoreError, StoreNewerError, dump, migrate, newest_run
from monitor.store.schema import VERSION_TABLE, metadata
from tests.monitor.store.make import write_tick


def test_the_migrations_make_the_tables_of_the_schema(store: Store) -> None:
    """Types, keys, indexes and their names: a store that grew old and a new one are the same."""
    made = _tables_of(store)
    with store.write() as tx:
        migrate.downgrade(tx.connection, "base")
        command.upgrade(migrate._config(tx.connection), "head")
        assert migrate.is_current(tx.connection)
        context = MigrationContext.configure(
            tx.connection, opts={"compare_type": True, "version_table": VERSION_TABLE, "target_metadata": metadata}
        )
        assert compare_metadata(context, metadata) == []
    assert _tables_of(store) == made


def _tables_of(store: Store) -> dict[str, list[str]]:
    """What the engine says of every table: columns, keys and indexes, by name."""
    with store.read() as tx:
        engine = inspect(tx.connection)
        ask = (
            engine.get_columns,
            engine.get_pk_constraint,
            engine.get_foreign_keys,
            engine.get_unique_constraints,
            engine.get_indexes,
        )
        return {name: [_plain(question(name)) for question in ask] for name in engine.get_table_names()}


def _plain(answer: object) -> str:
    """A description that can be compared; types by their name."""
    parts = answer if isinstance(answer, list) else [answer]
    return repr(sorted(repr(sorted((key, _text(value)) for key, value in part.items())) for part in parts))


def _text(value: object) -> str:
    """Options of an index hold clauses, which are what they say."""
    return repr({key: str(item) for key, item in value.items()}) if isinstance(value, dict) else str(value)


def test_names_of_tables_carry_the_prefix(store: Store) -> None:
    """The store can share a database with others."""
    with store.read() as tx:
        names = inspect(tx.connection).get_table_names()
    assert len(names) == len(metadata.tables) + 1
    assert all(name.startswith("slicewatch_") for name in names)


def test_a_filled_store_migrates_down_and_up(store: Store) -> None:
    """A step back drops what it had added and keeps every other row; up again it works."""
    for _ in range(3):
        write_tick(store)
    with store.read() as tx:
        filled = dump(tx)
    with store.write() as tx:
        migrate.downgrade(tx.connection, "0001")
        assert not migrate.is_current(tx.connection)
    with store.write() as tx:
        migrate.upgrade(tx.connection)
    with store.read() as tx:
        again = dump(tx)
    alerting = {"slicewatch_incident", "slicewatch_transition", "slicewatch_decision", "slicewatch_outbox"}
    assert again == {name: [] if name in alerting else rows for name, rows in filled.items()}
    write_tick(store)
    with store.write() as tx:
        migrate.downgrade(tx.connection, "base")
        assert inspect(tx.connection).get_table_names() == [VERSION_TABLE]


def test_a_migration_that_fails_leaves_the_store_as_it_was(store: Store) -> None:
    """Going down and up is one transaction with all else in it."""
    write_tick(store)
    with store.read() as tx:
        before = dump(tx)

    def fail_half_way() -> None:
        with store.write() as tx:
            migrate.downgrade(tx.connection, "base")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail_half_way()
    with store.read() as tx:
        assert dump(tx) == before


def test_a_store_is_opened_again_with_all_it_holds(url: str, open_store: Callable[..., Store]) -> None:
    """Opening migrates once; the second time it changes nothing."""
    first = open_store(url)
    tick = write_tick(first)
    with first.read() as tx:
        before = dump(tx)
    first.close()
    with open_store(url).read() as tx:
        assert dump(tx) == before
        assert newest_run(tx, "playback") == tick


def test_a_store_of_a_newer_program_is_refused(url: str, open_store: Callable[..., Store]) -> None:
    """With both versions in the message, and untouched."""
    store = open_store(url)
    with store.write() as tx:
        tx.connection.execute(text(f"UPDATE {VERSION_TABLE} SET version_num = '9999'"))
    with pytest.raises(StoreNewerError, match=r"schema is 9999, this program knows up to 0014.*upgrade"):
        Store.open(url)
    with store.read() as tx:
        assert migrate.current(tx.connection) == "9999"


def test_many_open_an_empty_store_at_once(url: str) -> None:
    """One of them migrates, all of them work."""
    outcomes: list[object] = []

    def opener() -> None:
        try:
            store = Store.open(url)
            with store.read() as tx:
                outcomes.append(migrate.is_current(tx.connection))
            store.close()
        except StoreError as error:
            outcomes.append(error)

    threads = [threading.Thread(target=opener) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert outcomes == [True] * 6


def test_a_bad_url_says_what_to_write(tmp_path: Path) -> None:
    """No driver's jargon."""
    with pytest.raises(StoreError, match=r"write sqlite:///"):
        Store.open("slicewatch.db")
    with pytest.raises(StoreError, match="a store is SQLite or PostgreSQL"):
        Store.open("mysql://localhost/x")
    with pytest.raises(StoreError, match=r"there is no folder .*missing"):
        Store.open(f"sqlite:///{tmp_path}/missing/slicewatch.db")


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    """And not overwritten."""
    path = tmp_path / "notes.txt"
    path.write_text("no database " * 100)
    with pytest.raises(StoreError, match="file is not a database"):
        Store.open(f"sqlite:///{path}")
    assert path.read_text() == "no database " * 100


@pytest.mark.parametrize(
    "where", ["me:hunter2@127.0.0.1:1/x?", "me@127.0.0.1:1/x?password=hunter2&", "127.0.0.1:1/x?sslpassword=hunter2&"]
)
def test_an_unreachable_server_is_one_line_without_the_password(where: str) -> None:
    """Passwords appear in no message, wherever in the URL they stand."""
    with pytest.raises(StoreError) as caught:
        Store.open(f"postgresql://{where}connect_timeout=2")
    assert "127.0.0.1:1" in str(caught.value)
    assert "hunter2" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_reader_sees_one_moment(store: Store) -> None:
    """Whatever others write meanwhile, and without holding them up."""
    write_tick(store)
    with store.read() as tx:
        before = dump(tx)
        write_tick(store)
        assert dump(tx) == before
    with store.read() as tx:
        assert dump(tx) != before
