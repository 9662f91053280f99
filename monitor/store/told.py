"""Who knows of which incident, and since when: later news go to them, and the end to all who heard the beginning."""

from __future__ import annotations

from sqlalchemy import or_, select

from alerts.model import State
from alerts.plan import SUPPRESSED
from alerts.ports import Part
from alerts.reminders import Telling, tellings
from monitor.store import schema
from monitor.store.incident_tables import decision_of
from monitor.store.tx import Tx


def told(tx: Tx, rule: str) -> dict[str, tuple[str, ...]]:
    """Receivers that a text was queued for, by id of each incident of the rule that is not resolved."""
    item, incident = schema.outbox.c, schema.incident.c
    query = (
        select(item.incident, item.receiver)
        .join(schema.incident, incident.id == item.incident)
        .where(incident.rule == rule, incident.state != State.RESOLVED.value, item.part == Part.TEXT.value)
        .distinct()
        .order_by(item.incident, item.receiver)
    )
    found: dict[str, tuple[str, ...]] = {}
    for key, receiver in tx.connection.execute(query):
        found[key] = (*found.get(key, ()), receiver)
    return found


def told_at(tx: Tx, rule: str) -> dict[str, Telling]:
    """When each incident of the rule that is not resolved was last told, and what was held back since, by its id."""
    incident, decision = schema.incident.c, schema.decision.c
    suppressed = [reason.value for reason in SUPPRESSED]
    query = (
        select(schema.decision)
        .join(schema.incident, incident.id == decision.incident)
        .where(
            incident.rule == rule,
            incident.state != State.RESOLVED.value,
            or_(decision.send, decision.reason.in_(suppressed)),
        )
        .order_by(decision.incident, decision.seq)
    )
    return tellings(decision_of(row) for row in tx.connection.execute(query).mappings())
