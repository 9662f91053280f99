"""Whether a process is well and whether it is ready, for those who start processes and send them requests."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

ALIVE, READY = "/healthz", "/readyz"
"""Where they are asked."""


@dataclass(frozen=True)
class Probe:
    """An answer for everybody: its reasons name no rule, no address and nothing that a secret might stand in."""

    reasons: tuple[str, ...] = ()
    """Why it is not so, a sentence each; nothing where it is."""

    @property
    def status(self) -> int:
        """Of an HTTP answer."""
        return 503 if self.reasons else 200

    def body(self) -> dict[str, object]:
        """As JSON says it."""
        return {"status": "failing" if self.reasons else "ok", "reasons": list(self.reasons)}


class Probes(Protocol):
    """Where it comes from."""

    def alive(self) -> Probe:
        """Whether the process goes on; where it does not, a new one is better. Touches nothing that may hang."""
        ...

    def ready(self) -> Probe:
        """Whether it does its work: a store that answers, rules that were read, no end that is near."""
        ...
