"""Keys of `slicewatch.toml` that say for all rules who is told, and when: their shapes, and what they mean."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainValidator, StringConstraints, model_validator

from alerts.deliver import PACE
from alerts.hours import Hours
from alerts.operations import Maintenance, ReceiverPolicy, Route
from monitor.setting_values import Pace, as_wait
from rules.alerting import MuteShape
from rules.cron import Cron
from rules.cron_key import read_cron
from rules.document import Path
from rules.explain import Doc, described, refusal
from rules.model import Mute, Severity
from rules.problem import Problem, Span
from rules.timezone_key import read_timezone
from rules.vocabulary import did_you_mean, one_of

Name = Annotated[str, StringConstraints(min_length=1)]
Zone = Annotated[str, BeforeValidator(read_timezone)]
MOST_FALSE = 1_000
MONDAY = Cron.parse("0 8 * * MON")
ONLY_INCIDENTS = frozenset({"alertmanager", "pagerduty"})
"""Kinds of receivers that have no place for a message that is about no incident."""
Locate = Callable[[Path, bool], Span]


def _hours(raw: object) -> Hours:
    if not isinstance(raw, str):
        raise refusal("wrong-type", f"{described(raw)} are no hours", 'write "Mon-Fri 09:00-18:00"')
    try:
        return Hours.parse(raw)
    except ValueError as error:
        message, _, hint = str(error).partition(": ")
        raise refusal("bad-value", message, hint) from None


def _after(raw: object) -> timedelta:
    return as_wait(raw, 'write "15m"')


def _severity(raw: object) -> Severity:
    known = [item.value for item in Severity]
    if raw not in known:
        hint = did_you_mean(raw, known) if isinstance(raw, str) else ""
        raise refusal("unknown-value", f"{described(raw)} is not {one_of(known)}", hint)
    return Severity(raw)


def _budget(raw: object) -> float:
    sound = isinstance(raw, int | float) and not isinstance(raw, bool) and 0 < raw <= MOST_FALSE
    if not sound:
        hint = f"write how many false incidents a week are borne, at most {MOST_FALSE}: 7"
        raise refusal("bad-value", f"{described(raw)} is no budget", hint)
    return float(raw)  # type: ignore[arg-type]  # a number, as was just seen


@dataclass(frozen=True)
class Budget:
    """How many false incidents a week a receiver bears, of all its rules that name no `sensitivity`; and where it says so."""

    receiver: str
    false_incidents_per_week: float
    span: Span


class MaintenanceShape(MuteShape):
    """A window that comes again and again, in which nobody is told of some rules."""

    model_config = MuteShape.model_config | {"title": "[[maintenance]]"}

    timezone: Annotated[Zone, Doc("time zone", "Of `cron`.")] = "UTC"
    rules: Annotated[tuple[Name, ...], Field(min_length=1), Doc("list of patterns", 'rules = ["playback_*"]')] = ("*",)
    owner: Annotated[Name | None, Doc("string", "Rules of this owner alone.")] = None


@dataclass(frozen=True)
class WeeklyPlan:
    """When the digest of a week is sent, and to whom."""

    receivers: tuple[str, ...]
    cron: Cron
    timezone: str


def _no_oftener_than_daily(raw: object) -> Cron:
    cron = read_cron(raw)
    if cron.shortest_gap() < timedelta(days=1):
        raise refusal("bad-value", f"'{cron.text}' comes more than once a day", 'write "0 8 * * MON"')
    return cron


class DigestShape(BaseModel):
    """The week in a message, for those who answer for the data."""

    model_config = ConfigDict(extra="forbid", frozen=True, title="[digest]")

    receivers: Annotated[tuple[Name, ...], Field(min_length=1), Doc("list of receivers", 'receivers = ["leads"]')]
    cron: Annotated[Cron, PlainValidator(_no_oftener_than_daily), Doc("cron", 'cron = "0 8 * * MON"')] = MONDAY
    timezone: Annotated[Zone, Doc("time zone", "Of `cron`.")] = "UTC"


def weekly_plan(shape: DigestShape | None) -> WeeklyPlan | None:
    """When a digest is sent; None where none is."""
    return None if shape is None else WeeklyPlan(shape.receivers, shape.cron, shape.timezone)


def digest_problems(shape: DigestShape | None, kinds: Mapping[str, str], locate: Locate) -> Iterator[Problem]:
    """Names that are no receiver's, and receivers that know incidents alone. `kinds` are those of all receivers."""
    for n, name in enumerate(shape.receivers if shape is not None else ()):
        span = locate(("digest", "receivers", n), False)
        if name not in kinds:
            yield _unknown(name, tuple(kinds), span)
        elif kinds[name] in ONLY_INCIDENTS:
            message = f"{name} ({kinds[name]}) knows incidents only, and a digest is none"
            yield span.problem("contradiction", message, "name a channel or a mail address")


