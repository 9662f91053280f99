"""Rule files that break: the receivers of their rules are told, again where its rules stop, and when it is mended."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from datetime import datetime
from pathlib import Path

from alerts.breakage import MENDED, BrokenFile, broken, mended
from alerts.message import parts_of
from monitor import store
from rules.model import Rule
from rules.parse import RuleFile

Receivers = Callable[[Iterable[Rule]], tuple[str, ...]]
"""Who is told of the incidents of rules."""


def tell_breakages(
    state: store.Store,
    broken_files: Iterable[BrokenFile],
    sound: Iterable[RuleFile],
    receivers: Receivers,
    now: datetime,
) -> None:
    """Queue what is new: files that broke since they were last told of, and those that are mended."""
    for item in broken_files:
        _tell_broken(state, item, receivers, now)
    for file in sound:
        _tell_mended(state, file, now)


def _tell_broken(state: store.Store, item: BrokenFile, receivers: Receivers, now: datetime) -> None:
    """The newest message of the thread says how the file stands: what is no worse is not told."""
    with state.read() as tx:
        newest = store.newest_thread(tx, _prefix(item.file))
    lasts = newest is not None and newest.seq != MENDED
    if newest is not None and lasts and newest.seq >= item.stands:
        return
    number = 1 if newest is None else newest.number + (not lasts)
    message = broken(_key(item.file, number), item)
    # After a start nobody knows whose the rules were that do not run: those who heard of the breakage do.
    known = newest.receivers if newest is not None and lasts else receivers(item.rules)
    with state.write() as tx:
        for receiver in known:
            store.enqueue(tx, message, receiver, parts_of(message), now)


def _tell_mended(state: store.Store, file: RuleFile, now: datetime) -> None:
    with state.read() as tx:
        newest = store.newest_thread(tx, _prefix(file.file))
    if newest is None or newest.seq == MENDED:
        return
    message = mended(_key(file.file, newest.number), file.file, file.rules)
    with state.write() as tx:
        for receiver in newest.receivers:
            store.enqueue(tx, message, receiver, parts_of(message), now)


def _prefix(file: str) -> str:
    """A file is the same however the daemon was told of it: by a relative or an absolute path."""
    whole = str(Path(file).absolute())
    return f"file-{hashlib.sha256(whole.encode('utf-8', 'surrogatepass')).hexdigest()[:16]}-"


def _key(file: str, number: int) -> str:
    return f"{_prefix(file)}{number:06d}"
