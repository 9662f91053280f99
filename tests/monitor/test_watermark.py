"""Whether a source that knows arrivals is behind: not every silence is lateness."""

from __future__ import annotations

import numpy as np
import pytest

from monitor.buckets import DAY, WEEK, Grid, to_datetime
from monitor.watermark import behind, same_places
from tests.monitor.world import BEGIN, HOUR

USUAL = np.array([900.0, 1100.0, 1000.0, 950.0])


def verdict(came: float = 0.0, usual: np.ndarray = USUAL, last: float | None = -600.0) -> str:
    """Of an hour beginning at BEGIN; `last` is the last arrival in seconds from then, None where nothing ever came."""
    return behind(came, usual, BEGIN, BEGIN + HOUR, None if last is None else to_datetime(int(BEGIN + last)))


def test_a_silence_of_the_whole_table_is_lateness():
    """Nothing of the hour came, and nothing else since before it: it says since when."""
    assert verdict() == "nothing has arrived since 2026-01-04 23:50 UTC"
    assert verdict(last=None) == "nothing has arrived"


def test_what_arrives_elsewhere_proves_that_the_source_is_not_behind():
    """Older events arrived within the hour: what is missing is missing."""
    assert verdict(last=0.5 * HOUR) == ""


def test_a_source_that_stopped_early_in_the_hour_is_behind():
    """A tenth of the usual, and the last arrival in the first tenth."""
    assert verdict(came=100, last=0.1 * HOUR)
    assert verdict(came=100, last=0.5 * HOUR) == ""


@pytest.mark.parametrize("came", [300.0, 1000.0])
def test_an_hour_of_which_enough_came_is_known(came):
    """Whatever the time of the last arrival: some tables note the hour only."""
    assert verdict(came=came) == ""


@pytest.mark.parametrize("usual", [[], [1000.0], [1000.0, 0.0, 900.0, 1100.0], [19.0, 25.0, 30.0]])
def test_a_usual_silence_says_nothing(usual):
    """A table that is silent at this hour in some weeks, has few events or too short a past is judged as it is."""
    assert verdict(usual=np.array(usual)) == ""


@pytest.mark.parametrize("zone", ["UTC", "Europe/Oslo"])
def test_places_are_those_of_the_past_weeks(zone):
    """Four of them, ascending, on the grid; over a change of clocks days stay days."""
    hours = Grid(HOUR, zone)
    assert same_places(hours, BEGIN).tolist() == [BEGIN - week * WEEK for week in (4, 3, 2, 1)]
    days = Grid(DAY, zone)
    bucket = days.floor(BEGIN + 86 * DAY)  # the last Sunday of March is in between
    assert [days.position(np.array([at]))[0] for at in same_places(days, bucket)] == [
        days.position(np.array([bucket]))[0]
    ] * 4
