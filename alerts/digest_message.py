"""The message of a digest: many incidents told at once, the worst in view. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from datetime import datetime

from alerts.incidents import FAMILIES, Family, gap
from alerts.message import to_channel
from alerts.model import Change, Fact, Incident, Message, State, Transition
from alerts.severity import loudest
from alerts.wording import LISTED, clean, counted, instant, name_of, noun, number, shorten
from rules.model import Severity

LINE_LENGTH = 240
PUSH_LENGTH = 150
MOST_RULES = 10


def compose_digest(
    key: str, seq: int, incidents: Sequence[Incident], told: Sequence[Transition], joined: Collection[str]
) -> Message:
    """What a digest says: of all its incidents as they are now, and of the steps `told` since it was last sent.

    `joined` are the ids of those that are new in it. It is over once all of them are.
    """
    ranked = sorted(incidents, key=_worst_first)
    still = [i for i in ranked if i.state is not State.RESOLVED]
    severity = loudest([i.severity for i in still or ranked])
    change = Change.OPENED if joined else Change.CONFIRMED if still else Change.RESOLVED
    rules = dict.fromkeys(i.rule for i in incidents)
    return Message(
        key=key,
        seq=seq,
        rule=next(iter(rules)) if len(rules) == 1 else f"{len(rules)} rules",
        change=change,
        state=State.FIRING if still else State.RESOLVED,
        severity=severity,
        push=_push(ranked, still, severity, joined),
        title=_title(ranked, still, severity),
        summary=tuple(filter(None, [_news(told, joined), _list(still or ranked, over=not still), _by_rule(incidents)])),
        facts=_facts(ranked, still),
        footer=f"{key} · each of them: slicewatch explain INCIDENT",
        broadcast=_loud(told, joined) or (not still and severity is Severity.CRITICAL),
        since=min(i.since for i in incidents),
    )


def _loud(told: Sequence[Transition], joined: Collection[str]) -> bool:
    """Whether the whole channel hears of it: of what is critical and new, and of what it would hear of singly but ends.

    Not of each rule that a dead source takes along after the first ones: one after the other they join what is told.
    """
    return any(
        t.incident.state is not State.RESOLVED and (to_channel(t) or (t.incident.id in joined and _is_loud(t.incident)))
        for t in told
    )


def _is_loud(incident: Incident) -> bool:
    return incident.severity is Severity.CRITICAL and FAMILIES[incident.kind] is not Family.SOURCE


def _worst_first(incident: Incident) -> tuple[int, float, str]:
    return (-incident.severity.loudness, -gap(incident), incident.id)


def _title(ranked: Sequence[Incident], still: Sequence[Incident], severity: Severity) -> str:
    if not still:
        return f"RESOLVED: {_all(ranked)} over"
    over = len(ranked) - len(still)
    return f"{severity.value.upper()}: {counted(len(ranked), 'new incident')} at once" + (
        f", {over} of them over" if over else ""
    )


def _all(incidents: Sequence[Incident], which: str = "") -> str:
    count = len(incidents)
    return f"all {count} incidents{which} are" if count > 1 else f"the incident{which} is"


def _push(ranked: Sequence[Incident], still: Sequence[Incident], severity: Severity, joined: Collection[str]) -> str:
    if not still:
        return shorten(f"RESOLVED {_all(ranked, ' told together')} over.", PUSH_LENGTH)
    head = f"{severity.value.upper()} {counted(len(ranked), 'new incident')} at once"
    if not joined:
        head = f"{severity.value.upper()} {len(still)} of {counted(len(ranked), 'incident')} told together go on"
    head = f"{head}. Worst: "
    return shorten(head + _line(still[0], PUSH_LENGTH - len(head)), PUSH_LENGTH)


def _news(told: Sequence[Transition], joined: Collection[str]) -> str:
    """What has happened since the digest was last sent."""
    ended = {t.incident.id for t in told if t.incident.state is State.RESOLVED}
    changed = {t.incident.id for t in told} - ended - set(joined)
    parts = [f"{counted(len(joined), 'new incident')}" if joined else ""]
    parts += [f"{counted(len(ended), 'incident')} over" if ended else ""]
    parts += [f"{counted(len(changed), 'incident')} changed or still so" if changed else ""]
    text = ", ".join(filter(None, parts))
    return f"{text}. Told together, for they came within minutes of one another." if text else ""


def _list(incidents: Sequence[Incident], *, over: bool) -> str:
    """The worst ten, and how many more there are."""
    lines = [f"{n}. {_line(item, LINE_LENGTH)} ({item.id})" for n, item in enumerate(incidents[:LISTED], start=1)]
    more = len(incidents) - len(lines)
    head = "What they lost:" if over else "The worst of those that go on:"
    return "\n".join([head, *lines, *([f"and {more} more"] if more > 0 else [])])


def _line(incident: Incident, length: int) -> str:
    """One incident in a line."""
    name = f"{clean(incident.rule, 40)}: {name_of(incident.cause)}"
    if FAMILIES[incident.kind] is Family.SOURCE:
        return shorten(
            f"{clean(incident.rule, 40)}: its source cannot be judged since {instant(incident.since)}", length
        )
    amount = f"{number(incident.observed)} of {number(incident.expected)} {noun(incident.metric)}"
    told = f" {amount} since {instant(incident.since)}"
    return shorten(name, max(length - len(told), 20)) + told


def _by_rule(incidents: Sequence[Incident]) -> str:
    counts = Counter(i.rule for i in incidents).most_common()
    named = ", ".join(f"{clean(rule, 40)} {count}" for rule, count in counts[:MOST_RULES])
    more = len(counts) - MOST_RULES
    return f"By rule: {named}" + (f" and {counted(more, 'more rule')}." if more > 0 else ".")


def _how_many(some: int, whole: int) -> str:
    return "none" if not some else "all" if some == whole else str(some)


def _facts(ranked: Sequence[Incident], still: Sequence[Incident]) -> tuple[Fact, ...]:
    since: datetime = min(i.since for i in ranked)
    return (
        Fact("Incidents", f"{len(ranked)}, {_how_many(len(still), len(ranked))} of them go on"),
        Fact("Since", instant(since), since),
    )
