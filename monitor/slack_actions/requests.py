"""What comes back from Slack, read: presses of buttons, and `/slicewatch ...`. Pure.

Only what was signed, or came over the app's own connection, gets here; it is read carefully all the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from alerts.model import Actor
from alerts.notifiers.slack_buttons import Pressed, read_press

Payload = Mapping[str, Any]
COMMAND = "/slicewatch"


@dataclass(frozen=True)
class Person:
    """Who acts. `guest` is somebody of another workspace, in a channel that is shared."""

    id: str
    name: str
    guest: bool = False

    @property
    def actor(self) -> Actor:
        """As it is kept."""
        return Actor("slack", self.id, self.name)


@dataclass(frozen=True)
class Press:
    """A button that somebody pressed, and when."""

    pressed: Pressed
    by: Person
    at: datetime
    reply_to: str = ""
    """Address at which Slack takes an answer that only this person sees."""


@dataclass(frozen=True)
class Command:
    """What somebody typed after `/slicewatch`, and in which channel."""

    text: str
    by: Person
    channel_id: str
    channel_name: str
    reply_to: str = ""


def acted_on(act: Press | Command) -> str | None:
    """The incident that an act would change; None for one that changes none."""
    if isinstance(act, Press):
        return act.pressed.incident
    match act.text.split():
        case ["ack" | "snooze", incident, *_]:
            return incident
    return None


def read(payload: Payload) -> tuple[Press | Command, ...]:
    """The acts of one payload: of an interaction, or of a slash command; () for anything else."""
    if payload.get("command"):
        return (_command(payload),) if payload["command"] == COMMAND else ()
    if payload.get("type") != "block_actions":
        return ()
    found = [(read_press(action), action) for action in payload.get("actions") or ()]
    by, reply_to = _person(payload), str(payload.get("response_url") or "")
    return tuple(Press(pressed, by, _moment(action), reply_to) for pressed, action in found if pressed and by.id)


def _command(payload: Payload) -> Command:
    name = str(payload.get("user_name") or payload.get("user_id") or "")
    return Command(
        text=str(payload.get("text") or ""),
        by=Person(str(payload.get("user_id") or ""), name),
        channel_id=str(payload.get("channel_id") or ""),
        channel_name=str(payload.get("channel_name") or ""),
        reply_to=str(payload.get("response_url") or ""),
    )


def _person(payload: Payload) -> Person:
    user, team = payload.get("user") or {}, payload.get("team") or {}
    name = str(user.get("name") or user.get("username") or user.get("id") or "")
    home, here = str(user.get("team_id") or ""), str(team.get("id") or "")
    # Within an organisation of several workspaces one is at home in all of them.
    return Person(
        str(user.get("id") or ""), name, bool(home and here and home != here and not payload.get("enterprise"))
    )


def _moment(action: Payload) -> datetime:
    """When it was pressed. The same press that comes twice has the same moment, and is done once."""
    return datetime.fromtimestamp(float(action["action_ts"]), UTC)
