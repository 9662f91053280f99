"""A SQLite store put away while others write to it, and put back."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import text

from alerts.model import Receipt
from alerts.ports import Part
from monitor.store import (
    LAG_FINAL,
    SqlOutbox,
    Store,
    StoreBusyError,
    StoreDamagedError,
    StoreError,
    StoreLockedError,
    StoreNewerError,
    back_up,
    check_file,
    dump,
    enqueue,
    letters,
    migrate,
    newest_run,
    put_page,
    requeue,
    restore,
)
from tests.contracts.outbox_contract import claim
from tests.monitor.store.make import HOUR, START, message, write_tick
from tests.monitor.store.processes import command, finish, worker

NOW = datetime(2026, 12, 1, 9, 30, tzinfo=UTC)
Opener = Callable[..., Store]


def rows(url: str) -> dict[str, list[tuple]]:
    store = Store.open(url)
    with store.read() as tx:
        found = dump(tx)
    store.close()
    return found


def url_of(path: Path) -> str:
    return f"sqlite:///{path}"


@pytest.fixture
def filled(sqlite_url: str) -> str:
    """A store with three ticks, closed."""
    store = Store.open(sqlite_url)
    for _ in range(3):
        write_tick(store)
    store.close()
    return sqlite_url


@pytest.fixture
def place(sqlite_url: str) -> Path:
    return Path(sqlite_url.removeprefix("sqlite:///"))


def test_a_backup_while_another_process_writes_is_of_one_moment(sqlite_url: str, tmp_path: Path) -> None:
    """Whole ticks and nothing else; the writer goes on meanwhile, and the copy is a store like any other."""
    Store.open(sqlite_url).close()
    with worker("ticks", sqlite_url) as process:
        assert process.stdout is not None
        seen = 0
        for n in range(5):
            for _ in range(8):
                seen = int(process.stdout.readline())
            made = back_up(sqlite_url, tmp_path / f"{n}.db", NOW)
            held = rows(url_of(made.file))
            ticks = [row[1] for row in held["slicewatch_run"]]
            assert ticks == list(range(HOUR, ticks[-1] + 1, HOUR))
            assert ticks[-1] >= seen
            assert len(held["slicewatch_incident"]) == len(ticks)
            assert len(held["slicewatch_outbox"]) == 2 * len(ticks)
    assert sorted(path.name for path in tmp_path.iterdir() if "part" in path.name) == []


def test_what_is_restored_is_what_was_put_away(filled: str, place: Path, tmp_path: Path) -> None:
    """Row by row; what came after is in the store that was set aside."""
    before = rows(filled)
    made = back_up(filled, tmp_path / "b.db", NOW)
    store = Store.open(filled)
    write_tick(store)
    store.close()
    later = rows(filled)
    done = restore(filled, made.file, NOW + timedelta(days=1))
    assert rows(filled) == before != later
    assert done.at == NOW
    assert done.aside == place.with_name("slicewatch.db.before-20261202T093000Z")
    assert rows(url_of(done.aside)) == later
    write_tick(Store.open(filled))


def test_a_store_that_is_not_there_is_made(filled: str, tmp_path: Path) -> None:
    """On a new machine; there is nothing to set aside."""
    before = rows(filled)
    made = back_up(filled, tmp_path / "b.db", NOW)
    (tmp_path / "new").mkdir()
    fresh = url_of(tmp_path / "new" / "slicewatch.db")
    assert restore(fresh, made.file, NOW).aside is None
    assert rows(fresh) == before


def test_nothing_is_overwritten_unless_asked(filled: str, place: Path, tmp_path: Path) -> None:
    """Not a file that is there, and never the store itself."""
    target = tmp_path / "b.db"
    target.write_text("my only copy")
    with pytest.raises(StoreError, match=r"b.db is there already: name another file, or --force"):
        back_up(filled, target, NOW)
    assert target.read_text() == "my only copy"
    back_up(filled, target, NOW, replace=True)
    assert rows(url_of(target)) == rows(filled)
    with pytest.raises(StoreError, match="is the store itself"):
        back_up(filled, place, NOW, replace=True)
    with pytest.raises(StoreError, match="is the store itself"):
        restore(filled, place, NOW)


def test_what_cannot_be_backed_up_says_what_to_do(tmp_path: Path) -> None:
    """PostgreSQL has tools of its own; a memory is gone; a missing file is no empty store."""
    with pytest.raises(StoreError, match=r"back up a store on PostgreSQL with its own tools, `pg_dump"):
        back_up("postgresql://me:hunter2@db/x", tmp_path / "b", NOW)
    with pytest.raises(StoreError, match="nothing to put away"):
        back_up("sqlite://", tmp_path / "b", NOW)
    with pytest.raises(StoreError, match="there is no such file"):
        back_up(url_of(tmp_path / "missing.db"), tmp_path / "b", NOW)
    Store.open(url_of(tmp_path / "s.db")).close()
    with pytest.raises(StoreError, match="is a folder"):
        back_up(url_of(tmp_path / "s.db"), tmp_path, NOW)
    assert not (tmp_path / "missing.db").exists()


def test_a_folder_that_cannot_be_written_is_one_line(filled: str, tmp_path: Path) -> None:
    """And nothing is left of the attempt."""
    with pytest.raises(StoreError, match=r"cannot be used: .*unable to open") as caught:
        back_up(filled, tmp_path / "missing" / "b.db", NOW)
    assert "\n" not in str(caught.value)


def test_a_full_disk_leaves_no_half_backup(filled: str, tmp_path: Path) -> None:
    """A real limit on the size of files: the error says so, and an older backup of that name is as it was."""
    store = Store.open(filled)
    noise = np.random.default_rng(0).integers(0, 1 << 40, (1, 4_000))
    with store.write() as tx:
        for bucket in range(60):
            put_page(tx, "noise", bucket, np.arange(4_000, dtype=np.int32), noise, lag=0)
    store.close()
    target = tmp_path / "b.db"
    target.write_text("older")
    report = json.loads(finish(command("backup_limit", filled, str(target))))
    assert "cannot be written: the disk (or a quota or file-size limit) is full" in report["error"]
    assert target.read_text() == "older"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["b.db", "slicewatch.db"]


# --- what is no sound backup ------------------------------------------------------------------------------------


def damage(path: Path, table: str, *, index: bool = False) -> None:
    """Flip bytes in the middle of a page of a table, or of its index, on the disk."""
    with closing(sqlite3.connect(path)) as connection:
        name = f"sqlite_autoindex_{table}_1" if index else table
        found = connection.execute("SELECT pageno FROM dbstat WHERE name = ? AND pagetype = 'leaf'", (name,)).fetchall()
        (size,) = connection.execute("PRAGMA page_size").fetchone()
    (page,) = found[len(found) // 2]
    with path.open("r+b") as file:
        file.seek((page - 1) * size)
        file.write(b"\xa5" * 64)


def change_a_count(path: Path) -> None:
    """What no check of SQLite's finds: a page's body is another one, as sound as before."""
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(
            "UPDATE slicewatch_page SET body = (SELECT body FROM slicewatch_page ORDER BY bucket DESC LIMIT 1) "
            "WHERE bucket = (SELECT min(bucket) FROM slicewatch_page)"
        )


@pytest.mark.parametrize("index", [False, True], ids=["table", "index"])
def test_a_damaged_backup_is_refused(filled: str, tmp_path: Path, *, index: bool) -> None:
    """The store stays as it is."""
    made = back_up(filled, tmp_path / "b.db", NOW)
    damage(made.file, "slicewatch_incident", index=index)
    before = rows(filled)
    with pytest.raises(StoreDamagedError, match=r"backup .*b.db is damaged"):
        restore(filled, made.file, NOW)
    assert rows(filled) == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["b.db", "slicewatch.db"]


def test_wrong_counts_are_found_though_the_file_is_sound(filled: str, place: Path, tmp_path: Path) -> None:
    """By the hash that each page has; neither put away nor put back."""
    made = back_up(filled, tmp_path / "b.db", NOW)
    change_a_count(made.file)
    with pytest.raises(StoreDamagedError, match="counts that are not those that were written"):
        check_file(made.file, "backup b.db")
    change_a_count(place)
    with pytest.raises(StoreDamagedError, match="counts that are not those that were written"):
        back_up(filled, tmp_path / "c.db", NOW)
    assert not (tmp_path / "c.db").exists()


def test_other_files_are_no_backups(filled: str, tmp_path: Path) -> None:
    """A text, another database, the store of a newer program."""
    notes, other = tmp_path / "notes.txt", tmp_path / "other.db"
    notes.write_text("no database " * 100)
    with closing(sqlite3.connect(other)) as connection:
        connection.execute("CREATE TABLE mine (x)")
    newer = back_up(filled, tmp_path / "newer.db", NOW).file
    with closing(sqlite3.connect(newer)) as connection, connection:
        connection.execute("UPDATE slicewatch_schema SET version_num = '9999'")
    for file, error, words in (
        (notes, StoreDamagedError, "file is not a database"),
        (other, StoreError, "is no store of slicewatch"),
        (newer, StoreNewerError, "newer slicewatch: schema 9999"),
        (tmp_path / "missing", StoreError, "there is no such file"),
    ):
        with pytest.raises(error, match=words):
            restore(filled, file, NOW)


# --- who is in the way ------------------------------------------------------------------------------------------


def test_no_restore_under_a_running_daemon(filled: str, tmp_path: Path) -> None:
    """It says which process; a backup of the same store works."""
    with worker("daemon", filled) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "locked\n"
        made = back_up(filled, tmp_path / "b.db", NOW)
        with pytest.raises(StoreLockedError, match=rf"process {process.pid}\) runs on this store .*: stop it first"):
            restore(filled, made.file, NOW)


def test_no_restore_while_another_process_has_the_store_open(filled: str, tmp_path: Path, open_store: Opener) -> None:
    """It would go on with a file that is in no folder any more; nothing is changed."""
    made = back_up(filled, tmp_path / "b.db", NOW)
    other = open_store(filled)
    with other.read() as tx:
        before = dump(tx)
        with pytest.raises(StoreBusyError, match="is open in another process"):
            restore(filled, made.file, NOW)
    with other.read() as tx:
        assert dump(tx) == before
    other.close()
    restore(filled, made.file, NOW)


def test_a_damaged_store_is_replaced_and_kept(filled: str, place: Path, tmp_path: Path) -> None:
    """Also one that cannot even be opened: whoever wants to save what is left finds it, with its log."""
    before = rows(filled)
    made = back_up(filled, tmp_path / "b.db", NOW)
    place.write_bytes(b"\x00" * 8_192)
    Path(f"{place}-wal").write_bytes(b"log")
    done = restore(filled, made.file, NOW)
    assert rows(filled) == before
    assert done.aside is not None
    assert done.aside.read_bytes() == b"\x00" * 8_192
    assert Path(f"{done.aside}-wal").read_bytes() == b"log"


def test_an_older_backup_is_brought_to_this_schema(filled: str, tmp_path: Path) -> None:
    """The backup itself stays as it was."""
    before = rows(filled)
    store = Store.open(filled)
    with store.write() as tx:
        migrate.downgrade(tx.connection, "0010")
    store.close()
    made = back_up(filled, tmp_path / "b.db", NOW)
    content = made.file.read_bytes()
    assert restore(filled, made.file, NOW).at is None
    assert rows(filled) == before
    assert made.file.read_bytes() == content


# --- messages ---------------------------------------------------------------------------------------------------


@pytest.fixture
def waiting(sqlite_url: str, tmp_path: Path) -> Path:
    """A backup in which one message was delivered, and the next one of the thread waits."""
    store, box = Store.open(sqlite_url), None
    with store.write() as tx:
        enqueue(tx, message("i-1", 1), "oncall", [Part.TEXT], START)
    box = SqlOutbox(store)
    item = claim(box, START, "worker")
    assert item is not None
    box.done(item, Receipt("C1", "1.1"), START)
    with store.write() as tx:
        enqueue(tx, message("i-1", 2), "oncall", [Part.TEXT], START + timedelta(hours=1))
    store.close()
    return back_up(sqlite_url, tmp_path / "b.db", START + timedelta(hours=2)).file


def test_what_waited_may_have_been_told_since(sqlite_url: str, waiting: Path, open_store: Opener) -> None:
    """It is looked for from when it was queued; what is queued in the day after, from the backup on; then nothing is."""
    restored = START + timedelta(days=3)
    done = restore(sqlite_url, waiting, restored)
    assert (done.waiting, done.held) == (1, 0)
    box = SqlOutbox(store := open_store(sqlite_url))
    first = claim(box, restored, "worker")
    assert first is not None
    assert first.in_doubt
    assert first.root == Receipt("C1", "1.1")
    assert first.doubtful_since == START + timedelta(hours=1)
    box.done(first, Receipt("C1", "1.1"), restored)
    for hours, doubt in ((1, START + timedelta(hours=2)), (25, None)):
        at = restored + timedelta(hours=hours)
        with store.write() as tx:
            enqueue(tx, message(f"later-{hours}", 1), "oncall", [Part.TEXT], at)
        item = claim(box, at, "worker")
        assert item is not None
        assert (item.in_doubt, item.told_since) == (doubt is not None, doubt)
        box.done(item, Receipt("C1", "2.2"), at)


def test_what_waited_is_held_back_for_a_person(sqlite_url: str, waiting: Path, open_store: Opener) -> None:
    """It is a dead letter that says why, and can be sent."""
    restored = START + timedelta(days=3)
    done = restore(sqlite_url, waiting, restored, held=True)
    assert (done.waiting, done.held) == (1, 1)
    store = open_store(sqlite_url)
    with store.write() as tx:
        (letter,) = letters(tx)
        assert letter.state == "dead"
        assert "held back when the store was restored" in letter.error
        assert requeue(tx, letter.id, restored)
    assert claim(SqlOutbox(store), restored, "worker") is not None


def test_pages_that_are_free_are_given_back(sqlite_url: str, place: Path, open_store: Opener) -> None:
    """A new file can be made smaller, and so can an old one once it was restored from a backup."""
    store = open_store(sqlite_url)
    noise = np.random.default_rng(0)
    with store.write() as tx:
        for bucket in range(400):
            values = noise.integers(0, 1 << 40, (1, 5_000))
            put_page(tx, "r", bucket, np.arange(5_000, dtype=np.int32), values, lag=LAG_FINAL)
        tx.connection.execute(text("DELETE FROM slicewatch_page WHERE bucket >= 20"))
    full = store.size()
    store.shrink()
    assert store.size() < full / 2
    with store.read() as tx:
        assert len(dump(tx)["slicewatch_page"]) == 40
        assert newest_run(tx, "r") is None
    store.close()
    with closing(sqlite3.connect(place)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
