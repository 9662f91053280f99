"""What people do, carried out: the one door for Slack, the command line, the pages and programs.

    desk = Desk(app)                                      # an open `App`
    kari = Actor("slack", "U123", "Kari")                 # where, the id there, a name to show
    desk.acknowledge("sw-0123456789", kari, now)          # -> Answer(incident, text, changed)
    desk.snooze("sw-0123456789", kari, now, "2h")         # or "morning", "resolved", "2026-01-31T14:00Z"
    desk.reopen("sw-0123456789", kari, now)               # takes either back
    desk.not_a_problem("sw-0123456789", kari, now, Feedback.LEAVE_OUT)
    desk.silence(Scope("playback_*", Slice.of({"device": "ios"})), kari, now, ends, "app 7.3 is rolled back")  # -> Silence
    desk.end_silence("sl-0123456789", kari, now)          # -> Silence
    desk.mark("app 7.3 is rolled back", now, Scope(), kari, now)  # -> Mark
    desk.remove_mark("mk-0123456789", kari, now)          # -> Mark, or None

`Answer.text` is a sentence for whoever acted. An action that makes no sense any more (the incident is closed, unknown,
the time is over) raises `RefusedError` with such a sentence; `StoreError` where the store fails. Each is one transaction:
the incident's step, who is told, the messages, and the log of actions. The same action again, with the same `at`, does
nothing more, so a caller whose platform repeats requests passes the moment at which the person acted. Where an
evaluation was quicker, it is tried again on what that came to.

Who may act is the caller's to check.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from alerts import actions
from alerts.actions import RefusedError, name_of
from alerts.marks import CHARTED, Mark, new_mark
from alerts.message import RuleFacts
from alerts.model import Actor, Feedback, Incident, Transition
from alerts.plan import Routes, plan
from alerts.silences import Scope, Silence, new_silence
from alerts.snoozes import snooze_end
from alerts.wording import instant
from monitor import store
from monitor.app import App
from monitor.news import record_news
from monitor.paste import query_to_paste
from monitor.routing import routed
from monitor.telling import composed
from rules.model import Rule

ATTEMPTS = 3
"""How often an action is tried where evaluations are quicker."""

Action = Callable[[Incident], Transition | None]


@dataclass(frozen=True)
class Answer:
    """What an action came to: the incident as it is now, and a sentence for whoever acted."""

    incident: Incident
    text: str
    changed: bool = True
    """False where it stood so already."""


@dataclass(frozen=True)
class Desk:
    """Where people's actions arrive."""

    app: App

    def acknowledge(self, incident: str, by: Actor, at: datetime) -> Answer:
        """Somebody works on it: it is not repeated until that expires (`ack_expires`), and told again then."""
        lasting = self.app.settings.ack_expires
        return self._do("acknowledge", incident, by, at, lambda item: actions.acknowledge(item, by, at, lasting))

    def snooze(self, incident: str, by: Actor, at: datetime, until: str) -> Answer:
        """Nobody wants to hear of it `until` (see `alerts.snoozes`), by the rule's time zone."""

        def snoozed(item: Incident) -> Transition | None:
            rule = self.app.rule(item.rule)
            try:
                end = snooze_end(until, at, rule.timezone if rule is not None else "UTC")
            except ValueError as error:
                raise RefusedError(str(error)) from None
            return actions.snooze(item, by, at, end)

        return self._do("snooze", incident, by, at, snoozed)

    def reopen(self, incident: str, by: Actor, at: datetime) -> Answer:
        """Take an acknowledgement or a snooze back."""
        return self._do("reopen", incident, by, at, lambda item: actions.reopen(item, by, at))

    def not_a_problem(self, incident: str, by: Actor, at: datetime, feedback: Feedback) -> Answer:
        """Close it, and say what that means for what is expected from now on."""
        name = f"not-a-problem ({feedback.value})"
        return self._do(name, incident, by, at, lambda item: actions.dismiss(item, by, at, feedback))

    def silence(
        self, scope: Scope, by: Actor, at: datetime, ends: datetime, reason: str, starts: datetime | None = None
    ) -> Silence:
        """Nobody is told of what is in the scope within [starts, ends); what is still bad then is told once."""
        made = new_silence(scope, by, at, starts or at, ends, reason)
        with self.app.state.write() as tx:
            known = store.silence(tx, made.id)
            if known is not None:
                return known
            store.put_silence(tx, made)
            store.add_action(tx, store.Acted("silence", made.id, by, at, f"{scope.label()}: {made.label()}"))
        return made

    def end_silence(self, silence: str, by: Actor, at: datetime) -> Silence:
        """End a silence sooner. One that is over already is refused."""
        with self.app.state.write() as tx:
            known = store.silence(tx, silence)
            if known is None:
                raise RefusedError(f"no silence is called '{silence}': `slicewatch silence list` shows them")
            if known.ends <= at:
                raise RefusedError(f"{known.id} is over since {instant(known.ends)}")
            ended = replace(known, ends=at)
            store.put_silence(tx, ended)
            store.add_action(tx, store.Acted("end silence", known.id, by, at, f"ended by {name_of(by)}"))
        return ended

    def mark(self, text: str, when: datetime, scope: Scope, by: Actor, at: datetime) -> Mark:
        """Say that something changed at a moment; the same again is the same mark."""
        made = new_mark(text, when, scope, by)
        with self.app.state.write() as tx:
            store.put_mark(tx, made)
            store.add_action(tx, store.Acted("mark", made.id, by, at, f"{instant(when)}: {made.text}"))
        return made

    def remove_mark(self, mark: str, by: Actor, at: datetime) -> Mark | None:
        """Take a mark back; None where there is none of that id."""
        with self.app.state.write() as tx:
            known = store.mark(tx, mark)
            if known is not None:
                store.remove_mark(tx, mark)
                store.add_action(tx, store.Acted("remove mark", mark, by, at, known.text))
        return known

    def _do(self, name: str, incident: str, by: Actor, at: datetime, action: Action) -> Answer:
        for _ in range(ATTEMPTS - 1):
            try:
                return self._attempt(name, incident, by, at, action)
            except store.ConflictError:
                continue  # an evaluation was quicker: act on what it came to
        return self._attempt(name, incident, by, at, action)

    def _attempt(self, name: str, incident: str, by: Actor, at: datetime, action: Action) -> Answer:
        with self.app.state.write() as tx:
            item = store.incident(tx, incident)
            if item is None:
                raise RefusedError(f"no incident is called '{incident}'")
            acted = store.Acted(name, item.id, by, at, "")
            known = store.action(tx, acted.id)
            if known is not None:
                return Answer(item, _sentence(known.detail), changed=False)
            made = action(item)
            if made is None:
                return Answer(item, f"Nothing to do: {item.id} is {item.state} already.", changed=False)
            self._record(tx, made, at)
            store.add_action(tx, replace(acted, detail=made.because))
            return Answer(made.incident, _sentence(made.because))

    def _record(self, tx: store.Tx, made: Transition, at: datetime) -> None:
        """The step, who is told of it, and the messages."""
        rule = self.app.rule(made.incident.rule)
        routes = Routes() if rule is None else Routes.of(routed(rule, self.app.settings), self.app.settings.operations)
        # An action is an answer: what holds news back does not hold it.
        told = store.told(tx, made.incident.rule, [made.incident.id])
        decisions = plan([made], routes, at, told)
        marks = store.marks(tx, at - CHARTED)

        def facts(step: Transition) -> RuleFacts:
            return _facts(rule, step, marks)

        record_news(tx, [made], decisions, composed([made], decisions, facts), at)


def told_of(app: App, incident: str) -> frozenset[str] | None:
    """The receivers that were told of an incident; None where there is no such incident."""
    with app.state.read() as tx:
        found = store.incident(tx, incident)
        return None if found is None else frozenset(store.told(tx, found.rule, [found.id]).get(found.id, ()))


def _facts(rule: Rule | None, step: Transition, marks: Sequence[Mark]) -> RuleFacts:
    """What is known of the rule; its name alone where its file is broken at the moment."""
    if rule is None:
        return RuleFacts(name=step.incident.rule, source="", place="not read")
    return RuleFacts.of(rule, query_to_paste(rule, step.incident), marks)


def _sentence(because: str) -> str:
    return f"{because[:1].upper()}{because[1:]}."
