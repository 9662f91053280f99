"""No sequence of assessments doubles, loses, or jams an incident."""

from dataclasses import replace
from datetime import timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from alerts.actions import HUSHED, RefusedError, acknowledge, dismiss, expired, reopen, snooze
from alerts.incidents import FAMILIES, Family, StepPolicy, step
from alerts.model import Actor, Change, Decision, Feedback, Incident, Kind, Recovery, State, Transition
from alerts.plan import Around, Routes, plan
from alerts.reminders import remind, tellings
from rules.model import Severity
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
                st.sets(st.integers(0, 5), max_size=2),
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
        replace(
            finding(where, kind=kind, metric=metric, continues=at(n), since=tick(hour - back), also=tuple(also)),
            apart=tuple(sorted({ids[m % len(ids)] for m in apart})) if ids else (),
        )
        for where, kind, metric, n, back, also, apart in found
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


ROUTES = Routes(tuple((severity, ("team",)) for severity in Severity))
KARI = Actor("cli", "kari", "Kari")
ACTIONS = {
    "acknowledge": lambda i, at: acknowledge(i, KARI, at, timedelta(hours=2)),
    "snooze": lambda i, at: snooze(i, KARI, at, at + timedelta(hours=1)),
    "for ever": lambda i, at: snooze(i, KARI, at, None),
    "reopen": lambda i, at: reopen(i, KARI, at),
    "leave out": lambda i, at: dismiss(i, KARI, at, Feedback.LEAVE_OUT),
    "new normal": lambda i, at: dismiss(i, KARI, at, Feedback.NEW_NORMAL),
}
clicks = st.lists(st.tuples(st.sampled_from(sorted(ACTIONS)), st.integers(0, 5)), max_size=2)


class Desk:
    """A history with its decisions: what a store would hold."""

    def __init__(self, policy: StepPolicy) -> None:
        self.history, self.decisions = History(policy), list[Decision]()

    def told(self) -> dict[str, tuple[str, ...]]:
        return {d.incident: (d.receiver,) for d in self.decisions if d.send}

    def keep(self, made: tuple[Transition, ...], at) -> None:
        known = tuple(i for i in self.history.incidents.values() if i.feedback is not None)
        self.decisions += plan(made, replace(ROUTES, around=Around(dismissed=known)), at, self.told())
        for transition in made:
            self.history.incidents[transition.incident.id] = transition.incident

    def click(self, name: str, n: int, at) -> None:
        """One action on some incident, open or not, that arrives twice."""
        known = list(self.history.incidents.values())
        for _ in range(2 if known else 0):
            before: Incident = self.history.incidents[known[n % len(known)].id]
            try:
                made = ACTIONS[name](before, at)
            except RefusedError:
                continue
            if made is not None:
                assert made.incident.seq == before.seq + 1
                self.keep((made,), at)

    def tick(self, assessment) -> None:
        made, at = self.history.see(assessment), assessment.tick
        over = expired(self.history.open, at)
        for transition in over:
            self.history.incidents[transition.incident.id] = transition.incident
        again = remind(
            self.history.open, (*made, *over), tellings(self.decisions), at, timedelta(hours=3), lambda _: None
        )
        self.keep((*made, *over, *again), at)


@settings(max_examples=80, deadline=None)
@given(policies, st.lists(st.tuples(moves(), clicks), max_size=8))
def test_no_action_doubles_loses_or_jams_an_incident(policy, script):
    """Whatever people do between ticks: single, ordered, each end told to whoever heard the beginning, none left open."""
    desk = Desk(policy)
    for hour, (move, acts) in enumerate(script, start=1):
        desk.tick(said(desk.history, hour, move))
        check_identity(desk.history)
        for name, n in acts:
            desk.click(name, n, tick(hour + 0.4))
            check_identity(desk.history)
        for incident in desk.history.incidents.values():
            hushed = incident.state in HUSHED or incident.frozen_state in HUSHED
            assert not hushed or incident.hush is not None
    for hour in range(len(script) + 1, len(script) + 5):
        desk.tick(assess(hour, good=[i.id for i in desk.history.open]))
    assert desk.history.open == ()
    keys = [(d.incident, d.seq, d.receiver) for d in desk.decisions]
    assert len(keys) == len(set(keys))
    for incident in desk.history.incidents.values():
        mine = [d for d in desk.decisions if d.incident == incident.id]
        assert mine[-1].send == any(d.send for d in mine)
        assert incident.raised_at is None or incident.feedback is not None or any(d.send for d in mine) or _held(mine)


def _held(decisions: list[Decision]) -> bool:
    """Whether it was never told because it goes on from what was called no problem, or closed within its first tick."""
    return {d.reason.value for d in decisions} <= {"no-problem", "not-news", "never-sent", "snoozed", "direction"}
