"""Spans by OpenTelemetry, sent by OTLP over HTTP: the extra `slicewatch[otel]`. Nothing waits for whoever takes them."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from urllib.parse import unquote

from monitor.selfwatch_settings import TracingPlan
from monitor.setting_values import SettingsError
from monitor.tracing import Attribute, Span
from rules.problem import Place
from rules.problem import Span as Written

try:
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor
    from opentelemetry.trace import Span as OtelSpan
    from opentelemetry.trace import Tracer as OtelTracer
except ModuleNotFoundError as error:
    said = f"[tracing] needs {error.name}, which is not installed"
    raise SettingsError(
        (Written(Place("slicewatch.toml")).problem("unknown-kind", said, "pip install 'slicewatch[otel]'"),)
    ) from None


@dataclass(frozen=True)
class _Span:
    inner: OtelSpan

    def note(self, **attributes: Attribute) -> None:
        """Say more of it."""
        self.inner.set_attributes(_prefixed(attributes))


@dataclass(frozen=True)
class OpenTelemetry:
    """`monitor.tracing.Tracer` over a tracer of the library."""

    inner: OtelTracer

    @contextmanager
    def span(self, name: str, attributes: Mapping[str, Attribute]) -> Iterator[Span]:
        """One that ends with the block; an error that leaves the block is noted."""
        with self.inner.start_as_current_span(f"slicewatch.{name}", attributes=_prefixed(attributes)) as made:
            yield _Span(made)


@contextmanager
def exporting(plan: TracingPlan) -> Iterator[OpenTelemetry]:
    """A tracer whose spans are sent in the background, the last ones at the end. Raises `MissingSecretError`."""
    headers = {} if plan.headers is None else _headers(plan.headers.reveal())
    exporter = OTLPSpanExporter(endpoint=f"{plan.endpoint.rstrip('/')}/v1/traces", headers=headers)
    resource = Resource.create(
        {
            "service.name": plan.service,
            "service.version": version("slicewatch"),
            "service.instance.id": f"{socket.gethostname()}/{os.getpid()}",
        }
    )
    provider = TracerProvider(resource=resource, shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(exporter))
    try:
        yield OpenTelemetry(provider.get_tracer("slicewatch", version("slicewatch")))
    finally:
        provider.shutdown()


def _prefixed(attributes: Mapping[str, Attribute]) -> dict[str, Attribute]:
    return {name if "." in name else f"slicewatch.{name}": value for name, value in attributes.items()}


def _headers(text: str) -> dict[str, str]:
    """`name=value,name=value`, values as in a URL."""
    pairs = (part.partition("=") for part in text.split(",") if part.strip())
    return {name.strip(): unquote(value.strip()) for name, _, value in pairs}
