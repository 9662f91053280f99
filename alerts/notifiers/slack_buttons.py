"""What a person can press under a message in Slack, and what a press means. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from alerts.model import Act, Feedback, Message
from alerts.snoozes import UNTIL_OVER, WORKING_MORNING

Block = dict[str, Any]

MARK = "slicewatch"
"""Begins the block's id, before the incident and the receiver."""
BLOCK_ID = 255
SNOOZES = {
    "30m": "30 minutes",
    "2h": "2 hours",
    WORKING_MORNING: "until the next working morning",
    UNTIL_OVER: "until it is over",
}
MEANINGS = {
    Feedback.LEAVE_OUT.value: "An exception: learn nothing from it",
    Feedback.NEW_NORMAL.value: "The new normal: expect it from now on",
}


@dataclass(frozen=True)
class Pressed:
    """One press: of which incident, under a message of which receiver; `choice` is what was chosen, "" of a button."""

    act: Act
    incident: str
    receiver: str
    choice: str = ""


def buttons(message: Message, receiver: str) -> list[Block]:
    """The block of buttons; none where nothing makes sense any more."""
    name = f"{MARK} {message.key} {receiver}"
    elements = [_ELEMENTS[act]() for act in message.acts]
    return [{"type": "actions", "block_id": name, "elements": elements}] if elements and len(name) <= BLOCK_ID else []


def read_press(action: Mapping[str, Any]) -> Pressed | None:
    """What one action of an interaction payload means; None for one that is not of slicewatch."""
    mark, _, rest = str(action.get("block_id", "")).partition(" ")
    incident, _, receiver = rest.partition(" ")
    try:
        act = Act(str(action.get("action_id", "")))
    except ValueError:
        return None
    choice = str((action.get("selected_option") or {}).get("value", ""))
    wanted = {Act.SNOOZE: SNOOZES, Act.NOT_A_PROBLEM: MEANINGS}.get(act)
    if mark != MARK or not incident or not receiver or (wanted is not None and choice not in wanted):
        return None
    return Pressed(act, incident, receiver, choice)


def _button(act: Act, text: str) -> Block:
    return {"type": "button", "action_id": act.value, "text": _plain(text)}


def _menu(act: Act, text: str, choices: Mapping[str, str]) -> Block:
    options = [{"text": _plain(shown), "value": value} for value, shown in choices.items()]
    return {"type": "static_select", "action_id": act.value, "placeholder": _plain(text), "options": options}


def _no_problem() -> Block:
    ask = {
        "title": _plain("Not a problem?"),
        "text": _plain("The incident is closed for everybody who was told of it."),
        "confirm": _plain("Close it"),
        "deny": _plain("Cancel"),
    }
    return {**_menu(Act.NOT_A_PROBLEM, "Not a problem", MEANINGS), "confirm": ask}


def _plain(text: str) -> Block:
    return {"type": "plain_text", "text": text}


_ELEMENTS = {
    Act.ACKNOWLEDGE: lambda: _button(Act.ACKNOWLEDGE, "Acknowledge"),
    Act.REOPEN: lambda: _button(Act.REOPEN, "Take back"),
    Act.SNOOZE: lambda: _menu(Act.SNOOZE, "Snooze", SNOOZES),
    Act.NOT_A_PROBLEM: _no_problem,
}
