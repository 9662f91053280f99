"""The daemon: APScheduler wakes each rule, the store says which ticks are due, one thread delivers."""

from __future__ import annotations

import logging
import threading
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.base import BaseTrigger

from alerts.deliver import Outcome as Delivered
from alerts.deliver import Result
from alerts.wording import counted
from monitor import store
from monitor.app import App
from monitor.catching_up import Backlogs, CatchingUp
from monitor.chores import Chore, Round
from monitor.missed import tell_missed
from monitor.presence import Presence
from monitor.query import SourceError
from monitor.resending import Resender
from monitor.settings import SettingsError
from monitor.tick import Outcome
from monitor.weekly import send_due
from rules.cron import Cron
from rules.model import Rule

log = logging.getLogger("slicewatch")

LONGEST_WAKE = timedelta(minutes=15)
"""A rule looks for due ticks at least this often: what was missed is caught up soon."""
MOST_OFFSET = 30
"""Seconds over which the rules of one schedule are spread, by a hash of their names."""
WORKERS = 4
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
TROUBLE_SECONDS = 10.0
"""Between two attempts to deliver while the store fails: a full disk gains nothing by a line a second."""


@dataclass
class Daemon:
    """Runs until stopped. `now` is the clock; `pause(seconds)` waits but returns early once stopped."""

    app: App
    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    stopped: threading.Event = field(default_factory=threading.Event)
    watch_seconds: float = WATCH_SECONDS
    follow_seconds: float = FOLLOW_SECONDS
    digest_seconds: float = DIGEST_SECONDS
    _news: threading.Event = field(default_factory=threading.Event)
    _asked: threading.Event = field(default_factory=threading.Event)
    _settled: bool = False
    _backlogs: Backlogs = field(default_factory=Backlogs)
    _presence: Presence = field(init=False)

    def __post_init__(self) -> None:
        self._presence = Presence.here(self.now())

    def run(self) -> None:
        """Schedule all rules and deliver until `stop` is called; then let running evaluations finish."""
        self._settle()
        scheduler = BackgroundScheduler(
            executors={"default": ThreadPoolExecutor(WORKERS)},
            # The library's defaults drop runs when threads are busy; here none is dropped, late ones are merged.
            job_defaults={"misfire_grace_time": None, "coalesce": True, "max_instances": 1},
            timezone=UTC,
        )
        for rule in self.app.rules.rules:
            self._add(scheduler, rule)
        courier = threading.Thread(target=self._deliver, name="deliver")
        watcher = threading.Thread(target=self._watch, args=[scheduler], name="watch")
        scheduler.start()
        courier.start()
        watcher.start()
        chores = [Round(chore, self.now, self.stopped, self._news.set).start() for chore in self._chores()]
        try:
            self.stopped.wait()
        finally:
            self.stop()
            watcher.join()
            for thread in chores:
                thread.join()
            scheduler.shutdown(wait=True)
            courier.join()
            self._leave()

    def _chores(self) -> list[Chore]:
        """What is done beside evaluating and delivering."""
        app, often = self.app, self.follow_seconds
        resender = Resender.of(app.state, app.notifiers, self._wait, app.settings.web.public_url)

        def week(now: datetime) -> int:
            return send_due(app, now)

        def seen(now: datetime) -> None:
            self._presence.say(app.state, now)

        def missed(now: datetime) -> int:
            return len(tell_missed(app.state, app.settings.operations, now))

        def again(now: datetime) -> None:
            resender.look(now)

        return [
            Chore("follow", often, app.follow_up, "open incidents are followed up later", at_once=False),
            Chore("digest", self.digest_seconds, week, "the digest of the week waits"),
            Chore("missed", often, missed, "what was missed while nothing was judged is told later"),
            # Nothing rests on it but what people see.
            Chore("presence", often, seen, "that this daemon is there is noted later", logging.INFO),
            *([Chore("resend", often, again, "what fires is sent again later")] if resender.receivers else []),
        ]

    def _settle(self) -> None:
        """Follow up what changed in the rule files; while the store fails, again at the next look at them."""
        try:
            self.app.settle(self.now())
        except store.StoreError as error:
            log.error("what changed in the rule files is not followed up yet, the store failed: %s", error)
            return
        self._settled = True

    def stop(self) -> None:
        """Ask `run` to return."""
        self.stopped.set()
        self._news.set()
        self._asked.set()

    def reload(self) -> None:
        """Ask for the rule files to be read now, whether they seem to have changed or not."""
        self._asked.set()

    def _watch(self, scheduler: BackgroundScheduler) -> None:
        while not self.stopped.is_set():
            asked = self._asked.wait(self.watch_seconds)
            self._asked.clear()
            try:
                if not self.stopped.is_set() and (asked or self.app.book.changed()):
                    self._swap(scheduler)
                if not self._settled:
                    self._settle()
                    self._news.set()
            except Exception:
                # Whatever is wrong with the files, the rules that run go on.
                log.exception("the rule files could not be read again; the rules stay as they are")

    def _leave(self) -> None:
        try:
            self._presence.leave(self.app.state)
        except store.StoreError as error:
            log.info("that this daemon ends is not noted: %s", error)

    def _swap(self, scheduler: BackgroundScheduler) -> None:
        swap = self.app.reload()
        log.info("rules read again: %s", swap.text())
        for problem in self.app.rules.problems:
            if problem.severity == "error":
                log.error("the last good version of its file stands, where there was one:\n%s", problem.render())
        for name in swap.removed:
            scheduler.remove_job(name)
        for name in (*swap.added, *swap.changed):
            rule = self.app.rule(name)
            if rule is not None:
                self._add(scheduler, rule)
        self._settled = False

    def _add(self, scheduler: BackgroundScheduler, rule: Rule) -> None:
        scheduler.add_job(
            self._wake,
            Wakes(rule),
            next_run_time=self.now(),
            args=[rule.name],
            id=rule.name,
            replace_existing=True,
        )

    def _wake(self, name: str) -> None:
        """Evaluate every due tick of a rule, in order, each by the rule as it then stands.

        Whatever fails is told or tried again; nothing is skipped.
        """
        done = None
        while not self.stopped.is_set() and (rule := self.app.rule(name)) is not None:
            try:
                ticks, catching_up = self._due(rule)
            except (SourceError, SettingsError, store.StoreError) as error:
                log.error("%s: not evaluated, will try again: %s", name, error)
                return
            # A tick that was evaluated and is due still was recorded by nobody: the next wake tries it again.
            if not ticks or ticks[0] == done or not self._evaluate(rule, ticks[0], catching_up):
                return
            done = ticks[0]
        if self.app.rule(name) is None:
            # What an evaluation opened while its rule was taken away is closed at the next look at the files.
            self._settled = False

    def _due(self, rule: Rule) -> tuple[list[datetime], CatchingUp | None]:
        watched = self.app.evaluator(rule).watched
        with self.app.state.read() as tx:
            newest = store.newest_run(tx, rule.name)
        return self._backlogs.due(watched, newest, self.now())

    def _evaluate(self, rule: Rule, tick: datetime, catching_up: CatchingUp | None) -> bool:
        try:
            outcome = self.app.tick(rule, tick, now=self.now(), catching_up=catching_up)
        except store.StoreError as error:
            log.error("%s at %s: the store failed, the tick will be tried again: %s", rule.name, tick, error)
            return False
        except Exception as error:
            # A rule that cannot be judged is unwatched, and its owner has to hear of it like of a failing source.
            log.exception("%s at %s: could not be judged", rule.name, tick)
            outcome = self.app.evaluator(rule).blind(
                tick, f"slicewatch failed to judge it: {type(error).__name__}: {error}", self.now()
            )
        log_outcome(outcome)
        self._news.set()
        return True

    def _deliver(self) -> None:
        """Keep a worker on every lane in which something is due; each ends with what it has to do, or with the daemon."""
        owner = f"{DAEMON}{threading.get_native_id()}"
        crew = self.app.crew(self.now, self._wait, log_delivery, owner, self.stopped.is_set)
        while not self.stopped.is_set():
            try:
                crew.start(FOR_EVER)
                self._pause(IDLE_SECONDS)
            except store.StoreError as error:
                log.error("deliveries wait, the store failed: %s", error)
                self._pause(TROUBLE_SECONDS)
            except Exception:
                # This thread is the only one that tells anybody: it ends with the daemon and not before.
                log.exception("deliveries wait, delivering failed")
                self._pause(TROUBLE_SECONDS)
        crew.finish()

    def _wait(self, seconds: float) -> None:
        self.stopped.wait(seconds)

    def _pause(self, seconds: float) -> None:
        """Wait until there is news; what was news once is none the next time."""
        if self._news.wait(seconds):
            self._news.clear()


