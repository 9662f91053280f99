"""Windows in which a rule tells nobody. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from zoneinfo import ZoneInfo

from rules.model import Mute


def muted_until(mutes: Iterable[Mute], timezone: str, now: datetime) -> tuple[datetime, str] | None:
    """End (UTC, not included) and reason of the window around a moment that ends last; None outside all."""
    zone = ZoneInfo(timezone)
    windows = ((mute.cron.covering(now, mute.duration, zone), mute.reason) for mute in mutes)
    return max(((window[1], reason) for window, reason in windows if window is not None), default=None)
