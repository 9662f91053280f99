"""The oracle is content with a run as it should be, and with no other."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.chaos.oracle import Expected, Incident, Outage, Run, Seen, Told, Wanted, judge
from tests.chaos.plan import SHORT, draw, rule_name
from tests.chaos.world import BEGIN, BUCKET, due_at, start_of

PLAN = draw(7, SHORT)
RULES = tuple(rule_name(number) for number in range(SHORT.rules))
TICKS = tuple(BEGIN + number * BUCKET for number in range(SHORT.buckets + 4))
BLIND = (TICKS[2], TICKS[4])
"""From one tick to the one at which the source answered again, its rule `RULES[0]`."""
WANTED = Wanted(
    tuple(Expected(loss, start_of(loss.begin), start_of(loss.end)) for loss in PLAN.losses),
    (Outage(frozenset(RULES[:1]), BLIND[0], BLIND[1] - timedelta(minutes=10)),),
    RULES,
    TICKS,
    BUCKET,
)


def as_it_should_be() -> Seen:
    """Every tick evaluated, every loss and the outage one incident, told when it began and when it ended."""
    runs = [
        Run(rule, tick, "blind" if rule == RULES[0] and BLIND[0] <= tick < BLIND[1] else "ok")
        for rule in RULES
        for tick in TICKS
    ]
    incidents = [
        Incident(
            f"sw-{number}",
            loss.rule,
            "drop",
            (loss.cause,),
            start_of(loss.begin),
            start_of(loss.end),
            due_at(loss.begin),
            due_at(loss.end),
        )
        for number, loss in enumerate(PLAN.losses)
    ]
    incidents.append(Incident("sw-blind", RULES[0], "blind", ({},), BLIND[0] - BUCKET, BLIND[1], *BLIND))
    told = [
        news
        for incident in incidents
        for news in (
            Told("#team", incident.id, 1, f"CRITICAL {incident.rule}", "post"),
            Told("#team", incident.id, 2, f"RESOLVED {incident.rule}", "edit"),
            Told("#team", incident.id, 2, f"RESOLVED {incident.rule}", "reply"),
        )
    ]
    return Seen(tuple(runs), tuple(incidents), tuple(told))


def changed(which: int, **values) -> Seen:
    """With one incident changed."""
    seen = as_it_should_be()
    incidents = [replace(item, **values) if n == which else item for n, item in enumerate(seen.incidents)]
    return replace(seen, incidents=tuple(incidents))


def without_news(seen: Seen, key: str, *seqs: int) -> Seen:
    """With some messages lost."""
    return replace(seen, told=tuple(told for told in seen.told if told.key != key or told.seq not in seqs))


def test_a_run_as_it_should_be():
    """Nothing is wrong, and everything is counted."""
    found = judge(WANTED, as_it_should_be())
    assert found.faults == []
    assert (found.ticks, found.good, found.blind) == (len(RULES) * len(TICKS), len(RULES) * len(TICKS) - 2, 2)
    assert (found.injected, found.found, found.outages_told) == (SHORT.losses, SHORT.losses, 1)
    assert found.arrived == found.to_tell == 2 * (SHORT.losses + 1)
    assert found.repeated == 0


@given(st.integers(0, len(RULES) * len(TICKS) - 1))
def test_a_tick_that_was_not_evaluated(which):
    """Any run that is not there is a tick missed."""
    seen = as_it_should_be()
    found = judge(WANTED, replace(seen, runs=seen.runs[:which] + seen.runs[which + 1 :]))
    assert len(found.faults) == len(found.missed) == 1


def test_a_tick_that_was_blind_in_silence():
    """A run without an answer of its source, of which no incident says so, is a tick missed."""
    seen = as_it_should_be()
    runs = [
        replace(run, outcome="blind") if run.rule == RULES[1] and run.tick == TICKS[5] else run for run in seen.runs
    ]
    assert len(judge(WANTED, replace(seen, runs=tuple(runs))).missed) == 1


@given(st.integers(0, SHORT.losses - 1))
def test_an_incident_that_was_lost(which):
    """A loss without an incident."""
    seen = as_it_should_be()
    found = judge(WANTED, replace(seen, incidents=seen.incidents[:which] + seen.incidents[which + 1 :]))
    assert len(found.faults) == len(found.lost) == 1


@given(st.integers(0, SHORT.losses - 1))
def test_an_incident_that_is_there_twice(which):
    """Two incidents of one loss."""
    seen = as_it_should_be()
    twin = replace(seen.incidents[which], id="sw-twin")
    found = judge(WANTED, replace(seen, incidents=(*seen.incidents, twin)))
    assert found.faults == [f"doubled: {found.doubled[0]}"]


@pytest.mark.parametrize(
    "change",
    [{"causes": ({"device": "device-99"},)}, {"since": start_of(500), "until": start_of(501)}, {"rule": "stream-999"}],
)
def test_an_incident_of_something_else(change):
    """Of another slice, another time, or another rule: the loss is lost, and the incident has no cause."""
    found = judge(WANTED, changed(0, **change))
    assert (len(found.lost), len(found.uncalled)) == (1, 1)


@pytest.mark.parametrize(
    "change",
    [{"kind": "moved"}, {"resolved_at": None}, {"raised_at": None}, {"until": start_of(PLAN.losses[0].end + 1)}],
)
def test_an_incident_that_is_not_as_it_was(change):
    """Called otherwise, not over, never raised, or longer than it was."""
    found = judge(WANTED, changed(0, **change))
    assert len(found.wrong) == len(found.faults) == 1


def test_a_slice_may_go_by_another_of_its_names():
    """Where several slices are the same cells, any of their names will do."""
    loss = PLAN.losses[0]
    assert judge(WANTED, changed(0, causes=({"elsewhere": "x"}, loss.cause))).faults == []


def test_a_source_that_was_called_dead_and_was_not():
    """An incident of a source that did not fail, and one that is not over."""
    last = SHORT.losses
    other = changed(last, raised_at=TICKS[9], resolved_at=TICKS[10])
    assert len(judge(WANTED, other).uncalled) == 1
    assert len(judge(WANTED, changed(last, resolved_at=None)).wrong) == 1


def test_a_source_that_is_dead_twice_at_once():
    """Two incidents of one rule's source at the same time are one too many; one after the other they are not."""
    seen = as_it_should_be()
    other = replace(seen.incidents[-1], id="sw-other")
    assert len(judge(WANTED, replace(seen, incidents=(*seen.incidents, other))).doubled) == 2
    later = replace(other, raised_at=BLIND[1], resolved_at=TICKS[5])
    assert judge(WANTED, replace(seen, incidents=(*seen.incidents, later))).doubled == []


