"""What people do from a page or a program: the same desk as everywhere, and what is on it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from alerts.actions import RefusedError
from alerts.marks import Mark
from alerts.model import Actor, Feedback, Incident
from alerts.operations import matches
from alerts.silences import Scope, Silence
from alerts.wording import clean
from dashboards.views.people import Done
from monitor import store
from monitor.acting import Answer, Desk
from monitor.app import App
from rules.duration import parse_duration
from rules.vocabulary import did_you_mean

BEGINNING = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True)
class PeopleAtDesk:
    """`dashboards.views.people.People` of an app."""

    app: App

    @property
    def _desk(self) -> Desk:
        return Desk(self.app)

    def acknowledge(self, incident: str, by: Actor, at: datetime) -> Done | None:
        """Somebody works on it."""
        return self._act(incident, lambda: self._desk.acknowledge(incident, by, at))

    def snooze(self, incident: str, by: Actor, at: datetime, until: str) -> Done | None:
        """Nobody wants to hear of it for a while."""
        return self._act(incident, lambda: self._desk.snooze(incident, by, at, until))

    def reopen(self, incident: str, by: Actor, at: datetime) -> Done | None:
        """Take an acknowledgement or a snooze back."""
        return self._act(incident, lambda: self._desk.reopen(incident, by, at))

    def not_a_problem(self, incident: str, by: Actor, at: datetime, feedback: Feedback) -> Done | None:
        """Close it, and say what that means."""
        return self._act(incident, lambda: self._desk.not_a_problem(incident, by, at, feedback))

    def _act(self, incident: str, action: Callable[[], Answer]) -> Done | None:
        if self._incident(incident) is None:
            return None
        answer = action()
        return Done.of(answer.incident, answer.text, changed=answer.changed)

    def _incident(self, name: str) -> Incident | None:
        with self.app.state.read() as tx:
            return store.incident(tx, name)

    def silence_incident(
        self, incident: str, by: Actor, at: datetime, lasting: str, reason: str, *, whole_rule: bool
    ) -> Silence | None:
        """Tell nobody of its cause, or of all of its rule, for so long."""
        item = self._incident(incident)
        if item is None:
            return None
        try:
            ends = at + parse_duration(lasting)
        except (ValueError, OverflowError):
            raise RefusedError(f"'{clean(lasting)}' is no length of time: write 30m, 2h or 3d") from None
        scope = Scope(item.rule) if whole_rule else Scope(item.rule, item.cause)
        return self.silence(scope, by, at, None, ends, reason)

    def silences(self, now: datetime, *, over: bool) -> tuple[Silence, ...]:
        """Those that hold or will; with `over`, those that are over too."""
        with self.app.state.read() as tx:
            return tuple(store.silences(tx, BEGINNING if over else now))

    def silence(
        self, scope: Scope, by: Actor, at: datetime, starts: datetime | None, ends: datetime, reason: str
    ) -> Silence:
        """Tell nobody of what is in the scope."""
        self._concerns(scope)
        return self._desk.silence(scope, by, at, ends, reason, starts)

    def end_silence(self, silence: str, by: Actor, at: datetime) -> Silence | None:
        """End a silence sooner."""
        with self.app.state.read() as tx:
            known = store.silence(tx, silence)
        return None if known is None else self._desk.end_silence(silence, by, at)

    def marks(self, after: datetime) -> tuple[Mark, ...]:
        """What is known to have changed since, oldest first."""
        with self.app.state.read() as tx:
            return tuple(store.marks(tx, after))

    def mark(self, text: str, when: datetime, scope: Scope, by: Actor, at: datetime) -> Mark:
        """Say that something changed at a moment."""
        self._concerns(scope)
        return self._desk.mark(text, when, scope, by, at)

    def remove_mark(self, mark: str, by: Actor, at: datetime) -> Mark | None:
        """Take a mark back."""
        return self._desk.remove_mark(mark, by, at)

    def _concerns(self, scope: Scope) -> None:
        """Of rules that there are not nobody would ever be told anyway: it is a slip of the pen."""
        rules = self.app.rules.rules
        named = [rule for rule in rules if matches(scope.rules, rule)]
        if not named:
            hint = did_you_mean(scope.rules, [rule.name for rule in rules])
            raise RefusedError(f"no rule is called '{clean(scope.rules)}'" + (f": {hint}" if hint else ""))
        if not any(scope.concerns(rule) for rule in named):
            raise RefusedError("no rule of that name has that owner and these labels")
        dimensions = {name for rule in named for name in rule.dimensions}
        for name in scope.slice.dimensions:
            if name not in dimensions:
                hint = did_you_mean(name, dimensions)
                raise RefusedError(f"no such rule has a dimension '{clean(name)}'" + (f": {hint}" if hint else ""))
