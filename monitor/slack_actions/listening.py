"""Taking what comes back from Slack, as the operators set it up."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

from alerts.model import SendError
from monitor import store
from monitor.acting import Desk
from monitor.app import App
from monitor.settings import ReceiverSettings
from monitor.slack_actions.clerk import Clerk
from monitor.slack_actions.gate import Gate
from monitor.slack_actions.groups import members
from monitor.slack_actions.office import AppOffice
from monitor.slack_actions.reply import reply
from monitor.slack_actions.requests import Payload, read
from monitor.slack_actions.signed import Seal, SignedServer
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


@contextmanager
def listening(app: App, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> Iterator[None]:
    """Take answers from Slack meanwhile, where a receiver is set up for it. Raises `SettingsError` for a missing secret.

    Where Slack cannot be reached the rest goes on, and it is tried again.
    """
    doors = {receiver.name: receiver for receiver in app.settings.receivers if _secrets(receiver)}
    with ExitStack() as stack:
        if doors:
            _open(app, doors, now, stack)
        yield


def _open(app: App, doors: dict[str, ReceiverSettings], now: Callable[[], datetime], stack: ExitStack) -> None:
    clerk = Clerk(Gate(doors, members, lambda incident: told_of(app, incident)), Desk(app), AppOffice(app))
    for token, base_url in _apps(doors, "app_token").items():
        line = SocketLine(token, base_url, Line(clerk, base_url, now).take)
        stack.enter_context(closing(line))
        line.start()
    signed = _apps(doors, "signing_secret")
    if signed:
        line_of_one = Line(clerk, next(iter(signed.values())), now)
        _serve(app.settings.listen, Seal(tuple(signed), lambda: now().timestamp()), line_of_one, stack)


def told_of(app: App, incident: str) -> frozenset[str] | None:
    """The receivers that were told of an incident; None where there is no such incident."""
    with app.state.read() as tx:
        found = store.incident(tx, incident)
        return None if found is None else frozenset(store.told(tx, found.rule, [found.id]).get(found.id, ()))


def _serve(listen: str, seal: Seal, line: Line, stack: ExitStack) -> None:
    try:
        server = SignedServer(listen, seal, line.take)
    except OSError as error:
        log.error("Slack's buttons do not work, [web] listen = %s cannot be listened at: %s", listen, error)
        return
    stack.enter_context(closing(server))
    server.start()
    log.info("Slack's buttons work: signed requests are taken at %s", listen)


def _apps(doors: dict[str, ReceiverSettings], secret: str) -> dict[str, str | None]:
    """Each app once, however many receivers it serves: its secret, and where its Slack is."""
    found = {name: dict(door.secrets).get(secret) for name, door in doors.items()}
    return {value.reveal(): _base_url(doors[name]) for name, value in found.items() if value is not None}


def _secrets(receiver: ReceiverSettings) -> set[str]:
    return {"app_token", "signing_secret"} & {name for name, _ in receiver.secrets}


def _base_url(receiver: ReceiverSettings) -> str | None:
    found = dict(receiver.options).get("base_url")
    return None if found is None else str(found)
