"""A loss within one value of a column that the rule does not watch is told with that value."""

from __future__ import annotations

import io
from collections.abc import Callable
from datetime import timedelta

import numpy as np
import pandas as pd
import pytest
from sqlalchemy import func, select

from monitor.app import App
from monitor.query import SourceError
from monitor.store import schema
from rules.slices import Slice
from tests.monitor.commands.place import END, HOUR, OUTAGE, TOML, Place, at

pytestmark = pytest.mark.xdist_group("commands")

SHARES = {"akamai": 0.45, "fastly": 0.35, "cloudfront": 0.2}
SENTENCE = "is in cdn=fastly, which the rule does not watch: 0 events there"
TICK = OUTAGE[0] + 2 * HOUR
QUEUED = select(schema.outbox.c.part, func.count()).group_by(schema.outbox.c.part)


def with_networks(lost: Callable[[pd.DataFrame], pd.Series]) -> pd.DataFrame:
    """Hours of two devices in two countries through three networks, an id that is no name, and what the outage left."""
    hours = pd.date_range(END - timedelta(days=35), END, freq="h", inclusive="left").tz_localize(None)
    cells = pd.MultiIndex.from_product(
        [hours, ("ios", "tv"), ("NO", "SE"), SHARES], names=["event_time", "device", "country", "cdn"]
    )
    frame = cells.to_frame(index=False)
    usual = 4_000 * (1 + 0.5 * np.sin(frame["event_time"].dt.hour * np.pi / 12)) * frame["cdn"].map(SHARES)
    frame["events"] = np.random.default_rng(2).poisson(usual)
    frame["session_id"] = np.arange(len(frame)) % 7
    start, end = (moment.replace(tzinfo=None) for moment in OUTAGE)
    outage = (frame["event_time"] >= start) & (frame["event_time"] < end)
    return frame[~(outage & lost(frame))]


def fastly_of_ios(frame: pd.DataFrame) -> pd.Series:
    """One network's events of one device."""
    return (frame["device"] == "ios") & (frame["cdn"] == "fastly")


@pytest.fixture
def partly(fresh: Place) -> Place:
    """A lake in which ios has lost what came through one network, learned until then."""
    return learned(fresh, fastly_of_ios)


def learned(place: Place, lost: Callable[[pd.DataFrame], pd.Series]) -> Place:
    """A place that knows its lake up to the outage's first hour: the second one tells."""
    place.write_events(with_networks(lost))
    for hour in range(2):
        assert place.run("once", *at(OUTAGE[0] + hour * HOUR)).exit_code == 0
    return place


def test_the_value_that_has_lost_is_told(partly):
    """In one message, for nothing has left before it was known; `explain` has it as a step of its own."""
    done = partly.run("once", *at(TICK))
    assert done.stdout.count("CRITICAL playback_volume: device=ios dropped by") == 1
    assert SENTENCE in done.stdout
    assert "You hear of it only now" not in done.stdout
    (view,) = partly.lines("status")
    (incident,) = view["rules"][0]["open"]
    told = partly.run("explain", incident["id"]).stdout
    assert "% of the loss is in cdn=fastly, which the rule does not watch" in told


def test_who_has_heard_already_hears_it_after_that(partly):
    """The first message is queued before anything is asked: what is found is another one."""
    with App.open(partly.config, {}, io.StringIO()) as app:
        (rule,) = app.rules.rules
        asked = []
        source = app.source("lake")

        class Watching(type(source)):
            """The lake, with a look at what is in the outbox when a slice is asked for."""

            def count(self, query):
                if len(query.within):
                    with app.state.read() as tx:
                        asked.append((query.dimensions, tx.pairs(QUEUED)))
                return super().count(query)

        source.__class__ = Watching
        outcome = app.tick(rule, TICK)
    assert [dimensions for dimensions, _ in asked] == [("cdn",)]
    assert all(queued["text"] for _, queued in asked)
    assert [message.change.value for _, message in outcome.messages] == ["opened", "located"]


def test_nothing_is_said_where_several_values_have_lost(fresh):
    """Two networks of three: no single one is to be named."""
    learned(fresh, lambda frame: (frame["device"] == "ios") & (frame["country"] == "NO") & (frame["cdn"] != "akamai"))
    told = fresh.run("once", *at(TICK)).stdout
    assert "CRITICAL playback_volume: device=ios, country=NO dropped" in told
    assert "does not watch" not in told


def test_a_source_that_fails_at_it_changes_nothing(partly):
    """What was told stands."""
    with App.open(partly.config, {}, io.StringIO()) as app:
        (rule,) = app.rules.rules
        source = app.source("lake")

        class Failing(type(source)):
            """The lake, where it is asked for no slice."""

            def count(self, query):
                if query.within != Slice():
                    raise SourceError("too busy")
                return super().count(query)

        source.__class__ = Failing
        outcome = app.tick(rule, TICK)
    assert [message.change.value for _, message in outcome.messages] == ["opened"]
    assert not outcome.blind


def test_it_can_be_switched_off(partly):
    """By operators whose warehouse is dear."""
    partly.write("slicewatch.toml", f"{TOML}\n[alerts]\nlook_closer = false\n")
    told = partly.run("once", *at(TICK)).stdout
    assert "CRITICAL playback_volume: device=ios dropped" in told
    assert "does not watch" not in told
