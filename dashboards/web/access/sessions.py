"""Who has signed in, remembered by their browser: a signed cookie, so that replicas with one key share sessions."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

from fastapi import Request
from itsdangerous import BadSignature, URLSafeSerializer
from starlette.responses import Response

from dashboards.web.access.origin import Origin

COOKIE = "slicewatch_session"
LONGEST = 3_900
"""Bytes that browsers keep of a cookie (RFC 6265, 6.1), less its name and attributes."""


@dataclass(frozen=True)
class Session:
    """Somebody who has signed in. Their role is not in it: what the operators say of it holds at once."""

    id: str
    name: str
    mail: str
    groups: tuple[str, ...]
    ends: float
    """Seconds since 1970."""


class TooManyGroupsError(Exception):
    """More groups, or longer names, than a cookie holds."""


@dataclass(frozen=True)
class Sessions:
    """Makes and reads sessions. What is signed for one use cannot be brought back as another."""

    key: bytes
    lasts: timedelta
    origin: Origin
    clock: Callable[[], datetime]

    def begin(self, request: Request, response: Response, who: Session) -> None:
        """Have the browser remember who signed in, in place of whoever it remembered. Raises `TooManyGroupsError`."""
        text = signer(self.key, "session").dumps(asdict(who))
        if len(text) > LONGEST:
            raise TooManyGroupsError
        put_cookie(self.origin, request, response, COOKIE, str(text), self.lasts)

    def ends(self) -> float:
        """When a session that begins now is over."""
        return (self.clock() + self.lasts).timestamp()

    def read(self, request: Request) -> Session | None:
        """Who has signed in; None for nobody, for a cookie that is not ours, and for a session that is over."""
        found = unsigned(self.key, "session", request.cookies.get(self.origin.cookie(request, COOKIE), ""))
        if found is None:
            return None
        who = Session(**{**found, "groups": tuple(found["groups"])})
        return who if self.clock().timestamp() < who.ends else None

    def end(self, request: Request, response: Response) -> None:
        """Have the browser forget."""
        drop_cookie(self.origin, request, response, COOKIE)


def put_cookie(
    origin: Origin, request: Request, response: Response, name: str, value: str, lasts: timedelta | None = None
) -> None:
    """A cookie that no script reads. It comes along when a link leads here, and with nothing else that another site sends."""
    response.set_cookie(
        origin.cookie(request, name),
        value,
        max_age=None if lasts is None else int(lasts.total_seconds()),
        httponly=True,
        samesite="lax",
        secure=origin.is_secure(request),
    )


def drop_cookie(origin: Origin, request: Request, response: Response, name: str) -> None:
    """Have the browser forget a cookie."""
    secure = origin.is_secure(request)
    response.delete_cookie(origin.cookie(request, name), httponly=True, samesite="lax", secure=secure)


def signer(key: bytes, use: str) -> URLSafeSerializer:
    """Signs by HMAC-SHA-256, with a key of its own for each use."""
    how = {"key_derivation": "hmac", "digest_method": hashlib.sha256}
    return URLSafeSerializer(key, salt=f"slicewatch {use}", signer_kwargs=how)


def unsigned(key: bytes, use: str, text: str) -> Any:
    """What was signed for a use; None for anything else."""
    try:
        return signer(key, use).loads(text)
    except BadSignature:
        return None
