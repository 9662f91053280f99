"""A store with one incident that fires, and an app whose Slack is a stand-in."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from alerts.model import Act, Incident
from monitor import store
from monitor.app import App
from tests.standins.slack import APP_TOKEN, SlackStandin

AT = datetime(2026, 11, 23, 16, tzinfo=UTC)
RULE = """\
rules:
  - name: playback_volume
    source: lake.playback
    timestamp: event_time
    dimensions: [device, country]
    notify: ["#oncall"]
"""
ENV = {"BOT": "xoxb-standin", "APP": APP_TOKEN, "SIGNING": "standin-signing-secret"}


@dataclass
class Place:
    """An open app, the incident in its store, and the Slack that it speaks with."""

    app: App
    slack: SlackStandin
    incident: Incident
    now: datetime = field(default=AT)

    def state(self) -> str:
        """How the incident stands."""
        with self.app.state.read() as tx:
            found = store.incident(tx, self.incident.id)
        assert found is not None
        return found.state.value

    def deliver(self) -> dict[str, Any]:
        """Send what waits; the incident's message in Slack as it stands then."""
        until = self.now + timedelta(minutes=1)
        self.app.deliver(lambda: self.now, self._pass, until, "test")
        (root,) = self.slack.roots()
        return root

    def _pass(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)

    def acts(self) -> list[tuple[str, str, str]]:
        """What the log of actions holds: what, and who."""
        with self.app.state.read() as tx:
            return [(act.action, act.by.kind, act.by.id) for act in store.actions(tx, self.incident.id)]

    def answers(self, count: int = 1) -> list[str]:
        """What was answered, once there are so many answers."""
        deadline = time.monotonic() + 5
        while len(self.slack.replies) < count and time.monotonic() < deadline:
            time.sleep(0.01)
        return [reply["text"] for reply in self.slack.replies]


def pressed(place: Place, act: Act, choice: str = "", *, user: str = "U0KARI", at: float = 1.0) -> dict:
    """What Slack sends when somebody presses a button under a message of the receiver."""
    action: dict[str, Any] = {
        "action_id": act.value,
        "block_id": f"slicewatch {place.incident.id} team",
        "action_ts": f"{AT.timestamp() + at:.6f}",
    }
    if choice:
        action["selected_option"] = {"value": choice}
    return {
        "type": "block_actions",
        "user": {"id": user, "name": "kari", "team_id": "T1"},
        "team": {"id": "T1"},
        "channel": {"id": "C0ONCALL"},
        "actions": [action],
        "response_url": place.slack.reply_url,
    }


def typed(place: Place, text: str, *, channel: str = "oncall", user: str = "U0KARI") -> dict:
    """What Slack sends when somebody types `/slicewatch ...`."""
    return {
        "command": "/slicewatch",
        "text": text,
        "user_id": user,
        "user_name": "kari",
        "team_id": "T1",
        "channel_id": "C0ONCALL",
        "channel_name": channel,
        "response_url": place.slack.reply_url,
    }
