"""A reverse proxy has signed people in, and says by headers who they are."""

from __future__ import annotations

from dataclasses import dataclass

from fastapi import Request

from dashboards.web.access.addresses import Network, is_within
from dashboards.web.access.people import Person, Via
from dashboards.web.access.roles import Roles
from dashboards.web.errors import ForbiddenError

LONGEST = 255
"""Characters of a name or an id."""


@dataclass(frozen=True)
class Proxy:
    """Believes headers that come from the proxy's own addresses, and knows nobody who comes from elsewhere."""

    networks: tuple[Network, ...]
    user_header: str
    groups_header: str
    name_header: str
    roles: Roles

    def person(self, request: Request) -> Person | None:
        """Raises `ForbiddenError` for somebody who has no role."""
        if request.client is None or not is_within(request.client.host, self.networks):
            return None
        user = _only(request, self.user_header)
        if not user or len(user) > LONGEST:
            return None
        role = self.roles.role([user], _groups(request, self.groups_header))
        if role is None:
            raise ForbiddenError(no_role(user))
        return Person(user, (_only(request, self.name_header) or user)[:LONGEST], role, Via.PROXY)

    def sign_in_url(self, request: Request) -> str | None:  # noqa: ARG002  # a door's method
        """The proxy has its own."""
        return None


def no_role(name: str) -> str:
    """What somebody reads who is known, and may do nothing."""
    return f"{name[:LONGEST]} has no role here: whoever runs slicewatch gives one by [web.roles] in slicewatch.toml"


def _only(request: Request, header: str) -> str:
    """A header that came once; a proxy that adds its own to what the browser sent makes two of it, of which neither counts."""
    found = request.headers.getlist(header)
    return _text(found[0]) if len(found) == 1 else ""


def _groups(request: Request, header: str) -> list[str]:
    return [name.strip() for name in _only(request, header).split(",") if name.strip()]


def _text(value: str) -> str:
    """Headers are read as Latin-1; proxies write UTF-8."""
    try:
        return value.encode("latin-1").decode("utf-8").strip()
    except UnicodeError:
        return value.strip()
