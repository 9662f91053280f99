"""Silences and maintenance: what they cover, when they hold, and what is told once they are over."""

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given

from alerts.actions import RefusedError
from alerts.model import Actor, Change, Incident, Reason, Transition
from alerts.operations import Maintenance, Operations
from alerts.plan import Around, Routes, plan
from alerts.reminders import Telling, remind
from alerts.silences import Scope, Silence, new_silence, silenced_since, silencing
from rules.cron import Cron
from rules.model import Mute, Rule, Severity, SourceRef, Timestamp
from rules.problem import Place
from rules.slices import Slice
from tests.alerts.make import History, assess, cause, finding, tick
from tests.alerts.test_incidents_properties import slices

KARI = Actor("cli", "kari", "Kari")
RULE = Rule(
    "playback_volume@ios",
    SourceRef("lake", ("ios",)),
    Timestamp("t"),
    ("device", "country"),
    Place("rules/a.yaml"),
    owner="recs",
    labels=(("tier", "1"),),
    notify=tuple((severity, ("team",)) for severity in Severity),
)
IOS_NO = cause(device="ios", country="NO")


def silence(scope: Scope | None = None, starts: float = 0, ends: float = 5) -> Silence:
    return new_silence(scope or Scope(), KARI, tick(starts), tick(starts), tick(ends), "app 7.3 is rolled back")


def opened(at: Slice = IOS_NO, hour: float = 1) -> Transition:
    (made,) = History().see(assess(hour, finding(at)))
    return made


def decided(made: Transition, *silences: Silence, told: tuple[str, ...] = ()):
    routes = Routes.of(RULE, Operations(), Around(silences=silences))
    (decision,) = plan([made], routes, made.at, {made.incident.id: told})
    return decision


def test_a_silence_holds_with_its_author_and_reason():
    """Within it, the end not included; told as ever before and after."""
    held = decided(opened(), silence())
    assert (held.send, held.reason) == (False, Reason.SILENCED)
    assert held.because.startswith("silenced until 23 Nov 19:00 UTC by Kari: app 7.3 is rolled back (sl-")
    assert decided(opened(hour=5), silence()).send
    assert decided(opened(), silence(starts=2)).send


@pytest.mark.parametrize(
    ("scope", "held"),
    [
        (Scope(), True),
        (Scope("playback_*"), True),
        (Scope("playback_volume"), True),
        (Scope("playback"), False),
        (Scope(owner="recs", labels=(("tier", "1"),)), True),
        (Scope(owner="search"), False),
        (Scope(labels=(("tier", "2"),)), False),
        (Scope(slice=cause(device="ios")), True),
        (Scope(slice=IOS_NO), True),
        (Scope(slice=cause(country="NO", device="ios")), True),
        (Scope(slice=cause(device="tv")), False),
    ],
)
def test_what_a_silence_covers(scope, held):
    """Rules by pattern, all given of owner and labels, and a slice with its children."""
    assert decided(opened(), silence(scope)).send is not held


def test_a_silence_of_a_part_is_none_of_the_whole():
    """All of ios is told while ios in Norway is silenced."""
    assert decided(opened(cause(device="ios")), silence(Scope(slice=IOS_NO))).send


@given(slices(), slices())
def test_a_silence_covers_exactly_the_children(wide, narrow):
    """For any two slices: it holds where each event of the one is one of the other."""
    incident = replace(opened().incident, cause=narrow)
    covered = silencing(incident, [silence(Scope(slice=wide))], tick(1)) is not None
    assert covered == (set(wide.terms) <= set(narrow.terms))


def test_the_end_of_what_was_told_before_is_told():
    """Whoever knows it reads that it is over; who does not is not told of an end."""
    end = replace(opened(), change=Change.RESOLVED)
    assert decided(end, silence(), told=("team",)).send
    assert decided(end, silence()).reason is Reason.NEVER_SENT


def test_a_broken_silence_silences_nothing():
    """What cannot be worked out fails open."""
    routes = Routes((("warning", ("team",)),), around=Around(silences=(None,)))
    (decision,) = plan([opened()], replace(routes, notify=RULE.notify), tick(1))
    assert decided(opened(), silence()).send is False
    assert decision.send


def again(incident: Incident, telling: Telling, hour: float, *silences: Silence):
    return remind([incident], (), {incident.id: telling}, tick(hour), timedelta(0), lambda _: None, silences)


def test_what_was_told_before_a_silence_is_told_at_its_end():
    """It says who had silenced it and why; once, and not of a silence that was over before it was told."""
    incident, over = opened().incident, silence(starts=2, ends=4)
    assert again(incident, Telling(tick(1)), 3.9, over) == ()
    (released,) = again(incident, Telling(tick(1)), 4, over)
    assert released.change is Change.RELEASED
    assert released.because == (
        "silenced until 23 Nov 18:00 UTC by Kari: app 7.3 is rolled back; that is over, and it is still bad"
    )
    assert again(incident, Telling(tick(4)), 5, over) == ()
    assert silenced_since(incident, [over], tick(4), tick(5)) is None
    assert again(incident, Telling(tick(1)), 4, replace(over, scope=Scope(slice=cause(device="tv")))) == ()


@pytest.mark.parametrize(
    ("ends", "reason", "told"),
    [(5, " ", "says why"), (-1, "x", "is over"), (24 * 100, "x", "at most 92 days")],
)
def test_a_silence_that_would_hold_nothing_or_for_ever_is_refused(ends, reason, told):
    """No reason, no time, too long: each in a sentence."""
    with pytest.raises(RefusedError, match=told):
        new_silence(Scope(), KARI, tick(0), tick(0), tick(ends), reason)


def test_maintenance_holds_many_rules_by_the_clock_of_its_zone():
    """From 15:00 in Oslo, an hour: by pattern and owner."""
    window = Maintenance(
        Mute(Cron.parse("0 16 * * *"), timedelta(hours=1), "upgrade"), "Europe/Oslo", ("play*",), "recs"
    )
    made = opened()
    (held,) = plan([made], Routes.of(RULE, Operations(maintenance=(window,))), made.at)
    assert (held.reason, held.because) == (Reason.MAINTENANCE, "maintenance until 23 Nov 16:00 UTC: upgrade")
    for other in (replace(window, rules=("shop",)), replace(window, owner="search"), replace(window, timezone="UTC")):
        (sent,) = plan([made], Routes.of(RULE, Operations(maintenance=(other,))), made.at)
        assert sent.send
