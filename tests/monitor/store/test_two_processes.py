"""Several processes on one store: the daemon's lock, a busy store, and death at any point."""

import random
import signal
import sqlite3
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from monitor.store import Store, StoreBusyError, StoreLockedError, dump, newest_run, rules, runs
from tests.monitor.store.make import HOUR, write_tick
from tests.monitor.store.processes import worker


def test_a_second_daemon_on_a_file_is_refused(sqlite_url: str, open_store: Callable[..., Store]) -> None:
    """It is told who is there; `kill -9` of the first frees the place; the store can be used meanwhile."""
    store = open_store(sqlite_url)
    with worker("daemon", sqlite_url) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "locked\n"
        with pytest.raises(StoreLockedError, match=f"daemon \\(process {other.pid}\\) runs on this store"):
            store.lock_daemon()
        write_tick(store)
        other.send_signal(signal.SIGKILL)
        other.wait()
        lock = store.lock_daemon()
    with pytest.raises(StoreLockedError):
        open_store(sqlite_url).lock_daemon()
    lock.release()
    lock.release()
    with open_store(sqlite_url).lock_daemon():
        pass


def test_replicas_may_share_postgresql(postgres: str, open_store: Callable[..., Store]) -> None:
    """Their correctness does not rest on a leader."""
    with open_store(postgres).lock_daemon(), open_store(postgres).lock_daemon():
        pass


def test_a_store_that_stays_locked_says_so(sqlite_url: str, open_store: Callable[..., Store]) -> None:
    """After the busy timeout, in one line; reading goes on; once the other is done, writing works."""
    store = open_store(sqlite_url, busy_timeout=0.2)
    write_tick(store)
    with worker("hold", sqlite_url) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        with pytest.raises(StoreBusyError, match=r"slicewatch.db is locked by another process \(database is locked\)"):
            write_tick(store)
        with store.read() as tx:
            assert newest_run(tx, "playback") == HOUR
        assert open_store(sqlite_url, busy_timeout=0.2), "opening a current store needs no writer's place"
        other.send_signal(signal.SIGKILL)
        other.wait()
        assert write_tick(store) == 2 * HOUR


def test_processes_that_start_at_once_all_get_their_store(tmp_path: Path, open_store: Callable[..., Store]) -> None:
    """Thirty new files, three processes each: one makes the tables, none fails, and all have written."""
    folder = str(tmp_path)
    with worker("openings", folder) as one, worker("openings", folder) as two, worker("openings", folder) as three:
        for number in range(30):
            # Together: the next file is named once all have answered for the one before.
            assert _ask(f"{number}.db", one, two, three) == [f"{HOUR}\n"] * 3
            with open_store(f"sqlite:///{folder}/{number}.db").read() as tx:
                assert len(rules(tx)) == 3


def _ask(line: str, *processes: subprocess.Popen[str]) -> list[str]:
    """Say a line to all, then hear one from each."""
    for process in processes:
        assert process.stdin is not None
        process.stdin.write(f"{line}\n")
        process.stdin.flush()
    return [process.stdout.readline() for process in processes if process.stdout is not None]


def test_opening_waits_for_a_file_that_another_program_reads(sqlite_url: str, open_store: Callable[..., Store]) -> None:
    """A new store cannot be prepared while a backup, say, holds the file; once it is free, opening goes on."""
    reader = sqlite3.connect(sqlite_url.removeprefix("sqlite:///"), isolation_level=None, check_same_thread=False)
    reader.execute("CREATE TABLE other (x)")
    reader.execute("BEGIN EXCLUSIVE")
    with pytest.raises(StoreBusyError, match="locked by another process"):
        open_store(sqlite_url, busy_timeout=0.1)
    release = threading.Timer(0.3, reader.execute, ["ROLLBACK"])
    release.start()
    assert write_tick(open_store(sqlite_url)) == HOUR
    release.join()
    reader.close()


@pytest.mark.parametrize("engine", ["postgresql"])
def test_a_rule_locked_in_postgresql_says_so(store: Store, postgres: str, open_store: Callable[..., Store]) -> None:
    """Replicas judge one rule one after the other; who waits too long is told."""
    one, other = store, open_store(postgres, busy_timeout=0.2)
    write_tick(one)
    with one.write() as tx:
        runs(tx, "playback")
        with pytest.raises(StoreBusyError, match="locked by another process"):
            write_tick(other)
        assert write_tick(other, rule="another") == HOUR
    assert write_tick(other) == 2 * HOUR


def test_kill_9_of_a_writer_leaves_whole_ticks(sqlite_url: str, open_store: Callable[..., Store]) -> None:
    """At random points: every tick that was reported is there, none is there in part, and the next process goes on.

    In the end the store equals, row by row, one that was never disturbed.
    """
    chance = random.Random(7)
    for _ in range(6):
        with worker("ticks", sqlite_url) as writer:
            assert writer.stdout is not None
            reported = [int(writer.stdout.readline())]
            time.sleep(chance.uniform(0, 0.15))
            writer.send_signal(signal.SIGKILL)
            reported += [int(line) for line in writer.stdout.read().splitlines()]
        with open_store(sqlite_url).read() as tx:
            newest = newest_run(tx, "playback")
        # One more than was reported may have been committed: killed between the two.
        assert newest in {reported[-1], reported[-1] + HOUR}
        assert _integrity(sqlite_url) == "ok"
    undisturbed = open_store("sqlite://")
    while write_tick(undisturbed) != newest:
        pass
    with open_store(sqlite_url).read() as tx, undisturbed.read() as other:
        assert dump(tx) == dump(other)


def _integrity(url: str) -> str:
    connection = sqlite3.connect(Path(url.removeprefix("sqlite:///")))
    try:
        return str(connection.execute("PRAGMA integrity_check").fetchone()[0])
    finally:
        connection.close()
