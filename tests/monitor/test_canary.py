"""A slice dropped on purpose: counted, judged, told and delivered; and whoever hears of it where it is not."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from io import StringIO

import pytest

from alerts.model import Actor, State
from alerts.silences import Scope
from dashboards.text import overview_text
from dashboards.views.incidents import Lasting, Wanted
from monitor import store
from monitor.acting import Desk
from monitor.app import App
from monitor.canary import ABANDONED, Canaries
from monitor.reserved import CANARY
from monitor.scheduler import Daemon
from monitor.views.health import HealthOfStore
from monitor.views.incidents import IncidentListsOfStore
from monitor.views.readings import ReadingsOfStore
from monitor.views.status import overview_of
from monitor.weekly import Period, week_of
from tests.monitor.test_heartbeat import wait_for
from tests.standins.slack import Fault
from tests.standins.web import WebhookStandin

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
DUE = datetime(2026, 3, 4, 6, tzinfo=UTC)
NOW = DUE + timedelta(minutes=3)

TOML = """\
rules = ["*.yaml"]
fallback = "oncall"

[receivers.oncall]
kind = "console"

[receivers.test]
kind = "webhook"
url = {env = "HOOK"}
token = {env = "TOKEN"}
allow_private = true
pace = "0"

[canary]
receiver = "test"
within = "15m"
"""


class World:
    """An app with a receiver for canaries, and a clock."""

    def __init__(self, app: App, hook: WebhookStandin) -> None:
        self.app, self.hook, self.now = app, hook, NOW
        self.canaries = self.another("me")

    def another(self, name: str) -> Canaries:
        plan = self.app.settings.selfwatch.canary
        assert plan is not None
        return Canaries(plan, self.app.state, name, self.app.settings.fallback)

    def deliver(self) -> None:
        self.app.deliver(lambda: self.now, self.wait, self.now + timedelta(seconds=2), "test")

    def wait(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)

    def newest(self) -> store.Canary:
        with self.app.state.read() as tx:
            return store.canaries(tx)[0]

    def incidents(self) -> list:
        with self.app.state.read() as tx:
            return store.incidents(tx, rule=CANARY)

    def texts(self) -> list[str]:
        """What the fallback was told."""
        return [line for line in self.app.out.getvalue().splitlines() if "canary of" in line]


@pytest.fixture
def world(tmp_path):
    (tmp_path / "slicewatch.toml").write_text(TOML)
    with (
        WebhookStandin() as hook,
        App.open(tmp_path / "slicewatch.toml", {"HOOK": hook.url, "TOKEN": hook.token}, StringIO()) as app,
    ):
        yield World(app, hook)


def test_a_canary_goes_the_whole_way(world):
    """One incident of the slice that was dropped, told to its receiver alone; over, once it arrived there."""
    assert world.canaries.look(world.now)
    (incident,) = world.incidents()
    assert incident.state is State.FIRING
    assert incident.cause.label() == "device=canary"
    assert not world.hook.taken
    assert not world.canaries.look(world.now), "it is on its way"
    world.deliver()
    (came,) = world.hook.taken
    assert [(t["dimension"], t["value"]) for t in came.json()["cause"]] == [("device", "canary")]
    assert world.canaries.look(world.now + timedelta(seconds=15))
    found = world.newest()
    assert (found.due, found.problem) == (DUE, "")
    assert found.arrived is not None
    (incident,) = world.incidents()
    assert incident.state is State.RESOLVED
    world.deliver()
    assert len(world.hook.taken) == 2
    assert world.texts() == []
    assert not world.canaries.look(world.now + HOUR)


def test_the_next_day_has_another_one(world):
    """By a history of its own: what was dropped before is no part of what is usual, and is not kept as an incident."""
    for day in range(3):
        world.now = NOW + day * DAY
        assert world.canaries.look(world.now)
        world.deliver()
        assert world.canaries.look(world.now)
        world.deliver()
    assert [item.state for item in world.incidents()] == [State.RESOLVED]
    assert len(world.hook.taken) == 6


def test_one_that_does_not_arrive_is_told_to_somebody_else(world):
    """With the reason, once; and the next one that does arrive is told there, too."""
    world.hook.faults.append(Fault("status"))
    world.canaries.look(world.now)
    world.deliver()
    world.now += timedelta(minutes=14)
    assert not world.canaries.look(world.now)
    world.now = NOW + timedelta(minutes=16)
    assert world.canaries.look(world.now)
    found = world.newest()
    assert found.arrived is None
    assert "did not reach test within 15 minutes: the webhook answers 5" in found.problem
    world.deliver()
    assert len(world.texts()) >= 1
    assert "CRITICAL slicewatch: the canary of 4 Mar 06:00 UTC did not arrive" in world.app.out.getvalue()
    assert "RESOLVED" not in "".join(world.texts())
    world.now = NOW + DAY
    assert world.canaries.look(world.now)
    world.now += timedelta(minutes=20)
    assert world.canaries.look(world.now), "the second one that is lost is told in the same thread, and not again"
    world.deliver()
    world.hook.faults.clear()
    world.now = NOW + 2 * DAY
    assert world.canaries.look(world.now)
    world.deliver()
    assert world.canaries.look(world.now)
    world.deliver()
    assert "RESOLVED slicewatch: the canary of 6 Mar 06:00 UTC arrived" in world.app.out.getvalue()
    with world.app.state.read() as tx:
        thread = store.newest_thread(tx, "canary-")
        assert (thread.number, thread.seq, thread.receivers) == (1, 2, ("oncall",))


def test_one_that_is_held_back_is_told_with_the_reason(world):
    """A silence of all rules is one of the canary, too: nobody would hear of a loss."""
    Desk(world.app).silence(Scope(rules="*"), Actor("cli", "k", "Kari"), NOW - HOUR, NOW + HOUR, "a move")
    world.canaries.look(world.now)
    world.deliver()
    world.now += timedelta(minutes=16)
    assert world.canaries.look(world.now)
    assert "its news were held back: " in world.newest().problem


def test_one_daemon_sends_it(world):
    """Others look on; where the one is gone before it judged, another one takes it over, and nobody is told twice."""
    with world.app.state.write() as tx:
        assert store.begin_canary(tx, store.Canary(DUE, "dead", NOW), NOW)
    other = world.another("other")
    assert not other.look(world.now)
    world.now += ABANDONED + timedelta(seconds=1)
    assert other.look(world.now)
    assert world.newest().owner == "other"
    assert not world.canaries.look(world.now)
    world.deliver()
    assert [world.canaries.look(world.now), other.look(world.now)] == [True, False]
    assert len(world.incidents()) == 1


def test_what_another_daemon_judged_is_taken_as_it_is(world):
    """It died after the evaluation: its incident is the canary's."""
    world.canaries.look(world.now)
    with world.app.state.write() as tx:
        store.keep_canary(tx, replace(world.newest(), incident=""))
    world.now += ABANDONED + timedelta(minutes=1)
    assert world.another("other").look(world.now)
    assert world.newest().incident == world.incidents()[0].id
    assert len(world.incidents()) == 1


