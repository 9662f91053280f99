"""What the operators say about who is told, for all rules at once: `slicewatch.toml` as far as alerts know it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from fnmatch import fnmatchcase

from alerts.hours import Hours
from alerts.model import Decision, Reason
from alerts.mutes import muted_until
from rules.model import Mute, Rule, Severity


@dataclass(frozen=True)
class Maintenance:
    """A window that comes again and again, in which nobody is told of some rules."""

    mute: Mute
    timezone: str = "UTC"
    rules: tuple[str, ...] = ("*",)
    """Patterns of rule names."""
    owner: str | None = None
    """Rules of this owner alone; None is any."""

    def concerns(self, rule: Rule) -> bool:
        """Whether the rule is one of those."""
        named = any(matches(pattern, rule) for pattern in self.rules)
        return named and self.owner in {None, rule.owner}


@dataclass(frozen=True)
class Route:
    """Who is told of rules that name nobody for a severity: all that is given must fit."""

    notify: tuple[str, ...]
    owner: str | None = None
    labels: tuple[tuple[str, str], ...] = ()
    severity: Severity | None = None
    """None is any."""

    def concerns(self, rule: Rule) -> bool:
        """Whether the rule is one of those."""
        return self.owner in {None, rule.owner} and set(self.labels) <= set(rule.labels)


@dataclass(frozen=True)
class ReceiverPolicy:
    """When one receiver is told, and who is where it does not answer."""

    name: str
    hours: Hours | None = None
    """None is always."""
    outside: str | None = None
    """Who is told of critical ones outside the hours; None is this receiver all the same."""
    escalate_to: str | None = None
    """Who is told of a critical one that nobody has acknowledged here after `escalate_after`."""
    escalate_after: timedelta = timedelta(minutes=15)

    def may_be_told(self, now: datetime) -> bool:
        """Whether it has hours now."""
        return self.hours is None or self.hours.hold(now)

    def critical_to(self, now: datetime) -> str:
        """Who is told of a critical one for it: itself, or who stands in outside its hours."""
        return self.name if self.may_be_told(now) else self.outside or self.name

    def waits(self, decisions: Iterable[Decision]) -> bool:
        """Whether the newest of the decisions that concern it held something back until its hours."""
        mine = [d for d in decisions if d.receiver == self.name and (d.send or d.reason is Reason.OUT_OF_HOURS)]
        return bool(mine) and not mine[-1].send


@dataclass(frozen=True)
class Operations:
    """The operators' word. `fallback` is the receiver of what a rule routes to nobody."""

    fallback: str | None = None
    maintenance: tuple[Maintenance, ...] = ()
    routes: tuple[Route, ...] = ()
    """The first that fits counts."""
    receivers: tuple[ReceiverPolicy, ...] = ()
    """Of those receivers that have one."""

    def receiver(self, name: str) -> ReceiverPolicy | None:
        """What is said of a receiver; None where nothing is."""
        return next((item for item in self.receivers if item.name == name), None)


def matches(pattern: str, rule: Rule) -> bool:
    """Whether a pattern such as `playback_*` names a rule: as it is called, or as it is written for several tables."""
    return fnmatchcase(rule.name, pattern) or fnmatchcase(rule.family, pattern)


def maintained_until(windows: Iterable[Maintenance], now: datetime) -> tuple[datetime, str] | None:
    """End (UTC) and reason of the window around a moment that ends last; None outside all."""
    found = (muted_until((window.mute,), window.timezone, now) for window in windows)
    return max((item for item in found if item is not None), default=None)
