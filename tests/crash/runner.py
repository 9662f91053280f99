"""A process that lives through the story and can be killed at any named point of it.

`python -m tests.crash.runner` has everything imported and nothing open. It reads one `Life` a line (JSON), forks,
says the child's process id, waits for the child's end, and says how it ended (0, or minus the signal).

The child is the real program on a clock of its own: it asks the store how far it got, evaluates what is due, and
delivers. At every point it passes it writes the point's name to its trace; at the one it was told it kills itself.
Nothing of the program is replaced: points are seen through SQLAlchemy's events, Python's audit events, and a
notifier around the real one.
"""

from __future__ import annotations

import gc
import json
import os
import select
import signal
import sys
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path
from typing import Any, TextIO

from sqlalchemy import Connection, Engine, Pool, event

from alerts.chart import render_png
from alerts.model import Change, Message, Receipt, Series, State
from alerts.notifiers import slack
from alerts.ports import Delivery, Notifier
from monitor import sources, store
from monitor.app import App, open_notifiers
from monitor.settings import Settings
from monitor.sources import duckdb_files
from monitor.store.bodies import to_body
from monitor.store.engine import WRITES
from monitor.ticks import due_ticks
from rules.model import Rule, Severity
from tests.alerts.make import History, assess, finding

PARTS_LOADED = (sources, duckdb_files, slack)
"""Engines and channels load when they are first used: here before the fork."""


@dataclass(frozen=True)
class Life:
    """One process: from the store as it is to the end of the story, unless it is killed."""

    config: str
    token: str
    ticks: tuple[str, ...]
    trace: str
    kill_at: str = ""
    """Name of the point at which it kills itself."""
    kill_after: float | None = None
    """Seconds after which its parent kills it."""
    late: bool = False
    """It starts when the story is over, and has to catch up."""


@dataclass
class Points:
    """Names the points that are passed, in order, and dies at one of them."""

    trace: int
    kill_at: str
    written: list[str] = field(default_factory=list)
    commits: int = 0
    committed: str = ""
    sends: int = 0
    requests: int = 0

    def at(self, point: str) -> None:
        """Write the point's name, and kill this process if it is the one."""
        os.write(self.trace, f"{point}\n".encode())
        if point == self.kill_at:
            os.kill(os.getpid(), signal.SIGKILL)

    # --- commits of the store; only the store says beforehand that a transaction writes ---

    def listen(self) -> None:
        """See every writing transaction of this process, and every HTTP request."""
        event.listen(Engine, "before_cursor_execute", self._statement)
        event.listen(Engine, "commit", self._commit)
        event.listen(Engine, "rollback", self._rollback)
        event.listen(Pool, "checkin", self._returned)
        sys.addaudithook(self._audit)

    def _statement(self, connection: Connection, _cursor: Any, statement: str, *_: Any) -> None:
        if connection.get_execution_options().get(WRITES):
            self.written.append(statement)

    def _commit(self, connection: Connection) -> None:
        if connection.get_execution_options().get(WRITES):
            self.commits += 1
            self.committed = f"commit {self.commits}: {self._what()}"
            self.written.clear()
            self.at(f"before {self.committed}")

    def _rollback(self, _: Connection) -> None:
        self.written.clear()

    def _returned(self, *_: Any) -> None:
        # A connection goes back to the pool as soon as its transaction is over.
        if self.committed:
            committed, self.committed = self.committed, ""
            self.at(f"after {committed}")

    def _what(self) -> str:
        """What a transaction was for, by the statements in it."""
        text = "\n".join(self.written)
        marks = {
            "CREATE TABLE": "migration",
            "INTO slicewatch_effort": "what it took",
            "INTO slicewatch_run": "evaluation",
            "INTO slicewatch_page": "a day of history",
            "slicewatch_rule SET definition": "definition",
            "slicewatch_outbox SET state": "settled",
            "slicewatch_outbox SET due": "postponed",
            "slicewatch_outbox SET lease_until": "claim",
        }
        return next((name for mark, name in marks.items() if mark in text), "something else")

    # --- sends ---

    def send(self, notifier: Notifier, delivery: Delivery) -> Receipt:
        """Send; a send's outcome is unknown from its beginning until it is settled."""
        self.sends += 1
        self.requests = 0
        name = f"send {self.sends}: {delivery.part.value} of {delivery.message.change.value}"
        self.at(f"before {name}")
        receipt = notifier.send(delivery)
        self.at(f"after {name}")
        return receipt

    def _audit(self, name: str, args: tuple[Any, ...]) -> None:
        if name == "urllib.Request":
            self.requests += 1
            self.at(f"before request {self.requests} of send {self.sends}: {_method(args[0])}")


