"""A rule's due ticks, evaluated one after another: each is claimed, judged and recorded, and whatever fails is tried again."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import uuid4

from alerts.about import about
from monitor import store
from monitor.app import App
from monitor.catching_up import Backlogs, CatchingUp
from monitor.claims import Claims
from monitor.outcomes import log_outcome
from monitor.parking import Parking, reason, rests
from monitor.query import AskingStoppedError
from monitor.selfwatch import SelfWatch
from monitor.tick import Outcome
from monitor.underway import Underway
from rules.model import Rule

log = logging.getLogger("slicewatch")

AGAIN = timedelta(seconds=30)
"""After which a rule is looked at again that the store failed."""


@dataclass
class Evaluating:
    """What a daemon does with a rule that is woken. Rules may be looked at by several threads at once, one rule by one."""

    app: App
    now: Callable[[], datetime]
    stopped: threading.Event
    claims: Claims
    parking: Parking
    watch: SelfWatch
    news: Callable[[], None]
    """Called after each evaluation: there may be something to deliver."""
    again: Callable[[str, timedelta], None]
    """Have a rule looked at after a while."""
    removed: Callable[[], None]
    """Called where a rule was taken away while it was evaluated: what was opened meanwhile is to be closed."""
    underway: Underway = field(default_factory=Underway)
    _backlogs: Backlogs = field(default_factory=Backlogs)

    def look(self, name: str) -> None:
        """Evaluate every due tick of a rule, in order, each by the rule as it then stands.

        Whatever fails is told or tried again; nothing is skipped. A tick that another daemon is at is left to it: should
        it not come to its end, it is found abandoned. Raises `StoreError`.
        """
        done = None
        while not self.stopped.is_set() and (rule := self.app.rule(name)) is not None:
            try:
                ticks, catching_up = self._due(rule)
            except store.StoreError:
                raise
            except Exception as error:
                log.exception("%s: not evaluated, will try again", name)
                self.watch.failed(name, error)
                self._note_failure(rule, error)
                return
            # A tick that was evaluated and is due still was recorded by nobody: the next wake tries it again.
            if not ticks or ticks[0] == done or not self.claims.take(name, ticks[0]):
                return
            try:
                self._evaluate(rule, ticks[0], catching_up)
            except AskingStoppedError as error:
                self.claims.leave_be(name, ticks[0])
                log.info("%s at %s: left to the next start, or to another daemon: %s", name, ticks[0], error)
                return
            except store.StoreError:
                self.claims.leave_be(name, ticks[0])
                raise
            except Exception:
                self.claims.leave_be(name, ticks[0])
                log.exception("%s at %s: could not even be recorded as not judged; will try again", name, ticks[0])
                self.again(name, AGAIN)
                return
            self.claims.end(name, ticks[0])
            done = ticks[0]
        if self.stopped.is_set():
            self._pass_on(name)
        if self.app.rule(name) is None:
            # What an evaluation opened while its rule was taken away is closed at the next look at the files.
            self.removed()

    def _pass_on(self, name: str) -> None:
        """What is due still is claimed, and handed back as this daemon ends: others see it at once, not at the rule's next time."""
        rule = self.app.rule(name)
        if rule is None or not self.app.state.shared:
            return
        try:
            ticks, _ = self._due(rule)
        except store.StoreError:
            raise
        except Exception:
            log.debug("%s: whoever looks at it next says why it is not evaluated", name, exc_info=True)
            return
        if ticks:
            self.claims.take(name, ticks[0])

    def _due(self, rule: Rule) -> tuple[list[datetime], CatchingUp | None]:
        watched = self.app.evaluator(rule).watched
        with self.app.state.read() as tx:
            newest = store.newest_run(tx, rule.name)
        return self._backlogs.due(watched, newest, self.now())

    def _evaluate(self, rule: Rule, tick: datetime, catching_up: CatchingUp | None) -> None:
        """Make one run. Raises `StoreError` and `AskingStoppedError`: then it is not recorded."""
        # The one place where an evaluation begins: each line that is logged within says of which it is.
        what = {"rule": rule.name, "tick": tick.isoformat(), "run": uuid4().hex[:12], "source": rule.source.source}
        with about(**what), self.underway.at(f"{rule.name} at {tick:%Y-%m-%dT%H:%MZ}"):
            self._judge(rule, tick, catching_up)

    def _go_on(self, *_: int) -> None:
        """Between two days of history that are read."""
        if self.stopped.is_set():
            raise AskingStoppedError("the daemon ends: the rest of its history is read at the next start")

    def _judge(self, rule: Rule, tick: datetime, catching_up: CatchingUp | None) -> None:
        self.watch.began(rule.name, tick)
        try:
            outcome = self._outcome(rule, tick, catching_up)
        except AskingStoppedError:
            self.watch.ended(rule.name)
            raise
        except Exception as error:
            self.watch.failed(rule.name, error)
            raise
        self.watch.ended(rule.name)
        log_outcome(outcome)
        self.news()

    def _outcome(self, rule: Rule, tick: datetime, catching_up: CatchingUp | None) -> Outcome:
        """The evaluation of a tick. One that fails in itself is told like a source that cannot be asked: nobody watches."""
        now, known = self.now(), self.parking.failing(rule)
        if known is not None and rests(known, now):
            return self.app.evaluator(rule).blind(tick, reason(known, now), now, catching_up)
        try:
            outcome = self.app.tick(rule, tick, self._go_on, now=now, catching_up=catching_up)
        except (store.StoreError, AskingStoppedError):
            raise
        except Exception as error:
            log.exception("%s at %s: could not be judged", rule.name, tick)
            failing = self.parking.failed(rule, error, now)
            return self.app.evaluator(rule).blind(tick, reason(failing, now), self.now())
        if known is not None:
            self.parking.worked(rule)
            log.info("%s: can be judged again", rule.name)
        return outcome

    def _note_failure(self, rule: Rule, error: Exception) -> None:
        try:
            self.parking.failed(rule, error, self.now())
        except store.StoreError as failure:
            log.error("%s: that it fails is not noted: %s", rule.name, failure)
