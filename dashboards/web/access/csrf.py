"""Forms of our own pages, told from those that other sites make a browser send.

A random value in a cookie and its keyed hash in every form: another site can make a browser send the cookie, and can
neither read it nor make the hash (OWASP, "signed double-submit cookie"). Browsers say besides where a request comes from
(`Sec-Fetch-Site`, `Origin`): what comes from elsewhere is refused whatever it brings.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from urllib.parse import urlsplit

from fastapi import Request
from starlette.responses import Response

from dashboards.web.errors import ForbiddenError

COOKIE = "slicewatch_form"
FIELD = "csrf"
HEADER = "x-csrf-token"
REFUSED = "this form is not from a page of this site, or too old: load the page again"


def token(request: Request) -> str:
    """What forms of the page that answers a request bring back."""
    known = request.cookies.get(COOKIE)
    if known is None:
        known = getattr(request.state, "form_cookie", None) or secrets.token_urlsafe(24)
        request.state.form_cookie = known
    return _hash(request, known)


def remember(request: Request, response: Response) -> None:
    """Set the cookie of a page whose forms rest on it, where the browser has none yet."""
    made = getattr(request.state, "form_cookie", None)
    if made is not None:
        secure = request.url.scheme == "https"
        response.set_cookie(COOKIE, made, httponly=True, samesite="strict", secure=secure)


async def check(request: Request) -> None:
    """Raises `ForbiddenError` for what another site may have made a browser send."""
    if request.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
        raise ForbiddenError(REFUSED)
    origin = request.headers.get("origin")
    if origin is not None and urlsplit(origin).netloc != request.headers.get("host"):
        raise ForbiddenError(REFUSED)
    known, brought = request.cookies.get(COOKIE), request.headers.get(HEADER)
    if brought is None and _is_form(request):
        brought = str((await request.form()).get(FIELD) or "")
    if not known or not brought or not hmac.compare_digest(_hash(request, known).encode(), brought.encode()):
        raise ForbiddenError(REFUSED)


def _is_form(request: Request) -> bool:
    kind = request.headers.get("content-type", "")
    return kind.startswith(("application/x-www-form-urlencoded", "multipart/form-data"))


def _hash(request: Request, value: str) -> str:
    key: bytes = request.app.state.key
    return hmac.new(key, value.encode(), hashlib.sha256).hexdigest()
