"""Who somebody is, and how much they may do."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum, StrEnum

from alerts.model import Actor


class Role(IntEnum):
    """Each may do what those before it may."""

    VIEWER = 1
    """Sees everything, changes nothing."""
    RESPONDER = 2
    """Acts on incidents: acknowledge, snooze, silence, mark, send again."""
    ADMIN = 3
    """Reads rules again, and gives and takes API tokens."""


class Via(StrEnum):
    """How somebody came in."""

    LOOPBACK = "loopback"
    """No sign-in: whoever is on this machine."""
    PROXY = "proxy"
    OIDC = "oidc"
    TOKEN = "token"  # noqa: S105  # the name of a way in


@dataclass(frozen=True)
class Person:
    """Whoever asks. `id` is unique within `via`, `name` is shown to others."""

    id: str
    name: str
    role: Role
    via: Via

    @property
    def actor(self) -> Actor:
        """As the log of actions knows them."""
        return Actor("api" if self.via is Via.TOKEN else "web", self.id, self.name)

    @property
    def ambient(self) -> bool:
        """Whether the browser brings it along by itself: then a form has to show that a page of ours was its origin."""
        return self.via is not Via.TOKEN
