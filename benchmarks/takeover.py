"""Two daemons on one PostgreSQL: how long a run waits whose daemon is killed, and how they share the work.

`python -m benchmarks.takeover [KILLS [RULES]]`: real processes of `slicewatch run`, a real PostgreSQL, and a source that
takes a few seconds. A daemon is killed with `kill -9` at a random moment of a run, and replaced.
"""

from __future__ import annotations

import random
import re
import statistics
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from monitor.claims import LEASE, LOOKS
from tests.replicas.place import Shared, daemon, hours_ago
from tests.replicas.server import Server, postgres_server

KILLS, RULES = 10, 200
SEED = 7
LONG, PACE = 60.0, 3.0
"""Seconds that a query takes: that of the daemon which is killed in it, and that of the one which makes the run."""
RUN = re.compile(r"INFO (\S+) at (\S+ \S+): .* judged")


@dataclass(frozen=True)
class Takeover:
    """Seconds from a `kill -9`: until another daemon had the run, and until it had recorded it."""

    taken: float
    finished: float


def takeovers(server: Server, folder: Path, kills: int) -> list[Takeover]:
    """One after another, each with a store and two daemons of its own."""
    chance = random.Random(SEED)
    return [_kill(server, folder / str(number), f"kill_{number}", chance.uniform(0.0, PACE)) for number in range(kills)]


def _kill(server: Server, folder: Path, name: str, after: float) -> Takeover:
    """The daemon that is at a run is killed `after` seconds of that, while another one looks on."""
    folder.mkdir()
    shared = Shared.make(folder, server, name)
    shared.evaluated(hours_ago(1))
    shared.take_time(LONG)
    with daemon(shared, "first") as first:
        first.wait_for(shared.claims)
        with daemon(shared, "second") as second:
            second.wait_to_say("watching")
            ((_, tick, owner),) = shared.claims()
            # A query that was begun takes as long as it was told to.
            shared.take_time(PACE)
            time.sleep(after)
            first.kill()
            killed = time.monotonic()
            second.wait_for(lambda: any(row[2] != owner for row in shared.claims()))
            taken = time.monotonic() - killed
            second.wait_for(lambda: any(run.tick >= tick for run in shared.runs()))
            return Takeover(taken, time.monotonic() - killed)


@dataclass(frozen=True)
class Shares:
    """Runs of each of the daemons, and those that more than one made."""

    runs: tuple[int, ...]
    doubled: int


def shares(server: Server, folder: Path, rules: int, ticks: int = 3) -> Shares:
    """Two daemons that start at once on rules that were never evaluated, until each has been so often."""
    shared = Shared.make(folder, server, "shares", rules=rules, schedule="2m")
    with daemon(shared, "one") as one, daemon(shared, "two") as two:
        for number in range(rules):
            one.wait_for(lambda number=number: len(shared.runs(number)) >= ticks)
        codes = one.end(), two.end()
    assert codes == (0, 0)
    made = [Counter(RUN.findall(item.log)) for item in (one, two)]
    return Shares(tuple(sum(item.values()) for item in made), len(made[0].keys() & made[1].keys()))


def main() -> None:
    """Measure and print."""
    given = [int(text) for text in sys.argv[1:]]
    kills, rules = (*given, *(KILLS, RULES)[len(given) :])
    with postgres_server() as server, tempfile.TemporaryDirectory() as folder:
        Path(folder, "kills").mkdir()
        found = takeovers(server, Path(folder, "kills"), kills)
        lease, look = LEASE.total_seconds(), LEASE.total_seconds() / LOOKS
        print(f"seed {SEED}: {kills} daemons killed in the middle of a run")
        print(
            f"lease {lease:.0f} s, renewed and looked at every {look:.0f} s: another has the run after at most {lease + look:.0f} s"
        )
        print(f"{'seconds from kill -9':48}{'least':>8}{'median':>8}{'most':>8}")
        for name, seconds in (
            ("until another daemon has it", [item.taken for item in found]),
            (f"until it is finished there ({PACE:.0f} s a query)", [item.finished for item in found]),
        ):
            print(f"{name:48}{min(seconds):8.1f}{statistics.median(seconds):8.1f}{max(seconds):8.1f}")
        Path(folder, "shares").mkdir()
        both = shares(server, Path(folder, "shares"), rules)
        print(f"\n{rules} rules, two daemons: {both.runs[0]} and {both.runs[1]} runs, made by both: {both.doubled}")


if __name__ == "__main__":
    main()