@given(st.integers(0, SHORT.losses))
def test_news_that_did_not_arrive(which):
    """Neither the beginning nor the end of an incident may be missing."""
    seen = as_it_should_be()
    key = seen.incidents[which].id
    assert len(judge(WANTED, without_news(seen, key, 2)).untold) == 1
    assert len(judge(WANTED, without_news(seen, key, 1, 2)).untold) == 2


def test_one_message_may_tell_both():
    """Where a receiver was dead meanwhile, what began and ended is one message."""
    seen = as_it_should_be()
    assert judge(WANTED, without_news(seen, seen.incidents[0].id, 1)).faults == []


def test_a_digest_tells_its_incidents():
    """What was told in a digest was told, and it is over when the digest is."""
    seen = as_it_should_be()
    key = seen.incidents[0].id
    told = [replace(item, key="digest-1") if item.key == key else item for item in seen.told]
    assert judge(WANTED, replace(seen, told=tuple(told), digests={key: frozenset({"digest-1"})})).faults == []
    assert len(judge(WANTED, replace(seen, told=tuple(told))).untold) == 2


def test_what_was_told_twice_is_counted_and_no_fault():
    """The same post, or the same reply, once more; an edit is heard by nobody."""
    seen = as_it_should_be()
    post, edit, reply = seen.told[:3]
    found = judge(WANTED, replace(seen, told=(*seen.told, post, edit, edit, reply)))
    assert found.faults == []
    assert found.repeated == 2


def test_what_arrived_after_later_news_is_counted():
    """A beginning that a person reads after the end."""
    seen = as_it_should_be()
    assert judge(WANTED, seen).disordered == 0
    assert judge(WANTED, replace(seen, told=(*seen.told, seen.told[0]))).disordered == 1
