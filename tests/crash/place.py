"""A folder that goes on from a point of the undisturbed story, for other ways to go wrong than to die."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass
from datetime import datetime
from io import StringIO
from pathlib import Path
from typing import Any

from alerts.model import Incident
from monitor import store
from monitor.app import App
from tests.crash import story
from tests.crash.bench import Rows, Snapshot, Told, WatchedSlack, rows_of
from tests.crash.runner import hour

PROGRAM = str(Path(sys.executable).with_name("slicewatch"))


@dataclass(frozen=True)
class Place:
    """A configuration, its store and its Slack."""

    folder: Path
    slack: WatchedSlack
    source: str

    @classmethod
    def at(cls, folder: Path, slack: WatchedSlack, source: str, begin: Snapshot) -> Place:
        """In a new folder, as the snapshot was."""
        place = cls(folder, slack, source)
        story.write_config(folder, slack.url, source)
        for file in begin.file.iterdir():
            shutil.copy(file, folder)
        slack.messages, slack.uploads = deepcopy(dict(begin.messages)), dict(begin.uploads)
        slack.accepted = list(begin.accepted)
        return place

    @property
    def config(self) -> Path:
        """The operators' file."""
        return self.folder / "slicewatch.toml"

    @property
    def url(self) -> str:
        """The store's URL."""
        return f"sqlite:///{self.folder / 'slicewatch.db'}"

    @contextmanager
    def app(self) -> Iterator[App]:
        """The program, opened as a new process would."""
        with App.open(self.config, {"SLACK_TOKEN": self.slack.token}, StringIO()) as app:
            yield app

    def live(self, *ticks: datetime) -> None:
        """Evaluate and deliver hour by hour, each in a program that was just started."""
        for tick in ticks:
            with self.app() as app:
                hour(app, app.rules.rules[0], tick)

    def once(self, tick: datetime) -> subprocess.CompletedProcess[str]:
        """`slicewatch once --at`, as a process."""
        command = [PROGRAM, "once", "--at", tick.isoformat(), "--config", str(self.config)]
        return subprocess.run(command, env=self.env, capture_output=True, text=True, timeout=120, check=False)

    @property
    def env(self) -> dict[str, str]:
        """The environment with the receiver's secret."""
        return os.environ | {"SLACK_TOKEN": self.slack.token}

    def rows(self) -> Rows:
        """The store, without what an interruption may change."""
        return rows_of(self.folder)

    def everything(self) -> dict[str, list[tuple[Any, ...]]]:
        """The store, to the last column."""
        with self.state() as state, state.read() as tx:
            return store.dump(tx)

    def incidents(self) -> list[Incident]:
        """All incidents, oldest first."""
        with self.state() as state, state.read() as tx:
            return store.incidents(tx, newest_first=False)

    @contextmanager
    def state(self) -> Iterator[store.Store]:
        """The store, opened beside the program."""
        opened = store.Store.open(self.url)
        try:
            yield opened
        finally:
            opened.close()

    def told(self) -> list[Told]:
        """What Slack was told, in order; what it was only asked is left out."""
        return [Told.of(call) for call in self.slack.accepted if not call.method.startswith("conversations.")]

    def news(self) -> list[str]:
        """The first line of everything that people were told, in order; edits and charts left out."""
        posts = [call for call in self.slack.accepted if call.method == "chat.postMessage"]
        return [str(call.args["text"]).splitlines()[0].strip("*") for call in posts]


def headlines(news: Sequence[str]) -> list[str]:
    """State and rule, and what it is about, without numbers."""
    return [line.split(" 0 events")[0].split(" Lost ")[0] for line in news]
