"""The composition root: settings and rules in, evaluators and notifiers out."""

from __future__ import annotations

import hashlib
import json
import logging
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Self, TextIO

from alerts.crew import Crew
from alerts.deliver import Courier, Outcome, drain
from alerts.notifiers import notifier_class
from alerts.plan import Routes
from alerts.ports import Notifier
from monitor import store
from monitor.backfill import Backfill, Plan, Progress
from monitor.breakages import tell_breakages
from monitor.buckets import to_epoch
from monitor.catching_up import CatchingUp
from monitor.discretion import Discretion, discreet
from monitor.effort import Spent, TimedSource
from monitor.evaluation import Evaluator
from monitor.following_up import follow_up, routes_at
from monitor.logs import sparingly
from monitor.opening import open_source
from monitor.outside import Closer
from monitor.query import Source, SourceError
from monitor.removed import close_removed
from monitor.renamed import adopt_renamed
from monitor.retention import tidy
from monitor.routing import routed
from monitor.rulebook import Rulebook, Swap
from monitor.settings import CONCURRENCY, ReceiverSettings, Settings, SettingsError, load_settings
from monitor.source_gate import Gate
from monitor.tally import TallySheet, count_evaluation, result_of
from monitor.tick import Outcome as Evaluated
from monitor.tracing import TracedNotifier, span
from monitor.watched import Watched
from rules.load import RuleSet
from rules.model import Mode, Rule

log = logging.getLogger("slicewatch")

ATTEMPTS = 3
"""How often a tick is evaluated where somebody else was quicker each time."""


def _nothing(done: int, total: int) -> None:
    pass


def _idle() -> None:
    pass


