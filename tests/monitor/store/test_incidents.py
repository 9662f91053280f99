"""Incidents, transitions, decisions."""

from dataclasses import replace
from datetime import timedelta

import pytest

from alerts.model import Change, Feedback, Incident, Kind, Reason, State
from monitor.store import (
    ConflictError,
    Store,
    add_decision,
    add_transition,
    decisions,
    dismissed,
    dump,
    incident,
    incident_page,
    incident_rules,
    incidents,
    incidents_at_hand,
    inhibitors,
    open_incidents,
    save_incident,
    transitions,
)
from rules.model import Severity
from rules.slices import Slice
from tests.monitor.store import make


def test_an_incident_comes_back_exactly(store: Store) -> None:
    """NULL, folded, '' and '(other)' stay apart; infinities, NUL and broken surrogates survive."""
    item = make.incident()
    with store.write() as tx:
        save_incident(tx, item)
    with store.read() as tx:
        assert incident(tx, item.id) == item
        assert incident(tx, "i-2") is None


def test_saving_an_incident_again_changes_no_row(store: Store) -> None:
    """A tick that is run again writes nothing new."""
    item = make.incident()
    with store.write() as tx:
        save_incident(tx, item)
        add_transition(tx, make.transition(item))
        add_decision(tx, make.decision(item))
        before = dump(tx)
        save_incident(tx, item)
        add_transition(tx, make.transition(item))
        add_decision(tx, make.decision(item))
        assert dump(tx) == before


def save_both(store: Store, one: Incident, other: Incident) -> None:
    """In one transaction."""
    with store.write() as tx:
        save_incident(tx, one)
        save_incident(tx, other)


def test_a_decision_on_an_old_state_is_refused(store: Store) -> None:
    """Compare-and-set: who was not first reads again, and nothing of the loser's transaction stays."""
    item = make.incident()
    with store.write() as tx:
        save_incident(tx, replace(item, seq=2))
        before = dump(tx)
    for late in (replace(item, seq=1), replace(item, seq=2, observed=7.0)):
        with pytest.raises(ConflictError, match="transition 2 already"):
            save_both(store, make.incident("i-9"), late)
    with store.read() as tx:
        assert dump(tx) == before


def test_what_an_evaluation_reads_does_not_grow_with_the_past(store: Store) -> None:
    """Of what is over and old only that which has a lasting effect; all that is open or was changed lately."""
    now, over = make.incident().tick, State.RESOLVED
    old, new = now - timedelta(days=30), now - timedelta(days=1)
    kept = {
        "open": ({"state": State.FIRING}, old),
        "late": ({"state": over}, new),
        "renamed": ({"state": over, "kind": Kind.RENAMED}, old),
        "accepted": ({"state": over, "accepted_at": old}, old),
        "dismissed": ({"state": over, "feedback": Feedback.LEAVE_OUT}, old),
        "gone": ({"state": over}, old),
        "quoted": ({"state": over, "detail": 'it said "feedback":"no"'}, old),
    }
    with store.write() as tx:
        for name, (fields, at) in kept.items():
            item = replace(make.incident(), id=name, **fields)
            save_incident(tx, item)
            add_transition(tx, replace(make.transition(item), at=at))
    with store.read() as tx:
        rule = make.incident().rule
        found = {item.id for item in incidents_at_hand(tx, rule, now - timedelta(days=4))}
        assert found == kept.keys() - {"gone", "quoted"}
        assert [item.id for item in dismissed(tx, rule)] == ["dismissed"]
        assert incidents_at_hand(tx, "another", old) == []


def test_an_incident_moves_on(store: Store) -> None:
    """A later state replaces the one before, and its key columns with it."""
    item = make.incident()
    resolved = replace(item, seq=2, state=State.RESOLVED, since=make.START - timedelta(hours=1))
    save_both(store, item, resolved)
    with store.read() as tx:
        assert incident(tx, item.id) == resolved
        assert open_incidents(tx, "playback") == []
        assert len(dump(tx)["slicewatch_incident"]) == 1


def test_another_transition_of_the_same_number_is_refused(store: Store) -> None:
    """Two processes cannot each write the history of one incident."""
    item = make.incident()
    with store.write() as tx:
        save_incident(tx, item)
        add_transition(tx, make.transition(item))
        add_decision(tx, make.decision(item))
        with pytest.raises(ConflictError, match="another process"):
            add_transition(tx, make.transition(item, Change.ESCALATED))
        with pytest.raises(ConflictError, match="another process"):
            add_decision(tx, replace(make.decision(item), send=False))
        add_decision(tx, make.decision(item, "fallback"))


def test_a_transition_needs_its_incident(store: Store) -> None:
    """The log has no entry that belongs to nothing."""
    with pytest.raises(ConflictError), store.write() as tx:
        add_transition(tx, make.transition(make.incident()))
    with store.read() as tx:
        assert not any(dump(tx).values())


