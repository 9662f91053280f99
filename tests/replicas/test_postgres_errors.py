"""What PostgreSQL says when it cannot: what a person reads, and what is tried again."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from sqlalchemy import make_url, text

from monitor.store import ConflictError, Store, StoreAwayError, StoreBusyError, StoreError, StoreFullError
from monitor.store.schema import metadata
from tests.replicas.server import Server

pytestmark = pytest.mark.xdist_group("postgres of the replicas")


@pytest.fixture(scope="module")
def url(server: Server) -> str:
    return server.database("errors")


@pytest.fixture
def state(url: str) -> Iterator[Store]:
    opened = Store.open(url, busy_timeout=1.0)
    yield opened
    opened.close()


def run(state: Store, statement: str) -> None:
    with state.write() as tx:
        tx.connection.execute(text(statement))


def test_a_connection_that_is_terminated_is_tried_again(server: Server, state: Store) -> None:
    """Within a transaction it is an error of the store, and what was written is gone; the next one works."""

    def broken() -> None:
        with state.write() as tx:
            tx.connection.execute(text("CREATE TABLE never (i int)"))
            server.terminate_all()
            tx.connection.execute(text("SELECT 1"))

    with pytest.raises(StoreAwayError, match=r"ended the connection, nothing of this step was kept; it is tried again"):
        broken()
    run(state, "CREATE TABLE never (i int)")
    run(state, "DROP TABLE never")


def test_connections_that_died_unseen_are_no_error(server: Server, state: Store) -> None:
    """All in the pool are made anew, whatever was done with them."""
    run(state, "SELECT 1")
    server.restart()
    run(state, "SELECT 1")
    with state.read() as tx:
        assert tx.connection.execute(text("SELECT 1")).scalar() == 1


def test_a_server_that_is_down_is_away(server: Server, state: Store) -> None:
    """Reading and writing say so, and work once it is up."""
    server.stop()
    try:
        for transaction in (state.read, state.write, lambda: state.alone("x")):
            with pytest.raises(StoreAwayError, match=r"cannot be reached at present; it is tried again"), transaction():
                pytest.fail("there is no server")
    finally:
        server.start()
    run(state, "SELECT 1")


def test_a_port_where_nobody_listens_is_away() -> None:
    """As while a container starts before its database does."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"postgresql+psycopg://me:secret@127.0.0.1:{taken.getsockname()[1]}/x"
        with pytest.raises(StoreAwayError, match="cannot be reached at present") as found:
            Store.open(url)
    assert "secret" not in str(found.value)


@pytest.mark.parametrize(
    ("part", "says"),
    [
        ({"database": "nowhere"}, r"create the database first \(CREATE DATABASE\)"),
        ({"username": "nobody"}, r"refuses this user: look at the name and the password"),
    ],
)
def test_what_waiting_does_not_mend_is_told_at_once(server: Server, part: dict[str, str], says: str) -> None:
    """With what to do; it is no store that is away."""
    with pytest.raises(StoreError, match=says) as found:
        Store.open(make_url(server.url).set(**part).render_as_string(False))
    assert not isinstance(found.value, StoreAwayError)


@contextmanager
def crowded(server: Server) -> Iterator[None]:
    server.ask("CREATE ROLE guest LOGIN CONNECTION LIMIT 0", "GRANT ALL ON DATABASE errors TO guest")
    try:
        yield
    finally:
        server.ask("REVOKE ALL ON DATABASE errors FROM guest", "DROP ROLE guest")


def test_a_server_that_is_full_of_others_says_what_to_do(server: Server, url: str) -> None:
    """It may pass, and should not come again."""
    guest = make_url(url).set(username="guest").render_as_string(False)
    with crowded(server), pytest.raises(StoreAwayError, match="raise max_connections, or run fewer daemons"):
        Store.open(guest)


def test_a_standby_is_no_place_for_a_store(server: Server, url: str) -> None:
    """It reads, and names what to do when it is to write."""
    Store.open(url).close()
    with server.standing_by():
        standby = Store.open(url)
        with standby.read() as tx:
            assert tx.connection.execute(text("SELECT 1")).scalar() == 1
        for _ in range(2):
            with pytest.raises(StoreAwayError, match="is read-only, as a standby is: name the primary"):
                run(standby, "CREATE TABLE x (i int)")
    run(standby, "SELECT 1")
    standby.close()


@pytest.mark.parametrize(
    ("code", "error", "says"),
    [
        ("53100", StoreFullError, "its disk is full; nothing of this step was kept"),
        ("53300", StoreAwayError, "raise max_connections"),
        ("57P02", StoreAwayError, "ended the connection"),
        ("57P03", StoreAwayError, "is starting or shutting down"),
        ("08006", StoreAwayError, "cannot be reached at present"),
        ("42501", StoreError, "lets this user do too little"),
        ("22012", StoreError, "cannot be used: odd"),
    ],
)
def test_codes_of_the_server_have_a_meaning(state: Store, code: str, error: type[StoreError], says: str) -> None:
    """As the server sends them, for what a test cannot bring about."""
    with pytest.raises(error, match=says):
        run(state, f"DO $$ BEGIN RAISE EXCEPTION 'odd' USING ERRCODE = '{code}'; END $$")


def test_two_that_wait_for_each_other_are_a_conflict(state: Store) -> None:
    """One of them goes on, the other hears that it was not first and may try again at once."""
    run(state, "CREATE TABLE pair AS SELECT generate_series(1, 2) AS i")
    both, errors = threading.Barrier(2), []

    def lock(first: int, second: int) -> None:
        try:
            with state.write() as tx:
                tx.connection.execute(text("SET LOCAL lock_timeout = 0"))
                tx.connection.execute(text("SELECT * FROM pair WHERE i = :i FOR UPDATE"), {"i": first})
                both.wait()
                tx.connection.execute(text("SELECT * FROM pair WHERE i = :i FOR UPDATE"), {"i": second})
        except StoreError as error:
            errors.append(error)

    threads = [threading.Thread(target=lock, args=pair) for pair in ((1, 2), (2, 1))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    run(state, "DROP TABLE pair")
    assert [type(error) for error in errors] == [ConflictError]
    assert "was written to by another process first" in str(errors[0])


def test_a_row_that_is_held_for_long_is_busy(state: Store) -> None:
    """Nobody waits for ever."""
    run(state, "CREATE TABLE one AS SELECT 1 AS i")

    def wait() -> None:
        with state.write() as first, state.write() as second:
            first.connection.execute(text("SELECT * FROM one FOR UPDATE"))
            second.connection.execute(text("SELECT * FROM one FOR UPDATE"))

    with pytest.raises(StoreBusyError, match="is locked by another process"):
        wait()
    run(state, "DROP TABLE one")


def test_a_program_that_takes_all_its_connections_says_so(url: str) -> None:
    """Threads that wait for one for too long get an error of the store, none of the pool."""
    state = Store.open(url)
    state._engine.pool._timeout = 0.01
    held = [state._engine.connect() for _ in range(25)]
    with pytest.raises(StoreBusyError, match="is in full use by this process"), state.read():
        pytest.fail("there was one more")
    for connection in held:
        connection.close()
    state.close()


def test_tables_of_an_older_program_are_migrated_by_one_of_several(server: Server) -> None:
    """Daemons that start at once on an empty database all come up."""
    url, found = server.database("at_once"), []

    def opener() -> None:
        state = Store.open(url)
        with state.read() as tx:
            found.append(tx.connection.execute(text(f"SELECT count(*) FROM {next(iter(metadata.tables))}")).scalar())
        state.close()

    threads = [threading.Thread(target=opener) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [0] * 4
