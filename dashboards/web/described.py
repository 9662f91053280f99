"""How the API's description tells of failures: one shape for all of them."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, Field


class Failure(BaseModel):
    """Why a request was not answered as it was meant."""

    error: Annotated[str, Field(description="A sentence for people.", examples=["sign in first"])]


_TEXTS = {
    401: "Nobody known asks, or by a token that has expired or was revoked.",
    403: "Whoever asks may not do this: the role or the token's scope is too small, or a form is from elsewhere.",
    404: "What is asked for is not there.",
    409: "It makes no sense any more, such as acknowledging what is closed.",
    413: "The body is too long.",
    422: "Something in the request cannot be understood; the text names it.",
    429: "Too many requests. `Retry-After` says when to try again, in seconds.",
}
FAILURES: dict[int | str, dict[str, Any]] = {
    status: {"model": Failure, "description": text} for status, text in _TEXTS.items()
}
"""For the `responses` of every route of the API."""
