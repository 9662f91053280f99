"""How much a request may bring. Headers are bounded by the server: `monitor.serving.server`."""

from __future__ import annotations

from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

MOST_BODY = 256 * 1024
"""Bytes. The longest that pages and the API take are a few thousand."""
MOST_URL = 160 * 1024
"""Bytes. A slice whose values have 10,000 characters stands in the address, twelve bytes a character at worst."""


class Bounds:
    """Answers what is too long without reading it."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """As ASGI asks."""
        refused = _refused(scope) if scope["type"] == "http" else None
        if refused is not None:
            await refused(scope, receive, send)
        else:
            await self._app(scope, _counted(receive), send)


def _refused(scope: Scope) -> JSONResponse | None:
    if len(scope.get("raw_path") or b"") + len(scope["query_string"]) > MOST_URL:
        return JSONResponse({"error": f"the address is longer than {MOST_URL:,} bytes"}, 414)
    declared = dict(scope["headers"]).get(b"content-length", b"0")
    if not declared.isdigit() or int(declared) > MOST_BODY:
        return JSONResponse({"error": TOO_MUCH}, 413)
    return None


TOO_MUCH = f"the body is longer than {MOST_BODY:,} bytes"


def _counted(receive: Receive) -> Receive:
    """For bodies that do not say beforehand how long they are."""
    taken = 0

    async def counting() -> Message:
        nonlocal taken
        message = await receive()
        taken += len(message.get("body", b""))
        if taken > MOST_BODY:
            raise HTTPException(413, TOO_MUCH)
        return message

    return counting
