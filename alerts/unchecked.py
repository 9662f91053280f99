"""What the receivers of rules are told when these are not evaluated though slicewatch runs, and when they are again. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from alerts.message import PUSH_LENGTH, TITLE_LENGTH
from alerts.model import Change, Fact, Message, State
from alerts.wording import clean, counted, instant, shorten
from rules.model import Rule, Severity

SUBJECT = "slicewatch"
"""What such a message is about, whichever rules it names: its thread stays the same as they come and go."""
LISTED = 10
WHY_LENGTH = 300


@dataclass(frozen=True)
class NotChecked:
    """A rule that should have been evaluated long ago: since when, how often, and why not, in a line."""

    rule: Rule
    since: datetime
    missing: int
    why: str


@dataclass(frozen=True)
class Tidings:
    """What one receiver is told: who is not checked, and whose checks go on."""

    still: tuple[NotChecked, ...]
    fresh: tuple[NotChecked, ...] = ()
    """Of those, the ones it has not heard of."""
    back: tuple[str, ...] = ()
    """Rules it has heard of that are checked again."""
    gone: tuple[str, ...] = ()
    """Rules it has heard of that are no more."""


def told_unchecked(key: str, seq: int, news: Tidings) -> Message:
    """The message of one step; the first of a thread where `seq` is 1, the last where nothing is unchecked any more."""
    return _still(key, seq, news) if news.still else _over(key, seq, news)


def _still(key: str, seq: int, news: Tidings) -> Message:
    severity = max((item.rule.severity for item in news.still), key=lambda found: found.loudness)
    word, first = severity.value.upper(), news.still[0]
    if len(news.still) == 1:
        head = f"{clean(first.rule.name, 60)} has not been checked since {instant(first.since)}"
    else:
        head = f"{len(news.still)} rules are not checked, the first since {instant(first.since)}"
    return Message(
        key=key,
        seq=seq,
        rule=SUBJECT,
        change=Change.OPENED if seq == 1 else Change.WIDENED if news.fresh else Change.NARROWED,
        state=State.FIRING,
        severity=severity,
        push=shorten(f"{word} {head}: {first.why}", PUSH_LENGTH),
        title=shorten(f"{word} {head}", TITLE_LENGTH),
        summary=(
            *_lines(news.still),
            "What happens to their slices is not known, and nobody is told of it.",
            *_ended(news),
        ),
        facts=_facts(item.rule for item in news.still),
        footer="how the rules stand: slicewatch status",
        since=first.since,
        broadcast=bool(news.fresh),
    )


def _over(key: str, seq: int, news: Tidings) -> Message:
    head = f"{counted(len(news.back), 'rule')} checked again" if news.back else "what was not checked is removed"
    return Message(
        key=key,
        seq=seq,
        rule=SUBJECT,
        change=Change.RESOLVED,
        state=State.RESOLVED,
        severity=Severity.WARNING,
        push=shorten(f"RESOLVED {head}: {_names(news.back or news.gone)}", PUSH_LENGTH),
        title=shorten(f"RESOLVED {head}", TITLE_LENGTH),
        summary=(*_ended(news), "What was missed is evaluated in order, and told where it was bad."),
        facts=(),
        footer="how the rules stand: slicewatch status",
    )


def _lines(items: Sequence[NotChecked]) -> tuple[str, ...]:
    lines = [
        f"{clean(item.rule.name, 60)}: {counted(item.missing, 'evaluation')} missing since {instant(item.since)}. "
        f"{clean(item.why, WHY_LENGTH)}"
        for item in items[:LISTED]
    ]
    more = len(items) - len(lines)
    return (*lines, *([f"and {more} more"] if more > 0 else []))


def _ended(news: Tidings) -> tuple[str, ...]:
    said = (("Checked again", news.back), ("Removed", news.gone))
    return tuple(f"{word}: {_names(names)}." for word, names in said if names)


def _names(names: Sequence[str]) -> str:
    more = len(names) - LISTED
    return ", ".join(clean(name, 60) for name in names[:LISTED]) + (f" and {more} more" if more > 0 else "")


def _facts(rules: Iterable[Rule]) -> tuple[Fact, ...]:
    owners = dict.fromkeys(clean(rule.owner, 60) for rule in rules if rule.owner)
    return (Fact("Owner", ", ".join(owners)),) if owners else ()
