"""Taking what comes back from Slack, as the operators set it up."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from alerts.model import SendError
from monitor.acting import Desk, told_of
from monitor.app import App
from monitor.settings import ReceiverSettings
from monitor.signed_http import Door
from monitor.slack_actions.clerk import Clerk
from monitor.slack_actions.gate import Gate
from monitor.slack_actions.groups import members
from monitor.slack_actions.office import AppOffice
from monitor.slack_actions.reply import reply
from monitor.slack_actions.requests import Payload, read
from monitor.slack_actions.signed import Seal, door
from monitor.slack_actions.socket import SocketLine

log = logging.getLogger("slicewatch")


@dataclass(frozen=True)
class Line:
    """What came in by one of Slack's ways, on its way to the clerk."""

    clerk: Clerk
    base_url: str | None
    now: Callable[[], datetime]

    def take(self, payload: Payload) -> None:
        """Do all that a payload asks for, and answer each. Nothing escapes to the transport."""
        try:
            acts = read(payload)
        except (KeyError, TypeError, ValueError, AttributeError):
            log.warning("slack: a request could not be read; it is left")
            return
        for act in acts:
            text = self.clerk.handle(act, self.now())
            try:
                reply(act.reply_to, text, self.base_url)
            except SendError as error:
                log.warning("slack: the answer did not arrive, what was asked for is done: %s", error)


def slack_lines(app: App, now: Callable[[], datetime]) -> tuple[tuple[SocketLine, ...], Door[Payload] | None]:
    """The connections by which Slack is answered, not yet begun, and the door at which it posts, where there is one.

    Raises `SettingsError` for a missing secret.
    """
    doors = {receiver.name: receiver for receiver in app.settings.receivers if _secrets(receiver)}
    clerk = Clerk(Gate(doors, members, lambda incident: told_of(app, incident)), Desk(app), AppOffice(app))
    sockets = tuple(
        SocketLine(token, base_url, Line(clerk, base_url, now).take)
        for token, base_url in _apps(doors, "app_token").items()
    )
    signed = _apps(doors, "signing_secret")
    if not signed:
        return sockets, None
    line = Line(clerk, next(iter(signed.values())), now)
    return sockets, door(Seal(tuple(signed), lambda: now().timestamp()), line.take)


def _apps(doors: dict[str, ReceiverSettings], secret: str) -> dict[str, str | None]:
    """Each app once, however many receivers it serves: its secret, and where its Slack is."""
    found = {name: dict(door.secrets).get(secret) for name, door in doors.items()}
    return {value.reveal(): _base_url(doors[name]) for name, value in found.items() if value is not None}


def _secrets(receiver: ReceiverSettings) -> set[str]:
    return {"app_token", "signing_secret"} & {name for name, _ in receiver.secrets}


def _base_url(receiver: ReceiverSettings) -> str | None:
    found = dict(receiver.options).get("base_url")
    return None if found is None else str(found)
