"""Which daemon evaluates what, while it does: a lease on each run, so that no two do the same work.

No gate of correctness: a run that outlives its lease, and is evaluated elsewhere as well, is recorded once all the same.
A claim whose lease is over stands for a run that nobody came to the end of.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, and_, delete, exists, func, or_, select, update

from monitor.store import schema
from monitor.store.moments import to_micros
from monitor.store.tx import Tx

FORGOTTEN = timedelta(days=7)
"""How long a run that nobody came to the end of is known, where its rule is watched no more."""
_claim = schema.claim.c


@dataclass(frozen=True)
class Claim:
    """A rule's run; `tick` is its scheduled time in epoch seconds."""

    rule: str
    tick: int


def claim_run(tx: Tx, claim: Claim, owner: str, now: datetime, lease: timedelta) -> bool:
    """Hold a run until the lease is over; False where another holds it, or it is recorded already."""
    row = {"rule": claim.rule, "tick": claim.tick, "owner": owner, "lease_until": to_micros(now + lease)}
    if not tx.put_where(schema.claim, row, or_(_is_over(now, lease), _claim.owner == owner)):
        return False
    if not tx.connection.execute(select(_recorded(claim.rule, claim.tick))).scalar():
        return True
    end_claim(tx, claim, owner)
    return False


def renew_claims(tx: Tx, claims: Iterable[Claim], owner: str, now: datetime, lease: timedelta) -> list[Claim]:
    """Hold them for longer; those that another has taken meanwhile."""
    until = to_micros(now + lease)
    return [
        claim
        for claim in claims
        if not tx.connection.execute(update(schema.claim).where(_of(claim, owner)).values(lease_until=until)).rowcount
    ]


def end_claim(tx: Tx, claim: Claim, owner: str) -> None:
    """A run came to its end."""
    tx.connection.execute(delete(schema.claim).where(_of(claim, owner)))


def hand_back(tx: Tx, owner: str) -> None:
    """Whoever ends leaves its runs to others, at once."""
    tx.connection.execute(update(schema.claim).where(_claim.owner == owner).values(lease_until=0))


def abandoned(tx: Tx, now: datetime, lease: timedelta) -> list[Claim]:
    """Runs that nobody came to the end of, the oldest first."""
    query = select(_claim.rule, _claim.tick).where(_is_over(now, lease), ~_recorded(_claim.rule, _claim.tick))
    return [Claim(*row) for row in tx.connection.execute(query.order_by(_claim.tick, _claim.rule))]


def sweep_claims(tx: Tx, now: datetime, lease: timedelta) -> None:
    """Remove claims whose lease is over of runs that are recorded, and of those that nobody will ever make."""
    old = _claim.tick < (to_micros(now - FORGOTTEN) // 1_000_000)
    tx.connection.execute(
        delete(schema.claim).where(_is_over(now, lease), or_(_recorded(_claim.rule, _claim.tick), old))
    )


def any_over(tx: Tx, now: datetime, lease: timedelta) -> bool:
    """Whether any lease is over."""
    return tx.connection.execute(select(_claim.rule).where(_is_over(now, lease)).limit(1)).first() is not None


def claims_held(tx: Tx, now: datetime) -> Mapping[str, int]:
    """How many runs each daemon is at."""
    held = select(_claim.owner, func.count()).where(_claim.lease_until > to_micros(now)).group_by(_claim.owner)
    return tx.pairs(held)


def _of(claim: Claim, owner: str) -> ColumnElement[bool]:
    return and_(_claim.rule == claim.rule, _claim.tick == claim.tick, _claim.owner == owner)


def _is_over(now: datetime, lease: timedelta) -> ColumnElement[bool]:
    # No lease reaches so far ahead: one that seems to is by a clock that was wrong.
    return or_(_claim.lease_until <= to_micros(now), _claim.lease_until > to_micros(now + 2 * lease))


def _recorded(rule: str | ColumnElement[str], tick: int | ColumnElement[int]) -> ColumnElement[bool]:
    """Whether a run, or a later one of its rule, is recorded; the rule's row is not locked, since its writer may take a while."""
    run, known = schema.run.alias(), schema.rule.alias()
    return exists().where(known.c.name == rule, run.c.rule == known.c.id, run.c.tick >= tick)
