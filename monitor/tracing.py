"""Spans of what the program does, for whoever follows one evaluation or delivery through it: none, unless they are asked for.

This is all that the program knows of tracing. What makes spans of it is `monitor.tracing_otel`, which is loaded where
`[tracing]` names an endpoint; without it a span is nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from alerts.model import Receipt
from alerts.ports import Delivery, Notifier

if TYPE_CHECKING:
    from monitor.selfwatch_settings import TracingPlan

Attribute = str | int | float | bool


class Span(Protocol):
    """One that has begun."""

    def note(self, **attributes: Attribute) -> None:
        """Say more of it."""
        ...


class Tracer(Protocol):
    """What makes spans; any thread may ask."""

    def span(self, name: str, attributes: Mapping[str, Attribute]) -> AbstractContextManager[Span]:
        """One that ends with the block; an error that leaves the block is noted."""
        ...


class _NoSpan:
    def note(self, **attributes: Attribute) -> None:
        """Nobody wants to know."""


class _NoTracer:
    def span(self, name: str, attributes: Mapping[str, Attribute]) -> AbstractContextManager[Span]:  # noqa: ARG002  # as Tracer
        """Nothing."""
        return nullcontext(_NOTHING)


_NOTHING = _NoSpan()
_OFF: Tracer = _NoTracer()
_tracer: Tracer = _OFF


def span(name: str, **attributes: Attribute) -> AbstractContextManager[Span]:
    """A span of what is done in the block, within the one that this thread is in."""
    return _tracer.span(name, attributes)


@contextmanager
def tracing_to(tracer: Tracer) -> Iterator[None]:
    """Make spans by a tracer meanwhile, of everything in this process."""
    global _tracer  # noqa: PLW0603  # the one place that knows: what is traced knows nothing of it
    before, _tracer = _tracer, tracer
    try:
        yield
    finally:
        _tracer = before


@contextmanager
def traced(plan: TracingPlan | None) -> Iterator[None]:
    """Send spans where the settings say, if they do. Raises `SettingsError` where the library is missing, or a secret."""
    if plan is None:
        yield
        return
    from monitor.tracing_otel import exporting  # noqa: PLC0415  a library that is an extra

    with exporting(plan) as tracer, tracing_to(tracer):
        yield


@dataclass(frozen=True)
class TracedNotifier:
    """A receiver, each of whose deliveries is a span."""

    name: str
    inner: Notifier

    def send(self, delivery: Delivery) -> Receipt:
        """As of the receiver."""
        about: Mapping[str, Attribute] = {
            "slicewatch.receiver": self.name,
            "slicewatch.incident": delivery.message.key,
            "slicewatch.message": delivery.message.seq,
            "slicewatch.part": delivery.part.value,
            "slicewatch.attempt": delivery.attempts + 1,
        }
        with _tracer.span("deliver", about):
            return self.inner.send(delivery)