def test_the_log_comes_back_in_order(store: Store) -> None:
    """Every step with the incident as it was, every decision with its reason."""
    first = make.incident(state=State.PENDING)
    second = make.incident(seq=2)
    with store.write() as tx:
        save_incident(tx, second)
        add_transition(tx, make.transition(second))
        add_transition(tx, make.transition(first, Change.PENDING))
        add_decision(tx, make.decision(second))
        add_decision(tx, make.decision(second, "fallback"))
    with store.read() as tx:
        assert transitions(tx, "i-1") == [make.transition(first, Change.PENDING), make.transition(second)]
        assert decisions(tx, "i-1") == [make.decision(second, "fallback"), make.decision(second)]


def test_open_incidents_are_those_not_resolved(store: Store) -> None:
    """Oldest first, of one rule; unknown and snoozed ones are open."""
    states = [State.RESOLVED, State.UNKNOWN, State.SNOOZED, State.PENDING]
    items = [
        make.incident(f"i-{age}", state=state, since=make.START - timedelta(hours=age))
        for age, state in enumerate(states)
    ]
    with store.write() as tx:
        for item in [*items, make.incident("other", rule="sessions")]:
            save_incident(tx, item)
    with store.read() as tx:
        assert [item.id for item in open_incidents(tx, "playback")] == ["i-3", "i-2", "i-1"]
        assert [item.id for item in incidents(tx, rule="playback")] == ["i-0", "i-1", "i-2", "i-3"]
        assert [item.id for item in incidents(tx, states=[State.RESOLVED, State.FIRING])] == ["other", "i-0"]
        assert [item.id for item in incidents(tx, limit=1, rule="sessions")] == ["other"]
        after = make.START - timedelta(hours=2)
        assert [item.id for item in incidents(tx, rule="playback", began_after=after)] == ["i-0", "i-1"]


@pytest.mark.parametrize(
    ("reasons", "holds_back"),
    [
        ([Reason.NEW], True),
        ([Reason.INHIBITED], True),
        ([Reason.MUTED], False),
        ([Reason.INHIBITED, Reason.MUTED], False),
        ([Reason.MUTED, Reason.INHIBITED], True),
        ([Reason.NEW, Reason.MUTED], True),
    ],
)
def test_only_what_somebody_hears_of_holds_others_back(store: Store, reasons: list[Reason], holds_back: bool) -> None:
    """Told, or held back by another one that is told; what is muted since then is no reason to be silent."""
    with store.write() as tx:
        for seq, reason in enumerate(reasons, start=1):
            item = make.incident(seq=seq)
            save_incident(tx, item)
            add_decision(tx, replace(make.decision(item), send=reason is Reason.NEW, reason=reason))
    with store.read() as tx:
        assert [one.id for one in inhibitors(tx, ["playback"])] == (["i-1"] if holds_back else [])


def test_a_decision_may_name_any_value(store: Store) -> None:
    """NUL and half a surrogate in its sentence stop no evaluation."""
    item = make.incident()
    with store.write() as tx:
        save_incident(tx, item)
        add_decision(tx, replace(make.decision(item), because="it is device=\x00\ud800"))
        add_decision(tx, replace(make.decision(item), because="it is device=\x00\ud800"))
        (found,) = decisions(tx, item.id)
    assert found.because == "it is device=\\x00\\ud800"


def test_a_page_of_incidents_holds_those_wanted_newest_first(store: Store) -> None:
    """By rule, state, when they began and severity, also where a value spells one."""
    loud = Slice.of({"severity": "critical"})
    kept = [
        make.incident("i-1", since=make.START, severity=Severity.CRITICAL),
        make.incident("i-2", since=make.START + timedelta(hours=1), severity=Severity.WARNING, cause=loud),
        make.incident("i-3", since=make.START + timedelta(hours=2), severity=Severity.CRITICAL, rule="other"),
        make.incident("i-4", since=make.START + timedelta(hours=3), severity=Severity.CRITICAL, state=State.RESOLVED),
    ]
    with store.write() as tx:
        for item in kept:
            save_incident(tx, item)

    def found(**wanted) -> list[str]:
        with store.read() as tx:
            return [item.id for item in incident_page(tx, **{"rules": None, "states": tuple(State)} | wanted)]

    assert found() == ["i-4", "i-3", "i-2", "i-1"]
    assert found(severity=Severity.CRITICAL) == ["i-4", "i-3", "i-1"]
    assert found(severity=Severity.CRITICAL, offset=1, limit=1) == ["i-3"]
    assert found(rules=["playback"], states=[State.FIRING]) == ["i-2", "i-1"]
    assert found(rules=[]) == []
    assert found(since=make.START + timedelta(hours=1), until=make.START + timedelta(hours=3)) == ["i-3", "i-2"]
    assert found(offset=3, limit=5) == ["i-1"]
    with store.read() as tx:
        assert incident_rules(tx) == ["other", "playback"]
