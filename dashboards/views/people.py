"""What people do from a page or a program, as the pages ask for it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from alerts.marks import Mark
from alerts.model import Actor, Feedback, Incident
from alerts.silences import Scope, Silence


@dataclass(frozen=True)
class Done:
    """What an action came to: a sentence for whoever acted."""

    incident: str
    state: str
    text: str
    changed: bool
    """False where it stood so already."""

    @classmethod
    def of(cls, item: Incident, text: str, *, changed: bool) -> Done:
        return cls(item.id, item.state.value, text, changed)


class People(Protocol):
    """Where people's actions go. What makes no sense as things stand raises `alerts.actions.RefusedError`.

    Of an incident, a silence or a mark that is not there the answer is None.
    """

    def acknowledge(self, incident: str, by: Actor, at: datetime) -> Done | None:
        """Somebody works on it."""
        ...

    def snooze(self, incident: str, by: Actor, at: datetime, until: str) -> Done | None:
        """Nobody wants to hear of it: `30m`, `2h`, `morning`, `resolved`, or a time."""
        ...

    def reopen(self, incident: str, by: Actor, at: datetime) -> Done | None:
        """Take an acknowledgement or a snooze back."""
        ...

    def not_a_problem(self, incident: str, by: Actor, at: datetime, feedback: Feedback) -> Done | None:
        """Close it, and say what that means."""
        ...

    def silence_incident(
        self, incident: str, by: Actor, at: datetime, lasting: str, reason: str, *, whole_rule: bool
    ) -> Silence | None:
        """Tell nobody of its cause, or of all of its rule, for so long (`2h`)."""
        ...

    def silences(self, now: datetime, *, over: bool) -> tuple[Silence, ...]:
        """Those that hold or will; with `over`, those that are over too."""
        ...

    def silence(
        self, scope: Scope, by: Actor, at: datetime, starts: datetime | None, ends: datetime, reason: str
    ) -> Silence:
        """Tell nobody of what is in the scope."""
        ...

    def end_silence(self, silence: str, by: Actor, at: datetime) -> Silence | None:
        """End a silence sooner."""
        ...

    def marks(self, after: datetime) -> tuple[Mark, ...]:
        """What is known to have changed since, oldest first."""
        ...

    def mark(self, text: str, when: datetime, scope: Scope, by: Actor, at: datetime) -> Mark:
        """Say that something changed at a moment."""
        ...

    def remove_mark(self, mark: str, by: Actor, at: datetime) -> Mark | None:
        """Take a mark back."""
        ...
