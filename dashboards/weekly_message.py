"""The weekly digest as a message, which every channel can show. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from alerts.message import PUSH_LENGTH
from alerts.model import Change, Fact, Message, State
from alerts.wording import clean, counted, lasting, name_of, number, shorten
from dashboards.precision import fired_text
from dashboards.weekly import Week
from rules.model import Severity

LISTED = 5
"""Rules, slices or silences that a list names before it says "and N more"."""
LINE_LENGTH = 200
NAME_LENGTH = 40


def compose_week(week: Week, key: str) -> Message:
    """What a week is told as; `key` names its thread."""
    return Message(
        key=key,
        seq=1,
        rule="weekly digest",
        change=Change.REPORT,
        state=State.RESOLVED,
        severity=Severity.INFO,
        push=shorten(_push(week), PUSH_LENGTH),
        title=f"Weekly digest: {_stretch(week)}",
        summary=tuple(filter(None, _summary(week))),
        facts=tuple(fact for fact in _facts(week) if fact.text),
        footer="Now, at any time: slicewatch digest",
    )


def _stretch(week: Week) -> str:
    """`23 Nov to 30 Nov 2026`: the dates of its ends."""
    zone = ZoneInfo(week.timezone)
    first, last = week.start.astimezone(zone), week.end.astimezone(zone)
    return f"{first:%-d %b}{'' if first.year == last.year else f' {first:%Y}'} to {last:%-d %b %Y}"


def _push(week: Week) -> str:
    """What matters most, in a line."""
    parts = [f"{_told(week)}."]
    if week.share is not None:
        parts.append(f"{_share(week.share)} of the events are protected.")
    blind = len(week.unchecked)
    if blind or week.problems:
        rules = (
            f"{counted(blind, 'rule')} not checked" if blind else f"{counted(week.problems, 'mistake')} in rule files"
        )
        parts.append(f"{rules}.")
    return f"Weekly digest, {_stretch(week)}: {' '.join(parts)}"


def _told(week: Week) -> str:
    """`12 incidents, 2 of them critical`."""
    told = counted(len(week.incidents), "incident") if week.incidents else "no incidents"
    loud = dict(week.by_severity).get(Severity.CRITICAL, 0)
    return f"{told}, {loud} of them critical" if loud and len(week.incidents) > 1 else told


def _share(share: float) -> str:
    """Rounded down: nothing is all that is not all."""
    return f"{int(100 * share + 1e-9)} %"


# --- paragraphs --------------------------------------------------------------------------------------------------


def _summary(week: Week) -> Iterator[str]:
    yield _incidents(week)
    yield _listed("By rule:", [f"{_name(rule)}: {fired_text(fired)}" for rule, fired in week.by_rule()])
    yield _listed("Not checked at the end:", [f"{_name(r.name)}: {r.unchecked}" for r in week.unchecked])
    if week.problems:
        yield f"{counted(week.problems, 'mistake')} in rule files: what they say is not watched. See: slicewatch check"
    spots = [f"{_name(s.rule)}: {name_of(s.slice)} ({number(s.events)} events a week)" for s in week.worst]
    yield _listed("If these stopped, nobody would be told; the largest first:", spots, more=_unnamed(week))
    yield _listed("Silences that hold:", [f"{item.scope.label()}: {item.label()}" for item in week.silences])


def _incidents(week: Week) -> str:
    before = f"{week.before or 'None'} in the week before."
    if not week.incidents:
        return f"Nothing was told. {before}{_going_on(week)}"
    parts = ", ".join(f"{count} {severity}" for severity, count in week.by_severity)
    false = week.fired.false
    said = f"; {false} of them {'was' if false == 1 else 'were'} called no problem" if false else ""
    return f"{counted(len(week.incidents), 'incident')}: {parts}{said}. {before}{_going_on(week)}"


def _going_on(week: Week) -> str:
    count = len(week.open)
    return f" {counted(count, 'incident')} {'goes' if count == 1 else 'go'} on." if count else ""


def _unnamed(week: Week) -> int:
    """Slices that are not protected and that nobody listed."""
    protected, every = week.slices
    return every - protected - len(week.worst)


def _listed(head: str, lines: Sequence[str], more: int = 0) -> str:
    if not lines:
        return ""
    shown = [f"• {shorten(line, LINE_LENGTH)}" for line in lines[:LISTED]]
    left = len(lines) - len(shown) + more
    return "\n".join([head, *shown, *([f"and {left:,} more"] if left > 0 else [])])


def _name(text: str) -> str:
    return clean(text, NAME_LENGTH)


# --- facts -------------------------------------------------------------------------------------------------------


def _facts(week: Week) -> Iterable[Fact]:
    protected, every = week.slices
    precision = week.fired.precision
    yield Fact("Protected", f"{_share(week.share)} of the events" if week.share is not None else "")
    yield Fact("Slices", f"{protected:,} of {every:,}: their silence is noticed" if every else "")
    yield Fact("Rules", f"{len(week.rules) - len(week.unchecked)} of {len(week.rules)} checked")
    yield Fact("Incidents", f"{len(week.incidents)} (week before: {week.before})")
    said = precision is not None and week.fired.false > 0
    yield Fact("Precision", f"{100 * precision:.0f} % of them were a problem" if said and precision is not None else "")
    yield Fact("Noticed after", _middle(week.detected_after))
    yield Fact("Over after", _middle(week.resolved_after))
    yield Fact("Until", _instant(week.end), week.end)


def _middle(time: timedelta | None) -> str:
    return f"{lasting(time)} (median)" if time is not None else ""


def _instant(at: datetime) -> str:
    return f"{at.astimezone(UTC):%-d %b %Y %H:%M} UTC"
