"""The message about what began and ended while nothing was judged: told once, afterwards. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence

from alerts.digest_message import LINE_LENGTH, MOST_RULES, PUSH_LENGTH
from alerts.incidents import FAMILIES, Family, gap
from alerts.model import Absence, Change, Fact, Incident, Message, State
from alerts.severity import loudest
from alerts.wording import LISTED, clean, counted, name_of, noun, number, shorten, stretch
from rules.model import Severity


def compose_missed(
    key: str, seq: int, incidents: Sequence[Incident], joined: Collection[str], told_before: int = 0
) -> Message:
    """What is told of `incidents`, all of them over; `joined` are the ids of those that nobody was told of yet.

    `told_before` says how many of them a message before told.
    """
    ranked = sorted(incidents, key=lambda i: (-i.severity.loudness, -gap(i), i.id))
    severity, away = loudest([i.severity for i in ranked]), _absence(ranked)
    rules = dict.fromkeys(i.rule for i in ranked)
    more = f"{counted(len(joined), 'more incident')}, found since the last message." if told_before and joined else ""
    return Message(
        key=key,
        seq=seq,
        rule=next(iter(rules)) if len(rules) == 1 else f"{len(rules)} rules",
        change=Change.OPENED if joined else Change.AMENDED,
        state=State.RESOLVED,
        severity=severity,
        push=shorten(_push(ranked, away), PUSH_LENGTH),
        title=f"MISSED: {_began_and_ended(ranked)} while nothing was judged",
        summary=tuple(filter(None, [_what(ranked, away), more, _list(ranked), _by_rule(ranked)])),
        facts=(
            Fact("Incidents", f"{len(ranked)}, {_loud(ranked)}none of them goes on"),
            Fact("Not judged", stretch(away.since, away.until)),
        ),
        footer=f"{key} · each of them: slicewatch explain INCIDENT; what to load again: with --csv",
        broadcast=bool(joined) and severity is Severity.CRITICAL,
        since=min(i.since for i in ranked),
    )


def _absence(incidents: Sequence[Incident]) -> Absence:
    """From the first moment to the last at which something was missed."""
    known = [i.absence for i in incidents if i.absence is not None]
    return Absence(min(a.since for a in known), max(a.until for a in known))


def _began_and_ended(incidents: Sequence[Incident]) -> str:
    return f"{counted(len(incidents), 'incident')} began and ended"


def _loud(incidents: Sequence[Incident]) -> str:
    loud = sum(i.severity is Severity.CRITICAL for i in incidents)
    return f"{loud} of them critical, " if loud else ""


def _push(ranked: Sequence[Incident], away: Absence) -> str:
    loud = sum(i.severity is Severity.CRITICAL for i in ranked)
    which = f" ({loud} critical)" if loud else ""
    when = stretch(away.since, away.until)
    return f"MISSED {counted(len(ranked), 'incident')}{which}: began and ended while nothing was judged, {when}. None goes on."


def _what(ranked: Sequence[Incident], away: Absence) -> str:
    return (
        f"slicewatch judged nothing from {stretch(away.since, away.until)}. All of that is judged by now: "
        f"{_began_and_ended(ranked)} within it. What is still bad is told by itself."
    )


def _list(ranked: Sequence[Incident]) -> str:
    """The worst ten, and how many more there are."""
    lines = [f"{n}. {_line(item, LINE_LENGTH)} ({item.id})" for n, item in enumerate(ranked[:LISTED], start=1)]
    more = len(ranked) - len(lines)
    return "\n".join(["The worst of them:" if more else "They were:", *lines, *([f"and {more} more"] if more else [])])


def _line(incident: Incident, length: int) -> str:
    """One incident in a line: what it was, how much, from when to when."""
    rule = f"{incident.severity.value} {clean(incident.rule, 40)}"
    span = f", {stretch(incident.since, incident.until)}"
    if FAMILIES[incident.kind] is Family.SOURCE:
        return shorten(f"{rule}: its source could not be judged", max(length - len(span), 20)) + span
    if FAMILIES[incident.kind] is Family.NEW:
        told = f" is new, {number(incident.observed)} {noun(incident.metric)}{span}"
    else:
        told = f" {number(incident.observed)} of {number(incident.expected)} {noun(incident.metric)}{span}"
    name = f"{rule}: {name_of(incident.cause)}"
    return shorten(name, max(length - len(told), 20)) + told


def _by_rule(incidents: Sequence[Incident]) -> str:
    counts = sorted(Counter(i.rule for i in incidents).items(), key=lambda found: (-found[1], found[0]))
    if len(counts) == 1:
        return ""
    named = ", ".join(f"{clean(rule, 40)} {count}" for rule, count in counts[:MOST_RULES])
    more = len(counts) - MOST_RULES
    return f"By rule: {named}" + (f" and {counted(more, 'more rule')}." if more > 0 else ".")
