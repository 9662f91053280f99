"""Where stories are told: a folder with a configuration, a Slack, and a runner whose processes live and die."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from monitor.store import Store, dump
from monitor.store.schema import metadata
from tests.crash import story
from tests.crash.runner import Life, to_line
from tests.standins.slack import Answer, Call, SlackStandin

ROOT = Path(__file__).parents[2]
KILLED = -signal.SIGKILL
RULES = re.compile(r'[^" (]*/rules/')
"""The folder of the rules, which messages name."""
Rows = dict[str, list[dict[str, Any]]]

DIFFERS = {
    "finished_at": "when a message went out: later where its loop died first",
    "due": "a loop that starts anew gives other turns to messages that wait for one another",
}
"""Columns of the outbox that an interruption may change, and why. Every other column of every table must be equal."""


@dataclass
class WatchedSlack(SlackStandin):
    """Says when it has taken a call, before it answers."""

    taken: Callable[[], None] = lambda: None

    def answer(self, method: str, args: dict[str, Any], token: str) -> Answer:
        """Answer the call."""
        before = len(self.accepted)
        answer = super().answer(method, args, token)
        if len(self.accepted) > before:
            self.taken()
        return answer


@dataclass
class Killer:
    """Kills who makes the fatal call before he has his answer."""

    slack: WatchedSlack
    call: int | None = None
    victim: int | None = None
    known: threading.Event = field(default_factory=threading.Event)

    def __call__(self) -> None:
        """A call was taken."""
        if len(self.slack.accepted) == self.call:
            self.known.wait()
            assert self.victim is not None
            os.kill(self.victim, signal.SIGKILL)


@dataclass(frozen=True)
class Told:
    """An accepted call, as far as it does not depend on how often others were made."""

    method: str
    what: str

    @classmethod
    def of(cls, call: Call) -> Told:
        """Of a call: a message's text, or the name of a file."""
        return cls(call.method, str(call.args.get("text") or call.args.get("filename") or ""))


@dataclass(frozen=True)
class Snapshot:
    """A store's file and what Slack knows, between two processes."""

    file: Path
    messages: Mapping[tuple[str, str], dict[str, Any]]
    uploads: Mapping[str, bytes]
    accepted: Sequence[Call]


@dataclass
class Bench:
    """One store, one Slack, one runner."""

    folder: Path
    config: Path
    slack: WatchedSlack
    runner: subprocess.Popen[str]

    @property
    def trace(self) -> list[str]:
        """Points that were passed since `clear`."""
        file = self.folder / "trace"
        return file.read_text(encoding="utf-8").splitlines() if file.exists() else []

    def told(self) -> list[Told]:
        """What Slack was told, in order; what it was only asked is left out."""
        return [Told.of(call) for call in self.slack.accepted if not call.method.startswith("conversations.")]

    def live(
        self,
        ticks: Sequence[datetime],
        *,
        kill_at: str = "",
        kill_at_call: int | None = None,
        kill_after: float | None = None,
        late: bool = False,
    ) -> int:
        """Let a process live through the story; 0, or minus the signal that ended it."""
        (self.folder / "trace").unlink(missing_ok=True)
        life = Life(
            config=str(self.config),
            token=self.slack.token,
            ticks=tuple(tick.isoformat() for tick in ticks),
            trace=str(self.folder / "trace"),
            kill_at=kill_at,
            kill_after=kill_after,
            late=late,
        )
        killer = self.slack.taken = Killer(self.slack, kill_at_call)
        self._say(to_line(life))
        killer.victim = int(self._hear())
        killer.known.set()
        ended = int(self._hear())
        assert ended in {0, KILLED}, f"the process failed: {ended} (its traceback is on standard error)"
        return ended

    def _say(self, line: str) -> None:
        assert self.runner.stdin is not None
        self.runner.stdin.write(f"{line}\n")
        self.runner.stdin.flush()

    def _hear(self) -> str:
        assert self.runner.stdout is not None
        return self.runner.stdout.readline()

    # --- snapshots ---

    def clear(self) -> None:
        """No store, and a Slack that knows nothing."""
        for file in self.folder.glob("slicewatch.db*"):
            file.unlink()
        self.slack.messages, self.slack.uploads, self.slack.accepted = {}, {}, []

    def snapshot(self, name: str) -> Snapshot:
        """What is there now; no process may live."""
        target = self.folder / "snapshots" / name
        target.mkdir(parents=True)
        for file in self.folder.glob("slicewatch.db*"):
            shutil.copy(file, target)
        slack = self.slack
        return Snapshot(target, deepcopy(slack.messages), dict(slack.uploads), tuple(slack.accepted))

    def go_back(self, to: Snapshot) -> None:
        """As it was then; the snapshot may be another bench's."""
        self.clear()
        for file in to.file.iterdir():
            shutil.copy(file, self.folder)
        self.slack.messages, self.slack.uploads = deepcopy(dict(to.messages)), dict(to.uploads)
        self.slack.accepted = list(to.accepted)

    def rows(self) -> Rows:
        """The store's rows by table, without what may differ."""
        return rows_of(self.folder)


def rows_of(folder: Path) -> Rows:
    """All rows of a folder's store by table, without the columns that an interruption may change.

    Messages name the rule's file: here without the folder, so that stories of several folders can be compared.
    """
    store = Store.open(f"sqlite:///{folder / 'slicewatch.db'}")
    with store.read() as tx:
        tables = dump(tx)
    store.close()
    names = {table.name: table.columns.keys() for table in metadata.sorted_tables}
    return {
        table: [_row(dict(zip(names[table], row, strict=True)), table) for row in rows]
        for table, rows in tables.items()
    }


def _row(row: dict[str, Any], table: str) -> dict[str, Any]:
    skipped = DIFFERS if table == "slicewatch_outbox" else {}
    kept = {name: value for name, value in row.items() if name not in skipped}
    return {name: RULES.sub("rules/", value) if isinstance(value, str) else value for name, value in kept.items()}


@contextmanager
def bench(folder: Path, source: str, lookback: str) -> Iterator[Bench]:
    """A bench in an empty folder, over the source."""
    # One thread each: the runner forks, and a core is not shared with oneself.
    env = {**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    with WatchedSlack() as slack:
        config = story.write_config(folder, slack.url, source, lookback=lookback)
        runner = subprocess.Popen(
            [sys.executable, "-m", "tests.crash.runner"],
            cwd=ROOT,
            env=env,
            text=True,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        try:
            yield Bench(folder, config, slack, runner)
        finally:
            runner.kill()
            runner.communicate()
