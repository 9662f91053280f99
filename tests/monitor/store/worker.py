"""A second process on a store: `python worker.py COMMAND URL [...]`. Each prints a line when it has done a step."""

from __future__ import annotations

import contextlib
import json
import os
import resource
import signal
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
from sqlalchemy import Engine, NullPool, Pool, create_engine, event, text

from alerts.model import Receipt
from monitor.store import SqlOutbox, Store, StoreError, StoreFullError, back_up, dump, migrate, put_page
from monitor.store.schema import REVISION
from tests.contracts.outbox_contract import claim
from tests.monitor.store.make import START, write_tick

MEBIBYTE = 1 << 20
Rows = dict[str, list[tuple[Any, ...]]]


def say(text: object) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def hold(url: str) -> None:
    """Hold the writer's place until standard input ends."""
    store = Store.open(url)
    with store.write():
        say("held")
        sys.stdin.read()


def daemon(url: str) -> None:
    """Be the daemon until standard input ends."""
    with Store.open(url).lock_daemon():
        say("locked")
        sys.stdin.read()


def openings(folder: str) -> None:
    """Open each store that standard input names, and evaluate a tick of a rule of one's own in it."""
    for name in sys.stdin:
        store = Store.open(f"sqlite:///{folder}/{name.strip()}")
        say(write_tick(store, rule=f"rule of {os.getpid()}"))
        store.close()


def ticks(url: str) -> None:
    """Evaluate tick after tick for ever; each is named once it is committed."""
    store = Store.open(url)
    while True:
        say(write_tick(store))


def deliver(url: str) -> None:
    """Claim and deliver all there is; each item's id is named when it is claimed."""
    box = SqlOutbox(Store.open(url))
    now = START + timedelta(minutes=1)
    while (item := claim(box, now, "worker")) is not None:
        say(item.id)
        box.done(item, Receipt("C1", item.id), now)


def full_disk(url: str, folder: str) -> None:
    """Fill the small disk at `folder` that is to hold the store, then make room."""
    ballast = Path(folder) / "ballast"
    with contextlib.suppress(OSError), ballast.open("wb", buffering=0) as file:
        while file.write(b"x" * 4096):
            pass
    try:
        Store.open(url)
    except StoreFullError:
        os.truncate(ballast, MEBIBYTE)
        _until_full(url, ballast.unlink)


def full_limit(url: str) -> None:
    """Let no file grow past a limit, then lift it."""

    def lift() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))

    resource.setrlimit(resource.RLIMIT_FSIZE, (MEBIBYTE, resource.RLIM_INFINITY))
    _until_full(url, lift)


def backup_limit(url: str, target: str) -> None:
    """Back up where no file may grow as large as the store is; report the error."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (MEBIBYTE // 2, resource.RLIM_INFINITY))
    try:
        back_up(url, Path(target), START, replace=True)
    except StoreError as error:
        say(json.dumps({"error": str(error)}))


def killed_migrations(url: str) -> None:
    """Open an older store again and again, each time by a process that is killed one step later; report how it went."""
    with Store.open("sqlite://").write() as tx:
        migrate.downgrade(tx.connection, "0010")  # what is loaded here need not be loaded by every child
    revisions, killed = [], 0
    while not revisions or revisions[-1] == revisions[0] != REVISION:
        child = os.fork()
        if child == 0:
            _die_at(killed, url)
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        killed += status == -signal.SIGKILL
        revisions.append(_revision(url))
        if status not in {0, -signal.SIGKILL}:
            break
    say(json.dumps({"killed": killed, "revisions": revisions}))


def _die_at(point: int, url: str) -> None:
    """Open a store in this process, which dies at one of the points that it passes."""
    passed = 0

    def here(*_: object) -> None:
        nonlocal passed
        if passed == point:
            os.kill(os.getpid(), signal.SIGKILL)
        passed += 1

    for name in ("before_cursor_execute", "commit"):
        event.listen(Engine, name, here)
    event.listen(Pool, "checkin", here)
    Store.open(url)
    os._exit(0)


def _revision(url: str) -> str:
    """Asked without migrating."""
    engine = create_engine(url.replace("postgresql://", "postgresql+psycopg://"), poolclass=NullPool)
    with engine.connect() as connection:
        return str(connection.execute(text("SELECT version_num FROM slicewatch_schema")).scalar_one())


def _until_full(url: str, make_room: Callable[[], None]) -> None:
    """Write until there is no room; report the error, what stayed, and whether the same step works with room."""
    store = Store.open(url)
    step, error = 0, None
    before = _state(store)
    while error is None and step < 10_000:
        try:
            _big_step(store, step)
        except StoreError as caught:
            error = caught
        else:
            before = _state(store)
            step += 1
    after = _state(store)
    make_room()
    _big_step(store, step)
    report = {
        "full": isinstance(error, StoreFullError),
        "error": str(error),
        "steps": step,
        "kept": before == after,
        "retried": _pages(_state(store)) == _pages(before) + 10,
    }
    say(json.dumps(report))


def _big_step(store: Store, step: int) -> None:
    """Ten buckets of noise in one transaction: 100 kB that do not compress."""
    noise = np.random.default_rng(step).integers(0, 1 << 40, (10, 1, 1_200))
    with store.write() as tx:
        for part, values in enumerate(noise):
            put_page(tx, "noise", step * 10 + part, np.arange(1_200, dtype=np.int32), values, lag=0)


def _state(store: Store) -> Rows:
    """Every row of every table."""
    with store.read() as tx:
        return dump(tx)


def _pages(state: Rows) -> int:
    return len(state["slicewatch_page"])


if __name__ == "__main__":
    name, *arguments = sys.argv[1:]
    {
        "hold": hold,
        "daemon": daemon,
        "openings": openings,
        "ticks": ticks,
        "deliver": deliver,
        "full_disk": full_disk,
        "full_limit": full_limit,
        "backup_limit": backup_limit,
        "killed_migrations": killed_migrations,
    }[name](*arguments)
