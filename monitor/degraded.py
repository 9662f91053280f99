"""Receivers that can do less than others, told before anybody relies on them."""

from __future__ import annotations

from collections.abc import Iterator

from alerts.notifiers.abilities import ABILITIES
from monitor.settings import Settings
from rules.problem import Problem

BETTER = {
    "slack-webhook": "kind slack, with a bot's token, edits the first message and keeps the rest in its thread",
    "apprise": "if a kind of its own exists for the service, take that",
}


def degraded(settings: Settings) -> Iterator[Problem]:
    """A warning for each receiver that neither edits nor threads: an incident is several messages there."""
    for receiver in settings.receivers:
        if receiver.kind in BETTER and ABILITIES[receiver.kind].degraded:
            what = f"{receiver.name} takes new messages only: no edit, no thread, no chart, no file"
            yield receiver.span.problem("degraded-receiver", what, BETTER[receiver.kind], "warning")
