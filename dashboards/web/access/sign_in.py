"""The way to the provider, and back: /sign-in, /sign-in/back, /sign-out, /signed-out."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import timedelta
from secrets import token_hex
from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import RedirectResponse, Response

from alerts.model import Actor
from dashboards.web.access import csrf
from dashboards.web.access.gate import asker, gate_of
from dashboards.web.access.guard import Viewer
from dashboards.web.access.oidc import BACK, SIGN_IN, Claims, Oidc, SignInError
from dashboards.web.access.people import NOBODY, Person
from dashboards.web.access.sessions import Session, TooManyGroupsError, drop_cookie, put_cookie, signer, unsigned
from dashboards.web.errors import ForbiddenError, WebError
from dashboards.web.site import Here

log = logging.getLogger("slicewatch")

OUT, GONE = "/sign-out", "/signed-out"
PUBLIC = frozenset({SIGN_IN, BACK, GONE})
"""Paths by which strangers become somebody."""
ON_THE_WAY = "slicewatch_sign_in"
LONGEST_NEXT = 1_500
"""Characters: it has to fit into a cookie."""
PATIENCE = timedelta(minutes=10)
"""How long somebody may take at the provider."""
FAILED = "the sign-in did not work, or took too long: try it again. Where it keeps failing, slicewatch's log says why"


class SignInFailedError(WebError):
    """Somebody came back who is not known to have been sent."""

    status = 401


@dataclass(frozen=True)
class SignIn:
    """The routes of a site whose door is a provider's."""

    door: Oidc

    @property
    def router(self) -> APIRouter:
        """All of them."""
        made = APIRouter(include_in_schema=False)
        made.add_api_route(SIGN_IN, self.leave, methods=["GET"])
        made.add_api_route(BACK, self.come_back, methods=["GET"])
        made.add_api_route(OUT, self.sign_out, methods=["POST"])
        made.add_api_route(GONE, self.gone, methods=["GET"])
        return made

    async def leave(self, request: Request, wanted: Annotated[str, Query(alias="next")] = "/") -> Response:
        """On to the provider."""
        gate, state = gate_of(request), token_hex(16)
        gate.limits.sign_in.take(asker(request))
        request.scope["session"] = {}
        try:
            answer = await self.door.provider.redirect(request, gate.origin.of(request) + BACK, state)
        except SignInError as error:
            log.error("sign-in: %s", error)
            raise SignInFailedError(FAILED) from None
        luggage = {"next": inward(wanted), "flow": request.session, "ends": (gate.clock() + PATIENCE).timestamp()}
        sealed = str(signer(request.app.state.key, "sign-in").dumps(luggage))
        put_cookie(gate.origin, request, answer, _bag(state), sealed, PATIENCE)
        return answer

    async def come_back(self, request: Request, state: str = "") -> Response:
        """From the provider, to the page that was wanted."""
        gate = gate_of(request)
        gate.limits.sign_in.take(asker(request))
        sealed = request.cookies.get(gate.origin.cookie(request, _bag(state)), "")
        luggage = unsigned(request.app.state.key, "sign-in", sealed)
        if luggage is None or luggage["ends"] <= gate.clock().timestamp():
            raise SignInFailedError(FAILED)
        request.scope["session"] = luggage["flow"]
        try:
            claims = await self.door.provider.claims(request)
        except SignInError as error:
            log.warning("sign-in: %s", error)
            raise SignInFailedError(FAILED) from None
        answer = RedirectResponse(luggage["next"], status_code=303)
        person = await run_in_threadpool(self._admit, request, answer, claims)
        log.info("sign-in: %s (%s) is a %s", person.name, person.id, person.role.word)
        csrf.forget(request, answer)
        drop_cookie(gate.origin, request, answer, _bag(state))
        return answer

    def sign_out(self, request: Request, person: Viewer) -> Response:
        """The browser forgets who it was."""
        gate = gate_of(request)
        gate.journal.note("sign out", "access", person.actor, gate.clock(), "signed out")
        answer = RedirectResponse(GONE, status_code=303)
        self.door.sessions.end(request, answer)
        csrf.forget(request, answer)
        return answer

    def gone(self, request: Request, here: Here) -> Response:
        """Said once; a page of its own, for any other would sign in again at once."""
        return here.page(request, "signed_out.html", NOBODY, sign_in=SIGN_IN)

    def _admit(self, request: Request, answer: Response, claims: Claims) -> Person:
        """A session for whoever has a role; what becomes of the sign-in is logged either way."""
        gate, at = gate_of(request), gate_of(request).clock()
        groups = self.door.roles.known(claims.groups)
        who = Session(claims.id, claims.name, claims.mail, groups, self.door.sessions.ends())
        try:
            person = self.door.admitted(who)
            self.door.sessions.begin(request, answer, who)
        except (ForbiddenError, TooManyGroupsError) as error:
            gate.journal.note("sign in refused", "access", Actor("web", claims.id, claims.name), at, str(error))
            raise ForbiddenError(str(error) or "you belong to more groups than a session holds") from None
        gate.journal.note("sign in", "access", person.actor, at, f"as a {person.role.word}")
        return person


def _bag(state: str) -> str:
    """The cookie of one sign-in: a browser may be about several, one in each tab that it opened again."""
    return f"{ON_THE_WAY}_{state[:8]}"


def inward(wanted: str) -> str:
    """A page of this site, whatever was asked for: never an address elsewhere, in any of the ways browsers read one."""
    plain = wanted.isprintable() and "\\" not in wanted and len(wanted) <= LONGEST_NEXT
    inside = wanted.startswith("/") and not wanted.startswith(("//", SIGN_IN, OUT, GONE))
    return wanted if plain and inside else "/"
