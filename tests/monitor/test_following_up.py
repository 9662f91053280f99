"""What time alone makes due, on a real store: handed on, told when hours begin, woken from a snooze between two ticks."""

from __future__ import annotations

import io
from datetime import timedelta
from pathlib import Path

import pytest

from alerts.model import Actor, Receipt
from alerts.ports import Lane, Part
from alerts.silences import Scope
from monitor import store
from monitor.acting import Desk
from monitor.app import App
from monitor.evaluation import Evaluator
from monitor.following_up import follow_up
from monitor.routing import routed
from monitor.settings import parse_settings
from monitor.watched import Watched
from rules.load import RuleSet
from rules.model import Severity
from tests.monitor.ticks import Ticks
from tests.monitor.world import world

N = 28 * 24 + 19
"""Column 20 of a Monday: evaluated from 20:00 on."""
FRESH = world({"device": ("phone", "tablet", "tv", "web"), "country": ("NO", "SE")})
GONE = FRESH.scaled(0.0, N, N + 20, device="tv")
TOML = """\
rules = ["*.yaml"]
fallback = "team"
[receivers.team]
kind = "console"
hours = "Mon-Fri 09:00-18:00"
[receivers.oncall]
kind = "console"
escalate_to = "phone"
[receivers.phone]
kind = "console"
[[routes]]
severity = "critical"
notify = ["oncall"]
"""
KARI = Actor("cli", "kari", "Kari")


@pytest.fixture(scope="module")
def counted() -> store.Store:
    """A store that has counted four weeks."""
    state = store.Store.open("sqlite://")
    Ticks.over(GONE, state).learn(N)
    yield state
    state.close()


@pytest.fixture
def place(counted: store.Store):
    """A rule over the world by these settings, of a severity, after the two ticks that found tv gone."""
    opened: list[store.Store] = []

    def make(severity: Severity) -> tuple[Ticks, App]:
        opened.append(store.copy(counted))
        ticks = Ticks.over(GONE, opened[-1], severity=severity, notify=())
        app = App(
            parse_settings(TOML, "slicewatch.toml", Path(), {}), RuleSet((ticks.rule,)), opened[-1], io.StringIO(), {}
        )
        watched = Watched.of(routed(ticks.rule, app.settings), app.settings.operations)
        ticks.evaluator = Evaluator(watched, ticks.source, ticks.state)
        return ticks.run((N, N + 1)), app

    yield make
    for state in opened:
        state.close()


def told(ticks: Ticks) -> list[tuple[str, str]]:
    """Change and receiver of each text about the incident."""
    (incident,) = ticks.incidents
    with ticks.state.read() as tx:
        steps = {t.incident.seq: t.change.value for t in store.transitions(tx, incident.id)}
        return [(steps[d.seq], d.receiver) for d in store.deliveries(tx, incident.id) if d.part == "text"]


def test_a_critical_one_is_handed_on_once_and_its_end_reaches_both(place):
    """After fifteen minutes, however often one looks; a tick after it goes on from there."""
    ticks, app = place(Severity.CRITICAL)
    began = ticks.incidents[0].raised_at
    assert app.follow_up(began + timedelta(minutes=14)) == 0
    assert [app.follow_up(began + timedelta(minutes=15 + n)) for n in range(2)] == [1, 0]
    ticks.run(range(N + 2, N + 24))
    assert [step for step in told(ticks) if step[0] != "repeated"] == [
        ("opened", "oncall"),
        ("handed-on", "phone"),
        ("resolved", "oncall"),
        ("resolved", "phone"),
    ]


def test_a_warning_of_the_evening_is_told_in_the_morning(place):
    """Held with the reason; told at nine between two ticks, then its end."""
    ticks, app = place(Severity.WARNING)
    ticks.run(range(N + 2, N + 12))
    nine = ticks.at(N).replace(hour=9, minute=0) + timedelta(days=1)
    assert told(ticks) == []
    assert [app.follow_up(nine + timedelta(minutes=n)) for n in (-1, 0, 1)] == [0, 1, 0]
    ticks.run(range(N + 13, N + 24))
    assert told(ticks) == [("released", "team"), ("resolved", "team")]


