"""What the receivers of a rule file are told when it breaks, and when it is mended. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from alerts.message import PUSH_LENGTH, TITLE_LENGTH
from alerts.model import Change, Fact, Message, State
from alerts.wording import clean, counted, shorten
from rules.model import Rule, Severity
from rules.problem import Problem

BROKEN, STOPPED, MENDED = 1, 2, 3
"""Numbers of the messages in the thread of a breakage: its rules go on as they were, or only some run, or all do again."""

LISTED = 5
"""Errors that a message lists before it says how many more there are."""
LINE_LENGTH = 300


@dataclass(frozen=True)
class BrokenFile:
    """A rule file with errors: those of today, and the rules of it that go on."""

    file: str
    errors: tuple[Problem, ...]
    rules: tuple[Rule, ...]
    kept: bool
    """Whether the rules are those of its last good version; else they are those that are sound today."""

    @property
    def stands(self) -> int:
        """Number of the message that says so."""
        return BROKEN if self.kept else STOPPED


def broken(key: str, item: BrokenFile) -> Message:
    """The message that a file is broken, and what runs. No line of the file is quoted: it may hold a secret."""
    name = clean(item.file, 100)
    more = len(item.errors) - LISTED
    listed = [_line(problem) for problem in item.errors[:LISTED]] + ([f"and {more} more"] if more > 0 else [])
    return Message(
        key=key,
        seq=item.stands,
        rule=item.file,
        change=Change.OPENED,
        state=State.FIRING,
        severity=Severity.WARNING,
        push=shorten(f"WARNING {name}: {counted(len(item.errors), 'error')}, {_line(item.errors[0])}", PUSH_LENGTH),
        title=shorten(f"WARNING {name}: the rule file is broken", TITLE_LENGTH),
        summary=(_goes_on(item), *listed),
        facts=_facts(item.file, item.rules),
        footer="all errors, with their lines: slicewatch check",
        broadcast=not item.kept,
    )


def mended(key: str, file: str, rules: Sequence[Rule]) -> Message:
    """The message that it is in order again."""
    name = clean(file, 100)
    return Message(
        key=key,
        seq=MENDED,
        rule=file,
        change=Change.RESOLVED,
        state=State.RESOLVED,
        severity=Severity.WARNING,
        push=shorten(f"RESOLVED {name}: its rules are in force as they stand", PUSH_LENGTH),
        title=shorten(f"RESOLVED {name}: the rule file is in order again", TITLE_LENGTH),
        summary=(f"Its rules are in force as they stand in the file: {_names(rules)}.",),
        facts=_facts(file, rules),
        footer="what is in force: slicewatch status",
    )


def _goes_on(item: BrokenFile) -> str:
    if item.kept:
        return f"Its rules go on as they were before: {_names(item.rules)}. No change in the file is in force."
    return f"Of its rules these are sound and run: {_names(item.rules)}. The others are not evaluated."


def _names(rules: Sequence[Rule]) -> str:
    shown = [clean(rule.name, 60) for rule in rules[:10]]
    more = len(rules) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more > 0 else "") if shown else "none"


def _line(problem: Problem) -> str:
    return clean(f"{problem.place}: {problem.message}", LINE_LENGTH)


def _facts(file: str, rules: Sequence[Rule]) -> tuple[Fact, ...]:
    owners = dict.fromkeys(clean(rule.owner, 60) for rule in rules if rule.owner)
    facts = (Fact("File", clean(file, 200)), Fact("Owner", ", ".join(owners)))
    return tuple(fact for fact in facts if fact.text)
