"""Rules whose evaluation fails in itself: parked, so that they are tried with growing pauses and take no other one along.

What fails is ours, a plug-in's, or the machine's, and not the source. A rule that failed `MOST` times in a row rests; its
ticks are recorded as not judged meanwhile, so that its owner knows, and are made up for once it works again. Kept in
the store, so that it holds for all daemons, and for one that was started again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cache
from importlib.metadata import version

from alerts.wording import shorten
from monitor import store
from rules.model import Rule

MOST = 3
"""Failures in a row after which a rule is parked."""
FIRST_PAUSE = timedelta(minutes=1)
LONGEST_PAUSE = timedelta(hours=1)
ERROR_LENGTH = 300


@dataclass(frozen=True)
class Parking:
    """Which rules rest, by what the store knows."""

    state: store.Store
    clean: Callable[[str], str] = str
    """Takes all secrets out of a text."""

    def failing(self, rule: Rule) -> store.Failing | None:
        """How the rule, as it stands now, has failed since it last worked; a rule that was edited has a new chance."""
        with self.state.read() as tx:
            return failing_now(tx, rule)

    def failed(self, rule: Rule, error: BaseException, now: datetime) -> store.Failing:
        """Note a failure; what is to be told of it."""
        with self.state.write() as tx:
            made = after(failing_now(tx, rule), mark_of(rule), told(error, self.clean), now)
            store.put_failing(tx, rule.name, made)
        return made

    def worked(self, rule: Rule) -> None:
        """It does not fail any more."""
        with self.state.write() as tx:
            store.forget_failing(tx, rule.name)

    def release(self) -> None:
        """All are tried at once: somebody asked for it."""
        with self.state.write() as tx:
            store.forget_failing(tx)


def failing_now(tx: store.Tx, rule: Rule) -> store.Failing | None:
    """As `Parking.failing`, within a transaction."""
    known = store.failing(tx, rule.name)
    if known is None or known.mark == mark_of(rule):
        return known
    return replace(known, failures=0, until=known.since)


def parked_now(tx: store.Tx, rules: Sequence[Rule]) -> dict[str, store.Failing]:
    """Those of the rules that are parked as they stand now, by name."""
    known = store.all_failing(tx)
    return {rule.name: known[rule.name] for rule in rules if _is_parked(known.get(rule.name), rule)}


def _is_parked(item: store.Failing | None, rule: Rule) -> bool:
    return item is not None and is_parked(item) and item.mark == mark_of(rule)


def after(known: store.Failing | None, mark: str, error: str, now: datetime) -> store.Failing:
    """One more failure: from the `MOST`th on each pause is twice as long as the one before."""
    failures = 1 if known is None else known.failures + 1
    since = now if known is None or not known.failures else known.since
    return store.Failing(mark, failures, since, now + pause(failures), error)


def pause(failures: int) -> timedelta:
    """How long a rule rests after so many failures in a row."""
    if failures < MOST:
        return timedelta(0)
    return min(LONGEST_PAUSE, FIRST_PAUSE * (1 << min(failures - MOST, 12)))


def is_parked(item: store.Failing | None) -> bool:
    """Whether it rests between attempts."""
    return item is not None and item.failures >= MOST


def rests(item: store.Failing | None, now: datetime) -> bool:
    """Whether it is not tried now. A clock that was set back by hours makes nobody wait that long."""
    return item is not None and is_parked(item) and now < item.until <= now + LONGEST_PAUSE


def reason(item: store.Failing, now: datetime) -> str:
    """Why nothing is known of a tick."""
    if not rests(item, now):
        return f"slicewatch failed to judge it: {item.error}"
    return (
        f"parked until {item.until:%Y-%m-%d %H:%M:%S} UTC: slicewatch failed to judge it {item.failures} times in a row, "
        f"the last time with: {item.error}"
    )


def told(error: BaseException, clean: Callable[[str], str] = str) -> str:
    """An error in a line. Its text may hold whatever was at hand, so it is cleaned."""
    return shorten(f"{type(error).__name__}: {' '.join(clean(str(error)).split())}".rstrip(": "), ERROR_LENGTH)


def mark_of(rule: Rule) -> str:
    """A fingerprint of all a rule says, where it stands, and of the program: what any of them mends is tried at once."""
    return hashlib.sha256(f"{_version()} {rule!r}".encode("utf-8", "surrogatepass")).hexdigest()[:32]


@cache
def _version() -> str:
    return version("slicewatch")
