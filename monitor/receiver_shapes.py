"""The shape of `[receivers.NAME]` in the operators' file, by kind. A field is an argument of the kind's notifier."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict

from monitor.setting_values import SecretRef, Word, as_http
from rules.explain import Doc

Http = Annotated[str | None, BeforeValidator(as_http)]


class SlackShape(BaseModel):
    """A bot's channel: everything is possible."""

    model_config = ConfigDict(extra="forbid", title="a receiver of kind slack")

    kind: Literal["slack"]
    channel: Annotated[Word, Doc("string", 'channel = "#recs-oncall"')]
    token: Annotated[SecretRef, Doc("secret", 'token = {env = "SLACK_BOT_TOKEN"}')]
    base_url: Http = None


class ConsoleShape(BaseModel):
    """Standard output."""

    model_config = ConfigDict(extra="forbid", title="a receiver of kind console")

    kind: Literal["console"]


RECEIVERS: Mapping[str, type[BaseModel]] = {
    "slack": SlackShape,
    "console": ConsoleShape,
}


def fields_of(shape: BaseModel) -> Iterator[tuple[str, str, object]]:
    """Each field that was given or has a default: its name, its key in the file, its value."""
    for name, info in type(shape).model_fields.items():
        value = getattr(shape, name)
        if name != "kind" and value is not None:
            yield name, info.alias or name, value
