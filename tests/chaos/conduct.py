"""A chaos run from its first process to its verdict: real replicas, a real PostgreSQL, real sockets, and a plan of faults."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

import psycopg

from tests.chaos.clock import Pace
from tests.chaos.look import incidents_of, seen_of
from tests.chaos.oracle import Expected, Outage, Verdict, Wanted, judge
from tests.chaos.place import STORE, Place, channels_of, keep_store_time, make_place, make_store
from tests.chaos.plan import HEALED, Fault, Injected, Kind, Plan, rule_name, source_of
from tests.chaos.servers import Server, server
from tests.chaos.world import BEGIN, BUCKET, Warehouse, due_at, start_of
from tests.standins.slack import Fault as SlackFault
from tests.standins.slack import SlackStandin

ROOT = Path(__file__).parents[2]
PATIENCE = 900.0
"""Seconds for which something is waited for that has to come."""
RUNS = "FROM public.slicewatch_run JOIN public.slicewatch_rule r ON r.id = rule"
PYTHONS_WARNING = re.compile(r"\.py:\d+: \w+Warning: ")
STILL = Pace(BEGIN.timestamp(), 0.0, 0.0)
"""Until the run begins."""
OFF = (180.0, 2400.0)
"""How far off a clock is, in its own seconds: three to forty minutes."""
DOWN = (0.5, 4.0)
"""Real seconds for which PostgreSQL is away."""
SLACK: dict[str, SlackFault | None] = {
    "500": SlackFault("status", status=500),
    "503": SlackFault("down"),
    "cut before": SlackFault("cut_before"),
    "cut after": SlackFault("cut_after", methods=("chat.postMessage", "chat.update")),
    "429": SlackFault("rate_limit", seconds=2.0),
    "dead": None,
}


@dataclass(frozen=True)
class Report:
    """What was done, and what it came to."""

    plan: Plan
    injected: tuple[Injected, ...]
    verdict: Verdict
    learning: float
    """Real seconds until every rule had learned its history."""
    seconds: float
    """Real seconds from there to the end."""
    latest: timedelta
    """How late a tick was evaluated at most, by the run's clock."""
    failed_starts: int
    """How often a replica that was started ended at once, for the store was away."""
    log: str
    """Lines of the replicas' logs that nobody should see."""


@dataclass
class Replica:
    """One replica: a process that is started again whenever it was killed."""

    place: Place
    number: int
    process: subprocess.Popen[bytes] | None = None
    lock: threading.Lock = field(default_factory=threading.Lock)
    failed_starts: int = 0
    """How often it ended before it watched anything: the store was away."""
    deaths: list[int] = field(default_factory=list)
    """Exit codes of lives that ended by themselves later than that."""
    _began_at: int = 0
    """Length of its log when this life began."""

    def start(self) -> None:
        """Start it."""
        command = [sys.executable, "-m", "tests.chaos.replica"]
        command += [str(path) for path in (self.place.config, self.place.clock, self.place.offset(self.number))]
        # One thread each: they share the machine.
        threads = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
        env = {**os.environ, **self.place.env, **threads, "PYTHONPATH": str(ROOT)}
        with self.place.log(self.number).open("ab") as log:
            self._began_at = log.tell()
            self.process = subprocess.Popen(command, cwd=ROOT, env=env, stdout=log, stderr=log)

    def kill(self) -> int:
        """As a machine that is gone; how it ended."""
        if self.process is None:
            return 0
        self.process.kill()
        return self.process.wait()

    def stop(self) -> None:
        """Ask it to end, and wait until it has."""
        if self.process is not None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(60)
            except subprocess.TimeoutExpired:
                self.kill()
                raise AssertionError(f"replica {self.number} does not end when asked") from None

    def supervise(self) -> None:
        """Start it again where it ended by itself, as whatever runs it does."""
        with self.lock:
            if self.process is None or self.process.poll() is None:
                return
            with self.place.log(self.number).open("rb") as log:
                log.seek(self._began_at)
                if b"watching" in log.read():
                    self.deaths.append(self.process.returncode)
                else:
                    self.failed_starts += 1
            self.start()


