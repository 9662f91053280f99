"""Whether everything arrives, whatever a receiver does: real processes, a Slack on loopback, and faults.

Time runs `SPEED` times as fast. In each trial incidents open, and resolve a while later; what was queued is compared
with what stands in the channels. Lost is news whose text is nowhere; repeated is news that was posted again; out of
order is a resolve that stands before its firing. Killed is `slicewatch run` itself, at the pace of the real clock.
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

from alerts.model import Change, Message, State
from alerts.ports import Part
from benchmarks.delivery_worker import fast
from monitor import store
from rules.model import Severity
from tests.standins.slack import Fault, SlackStandin

ROOT = Path(__file__).parents[1]
PROGRAM = str(Path(sys.executable).with_name("slicewatch"))
SPEED = 30.0
INCIDENTS = 4
TRIALS = 5
KILLS = 20
GAP = 2.0
"""Seconds between firing and resolve: a minute on the fast clock."""
PATIENCE = 120.0
SETTINGS = """\
rules = ["rules/*.yaml"]
fallback = "ops"

[receivers.team]
kind = "slack"
channel = "#oncall"
token = {{env = "TEAM_TOKEN"}}
base_url = "{url}"
pace = "{pace}"

[receivers.ops]
kind = "slack"
channel = "#ops"
token = {{env = "OPS_TOKEN"}}
base_url = "{url}"
"""


@dataclass(frozen=True)
class Trial:
    """What was queued, what stands in the channels, and how often more than once."""

    sent: int
    arrived: int
    repeated: int
    disordered: int = 0

    @property
    def lost(self) -> int:
        return self.sent - self.arrived

    def __add__(self, other: Trial) -> Trial:
        pairs = ((self.sent, other.sent), (self.arrived, other.arrived), (self.repeated, other.repeated))
        return Trial(*(a + b for a, b in pairs), self.disordered + other.disordered)


@dataclass
class Place:
    """A folder with a configuration and a store, its Slack, and the process that delivers."""

    folder: Path
    slack: SlackStandin
    token: str = ""
    news: list[Message] = field(default_factory=list)
    clock: Callable[[], datetime] = lambda: fast(SPEED)

    @property
    def config(self) -> Path:
        """The operators' file."""
        return self.folder / "slicewatch.toml"

    @property
    def env(self) -> dict[str, str]:
        """The environment with the receivers' secrets."""
        return os.environ | {"TEAM_TOKEN": self.token or self.slack.token, "OPS_TOKEN": self.slack.token}

    @contextmanager
    def daemon(self) -> Iterator[None]:
        """`slicewatch run`, once it is up; killed at the end."""
        log = self.folder / "run.log"
        with (
            log.open("w", encoding="utf-8") as told,
            subprocess.Popen(
                [PROGRAM, "run", "--config", str(self.config)], cwd=self.folder, env=self.env, stderr=told
            ) as process,
        ):
            try:
                _until(lambda: "watching" in log.read_text(encoding="utf-8") or process.poll() is not None, "no start")
                assert process.poll() is None, log.read_text(encoding="utf-8")
                yield
            finally:
                process.kill()

    @contextmanager
    def worker(self) -> Iterator[subprocess.Popen[str]]:
        """A process that delivers; killed at the end."""
        command = [sys.executable, "-m", "benchmarks.delivery_worker", str(self.config), str(SPEED)]
        with subprocess.Popen(command, cwd=ROOT, env=self.env, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == "up\n"
            try:
                yield process
            finally:
                process.kill()

    @contextmanager
    def state(self) -> Iterator[store.Store]:
        """The store, beside the process."""
        opened = store.Store.open(f"sqlite:///{self.folder / 'slicewatch.db'}")
        try:
            yield opened
        finally:
            opened.close()

    def tell(self, change: Change, incident: int) -> None:
        """Queue news of an incident, as an evaluation does."""
        item = _message(change, incident)
        self.news.append(item)
        with self.state() as state, state.write() as tx:
            store.enqueue(tx, item, "team", [Part.TEXT], self.clock())

    def wait_until_delivered(self) -> None:
        """Until nothing waits."""
        with self.state() as state:

            def done() -> bool:
                with state.read() as tx:
                    return not store.outbox_counts(tx).queued

            _until(done, "not all was delivered in time")


def _until(done: Callable[[], bool], what: str) -> None:
    """Wait for something; AssertionError where it takes longer than anybody's patience."""
    until = time.monotonic() + PATIENCE
    while not done():
        if time.monotonic() > until:
            raise AssertionError(what)
        time.sleep(0.05)


def _message(change: Change, incident: int) -> Message:
    seq, over = (1, False) if change is Change.OPENED else (2, True)
    word = "RESOLVED" if over else "CRITICAL"
    return Message(
        key=f"sw-{incident}",
        seq=seq,
        rule="playback",
        change=change,
        state=State.RESOLVED if over else State.FIRING,
        severity=Severity.CRITICAL if incident % 2 else Severity.WARNING,
        push=f"{word} playback {incident}.{seq}.",
        title=f"{word} playback {incident}.{seq}.",
        summary=("A paragraph.",),
        facts=(),
        footer=f"Incident sw-{incident}",
    )


Script = Callable[[Place], None]
"""What happens in a trial, from an empty outbox on."""


def _tell_all(place: Place) -> None:
    for change in (Change.OPENED, Change.RESOLVED):
        for incident in range(INCIDENTS):
            place.tell(change, incident)
        time.sleep(GAP)


def _with(*faults: Fault) -> Script:
    def script(place: Place) -> None:
        place.slack.faults += [replace(fault) for fault in faults]
        with place.worker():
            _tell_all(place)
            place.wait_until_delivered()

    return script


def _down(place: Place) -> None:
    """Connections are refused for ten minutes."""
    with place.worker():
        with place.slack.gone():
            _tell_all(place)
            time.sleep(600 / SPEED - 2 * GAP)
        place.wait_until_delivered()


def _limited(place: Place) -> None:
    """429 for five minutes, half a minute at a time."""
    with place.worker():
        place.slack.faults.append(Fault("rate_limit", seconds=30.0))
        _tell_all(place)
        time.sleep(300 / SPEED - 2 * GAP)
        place.slack.faults.clear()
        place.wait_until_delivered()


def _bad_token(place: Place) -> None:
    place.token = "xoxb-revoked"
    with place.worker():
        _tell_all(place)
        place.wait_until_delivered()


def _archived(place: Place) -> None:
    place.slack.archived.add("C0ONCALL")
    with place.worker():
        _tell_all(place)
        place.wait_until_delivered()


def _killed(place: Place) -> None:
    """Killed at random points, while news come and Slack is slow enough to be killed within a call."""
    place.clock = lambda: datetime.now(UTC)
    place.slack.faults.append(Fault("slow", seconds=0.05))
    chance = random.Random(str(place.folder))
    news = [(change, n) for change in (Change.OPENED, Change.RESOLVED) for n in range(KILLS // 2)]
    for change, incident in news:
        place.tell(change, incident)
        with place.daemon():
            time.sleep(chance.uniform(0.0, 0.4))
    with place.daemon():
        place.wait_until_delivered()


KILLED = f"`kill -9` at {KILLS} random points"
REAL_PACE = {KILLED: "0"}
"""Where the clock is the real one a second between messages would be all that is seen."""

FAULTS: dict[str, Script] = {
    "none": _with(),
    "receiver down for 10 minutes": _down,
    "429 for 5 minutes": _limited,
    "500, 502, 503 and 504": _with(*(Fault("status", times=2, status=code) for code in (500, 502, 503, 504))),
    "answers after 3 s": _with(Fault("slow", times=6, seconds=3.0)),
    "answers after the sender gave up": _with(Fault("slow", times=2, seconds=11.0, methods=("chat.postMessage",))),
    "connection cut before the message was taken": _with(Fault("cut_before", times=4)),
    "connection cut after the message was taken": _with(Fault("cut_after", times=4, methods=("chat.postMessage",))),
    "the same, and the token may not read the channel": _with(
        Fault("cut_after", times=4, methods=("chat.postMessage",)),
        Fault("error", error="missing_scope", methods=("conversations.list", "conversations.history")),
    ),
    "invalid token": _bad_token,
    "archived channel": _archived,
    "blocks refused": _with(Fault("refuse_blocks")),
    KILLED: _killed,
}


def trial(fault: str) -> Trial:
    """One trial of a fault, in a folder and with a Slack of its own."""
    with tempfile.TemporaryDirectory() as name, SlackStandin() as slack:
        place = Place(Path(name), slack)
        text = SETTINGS.format(url=slack.url, pace=REAL_PACE.get(fault, "1s"))
        place.config.write_text(text, encoding="utf-8")
        FAULTS[fault](place)
        return _judged(place)


def _judged(place: Place) -> Trial:
    posts = place.slack.calls("chat.postMessage")
    texts = [str(call.args.get("text", "")) + str(call.args.get("blocks", "")) for call in posts]
    arrived = [item for item in place.news if any(item.push in text for text in texts)]
    told = Counter(str(call.args.get("text", "")).strip("*").splitlines()[0] for call in posts)
    first = {item.push: next(n for n, text in enumerate(texts) if item.push in text) for item in arrived}
    swapped = sum(
        first.get(_message(Change.RESOLVED, n).push, 1 << 30) < first.get(_message(Change.OPENED, n).push, -1)
        for n in {int(item.key.removeprefix("sw-")) for item in place.news}
    )
    return Trial(len(place.news), len(arrived), sum(count - 1 for count in told.values()), swapped)


def measure(names: list[str], trials: int = TRIALS, at_once: int = 4) -> dict[str, Trial]:
    """The sum of the trials of each fault."""
    jobs = [name for name in names for _ in range(trials)]
    with ThreadPoolExecutor(at_once) as pool:
        made = list(pool.map(trial, jobs))
    found = {name: Trial(0, 0, 0) for name in names}
    for name, one in zip(jobs, made, strict=True):
        found[name] += one
    return found


def table(found: dict[str, Trial], trials: int = TRIALS) -> str:
    """The results as a table in Markdown."""
    rows = [
        f"| {name} | {trials} | {one.sent} | {one.arrived} | {one.repeated} | {one.disordered} | {one.lost} |"
        for name, one in found.items()
    ]
    head = "| fault | trials | news | arrived | repeated | out of order | lost |\n|---|---|---|---|---|---|---|"
    return "\n".join([head, *rows])
