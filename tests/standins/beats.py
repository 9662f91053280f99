"""Whoever takes heartbeats, in tests: a real server that says 200 to everything, or that something is wrong."""

from __future__ import annotations

from dataclasses import dataclass

from tests.standins.web import Reply, Request, WebStandin


@dataclass
class BeatStandin(WebStandin):
    """Healthchecks.io, Cronitor and the like: any method, any path."""

    def reply(self, request: Request) -> Reply:  # noqa: ARG002  # whatever it is
        return Reply(200, "OK")

    def beats(self, path: str = "/beat") -> list[Request]:
        """Those that were sent to a path."""
        return [request for request in self.taken if request.path == path]