def _method(url: str) -> str:
    """The call's name; uploads go to an address of their own."""
    parts = url.split("?", maxsplit=1)[0].rsplit("/", 2)
    return "upload" if parts[-2] == "upload" else parts[-1]


@dataclass(frozen=True)
class _Seen:
    """A notifier whose sends are points of the story."""

    notifier: Notifier
    points: Points

    def send(self, delivery: Delivery) -> Receipt:
        return self.points.send(self.notifier, delivery)


@dataclass
class Clock:
    """Simulated: waits pass at once."""

    at: datetime

    def now(self) -> datetime:
        return self.at

    def wait(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)


def live(life: Life, points: Points) -> None:
    """Go on from where the store stands until the last tick is evaluated and delivered."""

    def seen(settings: Settings, out: TextIO) -> Mapping[str, Notifier]:
        return {name: _Seen(notifier, points) for name, notifier in open_notifiers(settings, out).items()}

    ticks = [datetime.fromisoformat(tick) for tick in life.ticks]
    with App.open(Path(life.config), {"SLACK_TOKEN": life.token}, StringIO(), notifiers=seen) as app:
        (rule,) = app.rules.rules
        for now in _times(app, rule, ticks, late=life.late):
            hour(app, rule, now)


def _times(app: App, rule: Rule, ticks: list[datetime], *, late: bool) -> Iterator[datetime]:
    """The hours still to live through: from the newest evaluation on, whose messages may not be out yet."""
    newest = _newest(app, rule)
    begin = ticks[0] if newest is None else datetime.fromtimestamp(newest, UTC)
    return iter(ticks[-1:] if late and newest is not None else [tick for tick in ticks if tick >= begin])


def _newest(app: App, rule: Rule) -> int | None:
    with app.state.read() as tx:
        return store.newest_run(tx, rule.name)


def hour(app: App, rule: Rule, now: datetime) -> None:
    """What a daemon does from one hour to the next: evaluate what is due, deliver what there is."""
    for tick in due_ticks(app.evaluator(rule).watched, _newest(app, rule), now):
        app.tick(rule, tick, now=now)
    clock = Clock(now)
    app.deliver(clock.now, clock.wait, now + timedelta(minutes=10), "courier")


# --- the process that forks -----------------------------------------------------------------------------------


def main() -> None:
    """Serve until standard input ends."""
    _warm_up()
    gc.freeze()  # fewer pages to copy in the children
    for line in sys.stdin:
        life = Life(**json.loads(line))
        child = os.fork()
        if child == 0:
            _child(life)
        print(child, flush=True)  # noqa: T201  # its caller reads it
        if life.kill_after is not None and not _ended(child, life.kill_after):
            os.kill(child, signal.SIGKILL)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)  # noqa: T201


def _ended(child: int, seconds: float) -> bool:
    """Whether a child ends within some time."""
    handle = os.pidfd_open(child)
    try:
        return bool(select.select([handle], [], [], seconds)[0])
    finally:
        os.close(handle)


def _child(life: Life) -> None:
    points = Points(os.open(life.trace, os.O_WRONLY | os.O_CREAT | os.O_APPEND), life.kill_at)
    points.listen()
    try:
        live(life, points)
    except BaseException:  # noqa: BLE001  # whatever it is ends the child here, not in the parent's code
        sys.excepthook(*sys.exc_info())
        sys.stderr.flush()
        os._exit(1)
    os._exit(0)


def _warm_up() -> None:
    """What the first time in a process takes long: charts look for fonts, and data classes are read for their shapes."""
    for made in History().see(assess(1, finding())):
        to_body(made)
        to_body(made.incident)
    at = (datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 1, 1, tzinfo=UTC))
    series = Series(at, (1.0, 2.0), (1.0, 2.0), (0.0, 1.0), (2.0, 3.0))
    words = dict.fromkeys(("key", "rule", "push", "title", "footer"), "x")
    message = Message(
        **words,
        seq=1,
        change=Change.OPENED,
        state=State.FIRING,
        severity=Severity.WARNING,
        summary=(),
        facts=(),
        chart=series,
        total_chart=series,
        since=at[1],
    )
    to_body(message)
    render_png(message)
    assert _threads() <= {"jemalloc_bg_thd"}, "a process with threads cannot be forked safely"


def _threads() -> set[str]:
    """Names of this process's threads. The allocator that comes with pyarrow has one, and it knows of forks."""
    return {task.read_text().strip() for task in Path("/proc/self/task").glob("*/comm")} - {_own_name()}


def _own_name() -> str:
    return Path("/proc/self/comm").read_text().strip()


def to_line(life: Life) -> str:
    """A life as the runner reads it."""
    return json.dumps(asdict(life))


if __name__ == "__main__":
    main()
