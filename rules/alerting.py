"""Keys that say when an alert becomes louder, and when nobody is told: `escalate`, `mute`."""

from __future__ import annotations

import math
import re
from datetime import timedelta
from typing import Annotated

from pydantic import BaseModel, ConfigDict, PlainValidator, model_validator

from rules.cron import Cron
from rules.cron_key import read_cron
from rules.duration import parse_duration
from rules.explain import Doc, described, refusal
from rules.model import Escalation, Mute, Severity
from rules.vocabulary import did_you_mean, one_of

SHORTEST_MUTE, LONGEST_MUTE = timedelta(minutes=1), timedelta(days=31)


def _change(raw: object) -> float:
    """`90%` or 0.9; a spike may be of more than 100 %."""
    hint = "write 90% or 0.9"
    if isinstance(raw, str) and re.fullmatch(r"[0-9]{1,6}(\.[0-9]{1,6})? ?%", raw):
        value = float(raw.rstrip(" %")) / 100
    elif isinstance(raw, bool) or not isinstance(raw, int | float) or not math.isfinite(raw) or not 0 <= raw <= 1:
        raise refusal("bad-value", f"{described(raw)} is no share", hint)
    else:
        value = float(raw)
    if not value:
        raise refusal("bad-value", "a change of nothing is always there", "write the severity as the rule's own")
    return value


def _lost(raw: object) -> float:
    value = _change(raw)
    if value > 1:
        raise refusal("bad-value", f"nothing drops by {value:.0%}", "write at most 100%")
    return value


def _severity(raw: object) -> Severity:
    known = [item.value for item in Severity]
    if raw not in known:
        hint = did_you_mean(raw, known) if isinstance(raw, str) else ""
        raise refusal("unknown-value", f"{described(raw)} is not {one_of(known)}", hint)
    return Severity(raw)


def _lasting(raw: object) -> timedelta:
    hint = "write a number and a unit: 30m, 2h"
    try:
        value = parse_duration(raw) if isinstance(raw, str) else None
    except ValueError as error:
        raise refusal("bad-duration", str(error), hint) from None
    if value is None or not SHORTEST_MUTE <= value <= LONGEST_MUTE:
        raise refusal("bad-duration", f"{described(raw)} is no duration from a minute to 31 days", hint)
    return value


def _reason(raw: object) -> str:
    if not isinstance(raw, str) or not raw.strip():
        raise refusal("wrong-type", f"{described(raw)} is no reason", "say in words why nobody is told")
    return raw.strip()


class EscalationShape(BaseModel):
    """From which change on an incident is louder than its rule."""

    model_config = ConfigDict(extra="forbid", frozen=True, title="an escalation")

    drop: Annotated[
        float | None,
        PlainValidator(_lost),
        Doc("share: `90%`, `0.9`", "Where at least this share of what is expected is lost."),
    ] = None
    spike: Annotated[
        float | None,
        PlainValidator(_change),
        Doc("share: `200%`", "Where at least this share of what is expected is too much."),
    ] = None
    severity: Annotated[
        Severity,
        PlainValidator(_severity),
        Doc("`info`, `warning`, `critical`", "What the incident becomes, where it is quieter until then."),
    ]

    @model_validator(mode="after")
    def _says_when(self) -> EscalationShape:
        if self.drop is None and self.spike is None:
            raise refusal("missing-key", "an escalation says when", "add drop: 90% or spike: 200%")
        return self


class MuteShape(BaseModel):
    """A window that comes again and again, in which nobody is told."""

    model_config = ConfigDict(extra="forbid", frozen=True, title="a mute")

    cron: Annotated[
        Cron,
        PlainValidator(read_cron),
        Doc("`minute hour day month weekday`", "When it begins, in the rule's `timezone`."),
    ]
    duration: Annotated[timedelta, PlainValidator(_lasting), Doc("duration", "How long it lasts; at most 31 days.")]
    reason: Annotated[str, PlainValidator(_reason), Doc("string", "Shown with whatever was held back.")]


def escalations(shapes: tuple[EscalationShape, ...]) -> tuple[Escalation, ...]:
    """What the rule says about becoming louder, in its order."""
    return tuple(Escalation(shape.severity, shape.drop, shape.spike) for shape in shapes)


def mutes(shapes: tuple[MuteShape, ...]) -> tuple[Mute, ...]:
    """When the rule tells nobody, in its order."""
    return tuple(Mute(shape.cron, shape.duration, shape.reason) for shape in shapes)
