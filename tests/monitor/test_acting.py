"""What people do, carried out on a real store between the ticks of a real rule."""

from __future__ import annotations

import io
from datetime import timedelta
from pathlib import Path

import pytest

from alerts.actions import RefusedError
from alerts.model import Actor, Change, Feedback, Reason, State
from alerts.silences import Scope
from monitor import store
from monitor.acting import Desk
from monitor.app import App
from monitor.settings import parse_settings
from rules.load import RuleSet
from tests.monitor.ticks import Ticks
from tests.monitor.world import cause, world

N = 28 * 24 + 10
FRESH = world({"device": ("phone", "tablet", "tv", "web"), "country": ("NO", "SE", "DK")})
GONE = FRESH.scaled(0.0, N + 1, N + 14, device="tv")
TOML = 'rules = ["*.yaml"]\n[receivers.oncall]\nkind = "console"\n[alerts]\nack_expires = "4h"\n'
KARI = Actor("cli", "kari", "Kari")
SOON = timedelta(minutes=20)


@pytest.fixture(scope="module")
def counted() -> store.Store:
    """A store that has counted four weeks."""
    state = store.Store.open("sqlite://")
    Ticks.over(GONE, state).learn(N)
    yield state
    state.close()


@pytest.fixture(scope="module")
def learned(counted) -> store.Store:
    """One that found tv gone in the two hours after."""
    state = store.copy(counted)
    Ticks.over(GONE, state).run(range(N, N + 3))
    yield state
    state.close()


@pytest.fixture
def ticks(learned: store.Store) -> Ticks:
    state = store.copy(learned)
    yield Ticks.over(GONE, state)
    state.close()


def desk_of(ticks: Ticks) -> Desk:
    settings = parse_settings(TOML, "slicewatch.toml", Path(), {})
    return Desk(App(settings, RuleSet((ticks.rule,)), ticks.state, io.StringIO(), {}))


def told(ticks: Ticks) -> list[tuple[str, str]]:
    """Change and receiver of each text in the outbox, by its number."""
    (incident, *_) = ticks.incidents
    with ticks.state.read() as tx:
        steps = {t.incident.seq: t.change.value for t in store.transitions(tx, incident.id)}
        return [(steps[d.seq], d.receiver) for d in store.deliveries(tx, incident.id) if d.part == "text"]


def test_an_acknowledgement_is_one_transaction_and_expires(ticks):
    """Step, message and log at once; a repeat of it does nothing; four hours later it is told again, then its end."""
    desk, (incident,), at = desk_of(ticks), ticks.incidents, ticks.at(N + 2) + SOON
    answer = desk.acknowledge(incident.id, KARI, at)
    assert (answer.changed, answer.incident.state) == (True, State.ACKNOWLEDGED)
    assert answer.text.startswith("Acknowledged by Kari until")
    before = ticks.dump()
    assert desk.acknowledge(incident.id, KARI, at) == type(answer)(answer.incident, answer.text, changed=False)
    assert ticks.dump() == before
    ticks.run(range(N + 3, N + 18))
    with ticks.state.read() as tx:
        (logged,) = store.actions(tx, incident.id)
        expiry = next(t for t in store.transitions(tx, incident.id) if t.change is Change.EXPIRED)
    assert (logged.action, logged.by, logged.at) == ("acknowledge", KARI, at)
    assert expiry.at == ticks.at(N + 7)
    assert [change for change, _ in told(ticks)] == ["opened", "acknowledged", "expired", "resolved"]


def test_an_evaluation_that_was_slower_judges_again(ticks):
    """Somebody acts while a tick is counted: the tick sees it, and nothing of either is lost."""
    desk, (incident,), count = desk_of(ticks), ticks.incidents, ticks.source.count

    class Slow:
        """The source of the rule, during whose first answer a person acts."""

        acted = False

        def count(self, query):
            if not self.acted:
                self.acted = True
                desk.snooze(incident.id, KARI, ticks.at(N + 3) + SOON, "2h")
            return count(query)

    ticks.evaluator.source = Slow()
    desk.app._evaluators[ticks.rule.name] = (ticks.rule, ticks.evaluator)
    ticks.source.now = int(ticks.at(N + 3).timestamp())
    desk.app.tick(ticks.rule, ticks.at(N + 3))
    (now,) = ticks.incidents
    assert (now.state, now.tick) == (State.SNOOZED, ticks.at(N + 3))
    with ticks.state.read() as tx:
        steps = [t.incident.seq for t in store.transitions(tx, now.id)]
    assert steps == list(range(1, now.seq + 1))