@dataclass
class App:
    """A running slicewatch: one store, its rules, sources opened when first asked."""

    settings: Settings
    rules: RuleSet
    state: store.Store
    out: TextIO
    notifiers: Mapping[str, Notifier]
    stopwatch: Callable[[], float] = time.perf_counter
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    """When something was done, for the log of what evaluations took: nothing is judged by it."""
    tally: TallySheet = field(default_factory=TallySheet)
    """What this process counts of its own work."""
    _sources: dict[str, Source] = field(default_factory=dict)
    _gates: dict[str, Gate] = field(default_factory=dict)
    _evaluators: dict[str, tuple[Rule, Evaluator]] = field(default_factory=dict)
    _stack: ExitStack = field(default_factory=ExitStack)
    book: Rulebook = field(init=False)

    def __post_init__(self) -> None:
        self.book = Rulebook(self.settings)

    @classmethod
    def open(
        cls,
        config: Path,
        env: Mapping[str, str],
        out: TextIO,
        *,
        store_url: str | None = None,
        notifiers: Callable[[Settings, TextIO], Mapping[str, Notifier]] | None = None,
    ) -> App:
        """Read settings and rules, open the store.

        Raises `SettingsError` and `StoreError`; a broken rule file is in `rules.problems` and stops no other.
        """
        settings = load_settings(config, env)
        state = store.Store.open(store_url or settings.store_url())
        made = (notifiers or open_notifiers)(settings, out)
        app = cls(settings, RuleSet(), state, out, made)
        app.rules = app.book.read()
        app._stack.callback(state.close)
        return app

    def close(self) -> None:
        """Give back the store and all sources."""
        for source in self._sources.values():
            source.close()
        self._stack.close()

    def cut(self, seconds: float) -> None:
        """For a process that ends before its work: write nothing more, and end what sources are asked.

        What is within a transaction has `seconds` to end it; otherwise it is rolled back.
        """
        self.state.shut(seconds)
        self.stop_asking()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def on_a_copy(self) -> None:
        """Work on a private copy of the store from now on: nothing is remembered."""
        self.state = store.copy(self.state)
        self._stack.callback(self.state.close)

    # --- rules -------------------------------------------------------------------------------

    def reload(self) -> Swap:
        """Read the rule files again and put what they say in place of all rules at once.

        Evaluations that run go on to their end by the rule they began with. A rule that was renamed brings its history
        along before it runs; where the store fails at that, all stays as it was, and the files count as not read.
        """
        fresh = self.book.read()
        try:
            adopt_renamed(self.state, fresh.rules)
        except store.StoreError:
            self.book.forget()
            raise
        swap = Swap.between(self.rules, fresh)
        self.rules = fresh
        return swap

    def settle(self, now: datetime) -> None:
        """Follow up what changed in the rule files: rules renamed or removed, files that broke or are mended."""
        adopt_renamed(self.state, self.rules.rules)
        if self.book.names is not None:
            close_removed(self.state, self.book.names, now)
        tell_breakages(self.state, self.book.broken, self.book.sound, self.receivers_of, now)

    def receivers_of(self, rules: Iterable[Rule]) -> tuple[str, ...]:
        """Who is told of incidents of these rules; the fallback where nobody is, and nobody where there is none."""
        operations = self.settings.operations
        live = [routed(rule, self.settings) for rule in rules if rule.mode is Mode.LIVE]
        found = [name for rule in live for name in Routes.of(rule, operations).receivers(rule.severity)]
        return tuple(dict.fromkeys(found)) or ((operations.fallback,) if operations.fallback else ())

    def rule(self, name: str) -> Rule | None:
        """The rule of this name as it stands now."""
        return next((rule for rule in self.rules.rules if rule.name == name), None)

    def chosen(self, names: Sequence[str]) -> list[Rule]:
        """Rules of these names, or all; of a rule with several tables each. Raises KeyError with the name that is none."""
        if not names:
            return list(self.rules.rules)
        found = []
        for name in names:
            called = [rule for rule in self.rules.rules if name in (rule.name, rule.family)]
            if not called:
                raise KeyError(name)
            found += called
        return list({rule.name: rule for rule in found}.values())

    def evaluator(self, rule: Rule) -> Evaluator:
        """The rule's evaluator; its history is forgotten first where the rule now means other counts.

        Its source is opened when it is first asked, and one that cannot be opened is one that cannot be asked.
        """
        made = self._evaluators.get(rule.name)
        if made is not None and made[0] == rule:
            return made[1]
        self._remember_definition(rule)
        watched = Watched.of(routed(rule, self.settings), self.settings.operations)
        source = TimedSource(self.gate(rule.source.source).of(rule.name), self.stopwatch)
        evaluator = Evaluator(watched, source, self.state, definition_of(rule))
        self._evaluators[rule.name] = (rule, evaluator)
        return evaluator

    def source(self, name: str) -> Source:
        """The source of this name, opened once."""
        if name not in self._sources:
            self._sources[name] = open_source(self.settings, name)
        return self._sources[name]

    def clean(self, text: str) -> str:
        """A text without any secret of the settings."""
        return Discretion.of(self.settings.secrets()).clean(text)

    def gate(self, name: str) -> Gate:
        """The way to a source, shared by all of its rules."""
        if name not in self._gates:
            found = self.settings.source(name)
            most = found.concurrency if found is not None else CONCURRENCY["sql"]
            secrets = () if found is None or found.url is None else (found.url,)
            made = Gate(name, lambda: self.source(name), most, self.stopwatch, Discretion.of(secrets).clean)
            # Two rules may ask for it at the same moment.
            self._gates.setdefault(name, made)
        return self._gates[name]

    def stop_asking(self) -> None:
        """End at their engines the queries that run, and begin no more: their ticks stay due, as if never begun."""
        for gate in tuple(self._gates.values()):
            gate.stop()

    def _remember_definition(self, rule: Rule) -> None:
        wanted = definition_of(rule)
        with self.state.read() as tx:
            known = store.definition(tx, rule.name)
        if known == wanted:
            return
        if known is not None:
            log.warning("%s counts something else than before: its history is read again", rule.name)
        with self.state.write() as tx:
            store.reset_history(tx, rule.name, wanted)

    # --- work --------------------------------------------------------------------------------

    def missing_history(self, rule: Rule, tick: datetime) -> Plan:
        """What the rule's baseline still lacks before the first bucket that a tick judges, and what reading it costs."""
        evaluator, at = self.evaluator(rule), to_epoch(tick)
        with self.state.read() as tx:
            judged = store.newest_good(tx, rule.name, at)
        schedule = evaluator.watched.schedule
        until = next(iter(schedule.newly_due(judged, at)), schedule.newest(at))
        return self._backfill(evaluator).plan(until, at)

    def learn(self, rule: Rule, plan: Plan, tick: datetime, progress: Progress = _nothing) -> None:
        """Read the missing history, newest day first; can be stopped and goes on where it was."""
        done = 0
        for buckets in self._backfill(self.evaluator(rule)).run(plan, to_epoch(tick)):
            done += buckets
            progress(done, plan.buckets)

    def tick(
        self,
        rule: Rule,
        tick: datetime,
        progress: Progress = _nothing,
        *,
        now: datetime | None = None,
        catching_up: CatchingUp | None = None,
    ) -> Evaluated:
        """Learn what is missing, then evaluate one tick. A source that fails makes the tick blind, not an error.

        `now`, at the tick by default, is when it is told: who is not to be disturbed then waits. Where a person acted on
        an incident meanwhile, it is judged again as it is then. What it took is noted. `catching_up` is how it is caught up
        with, where it is late.
        """
        begun = self.stopwatch()
        with span("tick", rule=rule.name, tick=tick.isoformat()) as traced:
            outcome = self._tick(rule, tick, progress, now, catching_up)
            traced.note(outcome=result_of(outcome), messages=len(outcome.messages))
        seconds, source = self.stopwatch() - begun, self.evaluator(rule).source
        spent = source.taken() if isinstance(source, TimedSource) else Spent()
        count_evaluation(self.tally, outcome, seconds, spent, max(tick, now or tick))
        self._note_effort(rule, tick, seconds, spent)
        return outcome

    def _note_effort(self, rule: Rule, tick: datetime, seconds: float, spent: Spent) -> None:
        ended = int(self.clock().timestamp() * 1_000_000)
        try:
            with self.state.write() as tx:
                store.put_effort(tx, rule.name, store.Effort(to_epoch(tick), ended, seconds, spent.seconds, spent.rows))
        except store.StoreError as error:
            log.info("%s: what its evaluation took is not noted: %s", rule.name, error, extra=sparingly("rules"))

    def _tick(
        self, rule: Rule, tick: datetime, progress: Progress, now: datetime | None, catching_up: CatchingUp | None
    ) -> Evaluated:
        evaluator = self.evaluator(rule)
        try:
            plan = self.missing_history(rule, tick)
            if plan.days:
                plan.refuse_large(rule.name)
                log.info(plan.describe(rule.name))
                self.learn(rule, plan, tick, progress)
        except SourceError as error:
            return evaluator.blind(tick, str(error), now, catching_up)
        outcome = self._evaluated(evaluator, tick, now, catching_up)
        return self._look_closer(evaluator, outcome) if self.settings.look_closer else outcome

    def _evaluated(
        self, evaluator: Evaluator, tick: datetime, now: datetime | None, catching_up: CatchingUp | None
    ) -> Evaluated:
        for _ in range(ATTEMPTS - 1):
            try:
                return evaluator.evaluate(tick, now, catching_up)
            except store.ConflictError as error:
                log.info("%s at %s: judged again: %s", evaluator.watched.rule.name, tick, error)
        try:
            return evaluator.evaluate(tick, now, catching_up)
        except store.ConflictError:
            # Whatever it holds, it is made anew from the store, where what the rule counts is compared.
            self._evaluators.pop(evaluator.watched.rule.name, None)
            raise

    def _look_closer(self, evaluator: Evaluator, outcome: Evaluated) -> Evaluated:
        """What was found is told after what the tick told, which is on the way already."""
        rule, settings = evaluator.watched.rule, self.settings
        closer = Closer(evaluator.watched, evaluator.source, self.state)
        return closer.look(outcome, lambda tx: routes_at(tx, rule, settings, outcome.tick))

    def follow_up(self, now: datetime) -> int:
        """Take the steps that time alone makes due: ends of snoozes, hours that begin, critical ones nobody acknowledges."""
        with self.state.read() as tx:
            waiting = set(store.rules_with_open(tx))
        rules = [routed(rule, self.settings, aloud=False) for rule in self.rules.rules if rule.name in waiting]
        return follow_up(self.state, rules, self.settings, now)

    def tidy(
        self, now: datetime, stopped: Callable[[], bool] = lambda: False, breathe: Callable[[], object] = _idle
    ) -> str:
        """Once a day let go of what is no longer kept; what went, in a line."""
        rules = [Watched.of(rule, self.settings.operations) for rule in self.rules.rules]
        return tidy(self.state, self.settings.retention, rules, now, stopped, breathe)

    def _backfill(self, evaluator: Evaluator) -> Backfill:
        return Backfill(evaluator.watched, evaluator.source, self.state)

    def deliver(
        self, clock: Callable[[], datetime], wait: Callable[[float], None], until: datetime, owner: str
    ) -> tuple[Outcome, ...]:
        """Send what is due before `until`, one after another: for a clock that is simulated."""
        return drain(store.SqlOutbox(self.state), self._courier(owner), clock=clock, wait=wait, until=until)

    def crew(
        self,
        clock: Callable[[], datetime],
        wait: Callable[[float], None],
        report: Callable[[Outcome], None],
        owner: str,
        stopped: Callable[[], bool] = lambda: False,
    ) -> Crew:
        """Workers that send what is due side by side, so that no receiver waits for another."""
        return Crew(store.SqlOutbox(self.state), self._courier(owner), clock, wait, report, stopped)

    def _courier(self, owner: str) -> Courier:
        paces = {receiver.name: receiver.pace for receiver in self.settings.receivers}
        # The jitter of retries is no secret.
        rng = Random(owner)  # noqa: S311
        pages = self.settings.web.public_url
        notifiers = {name: TracedNotifier(name, notifier) for name, notifier in self.notifiers.items()}
        return Courier(owner, rng, notifiers, self.settings.fallback, paces, pages=pages)


