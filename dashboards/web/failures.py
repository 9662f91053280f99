"""Answers to what goes wrong: a page for people, JSON for programs, and never what only the log should hold."""

from __future__ import annotations

import logging

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, RedirectResponse, Response

from alerts.actions import RefusedError
from dashboards.web.access.origin import origin_of
from dashboards.web.access.people import NOBODY
from dashboards.web.errors import StrangerError, TooManyError, WebError
from dashboards.web.security import secure
from dashboards.web.site import Site

log = logging.getLogger("slicewatch")

FAILED = "slicewatch could not do it; its log says why"
AWAY = "the store does not answer at present: what stands there cannot be shown. Try again; slicewatch's log says what is wrong"
AWAY_SECONDS = 10
TITLES = {
    401: "Sign in",
    403: "Not allowed",
    404: "Not there",
    409: "Not done",
    422: "Not understood",
    429: "Too fast",
    503: "Not now",
}


def install(app: FastAPI) -> None:
    """Have every error answered here."""
    app.add_exception_handler(WebError, _web_error)
    app.add_exception_handler(RefusedError, lambda request, error: _answer(request, 409, str(error)))
    app.add_exception_handler(RequestValidationError, _not_understood)
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(Exception, lambda request, _: _failed(request))


def answer_away(app: FastAPI, kind: type[Exception]) -> None:
    """Have errors of a kind answered as what passes by itself: what was asked for may be asked again."""
    app.add_exception_handler(kind, _away)


def _away(request: Request, error: Exception) -> Response:
    log.error("%s is not answered: %s", request.url.path, error)
    return _answer(request, 503, AWAY, {"Retry-After": str(AWAY_SECONDS)})


def _failed(request: Request) -> Response:
    """Of what nobody foresaw: Starlette answers it outside of all middleware, that with the headers included."""
    answer = _answer(request, 500, FAILED)
    secure(answer.headers, https=origin_of(request).is_secure(request))
    return answer


def _web_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, WebError)
    if isinstance(error, StrangerError) and not _wants_json(request):
        where = request.app.state.door.sign_in_url(request)
        if where is not None and "hx-request" in request.headers:
            # A part of a page cannot become a sign-in: the page that asked for it does.
            return _answer(request, error.status, str(error), {"HX-Redirect": where})
        if where is not None:
            return RedirectResponse(where, status_code=303)
    headers = {"Retry-After": str(max(1, round(error.seconds)))} if isinstance(error, TooManyError) else {}
    if error.status == StrangerError.status:
        headers["WWW-Authenticate"] = "Bearer"
    return _answer(request, error.status, str(error), headers)


def _http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    text = "there is no such page" if error.status_code == 404 else str(error.detail)
    return _answer(request, error.status_code, text, dict(error.headers or {}))


def _not_understood(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    parts = [f"{'.'.join(str(p) for p in found['loc'][1:])}: {found['msg']}" for found in error.errors()]
    return _answer(request, 422, "; ".join(parts))


def _answer(request: Request, status: int, text: str, headers: dict[str, str] | None = None) -> Response:
    if _wants_json(request):
        return JSONResponse({"error": text}, status, headers)
    site: Site = request.app.state.site
    person = getattr(request.state, "person", NOBODY)
    again = request.app.state.door.sign_in_url(request) if person is NOBODY and status in (401, 403) else None
    template = "parts/problem.html" if "hx-request" in request.headers else "problem.html"
    answer = site.page(
        request, template, person, status=status, title=TITLES.get(status, "Failed"), text=text, again=again
    )
    answer.headers.update(headers or {})
    return answer


def _wants_json(request: Request) -> bool:
    return request.url.path.startswith(("/api/", "/-/")) or request.url.path == "/metrics"
