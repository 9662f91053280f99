"""Doing what somebody in Slack asked for, and answering in a sentence. Every act is logged with who it was."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from alerts.actions import RefusedError
from alerts.model import Act, Actor, Feedback, Incident
from alerts.wording import clean
from monitor.slack_actions.gate import Gate
from monitor.slack_actions.requests import Command, Press
from monitor.store import StoreError

log = logging.getLogger("slicewatch")

FAILED = "slicewatch could not do it; its log says why. Nothing was changed: try it again."
UNDERSTOOD = """\
/slicewatch status
/slicewatch explain INCIDENT
/slicewatch ack INCIDENT
/slicewatch snooze INCIDENT 30m | 2h | morning | resolved | 2026-01-31T14:00Z
/slicewatch silence RULE [SLICE] 2h REASON"""


class Answered(Protocol):
    """What an action came to."""

    @property
    def incident(self) -> Incident: ...

    @property
    def text(self) -> str: ...


class Desk(Protocol):
    """Where what is pressed is done: `monitor.acting.Desk`. Each raises `RefusedError` or `StoreError`."""

    def acknowledge(self, incident: str, by: Actor, at: datetime) -> Answered: ...

    def snooze(self, incident: str, by: Actor, at: datetime, until: str) -> Answered: ...

    def reopen(self, incident: str, by: Actor, at: datetime) -> Answered: ...

    def not_a_problem(self, incident: str, by: Actor, at: datetime, feedback: Feedback) -> Answered: ...


class Office(Protocol):
    """What is typed: answers as text. Each raises `RefusedError` or `StoreError`."""

    def status(self, now: datetime) -> str: ...

    def explain(self, incident: str) -> str: ...

    def silence(self, words: list[str], by: Actor, now: datetime) -> str: ...


@dataclass(frozen=True)
class Clerk:
    """Between Slack and the rest: asks the gate, has it done, says what came of it."""

    gate: Gate
    desk: Desk
    office: Office

    def handle(self, act: Press | Command, now: datetime) -> str:
        """Do it, and answer whoever asked. Nothing escapes: what fails is told and logged."""
        asked, who = _asked(act), f"{clean(act.by.name)} ({clean(act.by.id)})"
        refused = self.gate.refusal(act)
        if refused is not None:
            log.warning("slack: %s by %s is refused: %s", asked, who, refused)
            return refused
        try:
            answer = self._press(act) if isinstance(act, Press) else self._command(act, now)
        except RefusedError as error:
            log.info("slack: %s by %s: %s", asked, who, error)
            return str(error)
        except StoreError as error:
            log.error("slack: %s by %s: the store failed: %s", asked, who, error)
            return FAILED
        except Exception:
            log.exception("slack: %s by %s failed", asked, who)
            return FAILED
        log.info("slack: %s by %s: %s", asked, who, answer.partition("\n")[0])
        return answer

    def _press(self, press: Press) -> str:
        pressed, by, at = press.pressed, press.by.actor, press.at
        match pressed.act:
            case Act.ACKNOWLEDGE:
                return self.desk.acknowledge(pressed.incident, by, at).text
            case Act.SNOOZE:
                return self.desk.snooze(pressed.incident, by, at, pressed.choice).text
            case Act.REOPEN:
                return self.desk.reopen(pressed.incident, by, at).text
            case Act.NOT_A_PROBLEM:
                return self.desk.not_a_problem(pressed.incident, by, at, Feedback(pressed.choice)).text

    def _command(self, command: Command, now: datetime) -> str:
        match command.text.split():
            case ["status"]:
                return self.office.status(now)
            case ["explain", incident]:
                return self.office.explain(incident)
            case ["ack", incident]:
                return self.desk.acknowledge(incident, command.by.actor, now).text
            case ["snooze", incident, until]:
                return self.desk.snooze(incident, command.by.actor, now, until).text
            case ["silence", _, _, *_] as words:
                return self.office.silence(words[1:], command.by.actor, now)
        raise RefusedError(f"slicewatch understands:\n{UNDERSTOOD}")


def _asked(act: Press | Command) -> str:
    if isinstance(act, Command):
        return clean(f"/slicewatch {act.text}", 200)
    return clean(" ".join(filter(None, (act.pressed.act.value, act.pressed.incident, act.pressed.choice))), 200)
