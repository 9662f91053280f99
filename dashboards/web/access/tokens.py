"""API tokens: `Authorization: Bearer swt_...`, before the door of the site."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from fastapi import Request

from dashboards.web.access.doors import Door
from dashboards.web.access.gate import asker, gate_of
from dashboards.web.access.people import PREFIX, Person
from dashboards.web.errors import StrangerError

LONGEST = 200


class Holders(Protocol):
    """Who holds a token."""

    def holder(self, secret: str) -> Person:
        """Raises `StrangerError` for a token that is none, or none any more."""
        ...


@dataclass(frozen=True)
class Tokens:
    """Whoever brings a token is who holds it, and nobody else: one that is no good is not made up for by a session."""

    holders: Holders
    door: Door

    def person(self, request: Request) -> Person | None:
        """As the token says; without one, as the site's own door."""
        secret = bearer(request)
        if secret is None:
            return self.door.person(request)
        try:
            return self.holders.holder(secret)
        except StrangerError:
            limits = gate_of(request).limits
            limits.refused.take(asker(request))
            raise

    def sign_in_url(self, request: Request) -> str | None:
        """That of the site's own door."""
        return self.door.sign_in_url(request)


def bearer(request: Request) -> str | None:
    """The token that a request brings. Those of others, such as a proxy's own, do not count as any."""
    kind, _, secret = request.headers.get("authorization", "").partition(" ")
    secret = secret.strip()
    is_ours = kind.lower() == "bearer" and secret.startswith(PREFIX)
    return secret[:LONGEST] if is_ours else None
