"""`tests:` of a rule: what is broken on purpose, and what must fire and must not.

Everything below `given` and `expect` is read as text (a version 010 stays one), and turned into numbers here.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any
from zoneinfo import ZoneInfo

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainValidator, StringConstraints, model_validator

from rules.document import Path
from rules.duration import parse_duration
from rules.explain import Doc, described, refusal
from rules.known import KINDS, Moment, in_order
from rules.model import Severity
from rules.slices import Slice
from rules.vocabulary import did_you_mean, one_of

CHANGES = ("drop", "spike", "move", "rename", "delay")
MOST_BUCKETS = 1_000
EVENTS = 20_000.0
"""Events a bucket of synthetic history."""


@dataclass(frozen=True)
class Injection:
    """One thing that is broken: `change` of a slice, from the `after`-th bucket on, for so many buckets.

    `share` is what is left (drop) or how many times as much comes (spike); `to` are the values that events bear instead
    (move, rename); `late` is by how much they come later (delay).
    """

    change: str
    slice: Slice
    share: float = 0.0
    to: Slice | None = None
    late: timedelta = timedelta(0)
    buckets: int = 1
    after: int = 0
    keep_total: bool = False
    """Whether the other slices gain what this one loses."""


@dataclass(frozen=True)
class Expectation:
    """What must have fired by the end: exactly these causes, none related to those of `silent`."""

    firing: tuple[Slice, ...] | None = None
    """None where only `silent` is stated."""
    silent: tuple[Slice, ...] = ()
    severity: Severity | None = None
    kind: str | None = None
    within: int | None = None
    """Buckets from the first broken one, at the end of which all must have fired."""


@dataclass(frozen=True)
class History:
    """What is broken: recorded events from `at` on, or synthetic ones of these values where that is None."""

    at: datetime | None = None
    values: tuple[tuple[str, tuple[str | None, ...]], ...] = ()
    events: float = EVENTS


@dataclass(frozen=True)
class RuleTest:
    """One test of a rule."""

    name: str
    given: tuple[Injection, ...]
    expect: Expectation
    history: History = field(default_factory=History)


# --- given -------------------------------------------------------------------------------------------------------


def _terms(raw: object, at: Path) -> dict[str, str | None]:
    if raw in ({}, None, "total"):
        return {}
    if not isinstance(raw, dict) or any(isinstance(value, dict | list) for value in raw.values()):
        raise refusal("wrong-type", f"{described(raw)} is no slice", "write {device: ios}", at=at)
    return {str(name): None if value is None else str(value) for name, value in raw.items()}


def _share(raw: object, at: Path) -> float:
    text = str(raw).strip()
    found = re.fullmatch(r"(?:x ?)?([0-9]{1,6}(?:\.[0-9]{1,6})?)( ?%)?", text)
    if not found:
        raise refusal("bad-value", f"{described(raw)} is no share", "write what is left: 0, 30%, or x3", at=at)
    return float(found[1]) / (100.0 if found[2] else 1.0)


def _whole(raw: object, at: Path, least: int) -> int:
    text = str(raw).strip()
    if not re.fullmatch(r"[0-9]{1,6}", text) or not least <= int(text) <= MOST_BUCKETS:
        hint = f"write a whole number of buckets, {least} to {MOST_BUCKETS}"
        raise refusal("bad-value", f"{described(raw)} is no number of buckets", hint, at=at)
    return int(text)


def _truth(raw: object, at: Path) -> bool:
    if str(raw) not in {"true", "false"}:
        raise refusal("wrong-type", f"{described(raw)} is not true or false", "", at=at)
    return str(raw) == "true"


def _late(raw: object, at: Path) -> timedelta:
    try:
        return parse_duration(str(raw))
    except ValueError as error:
        raise refusal("bad-duration", str(error), "write a number and a unit: 3h", at=at) from None


@dataclass(frozen=True)
class _Written:
    """An injection before the rule orders the dimensions of its slices."""

    change: str
    terms: dict[str, str | None]
    to: dict[str, str | None] | None
    rest: dict[str, Any]


def _given(raw: object) -> tuple[_Written, ...]:
    """One injection, or a list of them."""
    if isinstance(raw, list):
        if not raw:
            raise refusal("empty", "'given' breaks nothing", "write {drop: {device: ios}, to: 0, buckets: 2}")
        return tuple(_injection(item, (index,)) for index, item in enumerate(raw))
    return (_injection(raw, ()),)


def _injection(raw: object, at: Path) -> _Written:
    if not isinstance(raw, dict):
        raise refusal("wrong-type", f"{described(raw)} breaks nothing", "write {drop: {device: ios}, to: 0}", at=at)
    named = [key for key in raw if key in CHANGES]
    others = {*CHANGES, "to", "by", "buckets", "after", "keep_total"}
    for key in raw:
        if key not in others:
            hint = did_you_mean(key, sorted(others))
            raise refusal("unknown-key", f"'{key}' is not a key of 'given'", hint, at=(*at, key), at_key=True)
    if len(named) != 1:
        raise refusal("missing-key", f"'given' names one change: {one_of(CHANGES)}", "write one of them", at=at)
    change = named[0]
    _fitting(change, raw, at)
    moved = change in {"move", "rename"}
    share = 0.0 if moved or "to" not in raw else _share(raw["to"], (*at, "to"))
    if (change == "drop" and share >= 1.0) or (change == "spike" and share <= 1.0):
        hint = "write what is left: 0 or 30%" if change == "drop" else "write how many times as many: x3"
        raise refusal("bad-value", f"{described(raw['to'])} of what comes is no {change}", hint, at=(*at, "to"))
    return _Written(
        change=change,
        terms=_terms(raw[change], (*at, change)),
        to=_terms(raw["to"], (*at, "to")) if moved else None,
        rest={
            "share": share,
            "late": _late(raw["by"], (*at, "by")) if "by" in raw else timedelta(0),
            "buckets": _whole(raw.get("buckets", 1), (*at, "buckets"), 1),
            "after": _whole(raw.get("after", 0), (*at, "after"), 0),
            "keep_total": _truth(raw.get("keep_total", "false"), (*at, "keep_total")),
        },
    )


def _fitting(change: str, raw: dict[str, object], at: Path) -> None:
    """`to` says how much or where, `by` how late: what a change needs, and no other."""
    needs = {"spike": "to", "move": "to", "rename": "to", "delay": "by"}.get(change)
    if needs is not None and needs not in raw:
        hint = {"spike": "write to: x3", "delay": "write by: 3h"}.get(change, "write to: {os: iOS}")
        raise refusal("missing-key", f"'{change}' needs '{needs}'", hint, at=at)
    for key, owners in (("by", {"delay"}), ("to", {"drop", "spike", "move", "rename"}), ("keep_total", {"drop"})):
        if key in raw and change not in owners:
            message = f"'{key}' says nothing about '{change}'"
            raise refusal("contradiction", message, "remove it", at=(*at, key), at_key=True)


# --- expect ------------------------------------------------------------------------------------------------------


def _slices(raw: object) -> tuple[dict[str, str | None], ...]:
    if raw is None:
        return ()
    if not isinstance(raw, list):
        raise refusal("wrong-type", f"{described(raw)} is no list of slices", "write [{device: ios}], or []")
    return tuple(_terms(item, (index,)) for index, item in enumerate(raw))


def _severity(raw: object) -> Severity:
    known = [item.value for item in Severity]
    if raw not in known:
        raise refusal("unknown-value", f"{described(raw)} is not {one_of(known)}", did_you_mean(str(raw), known))
    return Severity(raw)


def _kind(raw: object) -> str:
    if raw not in KINDS:
        raise refusal("unknown-value", f"{described(raw)} is not {one_of(KINDS)}", did_you_mean(str(raw), KINDS))
    return str(raw)


Slices = Annotated[tuple[dict[str, str | None], ...], PlainValidator(_slices)]


class ExpectShape(BaseModel):
    """What must have fired by the end of what is broken, and what must not."""

    model_config = ConfigDict(extra="forbid", frozen=True, title="expect")

    firing: Annotated[
        Slices | None, Doc("list of slices", "The causes that fire: all of them, and no other. [] is none.")
    ] = None
    not_firing: Annotated[Slices, Doc("list of slices", "Nothing that covers these, or lies in them, fires.")] = ()
    severity: Annotated[
        Severity | None, PlainValidator(_severity), Doc("`info`, `warning`, `critical`", "Of all that fires.")
    ] = None
    kind: Annotated[
        str | None, PlainValidator(_kind), Doc("`drop`, `spike`, `moved`, `renamed`", "Of all that fires.")
    ] = None
    within: Annotated[
        int | None,
        PlainValidator(lambda raw: _whole(raw, (), 1)),
        Doc("whole number", "Buckets, counted from the first broken one, by whose end all has fired."),
    ] = None

    @model_validator(mode="after")
    def _says_something(self) -> ExpectShape:
        if self.firing is None and not self.not_firing:
            raise refusal("missing-key", "'expect' says neither what fires nor what does not", "write firing: []")
        return self


# --- the test ----------------------------------------------------------------------------------------------------


class HistoryShape(BaseModel):
    """What is broken: recorded events, or synthetic ones."""

    model_config = ConfigDict(extra="forbid", frozen=True, title="history")

    at: Annotated[
        Moment | None, Doc("time", "Recorded events, broken from the bucket of this time on.", default="synthetic")
    ] = None
    values: Annotated[
        dict[str, Annotated[tuple[str | None, ...], Field(min_length=1)]],
        Doc(
            "mapping of dimension to values", "Values of synthetic events.", default="expected, named in tests, others"
        ),
    ] = {}
    events: Annotated[float, Field(gt=0, le=1e9), Doc("number", "Synthetic events a bucket, in all.")] = EVENTS


class TestShape(BaseModel):
    """One test."""

    __test__ = False
    model_config = ConfigDict(extra="forbid", frozen=True, title="a test")

    name: Annotated[str, StringConstraints(min_length=1), Doc("string", "What it shows.")]
    given: Annotated[
        tuple[Any, ...],
        PlainValidator(_given),
        Doc("mapping, or a list of them", "What is broken: `drop`, `spike`, `move`, `rename` or `delay` of a slice."),
    ]
    expect: Annotated[ExpectShape, Doc("mapping", "What must fire and what must not.")]
    history: Annotated[
        HistoryShape,
        BeforeValidator(lambda raw: {} if raw is None else raw),
        Doc("mapping", "What is broken: recorded events or synthetic ones.", default="synthetic"),
    ] = HistoryShape()


def rule_tests(shapes: Iterable[TestShape], dimensions: tuple[str, ...], zone: str) -> tuple[RuleTest, ...]:
    """The tests of a rule, slices in its order of dimensions."""
    return tuple(_test(shape, dimensions, zone) for shape in shapes)


def _test(shape: TestShape, dimensions: tuple[str, ...], zone: str) -> RuleTest:
    expect, history = shape.expect, shape.history
    firing = None if expect.firing is None else tuple(in_order(item, dimensions) for item in expect.firing)
    silent = tuple(in_order(item, dimensions) for item in expect.not_firing)
    at = history.at
    if at is not None:
        at = (at if at.tzinfo else at.replace(tzinfo=ZoneInfo(zone))).astimezone(UTC)
    return RuleTest(
        name=shape.name,
        given=tuple(
            Injection(
                item.change,
                in_order(item.terms, dimensions),
                to=None if item.to is None else in_order(item.to, dimensions),
                **item.rest,
            )
            for item in shape.given
        ),
        expect=Expectation(firing, silent, expect.severity, expect.kind, expect.within),
        history=History(at, tuple(history.values.items()), history.events),
    )
