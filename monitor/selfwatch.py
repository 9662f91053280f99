"""A daemon that looks at itself: what it counts, who hears that a rule is not checked, and the signs of life it sends."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime

from alerts.deliver import Outcome as Delivered
from alerts.wording import counted, instant
from monitor import store, tally
from monitor.app import App
from monitor.canary import LOOK_SECONDS as CANARY_SECONDS
from monitor.canary import Canaries
from monitor.chores import Chore
from monitor.cycle import Signs
from monitor.heartbeat import Heartbeat, write_and_read
from monitor.lateness import late_rules
from monitor.pulse import Pulse
from monitor.settings import SourceSettings
from monitor.unchecked import LOOK_SECONDS, Onlooker, tell_unchecked
from rules.model import Mode

TALLY_SECONDS = 15.0
"""Between two times that what was counted is added up in the store."""


@dataclass
class SelfWatch:
    """What one daemon knows of itself. Any thread may tell it something; `daemon` is its id."""

    app: App
    daemon: str
    now: Callable[[], datetime]
    look_seconds: float = LOOK_SECONDS
    tally_seconds: float = TALLY_SECONDS
    canary_seconds: float = CANARY_SECONDS
    pulse: Pulse = field(default_factory=Pulse)
    onlooker: Onlooker = field(default_factory=Onlooker)
    _running: dict[str, tuple[datetime, datetime]] = field(default_factory=dict)
    """Rules that are being evaluated: of which tick, and since when."""
    _trouble: dict[str, str] = field(default_factory=dict)
    """Why the last attempt at a rule came to nothing."""
    _lock: threading.Lock = field(default_factory=threading.Lock)

    # --- what it is told -----------------------------------------------------------------------------------------

    def began(self, rule: str, tick: datetime) -> None:
        """A rule is being evaluated."""
        with self._lock:
            self._running[rule] = (tick, self.now())

    def ended(self, rule: str) -> None:
        """It is not any more."""
        with self._lock:
            self._running.pop(rule, None)
            self._trouble.pop(rule, None)

    def failed(self, rule: str, error: Exception) -> None:
        """Nothing came of it, and it is tried again."""
        self.app.tally.add(tally.EVALUATIONS, rule, tally.FAILED)
        if isinstance(error, store.StoreError):
            self.app.tally.add(tally.STORE_ERRORS)
        with self._lock:
            self._running.pop(rule, None)
            self._trouble[rule] = str(error)

    def delivered(self, outcome: Delivered) -> None:
        """What became of one delivery."""
        self.app.tally.add(tally.DELIVERIES, outcome.delivery.receiver, outcome.result.value)

    def reloaded(self, *, well: bool) -> None:
        """The rule files were read again, or could not be."""
        self.app.tally.add(tally.RELOADS, result=tally.OK if well else tally.FAILED)
        self.app.tally.put(tally.RELOADED, self.daemon, "", float(well))

    def store_failed(self) -> None:
        """The store did not do what it was asked."""
        self.app.tally.add(tally.STORE_ERRORS)

    # --- what it says --------------------------------------------------------------------------------------------

    def why(self, rule: str, now: datetime) -> str:
        """Why a rule is not evaluated, as far as this daemon knows."""
        with self._lock:
            running, trouble, every = self._running.get(rule), self._trouble.get(rule), dict(self._running)
        if running is not None:
            tick, since = running
            return f"Its evaluation of {instant(tick)} has been going on since {instant(since)}."
        if trouble is not None:
            return f"It was tried and failed: {trouble}."
        source = self._source(rule)
        busy = {name: since for name, (_, since) in every.items() if self._source(name) == source}
        if source is not None and len(busy) >= source.concurrency:
            longest = min(busy, key=lambda name: busy[name])
            told = f"{source.name} is asked for {counted(source.concurrency, 'rule')} at a time"
            return f"{told}, with {longest} since {instant(busy[longest])}."
        return f"This daemon has not begun to evaluate it by {instant(now)}."

    def _source(self, rule: str) -> SourceSettings | None:
        known = self.app.rule(rule)
        return None if known is None else self.app.settings.source(known.source.source)

    def signs(self, now: datetime) -> Signs:
        """How the whole cycle does. Raises `StoreError`."""
        rules, plan = self.app.rules.rules, self.app.settings.selfwatch.heartbeat
        stored = write_and_read(self.app.state, self.daemon, now)
        with self.app.state.read() as tx:
            newest = {name: run.tick for name, run in store.newest_runs(tx, [rule.name for rule in rules]).items()}
            waiting = store.waiting_since(tx, now)
            canaries = store.canaries(tx, over=True)
        return Signs(
            late=late_rules(rules, newest, now, self.onlooker.known_since()),
            silent=self.pulse.silent(now, plan.slack) if plan is not None else (),
            waiting=waiting,
            store=stored,
            canary=canaries[0].problem if canaries else "",
        )

    # --- what it does --------------------------------------------------------------------------------------------

    def chores(self) -> list[Chore]:
        """What it does again and again."""
        plan, canary = self.app.settings.selfwatch.heartbeat, self.app.settings.selfwatch.canary
        found = [
            Chore("tally", self.tally_seconds, self._keep, "what was counted is kept later", logging.INFO),
            Chore("unchecked", self.look_seconds, self._unchecked, "who is not checked is told later"),
        ]
        if plan is not None:
            beat = Heartbeat(plan, self.signs, self.app.tally)
            found.append(Chore("heartbeat", plan.every.total_seconds(), beat.beat, "no heartbeat is sent"))
        if canary is not None:
            flock = Canaries(canary, self.app.state, self.daemon, self.app.settings.fallback)
            found.append(Chore("canary", self.canary_seconds, flock.look, "the canary waits"))
        return found

    def watched(self, chore: Chore) -> Chore:
        """The same chore, which shows a sign of life whenever it is done."""
        self.pulse.watch(chore.name, chore.every, self.now())

        def work(now: datetime) -> object:
            try:
                found = chore.work(now)
            except store.StoreError:
                self.store_failed()
                raise
            self.pulse.beat(chore.name, self.now())
            return found

        return replace(chore, work=work)

    def _keep(self, now: datetime) -> None:
        self.app.tally.put(tally.BROKEN_FILES, self.daemon, "", len(self.app.book.broken))
        for name, at in self.pulse.last().items():
            self.app.tally.put(tally.CHORES, self.daemon, name, at.timestamp())
        self.app.tally.keep(self.app.state, now)

    def _unchecked(self, now: datetime) -> int:
        app = self.app
        live = [rule for rule in app.rules.rules if rule.mode is Mode.LIVE]  # of others nobody is told anything
        return tell_unchecked(app.state, live, self.onlooker, app.receivers_of, self.why, now)

    def leave(self) -> None:
        """The daemon ends: what it counted is kept, what was noted of it is not. Raises `StoreError`."""
        self.app.tally.keep(self.app.state, self.now())
        with self.app.state.write() as tx:
            store.forget_daemon(tx, self.daemon)