@dataclass
class Stage:
    """All that takes part."""

    plan: Plan
    place: Place
    store: Server
    warehouses: list[Warehouse]
    slack: SlackStandin
    replicas: list[Replica]
    say: Callable[[str], None]
    patience: float
    pace: Pace = STILL
    began: float = 0.0
    injected: list[Injected] = field(default_factory=list)
    latest: timedelta = timedelta(0)
    """How late a tick of some rule was evaluated at most, by the run's clock."""
    _measured: float = 0.0
    _postgres: threading.Lock = field(default_factory=threading.Lock)
    _receiver: threading.Lock = field(default_factory=threading.Lock)
    _sources: list[threading.Lock] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._sources = [threading.Lock() for _ in self.warehouses]

    # --- time ---

    def keep(self, pace: Pace) -> None:
        """Put a pace in force everywhere."""
        self.pace = pace
        for warehouse in self.warehouses:
            warehouse.keep_time(pace)
        keep_store_time(self.store, pace)
        pace.write(self.place.clock)

    def run_time(self, real: float) -> datetime:
        """The run's time at a real second since the chaos began."""
        return datetime.fromtimestamp(self.pace.at(self.began + real), UTC)

    def wait_for(self, what: str, done: Callable[[], bool]) -> bool:
        """Until it holds; False where that takes longer than anybody's patience."""
        until = time.monotonic() + self.patience
        while time.monotonic() < until:
            with contextlib.suppress(psycopg.Error):
                if done():
                    return True
            time.sleep(0.25)
        self.say(f"after {self.patience:g} s still not: {what}")
        return False

    # --- faults ---

    def inject(self, fault: Fault) -> None:
        """Let it go wrong, for its while, and mend it."""
        chance = Random(f"{self.plan.seed} {fault.at}")
        with self._lock_of(fault):
            begin = time.time() - self.began
            if fault.kind is Kind.KILL:
                self._kill(fault)
            elif fault.kind is Kind.CLOCK:
                self._put_off(fault, chance)
            elif fault.kind is Kind.POSTGRES:
                self._restart(fault, chance)
            elif fault.kind is Kind.TERMINATE:
                self._terminate(fault)
            elif fault.kind is Kind.SOURCE:
                self._fail(fault)
            else:
                self._silence(fault)
            end = time.time() - self.began
        self.injected.append(Injected(fault.kind, fault.how, fault.target, begin, end))
        self.say(f"{begin:7.1f} s to {end:7.1f} s  {fault.kind.value}: {fault.how} ({fault.target})")

    def _lock_of(self, fault: Fault) -> threading.Lock:
        """One thing at a time goes wrong with one thing."""
        if fault.kind in {Kind.KILL, Kind.CLOCK}:
            return self.replicas[fault.target].lock
        if fault.kind is Kind.SOURCE:
            return self._sources[fault.target]
        return self._receiver if fault.kind is Kind.RECEIVER else self._postgres

    def _terminate(self, fault: Fault) -> None:
        """End connections; where there is none, as soon as there is one."""
        ended = 0
        while not ended:
            time.sleep(0.2)
            with contextlib.suppress(psycopg.Error):
                ended = self.store.terminate(STORE, fault.how)

    def _kill(self, fault: Fault) -> None:
        replica = self.replicas[fault.target]
        if replica.kill() != -signal.SIGKILL:
            # It was just about to be started again, by whatever runs it.
            replica.start()
            replica.kill()
        time.sleep(fault.lasts)
        replica.start()

    def _put_off(self, fault: Fault, chance: Random) -> None:
        """The clock jumps, and jumps back."""
        off = chance.uniform(*OFF) * (1 if fault.how == "ahead" else -1)
        file = self.place.offset(fault.target)
        file.write_text(f"{off}", encoding="utf-8")
        time.sleep(fault.lasts)
        file.write_text("0", encoding="utf-8")

    def _restart(self, fault: Fault, chance: Random) -> None:
        self.store.stop(fault.how)
        time.sleep(chance.uniform(*DOWN))
        self.store.start()

    def _fail(self, fault: Fault) -> None:
        warehouse = self.warehouses[fault.target]
        if fault.how in {"error", "slow"}:
            warehouse.feel(fault.how)
            time.sleep(fault.lasts)
            warehouse.feel("well")
        elif fault.how == "refused":
            warehouse.line.refuse()
            time.sleep(fault.lasts)
            warehouse.line.start()
        else:
            warehouse.line.cut(on=True)
            time.sleep(fault.lasts)
            warehouse.line.cut(on=False)

    def _silence(self, fault: Fault) -> None:
        slack = SLACK[fault.how]
        if slack is None:
            with self.slack.gone():
                time.sleep(fault.lasts)
            return
        self.slack.faults.append(slack)
        time.sleep(fault.lasts)
        self.slack.faults.remove(slack)

    # --- the course of it ---

    def learn(self) -> float:
        """All start at once on an empty store, and learn the history of every rule while the clock stands still.

        The seconds that took.
        """
        begin = time.monotonic()
        for replica in self.replicas:
            replica.start()
        assert self.wait_for("every rule has learned its history", lambda: len(self._behind(BEGIN)) == 0)
        return time.monotonic() - begin

    @contextmanager
    def supervised(self) -> Iterator[None]:
        """Whatever ends by itself is started again meanwhile."""
        over = threading.Event()

        def look() -> None:
            while not over.wait(0.5):
                for replica in self.replicas:
                    replica.supervise()
                with contextlib.suppress(psycopg.Error):
                    self._measure()

        thread = threading.Thread(target=look)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()

    def _measure(self) -> None:
        """How far the rule that is farthest behind is."""
        query = f"SELECT min(newest) FROM (SELECT max(tick) AS newest {RUNS} GROUP BY r.name) each"
        if self.began and time.monotonic() - self._measured > 5.0:
            with self.store.connect(STORE) as connection:
                found = connection.execute(query).fetchone()
            # The newest tick may be the one before the next: that is not late.
            late = (
                self.run_time(time.time() - self.began) - BUCKET - datetime.fromtimestamp(found[0] if found else 0, UTC)
            )
            self.latest = max(self.latest, late)
            self._measured = time.monotonic()

    def rage(self) -> None:
        """Let time run, and everything go wrong as planned."""
        speed = BUCKET.total_seconds() / self.plan.size.bucket_seconds
        self.began = time.time()
        self.keep(Pace(BEGIN.timestamp(), self.began, speed))
        faults = self.plan.faults
        with ThreadPoolExecutor(len(faults)) as pool:
            made = []
            for fault in faults:
                time.sleep(max(0.0, self.began + fault.at - time.time()))
                made.append(pool.submit(self.inject, fault))
            for one in made:
                one.result()

    def calm(self) -> datetime:
        """Let all come to its end; the last tick that must have been evaluated."""
        rest = self.began + self.plan.size.seconds - time.time()
        time.sleep(max(0.0, rest))
        for file in (self.place.offset(replica.number) for replica in self.replicas):
            file.write_text("0", encoding="utf-8")
        last_loss = max(loss.end for loss in self.plan.losses)
        now = self.run_time(time.time() - self.began)
        # Sources have answered for a while, and the last loss is over.
        bucket = max(last_loss + HEALED, int((now - start_of(0)) / BUCKET) + 2)
        last = due_at(bucket)
        self.say(f"calm, until the tick of {last}")
        self.wait_for("every tick is evaluated", lambda: len(self._behind(last)) == 0)
        self.wait_for("every incident is over", lambda: not self._open())
        self.wait_for("all is delivered", lambda: not self._queued())
        return last

    def _behind(self, tick: datetime) -> list[str]:
        """Rules that were not evaluated at a tick, or later, yet."""
        query = f"SELECT r.name {RUNS} GROUP BY r.name HAVING max(tick) >= %s"
        with self.store.connect(STORE) as connection:
            there = {row[0] for row in connection.execute(query, [int(tick.timestamp())])}
        return [name for name in self._rules() if name not in there]

    def _rules(self) -> list[str]:
        return [rule_name(number) for number in range(self.plan.size.rules)]

    def _open(self) -> bool:
        with self.store.connect(STORE) as connection:
            return any(incident.resolved_at is None for incident in incidents_of(connection))

    def _queued(self) -> bool:
        with self.store.connect(STORE) as connection:
            found = connection.execute(
                "SELECT count(*) FROM public.slicewatch_outbox WHERE state = 'queued'"
            ).fetchone()
        return found is not None and found[0] > 0

    def verdict(self, last: datetime) -> Verdict:
        """Hold what there is against what must be."""
        losses = tuple(Expected(loss, start_of(loss.begin), start_of(loss.end)) for loss in self.plan.losses)
        with self.store.connect(STORE) as connection:
            seen = seen_of(connection, self.slack, channels_of(self.plan.size))
        count = int((last - BEGIN) / BUCKET) + 1
        ticks = tuple(BEGIN + number * BUCKET for number in range(count))
        return judge(Wanted(losses, self._outages(), tuple(self._rules()), ticks, self.latest + BUCKET), seen)

    def _outages(self) -> tuple[Outage, ...]:
        size = self.plan.size
        by_source: dict[int, set[str]] = {}
        for number in range(size.rules):
            by_source.setdefault(source_of(number, size), set()).add(rule_name(number))
        return tuple(
            Outage(frozenset(by_source[item.target]), self.run_time(item.begin), self.run_time(item.end))
            for item in self.injected
            if item.kind is Kind.SOURCE
        )


