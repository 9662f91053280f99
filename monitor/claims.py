"""The runs that this daemon is at, where it shares its store with others: claimed, kept, and handed back."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from monitor import store
from monitor.buckets import to_epoch
from monitor.store import Claim

log = logging.getLogger("slicewatch")

LEASE = timedelta(seconds=30)
"""How long a run waits for a daemon that died in the middle of it. Longer than a restart of PostgreSQL takes, during which
nobody can renew; shorter than anybody would wait for news."""
LOOKS = 6
"""At leases, while one lasts: some in a row may fail before it runs out."""


@dataclass
class Claims:
    """Claims of one daemon, by the name of its own that no other has. All is thread-safe, and raises `StoreError`.

    A daemon that has its store to itself, as on SQLite, claims nothing: whatever it is asked for is its own.
    """

    state: store.Store
    owner: str
    now: Callable[[], datetime]
    lease: timedelta = LEASE
    _held: set[Claim] = field(default_factory=set)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def look_seconds(self) -> float:
        """Between two looks at leases, whether to renew or to take over."""
        return self.lease.total_seconds() / LOOKS

    def take(self, rule: str, tick: datetime) -> bool:
        """Whether a run is this daemon's to make; it stays so until `end`, or `leave_be`."""
        if not self.state.shared:
            return True
        claim = Claim(rule, to_epoch(tick))
        with self.state.write() as tx:
            ours = store.claim_run(tx, claim, self.owner, self.now(), self.lease)
        if ours:
            with self._lock:
                self._held.add(claim)
        return ours

    def end(self, rule: str, tick: datetime) -> None:
        """The run is recorded. Where the store fails at this its claim is swept away later."""
        self.leave_be(rule, tick)
        if not self.state.shared:
            return
        try:
            with self.state.write() as tx:
                store.end_claim(tx, Claim(rule, to_epoch(tick)), self.owner)
        except store.StoreError as error:
            log.info("%s at %s: that it is evaluated is noted later: %s", rule, tick, error)

    def leave_be(self, rule: str, tick: datetime) -> None:
        """The run came to nothing: once its lease is over, whoever sees it first tries again."""
        with self._lock:
            self._held.discard(Claim(rule, to_epoch(tick)))

    def renew(self) -> None:
        """Hold on to what this daemon is at."""
        with self._lock:
            held = sorted(self._held, key=lambda claim: (claim.rule, claim.tick))
        if not held:
            return
        with self.state.write() as tx:
            lost = store.renew_claims(tx, held, self.owner, self.now(), self.lease)
        with self._lock:
            ended = set(lost) - self._held
            self._held -= set(lost)
        for claim in lost:
            if claim not in ended:
                log.warning(
                    "%s: its evaluation took longer to say so than its lease: another daemon is at it", claim.rule
                )

    def abandoned(self) -> list[str]:
        """Rules of which a run was begun by a daemon that is no more, or could not record it."""
        now = self.now()
        with self.state.read() as tx:
            if not store.any_over(tx, now, self.lease):
                return []
            found = store.abandoned(tx, now, self.lease)
        with self.state.write() as tx:
            store.sweep_claims(tx, now, self.lease)
        return list(dict.fromkeys(claim.rule for claim in found))

    def leave(self) -> None:
        """This daemon ends: what it was at is for others, at once."""
        with self._lock:
            self._held.clear()
        if self.state.shared:
            with self.state.write() as tx:
                store.hand_back(tx, self.owner)
