"""A daemon whose clock is set, an hour back and hours ahead: no evaluation twice, none left out, people's words hold."""

from __future__ import annotations

import io
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest

from alerts.model import Actor, State
from monitor import store
from monitor.acting import Desk
from monitor.app import App
from monitor.scheduler import Daemon
from tests.monitor.commands.place import HOUR, OUTAGE, Place

pytestmark = pytest.mark.xdist_group("commands")


@dataclass
class Machine:
    """A daemon on a clock that somebody sets."""

    app: App
    at: datetime

    def __post_init__(self) -> None:
        self.daemon = Daemon(self.app, now=lambda: self.at)

    def wakes(self, at: datetime) -> list[datetime]:
        """What is evaluated when the rule is looked at; the clock says `at`."""
        self.at, before = at, self.ticks()
        self.daemon._wake("playback_volume")
        self.app.follow_up(at)
        return self.ticks()[len(before) :]

    def ticks(self) -> list[datetime]:
        with self.app.state.read() as tx:
            found = store.runs(tx, "playback_volume")
        return [datetime.fromtimestamp(run.tick, UTC) for run in found[::-1]]

    def incident(self):
        with self.app.state.read() as tx:
            (found,) = store.incidents(tx)
        return found


def test_a_clock_set_back_repeats_no_evaluation_and_leaves_none_out(told: Place) -> None:
    """While the hour comes a second time nothing is due; from its end on every tick follows the one before."""
    begin = OUTAGE[1]
    with App.open(told.config, {}, io.StringIO()) as app:
        machine = Machine(app, begin)
        before = machine.ticks()
        assert machine.wakes(begin + HOUR) == [begin + HOUR]
        incidents = [machine.incident()]
        for minutes in (0, 15, 30, 59):
            assert machine.wakes(begin + timedelta(minutes=minutes)) == []
        incidents.append(machine.incident())
        assert machine.wakes(begin + 2 * HOUR) == [begin + 2 * HOUR]
        assert machine.ticks() == [*before, begin + HOUR, begin + 2 * HOUR]
    assert incidents[0] == incidents[1]


def test_a_clock_set_ahead_evaluates_what_it_says_is_due_in_order_and_goes_on_once_it_is_right(told: Place) -> None:
    """Hours in which nothing has come yet are judged as such; set right again, the daemon waits and misses no tick."""
    begin = OUTAGE[1]
    with App.open(told.config, {}, io.StringIO()) as app:
        machine = Machine(app, begin)
        ahead = [begin + n * HOUR for n in (1, 2, 3)]
        assert machine.wakes(begin + 3 * HOUR) == ahead
        assert machine.wakes(begin + timedelta(minutes=5)) == []
        assert machine.wakes(begin + 4 * HOUR) == [begin + 4 * HOUR]
        assert machine.ticks()[-4:] == [*ahead, begin + 4 * HOUR]


def test_what_people_said_holds_while_the_clock_is_set_back(told: Place) -> None:
    """An acknowledgement and a snooze end at the time that was named, once; acting while the hour comes again works."""
    begin = OUTAGE[1]
    with App.open(told.config, {}, io.StringIO()) as app:
        machine = Machine(app, begin)
        machine.wakes(begin)
        name = machine.incident().id
        until = begin + timedelta(minutes=40)
        Desk(app).snooze(name, Actor("cli", "kari", "kari"), begin, until.isoformat())
        assert machine.incident().state is State.SNOOZED
        machine.wakes(begin - HOUR)
        assert machine.incident().state is State.SNOOZED
        machine.wakes(until + timedelta(minutes=1))
        assert machine.incident().state is State.FIRING
        machine.wakes(until - HOUR)
        assert machine.incident().state is State.FIRING
