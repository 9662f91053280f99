"""A rule goes on under another name: all that is kept of it comes along, or nothing does."""

from __future__ import annotations

from dataclasses import replace

from sqlalchemy import delete, exists, select, update

from alerts.model import Incident, Transition
from alerts.silences import Silence
from monitor.store import schema
from monitor.store.bodies import from_body, to_body
from monitor.store.tx import Tx


def is_known(tx: Tx, rule: str) -> bool:
    """Whether anything is kept of a rule: runs, leaves, or incidents."""
    key = select(schema.rule.c.id).where(schema.rule.c.name == rule).scalar_subquery()
    kept = (
        exists().where(schema.run.c.rule == key),
        exists().where(schema.leaf.c.rule == key),
        exists().where(schema.incident.c.rule == rule),
    )
    return any(bool(tx.connection.execute(select(found)).scalar()) for found in kept)


def rename_rule(tx: Tx, old: str, new: str) -> bool:
    """Give what is kept of the rule `old` to `new`, in the caller's transaction; whether there was anything to give.

    Nothing is done where anything is kept of `new` already. Ids of incidents stay, and so do their threads. Silences
    that call the rule by its name go on, too; of a pattern it is for the new name to fit.
    """
    if not is_known(tx, old) or is_known(tx, new):
        return False
    rule, incident = schema.rule, schema.incident
    tx.connection.execute(delete(rule).where(rule.c.name == new))  # made without ever having been evaluated
    tx.connection.execute(update(rule).where(rule.c.name == old).values(name=new))
    for row in tx.connection.execute(select(incident.c.id, incident.c.body).where(incident.c.rule == old)).all():
        body = to_body(replace(from_body(Incident, row.body), rule=new))
        tx.connection.execute(update(incident).where(incident.c.id == row.id).values(rule=new, body=body))
        _rename_steps(tx, row.id, new)
    _rename_silences(tx, old, new)
    tx.rule_keys.clear()
    return True


def _rename_silences(tx: Tx, old: str, new: str) -> None:
    table = schema.silence
    for row in tx.connection.execute(select(table.c.id, table.c.body)).all():
        item = from_body(Silence, row.body)
        if item.scope.rules == old:
            body = to_body(replace(item, scope=replace(item.scope, rules=new)))
            tx.connection.execute(update(table).where(table.c.id == row.id).values(body=body))


def _rename_steps(tx: Tx, incident: str, new: str) -> None:
    """An incident as it was at each step belongs to the same rule: an evaluation taken back returns to one of them."""
    table = schema.transition
    for row in tx.connection.execute(select(table.c.seq, table.c.body).where(table.c.incident == incident)).all():
        step = from_body(Transition, row.body)
        body = to_body(replace(step, incident=replace(step.incident, rule=new)))
        here = (table.c.incident == incident, table.c.seq == row.seq)
        tx.connection.execute(update(table).where(*here).values(body=body))
