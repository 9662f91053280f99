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
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from monitor.claims import LEASE, LOOKS
from tests.replicas.place import Running, Shared, daemon, hours_ago
from tests.replicas.server import Server, postgres_server

KILLS, RULES = 10, 200
SEED = 7
TICKS = 12
"""Runs that are due for each kill: some are made while a new daemon starts."""
PACE = 3.0
"""Seconds that each query of the killed runs takes."""
RUN = re.compile(r"INFO (\S+) at (\S+ \S+): .* judged")


@dataclass(frozen=True)
class Takeover:
    """Seconds from a `kill -9`: until another daemon had the run, and until it had recorded it."""

    taken: float
    finished: float


def takeovers(server: Server, folder: Path, kills: int) -> list[Takeover]:
    """One after another, each time of the daemon that is at a run."""
    chance, found = random.Random(SEED), []
    shared = Shared.make(folder, server, "kills")
    shared.evaluated(hours_ago(TICKS * kills))
    shared.take_time(PACE)
    with ExitStack() as stack:

        def begin(name: str) -> Running:
            made = stack.enter_context(daemon(shared, name))
            made.wait_to_say("watching")
            return made

        there = [begin("first"), begin("second")]
        for number in range(kills):
            found.append(_kill(shared, there, chance))
            there.append(begin(f"after {number + 1}"))
    return found


def _kill(shared: Shared, there: list[Running], chance: random.Random) -> Takeover:
    _claimed(shared, there)
    time.sleep(chance.uniform(0.0, PACE))
    tick, owner = _claimed(shared, there)
    victim = next(item for item in there if f"/{item.process.pid}/" in owner)
    there.remove(victim)
    other = there[0]
    victim.kill()
    killed = time.monotonic()
    other.wait_for(lambda: any(row[2] != owner for row in shared.claims()))
    taken = time.monotonic() - killed
    other.wait_for(lambda: any(run.tick >= tick for run in shared.runs()))
    return Takeover(taken, time.monotonic() - killed)


def _claimed(shared: Shared, there: list[Running]) -> tuple[int, str]:
    """Tick and owner of the run that somebody is at, once there is one."""
    found: list[tuple[str, int, str]] = []

    def any_is() -> bool:
        found[:] = shared.claims()
        return bool(found)

    there[0].wait_for(any_is)
    return found[0][1], found[0][2]


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