def test_one_that_nobody_looked_after_is_over_with_the_next(world):
    """Slicewatch was down over it: that is no news, and the next one is sent."""
    world.canaries.look(world.now)
    world.now += DAY
    assert world.canaries.look(world.now)
    assert world.newest().problem == "nobody looked after it until the next one was due"
    assert world.canaries.look(world.now)
    assert world.newest().due == DUE + DAY
    world.deliver()
    assert world.texts() == []


def test_people_do_not_see_it_among_what_is_real(world):
    """Not in the list of incidents unless it is asked for, nor in the week; and it is not closed as a rule that was removed."""
    world.canaries.look(world.now)
    world.app.settle(world.now)
    assert world.incidents()[0].state is State.FIRING
    lists = IncidentListsOfStore(world.app)
    every = Wanted(lasting=Lasting.ALL)
    assert lists.incidents(world.now, every, 0).rows == ()
    assert len(lists.incidents(world.now, replace(every, rule=CANARY), 0).rows) == 1
    week = week_of(world.app, Period(NOW - 7 * DAY, NOW + HOUR), "UTC")
    assert (week.incidents, week.open) == ((), ())


def test_health_and_status_say_how_it_went(world):
    """The newest one that is over, and why it did not arrive."""
    assert overview_of(world.app, world.now).canary is None
    world.canaries.look(world.now)
    world.deliver()
    world.canaries.look(world.now + timedelta(seconds=15))
    assert "canary: the one of 2026-03-04 06:00 UTC arrived after" in overview_text(overview_of(world.app, world.now))
    page = HealthOfStore(world.app).health(world.now)
    assert page.canary is not None
    assert page.canary.arrived
    with world.app.state.write() as tx:
        lost = store.Canary(DUE + DAY, "me", NOW + DAY)
        store.begin_canary(tx, lost, NOW)
        store.keep_canary(tx, store.ended(lost, NOW + DAY, "the channel was archived"))
        store.put_unchecked(tx, store.Unchecked("oncall", "orders", "t", NOW))
    shown = overview_of(world.app, world.now)
    assert "the canary of 2026-03-05 06:00 UTC did not arrive: the channel was archived" in overview_text(shown)
    assert "not checked, and told so: orders" in overview_text(shown)
    page = HealthOfStore(world.app).health(world.now)
    assert page.canary is not None
    assert (page.canary.arrived, page.canary.last is not None, page.unchecked) == (False, True, ("orders",))


def test_a_real_daemon_sends_one_as_soon_as_it_runs(tmp_path):
    """Its own threads judge it, deliver it and see it arrive; what they counted of it is in the store."""
    (tmp_path / "slicewatch.toml").write_text(TOML)
    with WebhookStandin() as hook:
        env = {"HOOK": hook.url, "TOKEN": hook.token}
        with App.open(tmp_path / "slicewatch.toml", env, StringIO()) as app:
            daemon = Daemon(app)
            daemon._self.canary_seconds = daemon._self.tally_seconds = 0.1
            thread = threading.Thread(target=daemon.run)
            thread.start()
            try:
                wait_for(lambda: (found := overview_of(app, daemon.now()).canary) is not None and found.arrived)
                wait_for(lambda: len(hook.taken) == 2)
            finally:
                daemon.stop()
                thread.join(120.0)
            readings = ReadingsOfStore(app).readings(daemon.now())
        assert [request.json()["state"] for request in hook.taken] == ["firing", "resolved"]
        sent = {item.name: dict(item.deliveries) for item in readings.receivers}
        assert sent["oncall"] == {}
        assert sent["test"]["sent"] >= 2
        assert readings.canary is not None
        assert readings.canary.arrived