class Wakes(BaseTrigger):  # type: ignore[misc]  # the library ships no types
    """When a rule looks for due ticks: soon after each of them, by its own few seconds, and every quarter of an hour."""

    def __init__(self, rule: Rule) -> None:
        schedule, self._zone = rule.schedule, ZoneInfo(rule.timezone)
        gap = schedule.shortest_gap() if isinstance(schedule, Cron) else schedule
        self._cron = schedule if isinstance(schedule, Cron) else None
        self._every = min(gap, LONGEST_WAKE)
        most = min(MOST_OFFSET, max(1, int(gap.total_seconds()) // 10))
        # Those that may hold it back have spoken by then, as a rule: a message too many is all that hangs on it.
        later = most if rule.inhibited_by else 0
        self._offset = timedelta(seconds=zlib.crc32(rule.name.encode()) % most + later)

    def get_next_fire_time(self, previous_fire_time: datetime | None, now: datetime) -> datetime:  # noqa: ARG002  # the library's signature
        """The next wake after `now`, for the library."""
        before = now - self._offset
        following = _next_multiple(before, self._every)
        if self._cron is not None:
            following = min(self._cron.next_after(before, self._zone), _next_multiple(before, LONGEST_WAKE))
        return following + self._offset


def _next_multiple(now: datetime, every: timedelta) -> datetime:
    step = int(every.total_seconds())
    return datetime.fromtimestamp((int(now.timestamp()) // step + 1) * step, UTC)


def log_delivery(outcome: Delivered) -> None:
    """One line for what was not delivered, or not where it was meant to be."""
    delivery, what = outcome.delivery, outcome.result.value
    item = f"{delivery.part.value} {delivery.message.seq} of {delivery.message.key}"
    if outcome.result is Result.RETRIED:
        log.info("%s: %s %s: %s", delivery.receiver, item, what, outcome.error)
    elif outcome.result is Result.REROUTED:
        log.warning("%s: %s goes to %s: %s", delivery.receiver, item, outcome.receiver, outcome.error)
    elif outcome.result is Result.DEAD:
        log.error(
            "%s: %s was given up: %s (see `slicewatch deliveries --dead`)", delivery.receiver, item, outcome.error
        )


def log_outcome(outcome: Outcome) -> None:
    """One line per evaluation, one per news."""
    if outcome.blind:
        log.warning("%s at %s: could not ask the source: %s", outcome.rule, outcome.tick, outcome.blind)
    elif outcome.late:
        log.warning("%s at %s: the source is behind: %s", outcome.rule, outcome.tick, outcome.late)
    elif outcome.repeated:
        log.info("%s at %s: evaluated before", outcome.rule, outcome.tick)
    else:
        judged, messages = counted(len(outcome.judged), "bucket"), counted(len(outcome.messages), "message")
        log.info("%s at %s: %s judged, %s", outcome.rule, outcome.tick, judged, messages)
    for notice in outcome.notices:
        log.warning("%s: %s", outcome.rule, notice)
    for transition in outcome.transitions:
        incident = transition.incident
        log.info("%s %s %s: %s", incident.id, transition.change.value, incident.cause.label(), transition.because)
