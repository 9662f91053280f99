"""Forms of our own pages, told from those that other sites make a browser send.

A random value in a cookie and its keyed hash in every form: another site can make a browser send the cookie, and can
neither read it nor make the hash (OWASP, "signed double-submit cookie"). Browsers say besides where a request comes from
(`Sec-Fetch-Site`, `Origin`): what comes from elsewhere is refused whatever it brings. The hash is also of who it was
made for: a value that somebody plants in another's browser is of no use there.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets

from fastapi import Request
from starlette.responses import Response

from dashboards.web.access.origin import origin_of
from dashboards.web.access.people import Person
from dashboards.web.access.sessions import drop_cookie, put_cookie
from dashboards.web.errors import ForbiddenError

COOKIE = "slicewatch_form"
FIELD = "csrf"
HEADER = "x-csrf-token"
REFUSED = "this form is not from a page of this site, or too old: load the page again"


def token(request: Request) -> str:
    """What forms of the page that answers a request bring back."""
    known = request.cookies.get(origin_of(request).cookie(request, COOKIE))
    if known is None:
        known = getattr(request.state, "form_cookie", None) or secrets.token_urlsafe(24)
        request.state.form_cookie = known
    return _hash(request, known)


def remember(request: Request, response: Response) -> None:
    """Set the cookie of a page whose forms rest on it, where the browser has none yet."""
    made = getattr(request.state, "form_cookie", None)
    if made is not None:
        put_cookie(origin_of(request), request, response, COOKIE, made)


def forget(request: Request, response: Response) -> None:
    """Forms made before are of no use any more: somebody else signs in, or nobody is any more."""
    drop_cookie(origin_of(request), request, response, COOKIE)


async def check(request: Request) -> None:
    """Raises `ForbiddenError` for what another site may have made a browser send."""
    if request.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
        raise ForbiddenError(REFUSED)
    ours, claimed = origin_of(request), request.headers.get("origin")
    if claimed is not None and not ours.is_own(request, claimed):
        raise ForbiddenError(REFUSED)
    known, brought = request.cookies.get(ours.cookie(request, COOKIE)), request.headers.get(HEADER)
    if brought is None and _is_form(request):
        brought = str((await request.form()).get(FIELD) or "")
    if not known or not brought or not hmac.compare_digest(_hash(request, known).encode(), brought.encode()):
        raise ForbiddenError(REFUSED)


def _is_form(request: Request) -> bool:
    kind = request.headers.get("content-type", "")
    return kind.startswith(("application/x-www-form-urlencoded", "multipart/form-data"))


def _hash(request: Request, value: str) -> str:
    key: bytes = request.app.state.key
    person: Person | None = getattr(request.state, "person", None)
    message = json.dumps(["form", person.key if person is not None else "", value])
    return hmac.new(key, message.encode(), hashlib.sha256).hexdigest()
