"""What came of the tests of rules, as plain data, on a terminal, and as JUnit XML."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from alerts.model import Incident
from alerts.wording import counted, number
from dashboards.backtest import related
from dashboards.backtest_text import moment, span
from rules.junit import Case, junit_xml
from rules.problem import Place
from rules.rule_tests import Expectation
from rules.slices import Slice


@dataclass(frozen=True)
class Trial:
    """One test of a rule that was run: what fired, and in which lines it differs from what was expected."""

    rule: str
    name: str
    place: Place
    begin: datetime
    """Start of the first broken bucket."""
    fired: tuple[Incident, ...]
    differences: tuple[str, ...]
    error: str = ""
    """Why it could not be run."""

    @property
    def passed(self) -> bool:
        """Whether all was as expected."""
        return not self.differences and not self.error


def differences(expect: Expectation, fired: Sequence[Incident], begin: datetime, bucket: timedelta) -> tuple[str, ...]:
    """What is not as it was expected, a line each: `-` is missing, `+` is too much, `!` is otherwise."""
    return (
        *_causes(expect, fired, begin),
        *_silent(expect, fired, begin),
        *(line for incident in fired for line in _facts(expect, incident, begin, bucket)),
    )


def _causes(expect: Expectation, fired: Sequence[Incident], begin: datetime) -> Iterator[str]:
    """Causes that are missing, and those nobody expected; another name of the same events is the same cause."""
    if expect.firing is None:
        return
    left = list(fired)
    for wanted in expect.firing:
        match = next((i for i in left if _named(i, wanted)), None)
        if match is None:
            yield f"- {wanted.label()} did not fire"
        else:
            left.remove(match)
    for incident in left:
        yield f"+ {_told(incident, begin)} fired"


def _named(incident: Incident, wanted: Slice) -> bool:
    return any(set(name.terms) == set(wanted.terms) for name in (incident.cause, *incident.also))


def _silent(expect: Expectation, fired: Sequence[Incident], begin: datetime) -> Iterator[str]:
    for quiet in expect.silent:
        for incident in fired:
            if any(related(name, quiet) for name in (incident.cause, *incident.also)):
                yield f"+ {_told(incident, begin)} fired, and nothing of {quiet.label()} was to"


def _facts(expect: Expectation, incident: Incident, begin: datetime, bucket: timedelta) -> Iterator[str]:
    name = incident.cause.label()
    if expect.severity is not None and incident.severity is not expect.severity:
        yield f"! {name} is {incident.severity.value}, not {expect.severity.value}"
    if expect.kind is not None and incident.kind.value != expect.kind:
        yield f"! {name} is told as {incident.kind.value}, not as {expect.kind}"
    if expect.within is not None and incident.raised_at is not None:
        late = incident.raised_at - begin
        if late > expect.within * bucket:
            yield f"! {name} fired after {span(late)}, not within {span(expect.within * bucket)}"


def _told(incident: Incident, begin: datetime) -> str:
    assert incident.raised_at is not None
    return (
        f"{incident.cause.label()} ({incident.severity.value} {incident.kind.value}, {number(incident.observed)} of "
        f"{number(incident.expected)}, after {span(incident.raised_at - begin)})"
    )


# --- shown -------------------------------------------------------------------------------------------------------


def trial_text(trial: Trial) -> str:
    """One line, and below it how a test that failed differs."""
    word = "ERROR" if trial.error else "pass " if trial.passed else "FAIL "
    lines = [f"{word} {trial.rule}: {trial.name}"]
    if not trial.passed:
        lines[0] += f"  {trial.place}"
        lines += [f"      {line}" for line in ((trial.error,) if trial.error else trial.differences)]
        if trial.differences and not trial.fired:
            lines.append("      nothing fired")
        elif trial.differences:
            lines.append(
                f"      fired from {moment(trial.begin)} on: {'; '.join(_told(i, trial.begin) for i in trial.fired)}"
            )
    return "\n".join(lines)


def summary_text(trials: Sequence[Trial], untested: int) -> str:
    """How many passed and failed, and how many rules have no test."""
    states = Counter("error" if t.error else "passed" if t.passed else "failed" for t in trials)
    parts = [f"{states[word]} {word}" for word in ("passed", "failed") if states[word] or word == "passed"]
    if states["error"]:
        parts.append(f"{states['error']} could not be run")
    if untested:
        parts.append(f"{counted(untested, 'rule')} without tests")
    return ", ".join(parts)


def junit(trials: Sequence[Trial]) -> str:
    """The trials as JUnit XML, for a CI system to show: a suite per rule."""
    rules = dict.fromkeys(trial.rule for trial in trials)
    return junit_xml([_case(trial) for rule in rules for trial in trials if trial.rule == rule])


def _case(trial: Trial) -> Case:
    case = Case(trial.rule, trial.name, trial.place.file, trial.place.line)
    if trial.error:
        return replace(case, error=trial.error)
    return case if trial.passed else replace(case, failure=trial.differences[0], details=trial_text(trial))
