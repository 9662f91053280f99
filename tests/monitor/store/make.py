"""Incidents, messages and whole ticks for tests of the store."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np

from alerts.model import (
    Change,
    Decision,
    Evidence,
    Fact,
    Incident,
    Kind,
    Message,
    Reason,
    Series,
    SliceFact,
    State,
    TotalState,
    Transition,
)
from alerts.ports import Part
from monitor.store import (
    Store,
    add_decision,
    add_leaves,
    add_transition,
    enqueue,
    newest_run,
    put_flags,
    put_page,
    record_run,
    save_incident,
)
from rules.model import Severity
from rules.slices import FOLDED, Slice

START = datetime(2026, 11, 23, 14, tzinfo=UTC)
HOUR = 3_600
ODD = Slice((("device", "ios"), ("os", None), ("country", FOLDED), ("app", "(other)"), ("tag", "")))


def incident(number: str = "i-1", **fields: Any) -> Incident:
    """A firing loss of a slice with NULL, folded, '(other)' and '' among its values."""
    base: dict[str, Any] = {
        "id": number,
        "rule": "playback",
        "metric": "count",
        "kind": Kind.DROP,
        "cause": ODD,
        "state": State.FIRING,
        "severity": Severity.CRITICAL,
        "since": START,
        "until": START + timedelta(hours=1),
        "first_seen_at": START,
        "tick": START + timedelta(hours=1, microseconds=1),
        "observed": 0.0,
        "expected": 812_000.25,
        "p": 1e-300,
        "also": (Slice.of({"os": "\x00ø\ud800"}),),
        "evidence": evidence(),
        "seq": 1,
    }
    return Incident(**(base | fields))


def evidence() -> Evidence:
    """Evidence with an unbounded band and a chart with unknown buckets."""
    chart = Series((START,), (None,), (1.5,), (0.0,), (2.0,))
    fact = SliceFact(ODD, 0.0, 1.0)
    return Evidence(fact, TotalState.STABLE, 0.0, float("inf"), fine=(fact,), series=chart, last_seen=START)


def transition(item: Incident, change: Change = Change.OPENED) -> Transition:
    """How the incident came to be as it is."""
    return Transition(item, change, item.tick, "gone in two buckets in a row", State.PENDING)


def decision(item: Incident, receiver: str = "oncall") -> Decision:
    """The incident's last transition is sent."""
    return Decision(item.id, item.seq, receiver, True, Reason.NEW, "it is new", item.tick)


def message(key: str = "i-1", seq: int = 1, **fields: Any) -> Message:
    """What is told about an incident."""
    base: dict[str, Any] = {
        "key": key,
        "seq": seq,
        "rule": "playback",
        "change": Change.OPENED,
        "state": State.FIRING,
        "severity": Severity.CRITICAL,
        "push": "device=ios 0 events",
        "title": f"title {seq}",
        "summary": ("first", "second"),
        "facts": (Fact("scope", "device=ios"),),
        "footer": key,
        "cause": ODD,
        "chart": evidence().series,
    }
    return Message(**(base | fields))


def write_tick(store: Store, rule: str = "playback") -> int:
    """Evaluate the tick after the newest, as the daemon would, in one transaction; its time in epoch seconds."""
    with store.write() as tx:
        tick = (newest_run(tx, rule) or 0) + HOUR
        number = tick // HOUR
        ids = add_leaves(
            tx, rule, [("ios", str(leaf)) for leaf in range(number % 50 + 1)], np.full(number % 50 + 1, tick)
        )
        put_page(tx, rule, tick, ids, np.arange(len(ids))[None] + number, lag=0)
        put_flags(tx, rule, tick, ids[::2])
        item = incident(f"{rule}-{number}", rule=rule)
        save_incident(tx, item)
        add_transition(tx, transition(item))
        add_decision(tx, decision(item))
        enqueue(tx, message(item.id), "oncall", [Part.TEXT, Part.CHART], START)
        record_run(tx, rule, tick, "ok", f"{len(ids)} leaves")
    return tick
