"""The page of an incident as plain data: which message stands there, what happened, what is like it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from alerts.marks import new_mark
from alerts.model import Actor, Change, Decision, Kind, Reason, State, Transition
from alerts.silences import Scope
from dashboards.views.incident import Sent, Share, alike, as_it_stands, deliveries, ranked, timeline
from dashboards.views.post_mortem import plain
from rules.slices import Slice
from tests.alerts.make import START, cause, tick
from tests.monitor.store.make import incident

KARI = Actor("web", "kari", "Kari")


def step(change: Change, hours: float, item=None) -> Transition:
    return Transition(item or incident(seq=int(hours)), change, tick(hours), f"because {change.value}")


def test_what_lasts_is_told_as_it_is_now_and_what_is_over_by_its_end():
    """An open incident has the numbers of the newest step; a resolved one is told as its end was."""
    steps = [step(Change.OPENED, 1), step(Change.WIDENED, 2)]
    now = incident(seq=3, observed=5.0)
    assert as_it_stands(now, steps) == Transition(now, Change.OPENED, now.tick, "")
    over = replace(now, state=State.RESOLVED, resolved_at=tick(4))
    assert as_it_stands(over, [*steps, step(Change.RESOLVED, 4)]).change is Change.RESOLVED
    assert as_it_stands(replace(over, resolved_at=None), [step(Change.RESOLVED, 4)]).change is Change.OPENED


def test_the_timeline_tells_steps_marks_and_arrivals_in_their_order():
    """What only brings numbers up to date is left out, and so is what has not arrived."""
    mark = new_mark("app 7.3", START - timedelta(hours=1), Scope(), KARI)
    lines, unsaid = deliveries(
        [step(Change.OPENED, 1), step(Change.CONFIRMED, 2)],
        [
            Decision("i-1", 1, "team", True, Reason.NEW, "found", tick(1)),
            Decision("i-1", 1, "boss", True, Reason.NEW, "found", tick(1)),
            Decision("i-1", 2, "", False, Reason.NOT_NEWS, "nothing new", tick(2)),
        ],
        [Sent("team", 1, "done", 1, tick(1.5), ""), Sent("boss", 1, "dead", 9, tick(3), "410 gone")],
    )
    assert unsaid == 1
    assert [(line.receiver, line.state, line.error) for line in lines] == [
        ("team", "done", ""),
        ("boss", "dead", "410 gone"),
    ]
    shown = timeline([step(Change.OPENED, 1), step(Change.CONFIRMED, 2)], [mark], [], lines)
    assert [(entry.kind, entry.text) for entry in shown] == [
        ("mark", "app 7.3, says Kari"),
        ("opened", "because opened"),
        ("told", "team: opened"),
    ]


def test_alike_is_what_overlaps_and_is_of_the_same_kind():
    """The same cause first, then narrower ones and wider ones; another value, metric or kind is not like it."""
    mine = incident("mine", cause=cause(device="ios"))
    others = [
        incident("wide", cause=Slice()),
        incident("narrow", cause=cause(device="ios", country="NO")),
        incident("other", cause=cause(device="tv")),
        incident("spike", cause=cause(device="ios"), kind=Kind.SPIKE),
        incident("sum", cause=cause(device="ios"), metric="sum(ms)"),
        incident("moved", cause=cause(device="ios"), kind=Kind.MOVED),
        mine,
    ]
    found = alike(mine, others)
    assert [(item.line.id, item.how) for item in found] == [
        ("moved", "same cause"),
        ("narrow", "narrower"),
        ("wide", "wider"),
    ]


def test_the_cause_stands_first_and_few_values_are_shown():
    """Then those that changed most; how many are left out is said."""
    shares = [Share(str(n), cause(device=str(n)), 100.0 - n, 100.0, None, None) for n in range(12)]
    shown = ranked("device", [*shares, replace(shares[1], is_cause=True)], beside=True)
    assert [share.value for share in shown.shares] == ["1", "11", "10", "9", "8", "7", "6", "5"]
    assert shown.more == 5


@given(st.text())
def test_text_from_outside_adds_no_mark_up_to_markdown(text):
    """Every sign that Markdown or HTML reads is escaped, and there is one line."""
    shown = plain(text)
    bare = shown.replace("\\\\", "")
    for sign in "`*_[]<>#|":
        assert bare.count(sign) == bare.count(f"\\{sign}")
    assert "\n" not in shown
