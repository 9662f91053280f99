"""`[retention]`: how long everything is kept, and no shorter than the program itself looks back."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationInfo, model_validator

from monitor.keeping import LEAST, Retention
from monitor.setting_values import as_wait
from rules.duration import format_duration
from rules.explain import Doc, refusal

_USUAL = Retention()
_TOGETHER = (
    ("fine", "buckets", "sums of hours follow the buckets"),
    ("buckets", "days", "sums of days follow the buckets"),
    ("buckets", "incidents", "what was renamed or accepted counts whenever buckets are read"),
    ("deliveries", "dead_letters", "nothing is sent again once it is forgotten what was told after it"),
)
"""The first is at most as long as the second, and why."""


def _kept(raw: object, info: ValidationInfo) -> timedelta:
    least = format_duration(getattr(LEAST, str(info.field_name)))
    value = as_wait(raw, f'write a time of at least "{least}"')
    if value < getattr(LEAST, str(info.field_name)):
        hint = f'write at least "{least}": slicewatch itself looks back so far'
        raise refusal("bad-value", f"{format_duration(value)} is too short", hint)
    return value


Kept = Annotated[timedelta, BeforeValidator(_kept), Doc("duration", "How long it is kept.")]


class RetentionShape(BaseModel):
    """How long what is kept."""

    model_config = ConfigDict(extra="forbid", frozen=True, title="[retention]")

    ripening: Kept = _USUAL.ripening
    fine: Kept = _USUAL.fine
    buckets: Kept = _USUAL.buckets
    days: Kept = _USUAL.days
    runs: Kept = _USUAL.runs
    deliveries: Kept = _USUAL.deliveries
    dead_letters: Kept = _USUAL.dead_letters
    incidents: Kept = _USUAL.incidents
    actions: Kept = _USUAL.actions
    silences: Kept = _USUAL.silences
    marks: Kept = _USUAL.marks

    @model_validator(mode="after")
    def _belongs_together(self) -> RetentionShape:
        for shorter, longer, why in _TOGETHER:
            if getattr(self, shorter) > getattr(self, longer):
                at = shorter if shorter in self.model_fields_set else longer
                raise refusal("contradiction", f"'{shorter}' is longer than '{longer}'", why, at=(at,), at_key=True)
        return self


def retention(shape: RetentionShape) -> Retention:
    """What is kept, and how long."""
    return Retention(**dict(shape))
