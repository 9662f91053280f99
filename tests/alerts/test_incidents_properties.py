"""No sequence of assessments doubles, loses, or jams an incident."""

from dataclasses import replace
from datetime import timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from alerts.incidents import FAMILIES, Family, StepPolicy, step
from alerts.model import Change, Kind, Recovery, State
from rules.slices import Slice
from tests.alerts.make import History, assess, blind, finding, tick

VALUES = {"device": ("ios", "tv"), "country": ("NO", "SE", None), "os": ("1",)}


@st.composite
def slices(draw) -> Slice:
    names = draw(st.sets(st.sampled_from(sorted(VALUES)), max_size=3))
    return Slice(tuple((name, draw(st.sampled_from(VALUES[name]))) for name in VALUES if name in names))


@st.composite
def moves(draw):
    """What a tick says, open incidents named by position: the test knows their ids only once it gets there."""
    found = draw(
        st.lists(
            st.tuples(
                slices(),
                st.sampled_from([Kind.DROP, Kind.DROP, Kind.SPIKE, Kind.MOVED, Kind.RENAMED]),
                st.sampled_from(["count", "sum(visits)"]),
                st.one_of(st.none(), st.integers(0, 5)),
                st.integers(0, 3),
                st.lists(slices(), max_size=1),
            ),
            max_size=4,
        )
    )
    return draw(st.sampled_from([False, False, False, True])), found, draw(st.sets(st.integers(0, 5)))


def said(history: History, hour: int, move):
    """The assessment that a drawn move means for the incidents open now."""
    dark, found, good = move
    ids = [i.id for i in history.open]
    at = lambda n: ids[n % len(ids)] if ids and n is not None else None  # noqa: E731  # one line, used twice
    findings = [
        finding(where, kind=kind, metric=metric, continues=at(n), since=tick(hour - back), also=tuple(also))
        for where, kind, metric, n, back, also in found
    ]
    assessment = assess(hour, *findings, unseen=blind(hour) if dark else None)
    names = sorted({ids[n % len(ids)] for n in good} if ids else ())
    return replace(assessment, recoveries=tuple(Recovery(n, tick(hour), 1.0, 2.0) for n in names))


policies = st.builds(
    StepPolicy,
    for_=st.integers(0, 2),
    keep_firing_for=st.integers(0, 2),
    accept_after=st.sampled_from([timedelta(days=14), timedelta(hours=3)]),
)


def check_identity(history: History) -> None:
    keys = [(i.rule, i.metric, FAMILIES[i.kind], i.cause) for i in history.open]
    assert len(keys) == len(set(keys))
    assert sum(1 for i in history.open if FAMILIES[i.kind] is Family.SOURCE) <= 1


def check_step(history: History, before: dict, made, *, dark: bool) -> None:
    seqs: dict[str, int] = {name: incident.seq for name, incident in before.items()}
    for transition in made:
        name = transition.incident.id
        assert transition.incident.seq == seqs.get(name, 0) + 1
        seqs[name] = transition.incident.seq
        assert name not in before or before[name].state is not State.RESOLVED
        source = FAMILIES[transition.incident.kind] is Family.SOURCE
        assert not dark or source or transition.change is Change.FROZEN
    frozen = {i.state is State.UNKNOWN for i in history.open if FAMILIES[i.kind] is not Family.SOURCE}
    assert frozen <= {dark}


@settings(max_examples=80, deadline=None)
@given(policies, st.lists(moves(), max_size=8))
def test_incidents_stay_single_ordered_and_resolvable(policy, script):
    """One open incident per cause; seq counts up by one; the dark only freezes; recoveries close all in the end."""
    history = History(policy)
    for hour, move in enumerate(script, start=1):
        before, assessment = dict(history.incidents), said(history, hour, move)
        assert step(history.open, assessment, policy) == step(history.open, assessment, policy)
        made = history.see(assessment)
        check_identity(history)
        check_step(history, before, made, dark=move[0])
    for hour in range(len(script) + 1, len(script) + 5):
        history.see(assess(hour, good=[i.id for i in history.open]))
    assert history.open == ()


@settings(max_examples=50, deadline=None)
@given(st.lists(moves(), max_size=6), st.randoms(use_true_random=False))
def test_the_order_of_findings_and_incidents_does_not_matter(script, rng):
    """The same facts in any order make the same incidents."""
    history = History()
    for hour, move in enumerate(script, start=1):
        assessment = said(history, hour, move)
        shuffled = list(assessment.findings)
        rng.shuffle(shuffled)
        opened = list(history.open)
        rng.shuffle(opened)
        other = step(opened, replace(assessment, findings=tuple(shuffled)), history.policy)
        assert history.see(assessment) == other


@settings(max_examples=50, deadline=None)
@given(policies, st.lists(moves(), max_size=8))
def test_every_fired_incident_has_one_opening_and_at_most_one_end(policy, script):
    """Nothing resolves that never opened, and nothing opens twice."""
    history = History(policy)
    for hour, move in enumerate(script, start=1):
        history.see(said(history, hour, move))
    for incident in history.incidents.values():
        told = [t.change for t in history.transitions if t.incident.id == incident.id]
        assert told.count(Change.OPENED) == (incident.raised_at is not None)
        ends = [c for c in told if c in {Change.RESOLVED, Change.ACCEPTED, Change.ABSORBED, Change.WITHDRAWN}]
        assert len(ends) == (incident.state is State.RESOLVED)
        assert (Change.WITHDRAWN in told) <= (incident.raised_at is None)
        assert (Change.ACCEPTED in told) == (incident.accepted_at is not None)
        if incident.accepted_at is not None:
            assert incident.accepted_at - incident.raised_at - incident.unknown_for >= policy.accept_after
