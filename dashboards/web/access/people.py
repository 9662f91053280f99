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

    @property
    def word(self) -> str:
        """As people and settings write it."""
        return self.name.lower()


class TokenScope(StrEnum):
    """What a token may be used for, within the role of whoever holds it."""

    READ = "read"
    """Whatever a viewer sees."""
    ACT = "act"
    """Whatever a responder does."""
    ADMIN = "admin"
    """Whatever an admin does."""
    MARKS = "marks"
    """Say what has changed, and nothing else: for deployments."""
    RELOAD = "reload"
    """Have the rule files read again, and nothing else."""
    METRICS = "metrics"
    """/metrics alone: for Prometheus."""


WHOLE = {Role.VIEWER: TokenScope.READ, Role.RESPONDER: TokenScope.ACT, Role.ADMIN: TokenScope.ADMIN}
"""What a token needs for all that a role may do."""
PREFIX = "swt_"
"""How tokens begin: by it scanners of published code know what they have found."""


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
    scopes: frozenset[TokenScope] | None = None
    """What a token is for; None of people, who do what their role may."""

    @property
    def key(self) -> str:
        """By what their requests are counted, and their forms told from those of others."""
        return f"{self.via}:{self.id}"

    @property
    def actor(self) -> Actor:
        """As the log of actions knows them."""
        return Actor("api" if self.via is Via.TOKEN else "web", self.id, self.name)

    @property
    def ambient(self) -> bool:
        """Whether the browser brings it along by itself: then a form has to show that a page of ours was its origin."""
        return self.via is not Via.TOKEN


NOBODY = Person("", "", Role.VIEWER, Via.LOOPBACK)
"""In whose name a page is shown that strangers see."""
