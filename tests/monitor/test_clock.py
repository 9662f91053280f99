"""The time by which a daemon goes: the store's, whatever its machine's clock says."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.clock import OFF, STEP, Clock
from monitor.store import StoreAwayError

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)


@dataclass
class Times:
    """A machine's clock that is off, a steady one, and a store's clock, of which an answer takes `slow` seconds."""

    off: timedelta = timedelta(0)
    shared: bool = True
    true: datetime = NOW
    slow: list[float] = field(default_factory=list)
    away: bool = False

    def wall(self) -> datetime:
        return self.true + self.off

    def steady(self) -> float:
        return (self.true - NOW).total_seconds() + 1_000.0

    def clock(self) -> datetime | None:
        """As `monitor.store.Store.clock`: the answer is of the middle of its way."""
        if self.away:
            raise StoreAwayError("away")
        if not self.shared:
            return None
        took = timedelta(seconds=self.slow.pop(0) if self.slow else 0.0)
        self.true += took / 2
        answer = self.true
        self.true += took / 2
        return answer

    def made(self) -> Clock:
        return Clock(self, self.wall, self.steady)

    def passes(self, seconds: float) -> None:
        self.true += timedelta(seconds=seconds)


@given(
    st.integers(-600_000, 600_000),
    st.lists(st.tuples(st.floats(0, 100), st.integers(-7_200, 7_200)), max_size=5),
)
def test_the_time_is_the_stores_however_the_machines_clock_is_set(ahead: int, steps: list[tuple[float, int]]) -> None:
    """Off from the beginning, and set anew between two looks."""
    times = Times(timedelta(milliseconds=ahead))
    clock = times.made()
    clock.look()
    for seconds, step in steps:
        times.passes(seconds)
        times.off += timedelta(seconds=step)
        assert abs(clock.now() - times.true) < timedelta(milliseconds=1)
        assert abs(clock.ahead - times.off) < timedelta(milliseconds=1)
        moved = clock.look()
        assert bool(moved) == (abs(step) > STEP.total_seconds())
        assert abs(clock.now() - times.true) < timedelta(milliseconds=1)


def test_of_slow_answers_the_quickest_counts() -> None:
    """It is right to half of what it took."""
    times = Times(slow=[4.0, 0.2, 3.0])
    clock = times.made()
    clock.look()
    assert abs(clock.now() - times.true) <= timedelta(seconds=0.1)


def test_while_the_store_is_away_the_time_goes_on() -> None:
    """By what it was, and what has passed; the error is the caller's."""
    times = Times(timedelta(minutes=5))
    clock = times.made()
    clock.look()
    times.away = True
    times.passes(3_600)
    with pytest.raises(StoreAwayError):
        clock.look()
    assert clock.now() == times.true


def test_a_clock_that_is_off_is_told_once_and_again_once_it_is_right(caplog: pytest.LogCaptureFixture) -> None:
    """With which way it is off, and what to do."""
    times = Times(timedelta(minutes=5))
    clock = times.made()
    with caplog.at_level(logging.INFO, "slicewatch"):
        for _ in range(3):
            clock.look()
            times.passes(10)
        assert [r.message for r in caplog.records] == [
            "this machine's clock is 300 s ahead of the store's, by which all daemons go: set it (is NTP running?)"
        ]
        times.off = timedelta(milliseconds=3)
        clock.look()
    assert caplog.records[-1].message == "this machine's clock agrees with the store's"


def test_a_clock_that_is_nearly_right_is_nobodys_concern(caplog: pytest.LogCaptureFixture) -> None:
    """A few seconds are told to nobody."""
    times = Times(OFF - timedelta(seconds=1))
    times.made().look()
    assert caplog.text == ""


@pytest.mark.parametrize("step", [timedelta(hours=-1), timedelta(hours=1)])
def test_a_daemon_alone_goes_by_its_machine_and_notices_steps(
    step: timedelta, caplog: pytest.LogCaptureFixture
) -> None:
    """It is told once, and the time is what the machine says."""
    times = Times(shared=False)
    clock = times.made()
    assert clock.look() == timedelta(0)
    times.passes(10)
    assert clock.look() == timedelta(0)
    times.off = step
    times.passes(10)
    assert clock.look() == step
    assert clock.look() == timedelta(0)
    assert clock.now() == times.wall()
    assert caplog.text.count(f"the machine's clock was set by {step.total_seconds():+.0f} s") == 1


def test_a_store_whose_clock_is_set_is_followed(caplog: pytest.LogCaptureFixture) -> None:
    """As after a failover to a server whose clock is another one."""
    times = Times()
    clock = times.made()
    clock.look()
    base: Callable[[], datetime | None] = times.clock
    times.clock = lambda: (base() or NOW) - timedelta(minutes=2)
    assert clock.look() == timedelta(minutes=-2)
    assert clock.now() == times.true - timedelta(minutes=2)
    assert "the store's clock was set by -120 s" in caplog.text
