"""Fifty people on the pages while a daemon evaluates: how long they wait, and what it costs the daemon.

`slicewatch serve` runs as a process of its own on a store of 10,000 leaves and 28 days; this process is the daemon that
writes into the same file, and the viewers are a third one. Evaluations are measured in pairs, with and without them, the
order changing; what counts is the middle one of the pairs' ratios. The tick that learns, one a day, is never among them.

    python benchmarks/viewers.py [--quick] [--viewers N] [--pairs N] [--json]
"""

# ruff: noqa: E402  # the number of threads must be set before numpy is loaded

from __future__ import annotations

import os

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_name, "1")

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

import httpx

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.evaluation import Bench, Memory, table
from benchmarks.rows import Row
from benchmarks.web_store import LEAVES, RULE, Filled, filled
from monitor import store
from monitor.evaluation import Evaluator

MOST_SLOWER = 1.15
READS = 10.0
"""Seconds that a viewer looks at a page, on average."""
TICKS = 8
"""Evaluations that are measured together: some seconds of them, in which dozens of pages are opened."""
DAY_HOURS = 24


class Crowd:
    """Viewers of a served store: `benchmarks/crowd.py`, in a process of its own as their browsers are."""

    def __init__(self, url: str, paths: tuple[str, ...], viewers: int) -> None:
        words = [sys.executable, str(Path(__file__).with_name("crowd.py")), url, str(viewers), str(READS), *paths]
        self._process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    @contextmanager
    def looking(self) -> Iterator[None]:
        """All of them look meanwhile."""
        self._say("look")
        try:
            yield
        finally:
            self._say("stop")

    def _say(self, word: str) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        print(word, file=self._process.stdin, flush=True)
        if not self._process.stdout.readline():
            raise RuntimeError("the viewers are gone")

    def end(self) -> tuple[list[float], list[str]]:
        """Seconds that each page took, and what was wrong."""
        said, _ = self._process.communicate()
        found = json.loads(said)
        return found["seconds"], found["wrong"]


@contextmanager
def served(made: Filled) -> Iterator[str]:
    """`slicewatch serve` as a process; its address."""
    program = str(Path(sys.executable).with_name("slicewatch"))
    words = [program, "serve", "--config", str(made.config), "--listen", "127.0.0.1:0"]
    process = subprocess.Popen([*words, "--at", made.now.isoformat()], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield process.stdout.readline().rpartition(" ")[2].strip()
    finally:
        process.terminate()
        process.wait(30)


def paths_of(made: Filled) -> tuple[str, ...]:
    """The pages that people open."""
    with made.bench.state.read() as tx:
        (incident, *_) = store.incidents(tx, rule=RULE.name)
    slices = f"/slices?rule={RULE.name}"
    return (
        "/",
        slices,
        f"{slices}&page=1",
        f"/incidents/{incident.id}",
        "/incidents",
        "/rules",
        "/deliveries",
        "/health",
    )


@dataclass
class Daemon:
    """Evaluates one tick after the other into the store that is served."""

    bench: Bench
    source: Memory
    hours: int

    def evaluate(self) -> float:
        """Seconds on the wall of some evaluations."""
        evaluator = self.bench.evaluator(self.source)
        self._tick(evaluator)  # loads what is loaded lazily
        while self.hours // DAY_HOURS < (self.hours + TICKS) // DAY_HOURS:
            self._tick(evaluator)
        began = time.perf_counter()
        for _ in range(TICKS):
            self._tick(evaluator)
        return time.perf_counter() - began

    def _tick(self, evaluator: Evaluator) -> None:
        self.hours += 1
        self.bench.tick(evaluator, self.source, self.hours)


def measure(leaves: int, viewers: int, pairs: int) -> Iterator[Row]:
    """What viewers wait, and what they cost."""
    with tempfile.TemporaryDirectory() as folder:
        more = 2 * pairs * 2 * (TICKS + 1) + DAY_HOURS
        with filled(Path(folder), leaves, more_hours=more) as made, served(made) as url:
            crowd = Crowd(url, paths_of(made), viewers)
            for path in paths_of(made):
                httpx.get(url + path, timeout=120).raise_for_status()
            daemon = Daemon(made.bench, made.source, made.hours)
            ratios: list[float] = []
            alone: list[float] = []
            for pair in range(pairs):
                took = {}
                for watched in (True, False) if pair % 2 else (False, True):
                    if watched:
                        with crowd.looking():
                            time.sleep(READS / 2)
                            took[watched] = daemon.evaluate()
                            time.sleep(READS / 2)
                    else:
                        took[watched] = daemon.evaluate()
                ratios.append(took[True] / took[False])
                alone.append(took[False] / TICKS)
            seconds, wrong = crowd.end()
    waits = sorted(seconds)
    yield Row("viewers", viewers, "people")
    yield Row("pages opened", len(waits), "pages")
    yield Row("pages that failed", len(wrong), "pages", "0" + "".join(f"; {text}" for text in wrong[:3]))
    yield Row("a page takes, the middle one", median(waits), "s")
    yield Row("a page takes, p95", waits[len(waits) * 95 // 100], "s")
    yield Row("an evaluation without them", median(alone), "s")
    yield Row("pairs, the least and the most", min(ratios), "x", f"{max(ratios):.2f}")
    yield Row("evaluation with viewers, of that without", median(ratios), "x", f"at most {MOST_SLOWER:g}")


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="A tenth of the slices, ten viewers, two pairs.")
    parser.add_argument("--viewers", type=int, default=50)
    parser.add_argument("--pairs", type=int, default=7)
    parser.add_argument("--json", action="store_true", dest="as_json")
    given = parser.parse_args()
    size = (LEAVES // 10, 10, 2) if given.quick else (LEAVES, given.viewers, given.pairs)
    rows = list(measure(*size))
    print(json.dumps([asdict(row) for row in rows]) if given.as_json else table(rows))


if __name__ == "__main__":
    main()