def open_notifiers(settings: Settings, out: TextIO) -> dict[str, Notifier]:
    """One notifier per receiver, by its name; raises `MissingSecretError`."""
    return {receiver.name: open_notifier(receiver, out) for receiver in settings.receivers}


def open_notifier(receiver: ReceiverSettings, out: TextIO) -> Notifier:
    """The notifier of one receiver; raises `MissingSecretError`, or `SettingsError` where its library is missing."""
    try:
        kind: Callable[..., Notifier] = notifier_class(receiver.kind)
    except ModuleNotFoundError as error:
        message = f"a receiver of kind {receiver.kind} needs {error.name}, which is not installed"
        hint = f"pip install 'slicewatch[{receiver.kind}]'"
        raise SettingsError((receiver.span.problem("unknown-kind", message, hint),)) from None
    if receiver.kind == "console":
        return kind(out)
    return discreet(kind(**receiver.arguments()), receiver)


def definition_of(rule: Rule) -> str:
    """A fingerprint of what the rule counts: where it changes, old counts mean something else."""
    parts = {
        "source": [rule.source.source, list(rule.source.table), rule.source.query],
        "timestamp": [rule.timestamp.column, rule.timestamp.timezone],
        "where": rule.where,
        "dimensions": rule.dimensions,
        "metrics": [metric.name for metric in rule.metrics],
        "bucket": rule.time_bucket.total_seconds(),
        "timezone": rule.timezone if rule.time_bucket >= timedelta(days=1) else "UTC",
    }
    if rule.arrived_at is not None:
        parts["arrived_at"] = [rule.arrived_at.column, rule.arrived_at.timezone]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:32]
