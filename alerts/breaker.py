"""A circuit breaker: whoever fails again and again is left alone for a while, then tried with one attempt."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta

FAILURES_TO_OPEN = 5
"""Failures in a row after which a receiver counts as down."""
FIRST_REST = timedelta(seconds=30)
LONGEST_REST = timedelta(minutes=5)


@dataclass(frozen=True)
class Patience:
    """How many failures in a row are borne, and how long the rests are: each twice as long as the one before."""

    failures: int = FAILURES_TO_OPEN
    first_rest: timedelta = FIRST_REST
    longest_rest: timedelta = LONGEST_REST


@dataclass
class Breaker:
    """Closed while attempts succeed; open for a rest after too many failures in a row; then one probe decides.

    Only failures that a later try may mend count: a receiver that asks to wait, or refuses for good, is not down.
    """

    patience: Patience = field(default_factory=Patience)
    failures: int = 0
    rests: int = 0
    """Rests in a row: each is twice as long as the one before."""
    until: datetime | None = None
    """End of the rest; None while closed."""

    @property
    def is_open(self) -> bool:
        """Whether it counts as down; a probe is due once its rest is over."""
        return self.until is not None

    def failed(self, now: datetime) -> None:
        """An attempt failed; a failed probe opens it anew."""
        self.failures += 1
        if self.is_open or self.failures >= self.patience.failures:
            self.until = now + min(self.patience.longest_rest, self.patience.first_rest * (1 << min(self.rests, 8)))
            self.rests += 1

    def answered(self) -> None:
        """It works: whatever it said, it said it."""
        self.failures, self.rests, self.until = 0, 0, None
