"""Doing in slicewatch what somebody did in PagerDuty. Every act is logged with who it was."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass

from alerts.actions import RefusedError
from alerts.wording import clean
from monitor.acting import Answer, Desk
from monitor.pagerduty_actions.events import Deed, Event
from monitor.store import StoreError

log = logging.getLogger("slicewatch")


@dataclass(frozen=True)
class Clerk:
    """Between PagerDuty and the desk. `told` gives the receivers that were told of an incident; None where there is none."""

    desk: Desk
    told: Callable[[str], frozenset[str] | None]

    def take(self, event: Event | None) -> None:
        """Do it. Nothing escapes to the transport: PagerDuty has its answer by then."""
        if event is None:
            return
        what = f"{event.deed.value} {clean(event.incident)} by {clean(event.by.name)} ({clean(event.by.id)})"
        try:
            if not event.receivers & (self.told(event.incident) or frozenset()):
                log.warning("pagerduty: %s is refused: it was told to no receiver with this webhook_secret", what)
                return
            log.info("pagerduty: %s: %s", what, self._do(event).text)
        except RefusedError as error:
            log.info("pagerduty: %s: %s", what, error)
        except StoreError as error:
            log.error("pagerduty: %s is lost, the store failed: %s", what, error)
        except Exception:
            log.exception("pagerduty: %s failed", what)

    def _do(self, event: Event) -> Answer:
        """Resolved there is not over here, which counts alone decide: nobody wants to hear more of it until it is."""
        match event.deed:
            case Deed.ACKNOWLEDGED:
                return self.desk.acknowledge(event.incident, event.by, event.at)
            case Deed.RESOLVED:
                return self.desk.snooze(event.incident, event.by, event.at, "resolved")
            case Deed.UNACKNOWLEDGED | Deed.REOPENED:
                return self.desk.reopen(event.incident, event.by, event.at)
