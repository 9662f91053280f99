"""Taking what people do elsewhere: the buttons and words of Slack, and what is acknowledged or resolved in PagerDuty."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from datetime import UTC, datetime
from typing import Any

from monitor.app import App
from monitor.pagerduty_actions.listening import pagerduty_door
from monitor.signed_http import Door, SignedServer
from monitor.slack_actions.listening import slack_lines

log = logging.getLogger("slicewatch")


@contextmanager
def listening(app: App, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> Iterator[None]:
    """Take answers meanwhile, where a receiver is set up for it. Raises `SettingsError` for a missing secret.

    Where Slack cannot be reached the rest goes on, and it is tried again.
    """
    with ExitStack() as stack:
        sockets, slack = slack_lines(app, now)
        for line in sockets:
            stack.enter_context(closing(line))
            line.start()
        doors = tuple(door for door in (slack, pagerduty_door(app, now)) if door is not None)
        if doors:
            _serve(app.settings.listen, doors, stack)
        yield


def _serve(listen: str, doors: tuple[Door[Any], ...], stack: ExitStack) -> None:
    paths = ", ".join(door.path for door in doors)
    try:
        server = SignedServer(listen, doors)
    except OSError as error:
        log.error("what people do elsewhere does not come back (%s), [web] listen = %s: %s", paths, listen, error)
        return
    stack.enter_context(closing(server))
    server.start()
    log.info("signed requests are taken at %s: %s", listen, paths)
