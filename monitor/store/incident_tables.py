"""Incidents, the log of their transitions, and who was (not) told and why."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from itertools import islice
from typing import Any

from sqlalchemy import ColumnElement, RowMapping, Table, or_, select

from alerts.model import Change, Decision, Incident, Kind, Reason, State, Transition
from alerts.wording import clean
from monitor.store import schema
from monitor.store.bodies import from_body, to_body
from monitor.store.errors import ConflictError
from monitor.store.moments import from_micros, to_micros
from monitor.store.tx import Tx
from rules.model import Severity

BECAUSE_LENGTH = 4_000


def incident(tx: Tx, incident_id: str) -> Incident | None:
    """One incident as it is now."""
    body = tx.connection.execute(select(schema.incident.c.body).where(schema.incident.c.id == incident_id)).scalar()
    return None if body is None else from_body(Incident, body)


def open_incidents(tx: Tx, rule: str) -> list[Incident]:
    """Incidents of a rule that are not resolved, oldest first."""
    return incidents(
        tx, rule=rule, states=[state for state in State if state is not State.RESOLVED], newest_first=False
    )


def rules_with_open(tx: Tx) -> list[str]:
    """Names of the rules that have an incident which is not resolved, sorted."""
    table = schema.incident.c
    query = select(table.rule).where(table.state != State.RESOLVED.value).distinct()
    return sorted(tx.connection.execute(query).scalars())


def incidents(
    tx: Tx,
    *,
    rule: str | None = None,
    states: Collection[State] | None = None,
    began_after: datetime | None = None,
    limit: int | None = None,
    newest_first: bool = True,
) -> list[Incident]:
    """Incidents by the time they began; `rule`, `states` and `began_after` narrow them down."""
    table = schema.incident.c
    wanted: list[ColumnElement[bool]] = []
    if rule is not None:
        wanted.append(table.rule == rule)
    if states is not None:
        wanted.append(table.state.in_([state.value for state in states]))
    if began_after is not None:
        wanted.append(table.since > to_micros(began_after))
    order = (table.since.desc(), table.id.desc()) if newest_first else (table.since, table.id)
    query = select(table.body).where(*wanted).order_by(*order).limit(limit)
    return [from_body(Incident, body) for body in tx.connection.execute(query).scalars()]


def incidents_at_hand(tx: Tx, rule: str, after: datetime) -> list[Incident]:
    """What an evaluation has to know of a rule's incidents, the oldest first: not all that ever were, for these only grow.

    Those that are open, those that changed from a moment on, and those whose effect lasts: renames, changes taken as
    normal, and what a person said about one. A text passes some others too.
    """
    table, step = schema.incident.c, schema.transition.c
    newest = select(step.at).where(step.incident == table.id, step.seq == table.seq).scalar_subquery()
    lasting = [_says(f'"kind":"{Kind.RENAMED.value}"'), _says('"accepted_at":"'), _says('"feedback":"')]
    wanted = or_(table.state != State.RESOLVED.value, newest >= to_micros(after), *lasting)
    query = select(table.body).where(table.rule == rule, wanted).order_by(table.since, table.id)
    return [from_body(Incident, body) for body in tx.connection.execute(query).scalars()]


def dismissed(tx: Tx, rule: str) -> list[Incident]:
    """Incidents of a rule that a person called no problem, the oldest first."""
    table = schema.incident.c
    query = select(table.body).where(table.rule == rule, _says('"feedback":"')).order_by(table.since, table.id)
    found = (from_body(Incident, body) for body in tx.connection.execute(query).scalars())
    return [item for item in found if item.feedback is not None]


def _says(text: str) -> ColumnElement[bool]:
    return schema.incident.c.body.contains(text, autoescape=True)


def incident_page(
    tx: Tx,
    *,
    rules: Collection[str] | None,
    without: Collection[str] = (),
    states: Collection[State],
    severity: Severity | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    offset: int = 0,
    limit: int = 100,
) -> list[Incident]:
    """Incidents that began last first; `rules` None is any but `without`, [since, until) is when they began."""
    table = schema.incident.c
    wanted: list[ColumnElement[bool]] = [table.state.in_([state.value for state in states])]
    if rules is not None:
        wanted.append(table.rule.in_(list(rules)))
    elif without:
        wanted.append(table.rule.not_in(list(without)))
    if since is not None:
        wanted.append(table.since >= to_micros(since))
    if until is not None:
        wanted.append(table.since < to_micros(until))
    query = select(table.body).where(*wanted).order_by(table.since.desc(), table.id.desc())
    if severity is None:
        page = tx.connection.execute(query.limit(limit).offset(offset)).scalars()
        return [from_body(Incident, body) for body in page]
    # No column of its own: the text passes more than it should, and the incident itself decides.
    query = query.where(table.body.contains(f'"severity":"{severity.value}"', autoescape=True))
    with tx.connection.execute(query.execution_options(yield_per=limit)) as rows:
        found = (from_body(Incident, body) for body in rows.scalars())
        return list(islice((item for item in found if item.severity is severity), offset, offset + limit))


def incident_rules(tx: Tx) -> list[str]:
    """Names of all rules that ever had an incident, sorted; rules that are gone included."""
    return sorted(tx.connection.execute(select(schema.incident.c.rule).distinct()).scalars())


def save_incident(tx: Tx, item: Incident) -> None:
    """Keep the incident as it is now; the same again writes nothing.

    Compare-and-set on `seq`: raises ConflictError where the stored one has had as many transitions or more,
    and is not the same.
    """
    row = {
        "id": item.id,
        "rule": item.rule,
        "state": item.state.value,
        "seq": item.seq,
        "since": to_micros(item.since),
        "body": to_body(item),
    }
    query = select(schema.incident.c.seq, schema.incident.c.body).where(schema.incident.c.id == item.id)
    stored = tx.connection.execute(query.with_for_update()).first()
    if stored is None:
        tx.connection.execute(schema.incident.insert(), row)  # a rival's insert makes this one a ConflictError
    elif stored.seq < item.seq:
        tx.put(schema.incident, [row])
    elif stored.body != row["body"]:
        raise ConflictError(f"incident {item.id} is at transition {stored.seq} already, this is {item.seq}")


def add_transition(tx: Tx, item: Transition) -> None:
    """Log one step of a saved incident; the same again writes nothing, another one of that number is a ConflictError."""
    row = {
        "incident": item.incident.id,
        "seq": item.incident.seq,
        "change": item.change.value,
        "at": to_micros(item.at),
        "body": to_body(item),
    }
    _add_once(tx, schema.transition, row)


def transitions(tx: Tx, incident_id: str, changes: Collection[Change] | None = None) -> list[Transition]:
    """The steps of an incident, oldest first; `changes` narrows them down."""
    table = schema.transition.c
    query = select(table.body).where(table.incident == incident_id).order_by(table.seq)
    if changes is not None:
        query = query.where(table.change.in_([change.value for change in changes]))
    return [from_body(Transition, body) for body in tx.connection.execute(query).scalars()]


def add_decision(tx: Tx, item: Decision) -> None:
    """Log why a transition of a saved incident was (not) sent to a receiver; unique as `add_transition`.

    Its sentence may name values of dimensions: what no database takes is kept in words that show it.
    """
    row = {
        "incident": item.incident,
        "seq": item.seq,
        "receiver": item.receiver,
        "send": item.send,
        "reason": item.reason.value,
        "because": clean(item.because, BECAUSE_LENGTH),
        "at": to_micros(item.at),
    }
    _add_once(tx, schema.decision, row)


def decisions(tx: Tx, incident_id: str, *, of_receivers: bool = False) -> list[Decision]:
    """All decisions on an incident, by transition and receiver; or only those on a receiver, to send or to wait."""
    table = schema.decision.c
    query = select(schema.decision).where(table.incident == incident_id).order_by(table.seq, table.receiver)
    if of_receivers:
        query = query.where(table.receiver != "")
    return [decision_of(row) for row in tx.connection.execute(query).mappings()]


def decision_of(row: RowMapping) -> Decision:
    """A decision from its row."""
    return Decision(
        incident=row["incident"],
        seq=row["seq"],
        receiver=row["receiver"],
        send=row["send"],
        reason=Reason(row["reason"]),
        because=row["because"],
        at=from_micros(row["at"]),
    )


def _add_once(tx: Tx, table: Table, row: dict[str, Any]) -> None:
    if tx.put_new(table, row):
        return
    same_key = [column == row[column.name] for column in table.primary_key]
    stored = dict(tx.connection.execute(select(table).where(*same_key)).mappings().one())
    if stored != row:
        raise ConflictError(f"transition {row['seq']} of incident {row['incident']} was written by another process")


def sent_since(tx: Tx, since: datetime, reasons: Collection[Reason]) -> dict[str, tuple[datetime, ...]]:
    """When messages were decided on for some reasons from a moment on, by incident; each receiver counts."""
    table = schema.decision.c
    query = (
        select(table.incident, table.at)
        .where(table.send, table.at >= to_micros(since), table.reason.in_([reason.value for reason in reasons]))
        .order_by(table.at)
    )
    found: dict[str, list[datetime]] = {}
    for incident_id, at in tx.connection.execute(query):
        found.setdefault(incident_id, []).append(from_micros(at))
    return {name: tuple(times) for name, times in found.items()}
