"""A file of planned events: text in, events and problems out. Pure but for `read_events`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any
from zoneinfo import ZoneInfo

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainValidator, StringConstraints, ValidationError

from rules.document import Document
from rules.document import Path as KeyPath
from rules.explain import Doc, described, explain, refusal
from rules.model import Interval, PlannedEvent, Rule
from rules.problem import Problem, Span
from rules.slices import Slice
from rules.text import read_text
from rules.vocabulary import did_you_mean
from rules.yaml_text import read_yaml

CHANGE_HINT = "write x1.5, +50%, -30%, or unknown"
MOST_TIMES = 1_000.0


@dataclass(frozen=True)
class WrittenEvent:
    """An event before a rule gives its naive times a time zone. `places` are the dimensions its slice names."""

    name: str
    start: datetime
    end: datetime
    slice: Slice
    factor: float | None
    places: Mapping[str, Span]


@dataclass(frozen=True)
class EventFile:
    """What one file says. An event with an error is in `problems` and not in `events`."""

    file: str
    events: tuple[WrittenEvent, ...] = ()
    problems: tuple[Problem, ...] = ()


def _moment(raw: object) -> datetime:
    try:
        return datetime.fromisoformat(str(raw))
    except ValueError:
        hint = "write a day (2026-11-27) or a time (2026-11-27T18:00)"
        raise refusal("bad-time", f"{described(raw)} is no time", hint) from None


def _change(raw: object) -> float | None:
    """The factor that `x1.5`, `+50%` and `-30%` mean; None for `unknown`."""
    text = raw.strip() if isinstance(raw, str) else ""
    if text == "unknown":
        return None
    if found := re.fullmatch(r"[x\u00d7]\s?([0-9]{1,6}(?:\.[0-9]{1,6})?)", text):
        factor = float(found[1])
    elif found := re.fullmatch(r"([+-])([0-9]{1,6}(?:\.[0-9]{1,6})?)\s?%", text):
        factor = 1.0 + float(found[1] + found[2]) / 100.0
    else:
        raise refusal("bad-value", f"{described(raw)} is no change", CHANGE_HINT)
    if not 0.0 <= factor <= MOST_TIMES:
        raise refusal("bad-value", f"nothing changes by {text}", CHANGE_HINT)
    return factor


class EventShape(BaseModel):
    """One planned event."""

    model_config = ConfigDict(extra="forbid", frozen=True, title="an event")

    name: Annotated[str, StringConstraints(min_length=1), Doc("string", "What it is called, shown in messages.")]
    from_: Annotated[
        datetime,
        PlainValidator(_moment),
        Field(alias="from"),
        Doc("day or time", "When it begins; naive times are in the rule's `timezone`."),
    ]
    to: Annotated[datetime, PlainValidator(_moment), Doc("day or time", "When it ends; the end is not included.")]
    slice: Annotated[
        dict[str, str | None],
        BeforeValidator(lambda raw: {} if raw is None else raw),
        Doc("mapping of dimension to value", "Whom it concerns.", default="everything"),
    ] = {}
    change: Annotated[
        float | None,
        PlainValidator(_change),
        Doc("`x1.5`, `+50%`, `-30%`, `unknown`", "How many events are expected; unknown is not judged."),
    ]


class EventFileShape(BaseModel):
    """A file of planned events."""

    model_config = ConfigDict(extra="forbid", frozen=True, title="a file of events")

    events: Annotated[
        tuple[Any, ...],
        BeforeValidator(lambda raw: () if raw is None else raw),
        Doc("list of events", "The planned events."),
    ]


def parse_events(text: str, file: str) -> EventFile:
    """Read the text of a file of events; `file` is the name that places are given with. Never raises."""
    document = read_yaml(text, file)
    problems = [problem for _, problem in document.problems]
    if document.data is None:
        return EventFile(file, (), tuple(problems))
    shape, found = _shaped(EventFileShape, document.data, document, ())
    problems += found
    events = []
    for index in range(len(shape.events) if shape else 0):
        event, found = _event(document, index)
        problems += found
        events += [event] if event is not None else []
    return EventFile(file, tuple(events), tuple(sorted(dict.fromkeys(problems), key=lambda p: (p.place, p.code))))


def _event(document: Document, index: int) -> tuple[WrittenEvent | None, list[Problem]]:
    at: KeyPath = ("events", index)
    raw = document.data["events"][index]
    if not isinstance(raw, dict):
        return None, [_span(document, at).problem("wrong-type", "an event is a mapping", "write '- name: ...'")]
    shape, problems = _shaped(EventShape, raw, document, at)
    if shape is None or any(path[:2] == at or not path for path, _ in document.problems):
        return None, problems
    if shape.to.replace(tzinfo=shape.to.tzinfo or UTC) <= shape.from_.replace(tzinfo=shape.from_.tzinfo or UTC):
        span = _span(document, (*at, "to"))
        return None, [span.problem("bad-interval", f"'{shape.name}' ends before it starts", "the end is not included")]
    places = {name: document.keys[(*at, "slice", name)] for name in shape.slice}
    return WrittenEvent(shape.name, shape.from_, shape.to, Slice.of(shape.slice), shape.change, places), []


def _shaped(model: type[BaseModel], data: object, document: Document, at: KeyPath) -> tuple[Any, list[Problem]]:
    def locate(path: KeyPath, at_key: bool) -> Span:
        key = document.keys.get((*at, *path)) if at_key else None
        return key or _span(document, (*at, *path))

    try:
        return model.model_validate(data), []
    except ValidationError as error:
        return None, explain(error, model, locate)


def _span(document: Document, path: KeyPath) -> Span:
    span = document.value(path)
    assert span is not None  # a document with data has at least the place of all of it
    return span


def read_events(path: Path, within: tuple[Path, ...] = ()) -> EventFile:
    """Read one file; one that cannot be read, or lies outside of the folders `within`, is a problem of the whole file."""
    file, text = path.as_posix(), read_text(path, within)
    return EventFile(file, (), (text,)) if isinstance(text, Problem) else parse_events(text, file)


def with_events(rule: Rule, written: Iterable[WrittenEvent]) -> tuple[Rule, list[Problem]]:
    """The rule with the events that speak of its slices; one that names other dimensions is left out, with a warning."""
    events, problems = [], []
    for event in written:
        strange = [name for name in event.slice.dimensions if name not in rule.dimensions]
        if strange:
            message = f"'{strange[0]}' is not a dimension of {rule.name}, which leaves this event out"
            hint = did_you_mean(strange[0], rule.dimensions)
            problems.append(event.places[strange[0]].problem("unknown-dimension", message, hint, "warning"))
        else:
            events.append(_planned(rule, event))
    return replace(rule, events=tuple(events)), problems


def _planned(rule: Rule, event: WrittenEvent) -> PlannedEvent:
    terms = sorted(event.slice.terms, key=lambda term: rule.dimensions.index(term[0]))
    during = Interval(_utc(event.start, rule.timezone), _utc(event.end, rule.timezone))
    return PlannedEvent(event.name, during, Slice(tuple(terms)), event.factor)


def _utc(moment: datetime, timezone: str) -> datetime:
    aware = moment if moment.tzinfo else moment.replace(tzinfo=ZoneInfo(timezone))
    return aware.astimezone(UTC)
