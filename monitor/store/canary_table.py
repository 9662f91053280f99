"""Canaries: each was sent into the program once, by one daemon, and had to come out of it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import delete, func, select, update

from monitor.store import schema
from monitor.store.moments import from_micros, to_micros
from monitor.store.tx import Tx

_table = schema.canary.c


@dataclass(frozen=True)
class Canary:
    """One canary; `due` is when the plan asked for it."""

    due: datetime
    owner: str
    """The daemon that has it in hand."""
    begun: datetime
    incident: str = ""
    """What it became; "" before it was judged, or where it was not noticed."""
    arrived: datetime | None = None
    over: datetime | None = None
    """When it arrived, or was given up."""
    problem: str = ""
    """Why it did not arrive, where it is over."""


def begin_canary(tx: Tx, item: Canary, abandoned: datetime) -> bool:
    """Take a canary in hand, or one that a daemon began before `abandoned` and did not judge; whether it was taken."""
    if tx.put_new(schema.canary, _row(item)):
        return True
    left = (_table.due == to_micros(item.due), _table.begun < to_micros(abandoned), _table.incident == "")
    values = {"owner": item.owner, "begun": to_micros(item.begun)}
    taken = tx.connection.execute(update(schema.canary).where(*left, _table.over.is_(None)).values(**values))
    return taken.rowcount == 1


def keep_canary(tx: Tx, item: Canary) -> bool:
    """How it stands; False where it is over already, and nothing is kept."""
    values = {name: value for name, value in _row(item).items() if name != "due"}
    here = (_table.due == to_micros(item.due), _table.over.is_(None))
    return tx.connection.execute(update(schema.canary).where(*here).values(**values)).rowcount == 1


def canaries(tx: Tx, limit: int = 1, *, over: bool = False, arrived: bool = False) -> list[Canary]:
    """The newest ones first; those that are over, or that arrived, alone where it is asked for."""
    query = select(schema.canary).order_by(_table.due.desc()).limit(limit)
    query = query.where(_table.over.is_not(None)) if over else query
    query = query.where(_table.arrived.is_not(None)) if arrived else query
    return [
        Canary(from_micros(due), owner, from_micros(begun), incident, _moment(came), _moment(ended), problem)
        for due, owner, begun, incident, came, ended, problem in tx.connection.execute(query)
    ]


def drop_canaries(tx: Tx, before: int) -> int:
    """Drop those that were over before a moment (microseconds), but the newest, and the newest that arrived; how many."""
    newest = tx.connection.execute(select(func.max(_table.due))).scalar()
    arrived = tx.connection.execute(select(func.max(_table.due)).where(_table.arrived.is_not(None))).scalar()
    kept = [due for due in (newest, arrived) if due is not None]
    return tx.connection.execute(delete(schema.canary).where(_table.over < before, _table.due.not_in(kept))).rowcount


def ended(item: Canary, now: datetime, problem: str = "") -> Canary:
    """It arrived now; or it never did, and why."""
    return replace(item, over=now, arrived=None if problem else now, problem=problem)


def _row(item: Canary) -> dict[str, object]:
    times = {name: None if at is None else to_micros(at) for name, at in _times(item).items()}
    return {**vars(item), **times}


def _times(item: Canary) -> dict[str, datetime | None]:
    return {"due": item.due, "begun": item.begun, "arrived": item.arrived, "over": item.over}


def _moment(at: int | None) -> datetime | None:
    return None if at is None else from_micros(at)
