"""What the generic webhook posts: its shape, published as JSON Schema, and how a message fills it. Pure.

A key may be added within a version; a key that changes its meaning or goes away makes a new version.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from alerts.message import plain_text
from alerts.model import Change, Message, Series, State, Stretch
from alerts.reprocess import lost_of
from rules.model import Severity
from rules.slices import Folded

VERSION = 1
FOLDED_VALUE = "(other, folded)"


class WebhookFact(BaseModel):
    """A labelled line of the message."""

    label: str
    text: str
    at: datetime | None = Field(description="The instant the text names, where it names one.")


class WebhookTerm(BaseModel):
    """One dimension that the cause fixes."""

    dimension: str
    value: str | None = Field(description="null is the value NULL.")
    folded: bool = Field(description="Whether it is no value, but all those that are not kept apart.")


class WebhookSeries(BaseModel):
    """Buckets of one slice, oldest first; the lists are of one length, and null is not known."""

    starts: tuple[datetime, ...]
    observed: tuple[float | None, ...]
    expected: tuple[float | None, ...]
    low: tuple[float | None, ...]
    high: tuple[float | None, ...]


class WebhookStretch(BaseModel):
    """What to load again: the events of a slice from `start` to `end`, which is not included."""

    slice: tuple[WebhookTerm, ...] = Field(description="Empty for every event.")
    start: datetime
    end: datetime
    expected: float | None = Field(description="null is not known.")
    observed: float | None
    lost: float | None


class WebhookBody(BaseModel):
    """What is posted for each change of an incident. A body may come twice: its `id` is the same then."""

    model_config = ConfigDict(title="slicewatch webhook, version 1")

    version: Literal[1]
    id: str = Field(description="Of this message: one that was seen already is a repetition.")
    incident: str = Field(description="Of the incident; the same in all its messages.")
    seq: int = Field(description="Orders the messages of one incident.")
    rule: str = Field(
        description="Name of the rule, of the rule file that is broken, or `slicewatch` where it speaks of itself."
    )
    change: Change = Field(description="What happened to the incident.")
    state: State = Field(description="How it stands now.")
    severity: Severity
    since: datetime | None = Field(description="Start of the first bad bucket.")
    cause: tuple[WebhookTerm, ...] = Field(description="The slice that is concerned; empty for the total.")
    push: str = Field(description="The message in a line of at most 150 characters.")
    title: str
    summary: tuple[str, ...] = Field(description="Paragraphs, the most important first.")
    facts: tuple[WebhookFact, ...]
    text: str = Field(description="The whole message as plain text.")
    query: str | None = Field(description="SQL that returns the numbers in the warehouse.")
    runbook_url: str | None
    page_url: str | None = Field(description="Where a browser shows the incident, where pages are served.")
    source: str | None = Field(description="The table to load again from, where something was lost and is over.")
    reprocess: tuple[WebhookStretch, ...] = Field(description="What to load again, oldest first; empty before that.")
    chart: WebhookSeries | None = Field(description="The cause, bucket by bucket.")
    total_chart: WebhookSeries | None = Field(description="The rule's total, bucket by bucket.")


def body_of(message: Message, *, plain: bool = False) -> bytes:
    """The body of a message, as JSON in UTF-8; the plain one leaves out the charts, which are most of it."""
    filled = WebhookBody(
        version=VERSION,
        id=message_id(message),
        incident=message.key,
        seq=message.seq,
        rule=message.rule,
        change=message.change,
        state=message.state,
        severity=message.severity,
        since=message.since,
        cause=tuple(_term(name, value) for name, value in message.cause),
        push=message.push,
        title=message.title,
        summary=message.summary,
        facts=tuple(WebhookFact(label=fact.label, text=fact.text, at=fact.at) for fact in message.facts),
        text=plain_text(message),
        query=message.query or None,
        runbook_url=message.runbook_url,
        page_url=message.page_url,
        source=message.reprocess.source if message.reprocess is not None else None,
        reprocess=tuple(map(_stretch, message.reprocess.stretches)) if message.reprocess is not None else (),
        chart=None if plain else _series(message.chart),
        total_chart=None if plain else _series(message.total_chart),
    )
    return filled.model_dump_json().encode()


def message_id(message: Message) -> str:
    """What a repetition is known by."""
    return f"{message.key}/{message.seq}"


def body_schema() -> dict[str, Any]:
    """JSON Schema (2020-12) of the body."""
    made = WebhookBody.model_json_schema(mode="serialization")
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **made}


def _term(name: str, value: str | Folded | None) -> WebhookTerm:
    if isinstance(value, Folded):
        return WebhookTerm(dimension=name, value=FOLDED_VALUE, folded=True)
    return WebhookTerm(dimension=name, value=value, folded=False)


def _stretch(stretch: Stretch) -> WebhookStretch:
    return WebhookStretch(
        slice=tuple(_term(name, value) for name, value in stretch.slice),
        start=stretch.since,
        end=stretch.until,
        expected=stretch.expected,
        observed=stretch.observed,
        lost=lost_of(stretch),
    )


def _series(series: Series | None) -> WebhookSeries | None:
    if series is None:
        return None
    return WebhookSeries(
        starts=series.starts, observed=series.observed, expected=series.expected, low=series.low, high=series.high
    )