def test_a_snooze_ends_when_it_was_to_end_and_not_at_the_next_tick(place):
    """Half an hour, though the rule is evaluated once an hour; what the silence of another holds is not handed on."""
    ticks, app = place(Severity.CRITICAL)
    (incident,) = ticks.incidents
    at = incident.raised_at + timedelta(minutes=5)
    Desk(app).snooze(incident.id, KARI, at, "30m")
    assert [app.follow_up(at + timedelta(minutes=n)) for n in (29, 30, 31)] == [0, 1, 0]
    assert told(ticks) == [("opened", "oncall"), ("snoozed", "oncall"), ("expired", "oncall")]
    Desk(app).silence(Scope(), KARI, at + timedelta(minutes=32), at + timedelta(hours=9), "upkeep")
    assert app.follow_up(at + timedelta(minutes=50)) == 0
    ends = at + timedelta(hours=9)
    assert [app.follow_up(ends + timedelta(minutes=n)) for n in (0, 14, 15)] == [0, 0, 1]


def test_who_waited_for_hours_hears_of_what_others_acknowledged_at_night(place):
    """Nobody of the team was told; the morning tells it once, though somebody has it in hand."""
    ticks, app = place(Severity.WARNING)
    (incident,) = ticks.incidents
    nine = ticks.at(N).replace(hour=9, minute=0) + timedelta(days=1)
    Desk(app).acknowledge(incident.id, KARI, nine - timedelta(hours=2))
    assert [app.follow_up(nine + timedelta(minutes=n)) for n in (-1, 0, 1)] == [0, 1, 0]
    assert told(ticks) == [("released", "team")]


def test_the_wait_for_an_answer_begins_with_the_delivery(place):
    """Decided as of its tick, delivered an hour later: handed on a quarter of an hour after that."""
    ticks, app = place(Severity.CRITICAL)
    came = ticks.incidents[0].raised_at + timedelta(hours=1)
    box, lane = store.SqlOutbox(app.state), Lane("oncall", Part.TEXT)
    box.done(box.claim(came, "one", 60, lane), Receipt(), came)
    assert [app.follow_up(came + timedelta(minutes=n)) for n in (14, 15)] == [0, 1]


class Overtaken:
    """A store on which another replica is always first."""

    def __init__(self, state: store.Store) -> None:
        self.read = state.read

    def write(self):
        raise store.ConflictError("another process wrote first")


def test_nobody_is_handed_what_the_first_one_could_not_have_heard_yet(counted):
    """Caught up after three hours, and looked after before the first delivery: the wait begins when it was queued."""
    state = store.copy(counted)
    ticks = Ticks.over(GONE, state, severity=Severity.CRITICAL, notify=())
    app = App(parse_settings(TOML, "slicewatch.toml", Path(), {}), RuleSet((ticks.rule,)), state, io.StringIO(), {})
    ticks.evaluator = Evaluator(
        Watched.of(routed(ticks.rule, app.settings), app.settings.operations), ticks.source, ticks.state
    )
    woken = ticks.at(N + 4)
    for column in (N, N + 1):
        ticks.tick(column, now=woken)
    looks = [app.follow_up(woken + timedelta(minutes=n)) for n in (0, 14, 15)]
    assert looks == [0, 0, 1]
    state.close()


def test_who_is_overtaken_by_a_replica_goes_on_and_looks_again(place):
    """Both find the same step due, one of them takes it: no error, which would keep other rules from being looked after."""
    ticks, app = place(Severity.CRITICAL)
    due = ticks.incidents[0].raised_at + timedelta(minutes=15)
    rules = [routed(ticks.rule, app.settings)]
    assert follow_up(Overtaken(app.state), rules, app.settings, due) == 0
    assert follow_up(app.state, rules, app.settings, due) == 1


class Meanwhile:
    """A source that something happens beside while it is asked."""

    def __init__(self, source, happens) -> None:
        self.source, self.happens = source, happens

    def count(self, query):
        self.happens()
        return self.source.count(query)


def test_whoever_is_told_during_an_evaluation_hears_the_end_that_it_finds(place):
    """A text goes to the fallback while the source is asked: the end, found in that evaluation, goes there as well."""
    ticks, app = place(Severity.CRITICAL)
    ticks.run(range(N + 2, N + 21))
    box, lane, at = store.SqlOutbox(app.state), Lane("oncall", Part.TEXT), ticks.at(N + 20)

    def reroutes() -> None:
        item = box.claim(at, "one", 60, lane)
        if item is not None:
            box.reroute(item, "ops", "archived", at)

    watched = ticks.evaluator.watched
    ticks.evaluator = Evaluator(watched, Meanwhile(ticks.source, reroutes), ticks.state)
    ticks.tick(N + 21)
    assert [receiver for change, receiver in told(ticks) if change == "resolved"] == ["oncall", "ops"]
