"""Keys of `slicewatch.toml` that say for all rules who is told, and when: their shapes, and what they mean."""

from __future__ import annotations

from typing import Annotated

from pydantic import BeforeValidator, Field, StringConstraints

from alerts.operations import Maintenance
from rules.alerting import MuteShape
from rules.explain import Doc
from rules.model import Mute
from rules.timezone_key import read_timezone

Name = Annotated[str, StringConstraints(min_length=1)]


class MaintenanceShape(MuteShape):
    """A window that comes again and again, in which nobody is told of some rules."""

    model_config = MuteShape.model_config | {"title": "[[maintenance]]"}

    timezone: Annotated[str, BeforeValidator(read_timezone), Doc("time zone", "Of `cron`.")] = "UTC"
    rules: Annotated[tuple[Name, ...], Field(min_length=1), Doc("list of patterns", 'rules = ["playback_*"]')] = ("*",)
    owner: Annotated[Name | None, Doc("string", "Rules of this owner alone.")] = None


def maintenances(shapes: tuple[MaintenanceShape, ...]) -> tuple[Maintenance, ...]:
    """The operators' windows, in their order."""
    return tuple(
        Maintenance(Mute(shape.cron, shape.duration, shape.reason), shape.timezone, shape.rules, shape.owner)
        for shape in shapes
    )
