"""`known:` of a rule: incidents of the past, labelled, that a backtest is held against."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Annotated
from zoneinfo import ZoneInfo

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainValidator, model_validator

from rules.explain import Doc, described, refusal
from rules.model import Interval, KnownIncident
from rules.slices import Slice
from rules.vocabulary import did_you_mean

KINDS = ("drop", "spike", "moved", "renamed")


def _moment(raw: object) -> datetime:
    try:
        return datetime.fromisoformat(str(raw))
    except ValueError:
        hint = "write a day (2026-11-27) or a time (2026-11-27T18:00)"
        raise refusal("bad-time", f"{described(raw)} is no time", hint) from None


def _kind(raw: object) -> str:
    if raw in KINDS:
        return str(raw)
    hint = did_you_mean(str(raw), KINDS) if isinstance(raw, str) else ""
    raise refusal("unknown-value", f"{described(raw)} is not the kind of an incident", hint)


def _nothing(raw: object) -> object:
    return {} if raw is None else raw


Moment = Annotated[datetime, PlainValidator(_moment)]


class KnownShape(BaseModel):
    """One incident of the past."""

    model_config = ConfigDict(extra="forbid", frozen=True, title="a known incident")

    name: Annotated[str, Doc("string", "What it is called.")] = ""
    from_: Annotated[
        Moment, Field(alias="from"), Doc("day or time", "When it began; naive times are in the rule's `timezone`.")
    ]
    to: Annotated[Moment, Doc("day or time", "When it ended; the end is not included.")]
    slice: Annotated[
        dict[str, str | None],
        BeforeValidator(_nothing),
        Doc("mapping of dimension to value", "What was hit.", default="everything"),
    ] = {}
    kind: Annotated[
        str | None,
        PlainValidator(_kind),
        Doc("`drop`, `spike`, `moved`, `renamed`", "What happened to it.", default="any"),
    ] = None

    @model_validator(mode="after")
    def _forward(self) -> KnownShape:
        if self.to.replace(tzinfo=self.to.tzinfo or UTC) <= self.from_.replace(tzinfo=self.from_.tzinfo or UTC):
            raise refusal("bad-interval", "it ends before it starts", "the end is not included", at=("to",))
        return self


def known_incidents(shapes: Iterable[KnownShape], dimensions: tuple[str, ...], zone: str) -> tuple[KnownIncident, ...]:
    """What the rule knows of its past; terms in the rule's order of dimensions, unknown ones last."""
    return tuple(
        KnownIncident(
            Interval(_utc(shape.from_, zone), _utc(shape.to, zone)),
            in_order(shape.slice, dimensions),
            shape.kind,
            shape.name,
        )
        for shape in shapes
    )


def in_order(terms: dict[str, str | None], dimensions: tuple[str, ...]) -> Slice:
    """The slice of these terms, in the rule's order of dimensions; unknown ones last, for a check to tell."""
    order = {name: at for at, name in enumerate(dimensions)}
    return Slice.of(sorted(terms.items(), key=lambda term: order.get(term[0], len(order))))


def _utc(moment: datetime, zone: str) -> datetime:
    aware = moment if moment.tzinfo else moment.replace(tzinfo=ZoneInfo(zone))
    return aware.astimezone(UTC)
