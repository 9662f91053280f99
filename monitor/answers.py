"""Taking what people do elsewhere: the buttons and words of Slack, and what is acknowledged or resolved in PagerDuty."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from datetime import UTC, datetime
from typing import Any

from monitor.app import App
from monitor.pagerduty_actions.listening import pagerduty_door
from monitor.signed_http import Door
from monitor.slack_actions.listening import slack_lines


@contextmanager
def listening(app: App, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> Iterator[tuple[Door[Any], ...]]:
    """Take answers by the lines that slicewatch itself opens; gives the doors at which others post, to be served.

    Raises `SettingsError` for a missing secret. Where Slack cannot be reached the rest goes on, and it is tried again.
    """
    with ExitStack() as stack:
        sockets, slack = slack_lines(app, now)
        for line in sockets:
            stack.enter_context(closing(line))
            line.start()
        yield tuple(door for door in (slack, pagerduty_door(app, now)) if door is not None)