def test_no_problem_is_not_told_anew_while_it_lasts_and_teaches_nothing(ticks):
    """The exception goes on for half a day: judged, held with the reason, its buckets left out of what is expected."""
    desk, (incident,) = desk_of(ticks), ticks.incidents
    desk.not_a_problem(incident.id, KARI, ticks.at(N + 2) + SOON, Feedback.LEAVE_OUT)
    ticks.run(range(N + 3, N + 18))
    first, *others = ticks.incidents
    assert (first.feedback, first.state) == (Feedback.LEAVE_OUT, State.RESOLVED)
    assert [other.state for other in others] == [State.RESOLVED]
    with ticks.state.read() as tx:
        reasons = {d.reason for other in others for d in store.decisions(tx, other.id)}
        leaves = store.leaves(tx, ticks.rule.name, 0).terms
        flagged = store.flags(tx, ticks.rule.name, FRESH.starts[N + 1 : N + 14], len(leaves))
    assert Reason.NO_PROBLEM in reasons
    assert [change for change, _ in told(ticks)] == ["opened", "dismissed"]
    assert flagged[[term[0] == "tv" for term in leaves]].all()


def test_a_silence_on_what_was_told_holds_all_but_the_end_and_ends_with_a_word(ticks):
    """Told before it; at its end, ended sooner by hand, it is told once that it is still bad; held ones with their reason."""
    desk, at = desk_of(ticks), ticks.at(N + 2) + SOON
    silence = desk.silence(Scope(slice=cause(device="tv")), KARI, at, at + timedelta(days=1), "7.3 rolls back")
    assert desk.silence(Scope(slice=cause(device="tv")), KARI, at, at + timedelta(days=1), "7.3 rolls back") == silence
    ticks.run(range(N + 3, N + 6))
    assert [change for change, _ in told(ticks)] == ["opened"]
    desk.end_silence(silence.id, KARI, ticks.at(N + 5) + SOON)
    ticks.run(range(N + 6, N + 18))
    assert [change for change, _ in told(ticks)] == ["opened", "released", "resolved"]
    with ticks.state.read() as tx:
        assert [act.action for act in store.actions(tx, silence.id)] == ["silence", "end silence"]


def test_what_begins_in_a_silence_is_held_and_told_at_its_end(counted):
    """Held with author and reason; told once at the first evaluation after it."""
    state = store.copy(counted)
    late = Ticks.over(GONE, state)
    desk = desk_of(late)
    desk.silence(Scope("playback_*"), KARI, late.at(N), late.at(N + 5) + SOON, "upkeep")
    late.run(range(N, N + 18))
    assert [change for change, _ in told(late)] == ["released", "resolved"]
    (incident,) = late.incidents
    with state.read() as tx:
        (held,) = [d for d in store.decisions(tx, incident.id) if d.reason is Reason.SILENCED]
    assert " by Kari: upkeep (sl-" in held.because
    state.close()


def test_what_is_called_normal_is_expected_from_then_on(ticks):
    """Without tv nothing is missing at the next tick; when it comes back nothing is told of that either, for drops."""
    desk, (incident,) = desk_of(ticks), ticks.incidents
    desk.not_a_problem(incident.id, KARI, ticks.at(N + 2) + SOON, Feedback.NEW_NORMAL)
    ticks.run(range(N + 3, N + 13))
    assert ticks.incidents == [ticks.incidents[0]]
    assert [change for change, _ in told(ticks)] == ["opened", "dismissed"]


def test_who_comes_too_late_reads_why(ticks):
    """A closed incident and one that never was are refused in a sentence; nothing is logged."""
    desk, (incident,) = desk_of(ticks), ticks.incidents
    ticks.run(range(N + 3, N + 18))
    before = ticks.dump()
    with pytest.raises(RefusedError, match="is closed since"):
        desk.snooze(incident.id, KARI, ticks.at(N + 18), "2h")
    with pytest.raises(RefusedError, match="no incident is called 'sw-none'"):
        desk.reopen("sw-none", KARI, ticks.at(N + 18))
    with pytest.raises(RefusedError, match="write 30m or 2h"):
        desk.snooze(incident.id, KARI, ticks.at(N + 18), "later")
    assert ticks.dump() == before
