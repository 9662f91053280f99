"""A sign of life to somebody outside, sent only while the whole cycle works: who notices its absence notices everything.

Each daemon sends its own: what it says of the rules and the outbox is true of all daemons on the store, what it says of
threads is true of itself.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from importlib.metadata import version

from alerts.model import SendError
from alerts.notifiers import http
from monitor import store
from monitor.cycle import Fault, Signs, faults
from monitor.selfwatch_settings import HeartbeatPlan
from monitor.setting_values import Secret
from monitor.tally import HEARTBEATS, TallySheet

log = logging.getLogger("slicewatch")

BEAT = "beat"
"""What is written and read back, by daemon."""
FORGOTTEN = timedelta(days=7)
WHO = "whoever takes the heartbeat"

See = Callable[[datetime], Signs]


@dataclass
class Heartbeat:
    """Sends it. `see` looks at the cycle, and raises `StoreError` where the store does."""

    plan: HeartbeatPlan
    see: See
    tally: TallySheet
    _known: tuple[str, ...] = field(default=(), init=False)

    def beat(self, now: datetime) -> None:
        """Look, and send where all is well; what is not is in the log once."""
        found = faults(self._signs(now), now, self.plan.slack, self.plan.oldest)
        self._log(found)
        if found:
            self._tell_failure(found)
        else:
            self._send(self.plan.url, self.plan.body, "sent")

    def _signs(self, now: datetime) -> Signs:
        try:
            return self.see(now)
        except store.StoreError as error:
            return Signs(store=str(error))

    def _log(self, found: tuple[Fault, ...]) -> None:
        known = tuple(fault.what for fault in found)
        if known and known != self._known:
            log.warning("no heartbeat is sent: %s", "; ".join(fault.says for fault in found))
        elif self._known and not known:
            log.info("the heartbeat is sent again")
        self._known = known

    def _tell_failure(self, found: tuple[Fault, ...]) -> None:
        self.tally.add(HEARTBEATS, result="withheld")
        if self.plan.fail_url is not None:
            self._send(self.plan.fail_url, "; ".join(fault.says for fault in found), "told", method="POST")

    def _send(self, url: Secret, body: str, result: str, method: str | None = None) -> None:
        given = body.encode() if body else None
        headers = {"User-Agent": f"slicewatch/{version('slicewatch')}"}
        headers |= {"Content-Type": "text/plain; charset=utf-8"} if given else {}
        try:
            target = http.Target(url.reveal(), WHO)
            http.expect_success(http.request(target, method or self.plan.method, given, headers), WHO)
        except SendError as error:
            log.warning("a heartbeat was not taken: %s", error)
            self.tally.add(HEARTBEATS, result="failed")
        else:
            self.tally.add(HEARTBEATS, result=result)


def write_and_read(state: store.Store, daemon: str, now: datetime) -> str:
    """Why the store does not give back what was just written; "" where it does. Raises `StoreError`."""
    micros = now.timestamp() * 1_000_000 // 1
    with state.write() as tx:
        store.put_tally(tx, store.Tally(BEAT, daemon, "", micros), now)
        store.forget_tallies(tx, BEAT, now - FORGOTTEN)
    with state.read() as tx:
        found = [item.value for item in store.tallies(tx, [BEAT]) if item.subject == daemon]
    return "" if found == [micros] else f"it gave {found} for {micros:.0f}"