class RouteShape(BaseModel):
    """Who is told of rules that name nobody."""

    model_config = ConfigDict(extra="forbid", frozen=True, title="[[routes]]")

    notify: Annotated[tuple[Name, ...], Field(min_length=1), Doc("list of receivers", 'notify = ["recs-data"]')]
    owner: Annotated[Name | None, Doc("string", "Rules of this owner alone.")] = None
    labels: Annotated[dict[Name, str], Doc("table", "Rules with these labels alone.")] = {}
    severity: Annotated[Severity | None, PlainValidator(_severity), Doc("severity", "Incidents of this one alone.")] = (
        None
    )


class ReceiverShape(BaseModel):
    """What every receiver may say, whatever its kind: when it is told, and who is where it does not answer."""

    hours: Annotated[Hours | None, PlainValidator(_hours), Doc("hours", 'hours = "Mon-Fri 09:00-18:00"')] = None
    timezone: Annotated[Zone, Doc("time zone", "Of `hours`.")] = "UTC"
    outside: Annotated[Name | None, Doc("receiver", "Who is told of critical incidents outside the hours.")] = None
    escalate_to: Annotated[Name | None, Doc("receiver", "Who is told of a critical one that nobody acknowledges.")] = (
        None
    )
    escalate_after: Annotated[timedelta, PlainValidator(_after), Doc("duration", 'escalate_after = "15m"')] = timedelta(
        minutes=15
    )

    budget: Annotated[
        float | None, PlainValidator(_budget), Doc("number", "False incidents a week, of its rules together.")
    ] = None
    pace: Pace = PACE

    @model_validator(mode="after")
    def _belongs_together(self) -> ReceiverShape:
        for key, needed in (("outside", "hours"), ("timezone", "hours"), ("escalate_after", "escalate_to")):
            if key in self.model_fields_set and getattr(self, needed) is None:
                message = f"'{key}' means nothing without '{needed}'"
                raise refusal("missing-key", message, f"add '{needed}', or remove it", at=(key,), at_key=True)
        return self


def maintenances(shapes: tuple[MaintenanceShape, ...]) -> tuple[Maintenance, ...]:
    """The operators' windows, in their order."""
    return tuple(
        Maintenance(Mute(shape.cron, shape.duration, shape.reason), shape.timezone, shape.rules, shape.owner)
        for shape in shapes
    )


def routes(shapes: tuple[RouteShape, ...]) -> tuple[Route, ...]:
    """The operators' routes, in their order."""
    return tuple(Route(shape.notify, shape.owner, tuple(shape.labels.items()), shape.severity) for shape in shapes)


def policies(receivers: Mapping[str, BaseModel]) -> tuple[ReceiverPolicy, ...]:
    """What is said of the receivers of which anything is said."""
    named = [(name, shape) for name, shape in receivers.items() if isinstance(shape, ReceiverShape)]
    return tuple(
        ReceiverPolicy(
            name=name,
            hours=Hours(shape.hours.text, shape.hours.spans, shape.timezone) if shape.hours is not None else None,
            outside=shape.outside,
            escalate_to=shape.escalate_to,
            escalate_after=shape.escalate_after,
        )
        for name, shape in named
        if shape.hours is not None or shape.escalate_to is not None
    )


def budgets(receivers: Mapping[str, BaseModel], locate: Locate) -> tuple[Budget, ...]:
    """What the receivers bear that say so."""
    return tuple(
        Budget(name, shape.budget, locate(("receivers", name, "budget"), False))
        for name, shape in receivers.items()
        if isinstance(shape, ReceiverShape) and shape.budget is not None
    )


def receiver_problems(
    found: tuple[Route, ...], said: tuple[ReceiverPolicy, ...], known: tuple[str, ...], locate: Locate
) -> Iterator[Problem]:
    """Names that are no receiver's, and receivers that hand on in a circle, each at its place."""
    for number, route in enumerate(found):
        for n, name in enumerate(route.notify):
            if name not in known:
                yield _unknown(name, known, locate(("routes", number, "notify", n), False))
    for policy in said:
        for key, other in (("outside", policy.outside), ("escalate_to", policy.escalate_to)):
            span = locate(("receivers", policy.name, key), False)
            if other is not None and other not in known:
                yield _unknown(other, known, span)
            elif other == policy.name:
                yield span.problem("contradiction", f"{other} cannot stand in for itself", "name another receiver")
    for circle in _circles({p.name: p.escalate_to for p in said if p.escalate_to is not None}):
        span = locate(("receivers", circle[0], "escalate_to"), False)
        way = " to ".join([*circle, circle[0]])
        yield span.problem("contradiction", f"{way}: incidents are handed on in a circle", "let the last one keep them")


def _unknown(name: str, known: tuple[str, ...], span: Span) -> Problem:
    return span.problem("unknown-receiver", f"'{name}' is not a receiver", did_you_mean(name, known))


def _circles(following: Mapping[str, str]) -> Iterator[tuple[str, ...]]:
    """Each circle of at least two once, beginning with the first of its names."""
    seen: set[str] = set()
    for name in following:
        way: list[str] = []
        while name in following and name not in seen:
            seen.add(name)
            way.append(name)
            name = following[name]  # noqa: PLW2901  # the way goes on from there
        if name in way and len(way[way.index(name) :]) > 1:
            yield tuple(way[way.index(name) :])
