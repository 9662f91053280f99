"""What goes wrong with a request: a status, and a sentence for whoever asked."""

from __future__ import annotations


class WebError(Exception):
    """A request that is not answered as it was meant; the text says why and what to do."""

    status = 500


class StrangerError(WebError):
    """Nobody known asks."""

    status = 401

    def __init__(self, text: str = "sign in first") -> None:
        super().__init__(text)


class ForbiddenError(WebError):
    """Somebody known asks for more than they may."""

    status = 403


class MissingError(WebError):
    """What is asked for is not there."""

    status = 404


class UnreadableError(WebError):
    """What was sent says nothing that is understood."""

    status = 422


class TooManyError(WebError):
    """Too many requests; `seconds` says when to try again."""

    status = 429

    def __init__(self, seconds: float) -> None:
        super().__init__(f"too many requests: try again in {max(1, round(seconds))} seconds")
        self.seconds = seconds
