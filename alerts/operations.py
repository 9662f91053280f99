"""What the operators say about who is told, for all rules at once: `slicewatch.toml` as far as alerts know it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from fnmatch import fnmatchcase

from alerts.mutes import muted_until
from rules.model import Mute, Rule


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
class Operations:
    """The operators' word. `fallback` is the receiver of what a rule routes to nobody."""

    fallback: str | None = None
    maintenance: tuple[Maintenance, ...] = ()


def matches(pattern: str, rule: Rule) -> bool:
    """Whether a pattern such as `playback_*` names a rule: as it is called, or as it is written for several tables."""
    return fnmatchcase(rule.name, pattern) or fnmatchcase(rule.family, pattern)


def maintained_until(windows: Iterable[Maintenance], now: datetime) -> tuple[datetime, str] | None:
    """End (UTC) and reason of the window around a moment that ends last; None outside all."""
    found = (muted_until((window.mute,), window.timezone, now) for window in windows)
    return max((item for item in found if item is not None), default=None)