def chaos(plan: Plan, folder: Path, say: Callable[[str], None], patience: float = PATIENCE) -> Report:
    """Do it all, in a folder that is there and empty; `patience` is in seconds."""
    with _staged(plan, folder, say, patience) as stage:
        with stage.supervised():
            learning = stage.learn()
            say(f"every rule has learned its history, after {learning:.0f} s")
            begin = time.monotonic()
            stage.rage()
            last = stage.calm()
        seconds = time.monotonic() - begin
        for replica in stage.replicas:
            replica.stop()
        verdict = stage.verdict(last)
        verdict.died = [f"replica {item.number}: exit code {code}" for item in stage.replicas for code in item.deaths]
        failed = sum(replica.failed_starts for replica in stage.replicas)
        return Report(plan, tuple(stage.injected), verdict, learning, seconds, stage.latest, failed, _complaints(stage))


def _complaints(stage: Stage) -> str:
    """Tracebacks and Python's own warnings: whatever goes wrong around it, the program has words for it."""
    found: list[str] = []
    for replica in stage.replicas:
        lines = stage.place.log(replica.number).read_text(encoding="utf-8", errors="replace").splitlines()
        for number, line in enumerate(lines):
            if line.startswith("Traceback"):
                end = next((n for n in range(number + 1, len(lines)) if not lines[n].startswith(" ")), number)
                found += [lines[max(0, number - 1)], lines[end]]
            elif PYTHONS_WARNING.search(line):
                found.append(line)
    return "\n".join(dict.fromkeys(found))


@contextmanager
def _staged(plan: Plan, folder: Path, say: Callable[[str], None], patience: float) -> Iterator[Stage]:
    size = plan.size
    with ExitStack() as stack:
        store = stack.enter_context(server(folder / "store"))
        events = stack.enter_context(server(folder / "warehouse"))
        slack = stack.enter_context(SlackStandin(channels=channels_of(size)))
        make_store(store)
        warehouses = []
        for number in range(size.sources):
            events.create(f"warehouse{number}")
            warehouses.append(Warehouse(events, f"warehouse{number}"))
            warehouses[-1].fill(plan, number)
        place = make_place(folder, size, store, warehouses, slack.url, slack.token)
        replicas = [Replica(place, number) for number in range(size.replicas)]
        stage = Stage(plan, place, store, warehouses, slack, replicas, say, patience)
        stage.keep(stage.pace)
        try:
            yield stage
        finally:
            for replica in replicas:
                replica.kill()
            for warehouse in warehouses:
                warehouse.line.refuse()
