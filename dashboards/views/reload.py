"""Rule files read again because somebody asks."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from alerts.model import Actor


@dataclass(frozen=True)
class Reloaded:
    """What became of it."""

    text: str
    """A sentence, such as `1 rule added`."""
    rules: int
    """How many rules there are now."""
    problems: tuple[str, ...]
    """Errors in rule files, each with its place; the last good version of such a file stands."""


class Reloader(Protocol):
    """Where rules are read again."""

    def reload(self, by: Actor, at: datetime) -> Reloaded:
        """Read them now, and keep who asked."""
        ...
