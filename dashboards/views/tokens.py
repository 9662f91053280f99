"""API tokens: who gave which program access, to what, and whether it is still used."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from alerts.model import Actor
from dashboards.views.common import Table


class TokenStanding(StrEnum):
    """Whether a token opens anything."""

    GOOD = "good"
    EXPIRED = "expired"
    REVOKED = "revoked"


@dataclass(frozen=True)
class TokenRow:
    """A token, without what is secret of it."""

    id: str
    name: str
    role: str
    scopes: tuple[str, ...]
    standing: TokenStanding
    by: str
    """Who gave it."""
    made_at: datetime
    expires: datetime | None
    """None for never."""
    revoked_at: datetime | None
    used_at: datetime | None
    """To within a minute; None for never."""


@dataclass(frozen=True)
class TokensPage:
    """All tokens, those that are good first, then the newest."""

    now: datetime
    tokens: tuple[TokenRow, ...]


@dataclass(frozen=True)
class NewToken:
    """A token that was just given; `secret` is shown this once."""

    token: TokenRow
    secret: str


@dataclass(frozen=True)
class Wanted:
    """What a new token is to be. No scopes are all of the role; `expires` None is never."""

    name: str
    role: str
    scopes: tuple[str, ...]
    expires: datetime | None


class TokenDesk(Protocol):
    """Where tokens are given and taken back. What makes no sense raises `RefusedError`."""

    def tokens(self, now: datetime) -> TokensPage:
        """All of them."""
        ...

    def give(self, wanted: Wanted, by: Actor, at: datetime) -> NewToken:
        """A new one."""
        ...

    def revoke(self, token: str, by: Actor, at: datetime) -> TokenRow:
        """Take one back, by its id."""
        ...


def order(rows: list[TokenRow]) -> tuple[TokenRow, ...]:
    """Those that are good first, then the newest."""
    return tuple(
        sorted(rows, key=lambda row: (row.standing is not TokenStanding.GOOD, -row.made_at.timestamp(), row.id))
    )


def table(page: TokensPage) -> Table:
    """One row a token."""
    columns = ("id", "name", "role", "scopes", "standing", "by", "made_at", "expires", "revoked_at", "used_at")
    return Table(columns, [tuple(getattr(row, column) for column in columns) for row in page.tokens])
