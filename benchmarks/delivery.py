"""Delivery: whether a dead receiver delays the others, and whether faults lose anything.

`python -m benchmarks.delivery` prints both and writes the tables of docs/delivery.md. With `--only latency`, or `--only kill`
for the faults whose names hold the word, it prints these and writes nothing; `--rows` and `--trials` make it shorter.
"""

from __future__ import annotations

import argparse
import re
import tempfile
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

import numpy as np

from alerts.crew import Crew
from alerts.deliver import Courier
from alerts.model import Receipt, SendError
from alerts.ports import Delivery, Notifier, Part
from benchmarks.delivery_faults import FAULTS, TRIALS, measure, table
from monitor import store
from tests.contracts.outbox_contract import message

PAGE = Path(__file__).parents[1] / "docs" / "delivery.md"
ROWS = 10_000
RECEIVERS = 20
ANSWER = 0.02
"""Seconds a healthy receiver takes."""
TIMEOUT = 10.0
"""Seconds after which a dead one fails."""
MOST = 1.2
"""The 99th percentile with a dead receiver, in multiples of that without."""


@dataclass
class Healthy:
    """Takes every message in a moment."""

    taken: dict[str, float] = field(default_factory=dict)

    def send(self, delivery: Delivery) -> Receipt:
        time.sleep(ANSWER)
        self.taken[delivery.id] = time.monotonic()
        return Receipt("C1", delivery.id)


@dataclass
class Dead:
    """Takes no message, and says so only after a while."""

    ended: threading.Event

    def send(self, delivery: Delivery) -> Receipt:
        self.ended.wait(TIMEOUT)
        raise SendError(f"{delivery.receiver} did not answer")


@dataclass(frozen=True)
class Latency:
    """Seconds from queued to taken at the receivers that are healthy in both runs: [messages]."""

    alone: np.ndarray
    beside: np.ndarray

    @property
    def ratio(self) -> float:
        """Of the 99th percentiles."""
        return float(np.quantile(self.beside, 0.99) / np.quantile(self.alone, 0.99))


def latency(rows: int = ROWS) -> Latency:
    """Deliver the same rows twice: with all receivers healthy, and with one of them dead."""
    names = [f"team-{number:02}" for number in range(RECEIVERS)]
    return Latency(_delivered(rows, names, dead=None), _delivered(rows, names, dead=names[0]))


def _delivered(rows: int, names: list[str], dead: str | None) -> np.ndarray:
    ended = threading.Event()
    healthy = {name: Healthy() for name in names}
    notifiers: Mapping[str, Notifier] = healthy | ({} if dead is None else {dead: Dead(ended)})
    wanted = [name for name in names if name != names[0]]
    with tempfile.TemporaryDirectory() as folder:
        state = store.Store.open(f"sqlite:///{folder}/slicewatch.db")
        with state.write() as tx:
            for number in range(rows):
                name = names[number % len(names)]
                store.enqueue(tx, message(f"sw-{number}"), name, [Part.TEXT], datetime.now(UTC))
        begin = time.monotonic()
        courier = Courier("bench", Random(1), notifiers, paces=dict.fromkeys(names, timedelta(0)))
        crew = Crew(store.SqlOutbox(state), courier, lambda: datetime.now(UTC), ended.wait, lambda _: None)
        until = datetime.now(UTC) + timedelta(hours=1)
        expected = sum(number % len(names) != 0 for number in range(rows))
        while sum(len(healthy[name].taken) for name in wanted) < expected:
            crew.start(until)
            time.sleep(0.05)
        courier.notifiers = {}
        ended.set()
        _end(crew, state)
        return np.array([at - begin for name in wanted for at in healthy[name].taken.values()])


def _end(crew: Crew, state: store.Store) -> None:
    """Whatever still waits is for the dead one."""
    crew.clock = lambda: datetime.max.replace(tzinfo=UTC)
    crew.finish()
    state.close()


def latency_table(found: Latency) -> str:
    """The percentiles as a table in Markdown."""
    rows = [
        f"| {name} | {np.quantile(seconds, 0.5):.1f} s | {np.quantile(seconds, 0.99):.1f} s |"
        for name, seconds in (("all healthy", found.alone), ("one of them dead", found.beside))
    ]
    rows_of_both = round(len(found.alone) * RECEIVERS / (RECEIVERS - 1))
    head = f"| {rows_of_both:,} messages to {RECEIVERS} receivers | median | 99th percentile |\n|---|---|---|"
    return "\n".join([head, *rows]) + f"\n\nRatio of the 99th percentiles: {found.ratio:.2f} (at most {MOST})."


def written(page: str, name: str, content: str) -> str:
    """The page with what stands between the marks of a name replaced."""
    begin, end = f"<!-- {name} -->", f"<!-- /{name} -->"
    pattern = re.compile(f"{re.escape(begin)}.*?{re.escape(end)}", re.DOTALL)
    return pattern.sub(lambda _: f"{begin}\n{content}\n{end}", page)


def _print_some(word: str, rows: int, trials: int) -> None:
    names = [name for name in FAULTS if word in name]
    if word == "latency":
        print(latency_table(latency(rows)))
    elif names:
        print(table(measure(names, trials), trials))
    else:
        raise SystemExit(f"--only {word}: neither 'latency' nor a word in the name of a fault: {', '.join(FAULTS)}")


def main() -> None:
    """Measure, print, and write the page where all was measured."""
    parser = argparse.ArgumentParser(
        description="Whether a dead receiver delays the others, and whether faults lose anything."
    )
    parser.add_argument("--only", metavar="WORD", help="latency, or a word in the names of faults; writes nothing")
    parser.add_argument("--rows", type=int, default=ROWS)
    parser.add_argument("--trials", type=int, default=TRIALS)
    asked = parser.parse_args()
    if asked.only is not None:
        _print_some(asked.only, asked.rows, asked.trials)
        return
    page = PAGE.read_text(encoding="utf-8")
    found = table(measure(list(FAULTS), asked.trials), asked.trials)
    for name, content in (("latency", latency_table(latency(asked.rows))), ("faults", found)):
        print(content)
        page = written(page, name, content)
    PAGE.write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main()
