"""The API's description (OpenAPI): who may use what, and one shape for all failures."""

from __future__ import annotations

import re
from typing import Annotated, Any

from fastapi import FastAPI
from fastapi.routing import APIRoute
from pydantic import BaseModel, Field

from dashboards.web.access.guard import Entry, entries


class Failure(BaseModel):
    """Why a request was not answered as it was meant."""

    error: Annotated[str, Field(description="A sentence for people.", examples=["sign in first"])]


_TEXTS = {
    400: "The body cannot be read: it is no UTF-8, or a form that breaks off.",
    401: "Nobody known asks, or by a token that has expired or was revoked.",
    403: "Whoever asks may not do this: the role or the token's scope is too small, or a form is from elsewhere.",
    404: "What is asked for is not there.",
    409: "It makes no sense any more, such as acknowledging what is closed.",
    413: "The body is too long.",
    414: "The address is too long.",
    422: "Something in the request cannot be understood; the text names it.",
    429: "Too many requests. `Retry-After` says when to try again, in seconds.",
    503: "The store does not answer at present. `Retry-After` says when to try again, in seconds.",
}
FAILURES: dict[int | str, dict[str, Any]] = {
    status: {"model": Failure, "description": text} for status, text in _TEXTS.items()
}
"""For the `responses` of every route of the API."""


class DescribedApp(FastAPI):
    """Says of every route, from its guard, who may use it and which scope a token needs."""

    def openapi(self) -> dict[str, Any]:
        """As FastAPI makes it, and who may."""
        if self.openapi_schema is None:
            made = super().openapi()
            made.setdefault("components", {})["securitySchemes"] = WAYS_IN
            for entry in entries(self.routes):
                _say_who(made["paths"].get(CONVERTER.sub("}", entry.path), {}), entry)
        return self.openapi_schema or {}


CONVERTER = re.compile(r":\w+\}")
"""What a route says besides of a part of its path, such as `{name:path}`."""
WAYS_IN = {
    "token": {
        "type": "http",
        "scheme": "bearer",
        "description": "An API token: `slicewatch token add`, or the page /tokens.",
    },
}
"""People sign in as to the pages; what they change besides needs the form token of a page, in `X-CSRF-Token`."""


def _say_who(operations: dict[str, Any], entry: Entry) -> None:
    if entry.guard is None:
        return
    scopes = sorted(entry.guard.scopes)
    for method in entry.methods & {name.upper() for name in operations}:
        told = operations[method.lower()]
        words = f"For a {entry.guard.role.word}; a token needs the scope {' or '.join(scopes)}."
        told["description"] = f"{told.get('description', '')}\n\n{words}".strip()
        told["security"] = [{"token": []}]


def name_of(route: APIRoute) -> str:
    """By what programs made from the description call a route: `tokens-give`."""
    return "-".join([*(str(tag).replace(" ", "-") for tag in route.tags[:1]), route.name])
