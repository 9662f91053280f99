"""A folder whose daemons share a store on PostgreSQL, and a source that takes as long as a test wants."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import psycopg
from sqlalchemy import make_url

from monitor import store
from tests.monitor.commands.place import HOUR, PROGRAM, RULE, Place, at, events
from tests.replicas.server import Server

SLOW = 240.0
"""Seconds after which something that takes a moment, or a lease, has failed, on a busy machine."""
TOML = """\
rules = ["rules/*.yaml"]

[store]
url = "{store}"

[sources.live]
kind = "sql"
url = "{source}"

[receivers.terminal]
kind = "console"
"""


@dataclass(frozen=True)
class Shared:
    """The place, its server, and the names of the two databases there."""

    place: Place
    server: Server
    name: str

    @property
    def store_url(self) -> str:
        return make_url(self.server.url).set(database=f"{self.name}_store").render_as_string(False)

    @classmethod
    def make(cls, folder: Path, server: Server, name: str, *, rules: int = 1, schedule: str = "1h") -> Shared:
        """Rules over one table of five weeks and three hours to come, in which a device is gone since two hours ago."""
        made = cls(Place(folder), server, name)
        server.database(f"{name}_store")
        source = server.database(f"{name}_source")
        made.place.write("slicewatch.toml", TOML.format(store=made.store_url, source=source))
        one = RULE.replace("lake.", "live.").removeprefix("rules:\n") + f"    schedule: {schedule}\n"
        text = "".join(one.replace("playback_volume", made.rule(n)) for n in range(rules))
        made.place.write("rules/playback.yaml", f"rules:\n{text}")
        made._fill()
        return made

    @staticmethod
    def rule(number: int = 0) -> str:
        return f"playback_{number}"

    def _fill(self) -> None:
        hour = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
        frame = events(hour + 3 * HOUR, outage=(hour - 2 * HOUR, hour + 3 * HOUR))
        url = make_url(self.server.url).set(database=f"{self.name}_source", drivername="postgresql")
        with psycopg.connect(url.render_as_string(False), autocommit=True) as connection:
            connection.execute("CREATE TABLE event (event_time timestamp, device text, country text, events int)")
            with connection.cursor().copy("COPY event FROM STDIN") as copy:
                for row in frame.itertuples(index=False):
                    copy.write_row((row[0], *row[1:]))
            connection.execute("CREATE TABLE pace AS SELECT 0.0::float AS seconds")
            # Materialized: else the planner may have it sleep once a row.
            slept = "WITH slept AS MATERIALIZED (SELECT pg_sleep(seconds) FROM pace)"
            connection.execute(f"CREATE VIEW playback AS {slept} SELECT event.* FROM slept, event")

    def take_time(self, seconds: float) -> None:
        """What is asked of the source from now on takes so long."""
        self.server.ask(f"UPDATE pace SET seconds = {seconds}", database=f"{self.name}_source")

    def evaluated(self, when: datetime) -> None:
        """As `slicewatch once` does it."""
        result = self.place.run("once", *at(when))
        assert result.exit_code == 0, result.output

    @contextmanager
    def opened(self) -> Iterator[store.Store]:
        """Its store, for a moment."""
        state = store.Store.open(self.store_url)
        try:
            yield state
        finally:
            state.close()

    def runs(self, number: int = 0) -> list[store.Run]:
        """Of a rule, the oldest first."""
        with self.opened() as state, state.read() as tx:
            return store.runs(tx, self.rule(number), 1_000)[::-1]

    def claims(self) -> list[tuple[str, int, str]]:
        """Rule, tick and owner."""
        return [tuple(row) for row in self.server.ask(CLAIMS, database=f"{self.name}_store")]


CLAIMS = "SELECT rule, tick, owner FROM slicewatch_claim ORDER BY tick, rule"


@dataclass(frozen=True)
class Running:
    """A daemon's process, and its log."""

    process: subprocess.Popen[str]
    file: Path

    @property
    def log(self) -> str:
        return self.file.read_text()

    def wait_for(self, what: Callable[[], object], process_ends: bool = False) -> None:
        """Until `what` holds; a daemon that ended meanwhile, or took too long, fails with its log."""
        until = time.monotonic() + SLOW
        while not what():
            assert process_ends or self.process.poll() is None, f"the daemon ended: {self.log}"
            assert time.monotonic() < until, f"it did not happen in time: {self.log}"
            time.sleep(0.05)

    def wait_to_say(self, text: str) -> None:
        self.wait_for(lambda: text in self.log)

    def kill(self) -> None:
        """As `kill -9` does it."""
        self.process.kill()
        self.process.wait()

    def end(self) -> int:
        """Ask it to end, and wait for that; how it did."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(SLOW)


@contextmanager
def daemon(shared: Shared, name: str, *options: str) -> Iterator[Running]:
    """`slicewatch run`; with options, `tests.replicas.daemon`. Surely gone afterwards."""
    program = [sys.executable, "-m", "tests.replicas.daemon", *options] if options else [PROGRAM, "run"]
    file = shared.place.folder / f"{name}.log"
    with file.open("w") as log:
        process = subprocess.Popen(
            [*program, "--config", str(shared.place.config)],
            stdout=subprocess.DEVNULL,
            stderr=log,
            text=True,
            cwd=Path(__file__).parents[2],
            env=os.environ,
        )
    try:
        yield Running(process, file)
    finally:
        process.kill()
        process.wait()


def hours_ago(number: int) -> datetime:
    """A tick of a rule that is evaluated every hour: so many before the newest one."""
    return datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - number * HOUR
