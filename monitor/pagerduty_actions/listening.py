"""Taking what comes back from PagerDuty, as the operators set it up."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from monitor.acting import Desk, told_of
from monitor.app import App
from monitor.pagerduty_actions.clerk import Clerk
from monitor.pagerduty_actions.events import Event, Seal
from monitor.signed_http import Door

PATH = "/pagerduty/events"


def pagerduty_door(app: App, now: Callable[[], datetime]) -> Door[Event | None] | None:
    """Where PagerDuty posts; None where no receiver has a `webhook_secret`. Raises `SettingsError` for a missing one."""
    secrets = {
        receiver.name: secret.reveal()
        for receiver in app.settings.receivers
        for name, secret in receiver.secrets
        if name == "webhook_secret"
    }
    if not secrets:
        return None
    clerk = Clerk(Desk(app), lambda incident: told_of(app, incident))
    return Door(PATH, "an event of PagerDuty", Seal(secrets, lambda: now().timestamp()).read, clerk.take)
