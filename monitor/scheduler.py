"""The daemon: APScheduler wakes each rule, the store says which ticks are due, one thread delivers."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.jobstores.base import JobLookupError
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.interval import IntervalTrigger

from alerts.crew import Crew
from alerts.deliver import Outcome as Delivered
from alerts.wording import counted
from monitor import store
from monitor.app import App
from monitor.chores import Chore, Round
from monitor.claims import LEASE, Claims
from monitor.clock import LOOK_SECONDS as CLOCK_SECONDS
from monitor.clock import Clock
from monitor.evaluating import AGAIN, Evaluating
from monitor.logs import sparingly
from monitor.missed import tell_missed
from monitor.outcomes import log_delivery
from monitor.parking import Parking
from monitor.presence import Presence
from monitor.resending import Resender
from monitor.selfwatch import SelfWatch
from monitor.vitals import Vitals
from monitor.wakes import Wakes
from monitor.weekly import send_due
from rules.model import Rule

log = logging.getLogger("slicewatch")

IDLE_SECONDS = 1.0
DAEMON = "daemon-"
"""How leases of a daemon's deliveries are named, with a number of its own."""
FOR_EVER = datetime.max.replace(tzinfo=UTC)
WATCH_SECONDS = 2.0
"""Between two looks at the rule files: a change is in force after two of them."""
FOLLOW_SECONDS = 15.0
"""Between two looks at what time alone makes due: snoozes that end, hours that begin, nobody who acknowledges."""
DIGEST_SECONDS = 60.0
"""Between two looks at whether the digest of a week is due."""
AT_ONCE = datetime.fromtimestamp(0, UTC)
"""A time that has come by any clock."""
RETENTION_SECONDS = 600.0
"""Between two looks at whether the day's retention is done."""
BREATHE_SECONDS = 0.02
"""Between two of its steps: evaluations write as well."""
TROUBLE_SECONDS = 10.0
"""Between two attempts to deliver while the store fails: a full disk gains nothing by a line a second."""
PULSE = "pulse"
"""The name of the thread that shows that the clock goes on."""
PULSE_SECONDS = 5
"""Between two signs of life of the clock."""
LONGEST_CHORE = 900.0
"""Seconds that a chore may take before it counts as stuck."""
CUT_SECONDS = 1.0
"""What is within a transaction has this long to end it, once the grace time is over."""


