"""Who knows of which incident, and since when: later news go to them, and the end to all who heard the beginning."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import and_, case, exists, func, or_, select, union

from alerts.model import Incident, Reason, State
from alerts.plan import SUPPRESSED
from alerts.ports import Part
from alerts.reminders import Telling, tellings
from monitor.store import schema
from monitor.store.bodies import from_body
from monitor.store.incident_tables import decision_of
from monitor.store.moments import from_micros
from monitor.store.outbox_table import DONE
from monitor.store.tx import Tx


def told(tx: Tx, rule: str, closed: Collection[str] = ()) -> dict[str, tuple[str, ...]]:
    """Receivers that a text was queued for, alone or in a digest, by id of each incident of the rule.

    Of resolved ones those of `closed`.
    """
    item, digest, incident = schema.outbox.c, schema.digest.c, schema.incident.c
    about = (incident.rule == rule, or_(incident.state != State.RESOLVED.value, incident.id.in_(closed)))
    alone = select(item.incident, item.receiver).join(schema.incident, incident.id == item.incident)
    inside = select(digest.incident, digest.receiver).join(schema.incident, incident.id == digest.incident)
    query = union(alone.where(item.part == Part.TEXT.value, *about), inside.where(*about)).order_by(
        "incident", "receiver"
    )
    found: dict[str, tuple[str, ...]] = {}
    for key, receiver in tx.connection.execute(query):
        found[key] = (*found.get(key, ()), receiver)
    return found


def first_delivered(tx: Tx, incident: str) -> dict[str, datetime]:
    """When the first text about an incident, or the digest that tells it, reached each receiver.

    Where none has yet, since when the first one waits.
    """
    item, digest = schema.outbox.c, schema.digest.c
    inside = tx.connection.execute(select(digest.digest).where(digest.incident == incident)).scalars()
    texts = and_(item.incident.in_([incident, *inside]), item.part == Part.TEXT.value)
    reached = func.min(case((item.state == DONE, item.finished_at)))
    first = func.coalesce(reached, func.min(item.created_at))
    query = select(item.receiver, first).where(texts).group_by(item.receiver)
    return {name: from_micros(at) for name, at in tx.pairs(query).items()}


def arrived(tx: Tx, incident: str, receiver: str) -> datetime | None:
    """When the first text about an incident, or a digest that tells it, reached a receiver; None where none has."""
    item, digest = schema.outbox.c, schema.digest.c
    inside = tx.connection.execute(select(digest.digest).where(digest.incident == incident)).scalars()
    texts = and_(item.incident.in_([incident, *inside]), item.part == Part.TEXT.value, item.receiver == receiver)
    at = tx.connection.execute(select(func.min(item.finished_at)).where(texts, item.state == DONE)).scalar()
    return None if at is None else from_micros(at)


def told_at(tx: Tx, rule: str) -> dict[str, Telling]:
    """When each incident of the rule that is not resolved was last told, and what was held back since, by its id."""
    incident, decision = schema.incident.c, schema.decision.c
    suppressed = [reason.value for reason in SUPPRESSED | {Reason.OUT_OF_HOURS}]
    query = (
        select(schema.decision)
        .join(schema.incident, incident.id == decision.incident)
        .where(
            incident.rule == rule,
            incident.state != State.RESOLVED.value,
            or_(decision.send, decision.reason.in_(suppressed)),
        )
        .order_by(decision.incident, decision.seq, decision.send.desc())
    )
    return tellings(decision_of(row) for row in tx.connection.execute(query).mappings())


def inhibitors(tx: Tx, rules: Collection[str]) -> tuple[Incident, ...]:
    """Open incidents of these rules that somebody knows of, or would if another one did not hold them back.

    What was told to nobody, in a mute or in shadow mode, is no reason to be silent about something else; nor is what was
    held back by another one once, and by something else since.
    """
    item, decision, later = schema.incident.c, schema.decision.c, schema.decision.alias("later").c
    others = [reason.value for reason in SUPPRESSED - {Reason.INHIBITED}]
    since = exists().where(later.incident == item.id, later.seq > decision.seq, later.reason.in_(others))
    known = or_(decision.send, and_(decision.reason == Reason.INHIBITED.value, ~since))
    query = (
        select(item.body)
        .where(item.rule.in_(rules), item.state.not_in([State.RESOLVED.value, State.PENDING.value]))
        .where(exists().where(decision.incident == item.id, known))
        .order_by(item.since, item.id)
    )
    return tuple(from_body(Incident, body) for body in tx.connection.execute(query).scalars()) if rules else ()