@dataclass
class Daemon:
    """Runs until stopped. `now` is what time it is, by `clock` where there is one to look after."""

    app: App
    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    clock: Clock | None = None
    stopped: threading.Event = field(default_factory=threading.Event)
    watch_seconds: float = WATCH_SECONDS
    follow_seconds: float = FOLLOW_SECONDS
    digest_seconds: float = DIGEST_SECONDS
    retention_seconds: float = RETENTION_SECONDS
    lease: timedelta = LEASE
    """How long a run waits for this daemon where it dies."""
    started: Callable[[], None] = lambda: None
    """Called once all its loops run."""
    vitals: Vitals = field(default_factory=Vitals)
    """Whether they go round."""
    up: threading.Event = field(default_factory=threading.Event)
    """Set once all its loops run."""
    _news: threading.Event = field(default_factory=threading.Event)
    _asked: threading.Event = field(default_factory=threading.Event)
    _settled: bool = False
    _presence: Presence = field(init=False)
    _parking: Parking = field(init=False)
    _claims: Claims = field(init=False)
    _evaluating: Evaluating = field(init=False)
    _crew: Crew = field(init=False)
    _scheduler: BackgroundScheduler = field(init=False)
    _self: SelfWatch = field(init=False)
    _awake: set[str] = field(default_factory=set)
    """Rules that a thread is at, or will be at once."""

    def __post_init__(self) -> None:
        self._parking = Parking(self.app.state, self.app.clean)
        self._presence = Presence.here(self.now())
        self._self = SelfWatch(self.app, self._presence.id, self.now)
        self._self.pulse.watch("deliver", TROUBLE_SECONDS, self.now())
        self._self.pulse.watch("watch", self.watch_seconds, self.now())
        self._claims = Claims(self.app.state, self._presence.id, self.now, self.lease)
        self._evaluating = Evaluating(
            self.app,
            self.now,
            self.stopped,
            self._claims,
            self._parking,
            self._self,
            self._news.set,
            self._look_at,
            self._unsettle,
        )
        self._crew = self.app.crew(
            self.now, self._wait, self._report, f"{DAEMON}{self._presence.id}", self.stopped.is_set
        )
        self._scheduler = BackgroundScheduler(
            executors=self._executors(),
            # The library's defaults drop runs when threads are busy; here none is dropped, late ones are merged.
            job_defaults={"misfire_grace_time": None, "coalesce": True, "max_instances": 1},
            timezone=UTC,
        )

    def run(self) -> None:
        """Schedule all rules and deliver until `stop` is called; then let running evaluations finish."""
        self._settle()
        for rule in self.app.rules.rules:
            self._add(rule)
        self._scheduler.add_job(
            self.vitals.loop("scheduler"), IntervalTrigger(seconds=PULSE_SECONDS, timezone=UTC), executor=PULSE
        )
        courier = threading.Thread(target=self._deliver, name="deliver")
        watcher = threading.Thread(target=self._watch, name="watch")
        self._scheduler.start()
        courier.start()
        watcher.start()
        chores = [self._round(chore).start() for chore in self._chores()]
        # What is evaluated to its end while the daemon stops stays this daemon's until then.
        drained = threading.Event()
        keeper = self._round(self._self.watched(self._leases()), drained).start() if self.app.state.shared else None
        for thread in (courier, watcher, *chores):
            self.vitals.thread(thread.name, thread.is_alive)
        self.up.set()
        self.started()
        try:
            self.stopped.wait()
        finally:
            self.stop()
            watcher.join()
            for thread in chores:
                thread.join()
            self._scheduler.shutdown(wait=True)
            courier.join()
            drained.set()
            if keeper is not None:
                keeper.join()
            self._leave()

    def _executors(self) -> dict[str, ThreadPoolExecutor]:
        """Threads for each source by itself: rules that wait for a slow one keep none that another's rules could use.

        The sign of life waits for no evaluation either.
        """
        own = {pool_of(source.name): ThreadPoolExecutor(source.concurrency) for source in self.app.settings.sources}
        return {**own, PULSE: ThreadPoolExecutor(1)}

    def _round(self, chore: Chore, stopped: threading.Event | None = None) -> Round:
        turn = self.vitals.loop(chore.name, chore.every + LONGEST_CHORE)
        return Round(chore, self.now, stopped or self.stopped, self._news.set, self._turn, turn)

    @contextmanager
    def _turn(self, name: str) -> Iterator[bool]:
        """Of a chore for which one daemon is enough: whether it is this one's. Where it is not, it is in good hands."""
        with self.app.state.alone(name) as ours:
            if not ours:
                self._self.pulse.beat(name, self.now())
            yield ours

    def _chores(self) -> list[Chore]:
        """What is done beside evaluating and delivering."""
        app, often = self.app, self.follow_seconds
        resender = Resender.of(app.state, app.notifiers, self._wait, app.settings.web.public_url)

        def week(now: datetime) -> int:
            return send_due(app, now)

        def seen(now: datetime) -> None:
            self._presence.say(app.state, now, timedelta(0) if self.clock is None else self.clock.ahead)

        def missed(now: datetime) -> int:
            return len(tell_missed(app.state, app.settings.operations, now))

        def again(now: datetime) -> None:
            resender.look(now)

        def tidied(now: datetime) -> None:
            gone = app.tidy(now, self.stopped.is_set, lambda: self._wait(BREATHE_SECONDS))
            if gone:
                log.info("no longer kept: %s", gone)

        late = "what is kept too long is kept for now"
        chores = [
            *self._self.chores(),
            Chore("follow", often, app.follow_up, "open incidents are followed up later", at_once=False),
            Chore("digest", self.digest_seconds, week, "the digest of the week waits", alone=True),
            Chore("missed", often, missed, "what was missed while nothing was judged is told later", alone=True),
            Chore("retention", self.retention_seconds, tidied, late, at_once=False, alone=True),
            # Nothing rests on it but what people see.
            Chore("presence", often, seen, "that this daemon is there is noted later", logging.INFO),
            *([self._clocks(self.clock)] if self.clock is not None else []),
            *([Chore("resend", often, again, "what fires is sent again later")] if resender.receivers else []),
        ]
        return [self._self.watched(chore) for chore in chores]

    def _leases(self) -> Chore:
        """Hold on to the runs that this daemon is at, and take over from those that are no more."""

        def work(_: datetime) -> None:
            self._claims.renew()
            for name in self._claims.abandoned():
                self._look_at(name)

        return Chore("claims", self._claims.look_seconds, work, "leases of runs are looked after later")

    def _clocks(self, clock: Clock) -> Chore:
        """Where a clock was set, all that waits for a time of it waits for another one."""

        def work(_: datetime) -> None:
            moved = clock.look()
            if not moved:
                return
            if moved < timedelta(0):
                self._crew.forget_pace()
                if not self.app.state.shared:
                    store.SqlOutbox(self.app.state).set_back(-moved)
            for rule in self.app.rules.rules:
                self._look_at(rule.name)
            self._news.set()

        return Chore("clock", CLOCK_SECONDS, work, "clocks are compared later, the time goes on as it did")

    def _look_at(self, name: str, after: timedelta | None = None) -> None:
        """Have a rule looked at, at once or after a while; one that a thread is at already will see for itself."""
        if after is None and name in self._awake:
            return
        # The library's clock is the machine's.
        at = AT_ONCE if after is None else datetime.now(UTC) + after
        job = self._scheduler.get_job(name)
        if job is None or job.next_run_time <= at:
            return
        if after is None:
            self._awake.add(name)
        try:
            self._scheduler.modify_job(name, next_run_time=at)
        except JobLookupError:
            log.debug("%s was taken away meanwhile", name)

    def _unsettle(self) -> None:
        self._settled = False

    def _settle(self) -> None:
        """Follow up what changed in the rule files; while the store fails, again at the next look at them."""
        try:
            self.app.settle(self.now())
        except store.StoreError as error:
            text = "what changed in the rule files is not followed up yet, the store failed: %s"
            log.error(text, error, extra=sparingly("watch"))
            return
        self._settled = True

    def stop(self) -> None:
        """Ask `run` to return."""
        self.vitals.end()
        self.stopped.set()
        self._news.set()
        self._asked.set()

    def cut(self) -> str:
        """End what does not end by itself, without another word to the store or a source; what that is, a line."""
        left = self._left()
        self.app.cut(CUT_SECONDS)
        return left

    def _left(self) -> str:
        evaluations = self._evaluating.underway.names()
        mail = [f"{d.part.value} {d.message.seq} of {d.message.key} to {d.receiver}" for d in self._crew.sending()]
        parts = [(evaluations, "evaluation"), (mail, "message")]
        told = [f"{counted(len(names), what)} ({', '.join(names)})" for names, what in parts if names]
        return ", ".join(told) or "nothing of rules or messages"

    def phase(self) -> str:
        """Why it is not at work; nothing while it is."""
        if self.stopped.is_set():
            return "it is ending: what runs may end, nothing new begins"
        return "" if self.up.is_set() else "it is starting"

    @property
    def name(self) -> str:
        """This daemon's, which no other one had or will have."""
        return self._presence.id

    def reload(self) -> None:
        """Ask for the rule files to be read now, whether they seem to have changed or not."""
        self._asked.set()

    def _watch(self) -> None:
        turn = self.vitals.loop("watch")
        while not self.stopped.is_set():
            turn()
            asked = self._asked.wait(self.watch_seconds)
            self._asked.clear()
            try:
                if not self.stopped.is_set() and (asked or self.app.book.changed()):
                    self._swap()
                    if asked:
                        self._parking.release()
                if not self._settled:
                    self._settle()
                    self._news.set()
                self._self.pulse.beat("watch", self.now())
            except store.StoreError as error:
                log.error("the rule files are read again later, the store failed: %s", error)
                self._self.store_failed()
                self._wait(TROUBLE_SECONDS)
            except Exception:
                # Whatever is wrong with the files, the rules that run go on.
                log.exception("the rule files could not be read again; the rules stay as they are")
                self._self.reloaded(well=False)

    def _leave(self) -> None:
        try:
            self._claims.leave()
            self._self.leave()
            self._presence.leave(self.app.state)
        except store.StoreError as error:
            log.info("that this daemon ends is not noted: %s", error)

    def _swap(self) -> None:
        swap = self.app.reload()
        log.info("rules read again: %s", swap.text())
        for problem in self.app.rules.problems:
            if problem.severity == "error":
                log.error("the last good version of its file stands, where there was one:\n%s", problem.render())
        for name in swap.removed:
            self._scheduler.remove_job(name)
        for name in (*swap.added, *swap.changed):
            rule = self.app.rule(name)
            if rule is not None:
                self._add(rule)
        self._settled = False
        self._self.reloaded(well=not self.app.book.broken)

    def _add(self, rule: Rule) -> None:
        self._awake.discard(rule.name)
        own = self._presence.id if self.app.state.shared else ""
        self._scheduler.add_job(
            self._wake,
            Wakes(rule, self.now, own),
            next_run_time=AT_ONCE,
            args=[rule.name],
            id=rule.name,
            executor=pool_of(rule.source.source),
            replace_existing=True,
        )

    def _wake(self, name: str) -> None:
        """Evaluate what is due of a rule; what the store failed is tried again soon, whenever the rule's next time is."""
        self._awake.add(name)
        try:
            self._evaluating.look(name)
        except store.StoreError as error:
            text = "%s: not evaluated, the store failed, will try again: %s"
            log.error(text, name, error, extra=sparingly("rules"))
            self._look_at(name, AGAIN)
        finally:
            self._awake.discard(name)

    def _deliver(self) -> None:
        """Keep a worker on every lane in which something is due; each ends with what it has to do, or with the daemon."""
        crew = self._crew
        turn = self.vitals.loop("deliver")
        while not self.stopped.is_set():
            turn()
            try:
                crew.start(FOR_EVER)
                self._self.pulse.beat("deliver", self.now())
                self._pause(IDLE_SECONDS)
            except store.StoreError as error:
                log.error("deliveries wait, the store failed: %s", error)
                self._self.store_failed()
                self._pause(TROUBLE_SECONDS)
            except Exception:
                # This thread is the only one that tells anybody: it ends with the daemon and not before.
                log.exception("deliveries wait, delivering failed")
                self._pause(TROUBLE_SECONDS)
        crew.finish()

    def _report(self, outcome: Delivered) -> None:
        self._self.delivered(outcome)
        log_delivery(outcome)

    def _wait(self, seconds: float) -> None:
        self.stopped.wait(seconds)

    def _pause(self, seconds: float) -> None:
        """Wait until there is news; what was news once is none the next time."""
        if self._news.wait(seconds):
            self._news.clear()


def pool_of(source: str) -> str:
    """The name of the threads that evaluate the rules of a source."""
    return f"source {source}"
