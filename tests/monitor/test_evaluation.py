"""Whole ticks: a source, a store, and what is told."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest

from alerts.model import Change, Kind, Reason, State, TotalState
from alerts.operations import Operations
from monitor import store
from monitor.evaluation import Evaluator
from monitor.watched import Watched
from rules.model import Direction, Interval, Metric, SlicePolicy
from rules.slices import FOLDED, Slice
from tests.monitor.ticks import Ticks, told
from tests.monitor.world import BEGIN, HOUR, World, cause, world

SMALL = {"device": ("phone", "tablet", "tv", "web"), "country": ("NO", "SE", "DK"), "version": ("1", "2")}
N = 28 * 24 + 10
"""The first tick; all columns before are history."""
FRESH = world(SMALL)

Over = Callable[..., Ticks]


@pytest.fixture(scope="module")
def learned(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store that has counted four weeks of FRESH."""
    path = tmp_path_factory.mktemp("learned") / "state.db"
    state = store.Store.open(f"sqlite:///{path}")
    Ticks.over(FRESH, state).learn(N)
    state.close()
    return path


@pytest.fixture
def over(learned: Path, tmp_path: Path) -> Over:
    """Ticks over a world whose first four weeks are those of FRESH, each in a file store of its own."""
    opened: list[store.Store] = []

    def make(made: World, name: str = "state", **rule) -> Ticks:
        path = tmp_path / f"{name}.db"
        if not path.exists():
            shutil.copy(learned, path)
        opened.append(store.Store.open(f"sqlite:///{path}"))
        return Ticks.over(made, opened[-1], **rule)

    yield make
    for state in opened:
        state.close()


def tv_outage(first: int = 3, stop: int | None = 7) -> World:
    """FRESH with no event of tv in hours [first, stop) after the first tick."""
    return FRESH.scaled(0.0, N + first, None if stop is None else N + stop, device="tv")


# --- what is told ----------------------------------------------------------------------------------------------


def test_a_dead_device_is_one_drop_and_resolves(over):
    """One incident, its cause the device and nothing narrower, from its first bad hour to its last."""
    ticks = over(tv_outage()).run(range(N, N + 14))
    assert told(ticks.transitions) == [("opened", "drop", "device=tv"), ("resolved", "drop", "device=tv")]
    (incident,) = ticks.incidents
    assert ticks.column(incident.since) == N + 3
    assert ticks.column(incident.until) == N + 7
    assert incident.raised_at == ticks.at(N + 3)
    assert incident.resolved_at == ticks.at(N + 8)
    assert incident.observed == 0
    true = FRESH.mean[FRESH.inside(device="tv"), N + 3 : N + 7].sum()
    assert incident.expected == pytest.approx(true, rel=0.1)


def test_a_hidden_loss_says_that_the_total_is_stable(over):
    """The others take over what tv had: the incident says so, names who grew, and nobody else is sent."""
    made = FRESH.shared_out(N + 2, None, {"device": "tv"}, {"device": ("phone", "tablet", "web")})
    ticks = over(made).run(range(N, N + 8))
    assert told(ticks.transitions) == [("opened", "drop", "device=tv")]
    (incident,) = ticks.incidents
    evidence = incident.evidence
    assert evidence.total_state is TotalState.STABLE
    assert {fact.slice.label() for fact in evidence.grew} == {"device=phone", "device=tablet", "device=web"}
    assert evidence.children_count > 3
    (first,) = [m for outcome in ticks.outcomes for _, m in outcome.messages]
    assert "device=tv" in first.push
    assert "stable" in first.push.lower()


def test_unaffected_siblings_are_named(over):
    """A plain loss: the other devices are fine."""
    ticks = over(tv_outage(stop=None)).run(range(N, N + 5))
    (incident,) = ticks.incidents
    assert {fact.slice.label() for fact in incident.evidence.fine} == {"device=phone", "device=tablet", "device=web"}
    assert incident.evidence.total_state is not TotalState.UP


def test_ordinary_days_raise_nothing(over):
    """A day and a half over midnight and a refit: no incident, no decision, no message."""
    ticks = over(FRESH).run(range(N, N + 28))
    assert ticks.transitions == []
    assert not any(outcome.decisions or outcome.messages for outcome in ticks.outcomes)


def test_no_rows_at_all_is_one_drop_on_the_total(over):
    """A table that answers with nothing: cause {}, kind drop, and no slice beside it; it resolves with the data."""
    ticks = over(FRESH.scaled(0.0, N + 2, N + 6)).run(range(N, N + 12))
    assert told(ticks.transitions) == [("opened", "drop", "total"), ("resolved", "drop", "total")]
    (incident,) = ticks.incidents
    assert incident.cause == Slice()
    assert incident.observed == 0
    assert ticks.column(incident.since) == N + 2


def test_two_outages_are_two_incidents_that_end_each_at_their_time(over):
    """Different devices, different hours."""
    made = tv_outage(2, 6).scaled(0.0, N + 4, N + 9, device="phone", country="SE")
    ticks = over(made).run(range(N, N + 16))
    ends = {i.cause.label(): (ticks.column(i.since), ticks.column(i.until)) for i in ticks.incidents}
    assert ends == {"device=tv": (N + 2, N + 6), "device=phone, country=SE": (N + 4, N + 9)}
    assert all(i.state is State.RESOLVED for i in ticks.incidents)


def test_a_loss_that_widens_is_the_same_incident(over):
    """First tv in Norway, three hours later all of tv: one incident whose cause widens."""
    made = FRESH.scaled(0.0, N + 2, None, device="tv", country="NO").scaled(0.0, N + 5, None, device="tv")
    ticks = over(made).run(range(N, N + 12))
    (incident,) = ticks.incidents
    assert incident.cause == cause(device="tv")
    assert [earlier.slice for earlier in incident.causes] == [cause(device="tv", country="NO")]
    assert told(ticks.transitions)[0] == ("opened", "drop", "device=tv, country=NO")
    assert ticks.column(incident.since) <= N + 2


def test_a_return_by_a_third_does_not_resolve(over):
    """A third of tv comes back: still bad; all of it: resolved."""
    made = FRESH.scaled(1 / 3, N + 6, N + 12, device="tv").scaled(0.0, N + 2, N + 6, device="tv")
    ticks = over(made).run(range(N, N + 16))
    (incident,) = ticks.incidents
    assert ticks.column(incident.until) == N + 12
    assert incident.resolved_at == ticks.at(N + 13)


@pytest.mark.parametrize("left", [0.0, 0.6])
def test_what_stays_lost_after_a_total_loss_is_told(over, left):
    """All is lost for an hour, of which tv stays away or short: the incident becomes that of tv, and goes on."""
    made = FRESH.scaled(left, N + 3, None, device="tv").scaled(0.0, N + 3, N + 4)
    ticks = over(made).run(range(N, N + 12))
    assert told(ticks.transitions) == [("opened", "drop", "total"), ("narrowed", "drop", "device=tv")]
    (incident,) = ticks.incidents
    assert (incident.state, ticks.column(incident.since)) == (State.FIRING, N + 3)
    inside = made.inside(device="tv")
    assert incident.observed == made.values[0, inside, N + 3 : N + 12].sum()


def test_each_part_that_stays_lost_is_told(over):
    """All is lost for an hour; tv stays away, and so does another device in one country: two incidents go on."""
    made = FRESH.scaled(0.0, N + 3, None, device="tv").scaled(0.0, N + 3, None, device="web", country="NO")
    ticks = over(made.scaled(0.0, N + 3, N + 4)).run(range(N, N + 12))
    still = [i.cause for i in ticks.incidents if i.state is State.FIRING]
    assert sorted(still, key=len) == [cause(device="tv"), cause(device="web", country="NO")]


def test_a_loss_that_begins_while_a_wider_one_comes_back_is_told_by_itself(over):
    """All is lost for two hours and then nearly back; meanwhile one slice is lost: an incident of its own, with its own end."""
    slow = FRESH.scaled(0.85, N + 4, N + 14)
    made = slow.scaled(0.0, N + 2, N + 4).scaled(0.0, N + 7, N + 11, device="tv", country="NO")
    ticks = over(made).run(range(N, N + 14))
    assert told(ticks.transitions) == [
        ("opened", "drop", "total"),
        ("opened", "drop", "device=tv, country=NO"),
        ("resolved", "drop", "device=tv, country=NO"),
    ]
    narrow = next(i for i in ticks.incidents if i.cause == cause(device="tv", country="NO"))
    assert narrow.raised_at <= ticks.at(N + 8)
    assert (ticks.column(narrow.since), ticks.column(narrow.until)) == (N + 7, N + 11)


@pytest.mark.parametrize("inner", [{"device": "tv"}, {"device": "tv", "country": "NO"}, {"country": "SE"}], ids=str)
@pytest.mark.parametrize("left", [0.7, 0.55])
def test_a_loss_that_begins_within_a_wider_partial_one_is_told_by_itself(over, inner, left):
    """All is short; hours later a slice has nothing: an incident of its own, which ends once it has what the others have."""
    made = FRESH.scaled(left, N + 2, N + 14).scaled(0.0, N + 7, N + 11, **inner)
    ticks = over(made).run(range(N, N + 17))
    name = cause(**inner).label()
    assert told(ticks.transitions) == [
        ("opened", "drop", "total"),
        ("opened", "drop", name),
        ("resolved", "drop", name),
        ("resolved", "drop", "total"),
    ]
    narrow = next(i for i in ticks.incidents if i.cause == cause(**inner))
    assert (ticks.column(narrow.since), ticks.column(narrow.until)) == (N + 7, N + 11)
    assert narrow.raised_at <= ticks.at(N + 8)


def test_a_wider_partial_loss_leaves_a_narrower_one_its_name(over):
    """A slice has nothing; hours later all is short: two incidents, and the slice's goes on when the wider one is over."""
    made = FRESH.scaled(0.65, N + 6, N + 10).scaled(0.0, N + 2, N + 14, device="tv", country="NO")
    ticks = over(made).run(range(N, N + 17))
    assert told(ticks.transitions) == [
        ("opened", "drop", "device=tv, country=NO"),
        ("opened", "drop", "total"),
        ("resolved", "drop", "total"),
        ("resolved", "drop", "device=tv, country=NO"),
    ]


def test_a_slice_that_is_back_to_what_the_rest_has_is_over(over):
    """A slice has nothing; then all is short; the slice comes back to what the others have: its incident ends, the wider one goes on."""
    made = FRESH.scaled(0.55, N + 5, N + 16).scaled(0.0, N + 2, N + 9, device="tv", country="NO")
    ticks = over(made).run(range(N, N + 14))
    (narrow,) = [i for i in ticks.incidents if i.cause == cause(device="tv", country="NO")]
    assert ticks.column(narrow.until) == N + 9
    assert narrow.resolved_at <= ticks.at(N + 11)
    (wide,) = [i for i in ticks.incidents if i.cause == Slice()]
    assert wide.state is State.FIRING


def test_a_loss_within_a_device_that_is_short_is_told_by_itself(over):
    """The wider one need not be everything."""
    made = FRESH.scaled(0.6, N + 2, N + 14, device="web").scaled(0.0, N + 7, N + 12, device="web", country="NO")
    ticks = over(made).run(range(N, N + 12))
    assert told(ticks.transitions) == [("opened", "drop", "device=web"), ("opened", "drop", "device=web, country=NO")]
    narrow = next(i for i in ticks.incidents if len(i.cause) == 2)
    assert narrow.raised_at <= ticks.at(N + 9)


def test_what_is_worse_from_the_beginning_is_part_of_the_wider_loss(over):
    """A device has nothing, and all is short by a third, at once: one incident, which is told of both."""
    made = FRESH.scaled(0.65, N + 2, N + 9).scaled(0.0, N + 2, N + 9, device="tv", country="NO")
    ticks = over(made).run(range(N, N + 12))
    assert told(ticks.transitions) == [
        ("opened", "drop", "device=tv, country=NO"),
        ("widened", "drop", "total"),
        ("resolved", "drop", "total"),
    ]


def test_what_has_not_come_back_altogether_is_no_loss_by_itself(over):
    """All is lost and then nearly back, one slice a little less than the rest: one incident, told once."""
    slow = FRESH.scaled(0.85, N + 4, N + 14).scaled(0.85, N + 7, N + 11, device="tv", country="NO")
    ticks = over(slow.scaled(0.0, N + 2, N + 4)).run(range(N, N + 14))
    assert told(ticks.transitions) == [("opened", "drop", "total")]


def test_a_long_outage_never_becomes_normal(over):
    """Two days, three refits: one incident, and it resolves after the return, not before."""
    ticks = over(tv_outage(2, 50)).run(range(N, N + 56))
    assert told(ticks.transitions) == [("opened", "drop", "device=tv"), ("resolved", "drop", "device=tv")]
    assert ticks.column(ticks.incidents[0].until) == N + 50


def test_spikes_are_told_where_the_rule_asks(over):
    """direction=drop keeps a spike to itself; spike and both tell it, and it resolves."""
    made = FRESH.scaled(3.0, N + 3, N + 8, country="SE")
    assert over(made, "drop").run(range(N, N + 12)).transitions == []
    ticks = over(made, "both", direction=Direction.BOTH).run(range(N, N + 14))
    assert told(ticks.transitions) == [("opened", "spike", "country=SE"), ("resolved", "spike", "country=SE")]
    losses = over(tv_outage(), "spike", direction=Direction.SPIKE).run(range(N, N + 8))
    assert not any(t.incident.kind is Kind.DROP for t in losses.transitions)


def test_growth_that_hides_a_loss_is_no_spike(over):
    """With both directions asked, what keeps the total stable is told with the loss, not beside it."""
    made = FRESH.shared_out(N + 2, None, {"device": "phone"}, {"device": ("tv", "tablet", "web")})
    ticks = over(made, direction=Direction.BOTH).run(range(N, N + 6))
    assert {(i.kind, i.cause) for i in ticks.incidents} == {(Kind.DROP, cause(device="phone"))}


def test_a_move_says_where_to(over):
    """Tv's events are reported as web from some hour on: moved, to device=web."""
    made = FRESH.relabelled(N + 3, dimension="device", old="tv", new="web")
    ticks = over(made).run(range(N, N + 8))
    (incident,) = ticks.incidents
    assert (incident.kind, incident.cause, incident.to) == (Kind.MOVED, cause(device="tv"), cause(device="web"))


def test_a_rename_is_told_once_and_inherits(over):
    """Tv is called television: renamed, closed once told; later nothing is missing, and a loss of the new name is."""
    made = FRESH.relabelled(N + 3, dimension="device", old="tv", new="television")
    made = made.scaled(0.0, N + 16, None, device="television")
    ticks = over(made).run(range(N, N + 16))
    (incident,) = ticks.incidents
    assert (incident.kind, incident.cause) == (Kind.RENAMED, cause(device="tv"))
    assert incident.to == cause(device="television")
    assert incident.state is State.RESOLVED
    assert incident.resolved_at <= incident.raised_at + timedelta(hours=1)
    before = len(ticks.transitions)
    ticks.run(range(N + 16, N + 20))
    assert told(ticks.transitions[before:]) == [("opened", "drop", "device=television")]


def test_counts_are_equal_after_a_rename(over):
    """Telling a rename changes how history is read, not what was counted."""
    made = FRESH.relabelled(N + 3, dimension="device", old="tv", new="television")
    ticks = over(made).run(range(N, N + 12))
    with ticks.state.read() as tx:
        terms = store.leaves(tx, ticks.rule.name).terms
        starts = made.starts[N - 48 : N + 12]
        stored = store.pages(tx, ticks.rule.name, starts, n_leaves=len(terms), measures=1).values[0]
    rows = [made.terms.index(item) for item in terms]
    np.testing.assert_array_equal(stored, made.values[0][rows][:, N - 48 : N + 12])


def test_same_cells_are_told_under_one_name():
    """Where all of tv is version tv1, the incident is device=tv, also known by the other names."""
    made = world(SMALL | {"version": ("1", "tv1")}, only=lambda t: (t[0] == "tv") == (t[2] == "tv1"))
    ticks = Ticks.over(made.scaled(0.0, N + 2, device="tv"), store.Store.open("sqlite://")).learn(N)
    ticks.run(range(N, N + 4))
    (incident,) = ticks.incidents
    assert incident.cause == cause(device="tv")
    assert cause(version="tv1") in incident.also
    ticks.state.close()


# --- the source ------------------------------------------------------------------------------------------------


def test_a_source_that_fails_is_one_blind_incident(over):
    """Three failing ticks: one blind incident, slice incidents frozen, nothing resolved; then all goes on."""
    ticks = over(tv_outage(1, 20))
    ticks.run(range(N, N + 4))
    ticks.source.broken = "connection refused"
    for column in range(N + 4, N + 7):
        outcome = ticks.tick(column)
        assert outcome.blind == "connection refused"
        assert outcome.judged == ()
    states = {i.kind: i.state for i in ticks.incidents}
    assert states == {Kind.DROP: State.UNKNOWN, Kind.BLIND: State.FIRING}
    ticks.source.broken = ""
    ticks.run(range(N + 7, N + 9))
    states = {i.kind: i.state for i in ticks.incidents}
    assert states == {Kind.DROP: State.FIRING, Kind.BLIND: State.RESOLVED}
    assert told(ticks.transitions) == [
        ("opened", "drop", "device=tv"),
        ("opened", "blind", "total"),
        ("frozen", "drop", "device=tv"),
        ("resolved", "blind", "total"),
        ("thawed", "drop", "device=tv"),
    ]


def test_a_blind_incident_ends_when_the_source_answers(over):
    """It was blind from its first failure to the first answer, though the buckets between are judged as if then."""
    ticks = over(FRESH).run(range(N, N + 2))
    ticks.source.broken = "timeout"
    ticks.run(range(N + 2, N + 6))
    ticks.source.broken = ""
    ticks.tick(N + 6)
    (blind,) = ticks.incidents
    assert blind.raised_at == ticks.at(N + 2)
    assert blind.resolved_at == ticks.at(N + 6)


def test_after_blindness_every_missed_bucket_is_judged(over):
    """An outage that began and ended while the source did not answer is recorded with its own times."""
    ticks = over(tv_outage(3, 7)).run(range(N, N + 2))
    ticks.source.broken = "timeout"
    ticks.run(range(N + 2, N + 10))
    ticks.source.broken = ""
    outcome = ticks.tick(N + 10)
    assert len(outcome.judged) == 9
    drop = next(i for i in ticks.incidents if i.kind is Kind.DROP)
    assert drop.state is State.RESOLVED
    assert (ticks.column(drop.since), ticks.column(drop.until)) == (N + 3, N + 7)


def test_blind_while_lost_resolves_nothing(over):
    """The device comes back while nobody can see it: resolved only after the source was asked again."""
    ticks = over(tv_outage(1, 5)).run(range(N, N + 4))
    ticks.source.broken = "timeout"
    ticks.run(range(N + 4, N + 12))
    assert not any(t.change is Change.RESOLVED for t in ticks.transitions)
    ticks.source.broken = ""
    ticks.run(range(N + 12, N + 14))
    assert next(i for i in ticks.incidents if i.kind is Kind.DROP).state is State.RESOLVED


def test_a_blind_tick_may_be_tried_again(over):
    """The same tick, once the source answers, is evaluated in full."""
    ticks = over(FRESH).run(range(N, N + 2))
    ticks.source.broken = "timeout"
    ticks.tick(N + 2)
    ticks.source.broken = ""
    outcome = ticks.tick(N + 2)
    assert not outcome.repeated
    assert len(outcome.judged) == 1
    assert ticks.incidents[0].state is State.RESOLVED


def test_only_new_and_ripening_buckets_are_asked_for(over):
    """A tick asks for its own bucket and for those that just reached a riper age, not for the history."""
    ticks = over(FRESH).run(range(N, N + 6))
    ticks.source.asked.clear()
    ticks.tick(N + 6)
    (query,) = ticks.source.asked
    starts = [(int(w.start.timestamp()) - BEGIN) // HOUR for w in query.windows]
    hours = sum((w.end - w.start) // timedelta(hours=1) for w in query.windows)
    assert starts[-1] == N + 6
    assert hours <= 4
    assert set(starts) <= {N + 6, N + 3, N + 6 - 24, N + 6 - 72}


# --- again, restarted, and without the future ---------------------------------------------------------------------


def test_a_tick_again_leaves_the_store_equal(over):
    """Row by row, while an incident is open, after it resolved, and at a refit."""
    ticks = over(tv_outage())
    for column in range(N, N + 16):
        ticks.tick(column)
        before = ticks.dump()
        again = ticks.tick(column)
        assert again.repeated
        assert again.transitions == ()
        ticks.restart()
        assert ticks.tick(column).repeated
        assert ticks.dump() == before


def test_a_repeated_tick_takes_what_came_late(over):
    """The source says more now: the page is replaced, verdicts stand."""
    ticks = over(tv_outage()).run(range(N, N + 5))
    incidents = ticks.incidents
    ticks.source.world = FRESH
    ticks.tick(N + 4)
    assert ticks.incidents == incidents
    with ticks.state.read() as tx:
        terms = store.leaves(tx, ticks.rule.name).terms
        stored = store.pages(tx, ticks.rule.name, FRESH.starts[N + 4 : N + 5], n_leaves=len(terms), measures=1)
    assert stored.values.sum() == FRESH.values[0][:, N + 4].sum()


def busy() -> World:
    """A loss, a partial one over midnight, a rename, and a spike."""
    made = tv_outage(3, 7).scaled(0.3, N + 9, N + 17, device="phone", country="SE")
    made = made.relabelled(N + 19, dimension="device", old="tablet", new="slate")
    return made.scaled(2.5, N + 23, N + 25, country="DK")


def test_a_restart_between_any_two_ticks_changes_nothing(over, tmp_path):
    """A new process with a reopened store at every tick: the same transitions, messages and rows."""
    through = over(busy(), "through", direction=Direction.BOTH).run(range(N, N + 28))
    broken = over(busy(), "broken", direction=Direction.BOTH)
    for column in range(N, N + 28):
        broken.tick(column)
        broken.state.close()
        broken.restart(store.Store.open(f"sqlite:///{tmp_path / 'broken.db'}"))
    assert len(through.transitions) > 10
    assert broken.transitions == through.transitions
    assert [o.messages for o in broken.outcomes] == [o.messages for o in through.outcomes]
    assert broken.dump() == through.dump()
    broken.state.close()


def test_the_future_changes_no_past_verdict(over):
    """Each tick over data that ends with its bucket: the same verdicts as over all of it (no look-ahead)."""
    through = over(busy(), "through").run(range(N, N + 28))
    cut = over(busy(), "cut")
    for column in range(N, N + 28):
        cut.source.until = int(cut.world.starts[column]) + HOUR
        cut.tick(column)
    assert cut.transitions == through.transitions
    assert cut.dump() == through.dump()


@pytest.mark.parametrize("gap", [range(N + 2, N + 8), range(N + 2, N + 24)])
def test_downtime_is_caught_up_bucket_by_bucket(over, gap):
    """A daemon that was down judges what it missed in order: the same incidents with the same times."""
    live = over(busy(), "live").run(range(N, N + 28))
    late = over(busy(), "late").run(column for column in range(N, N + 28) if column not in gap)

    def facts(ticks: Ticks):
        return [(i.kind, i.cause, i.to, i.since, i.until, i.raised_at, i.resolved_at) for i in ticks.incidents]

    assert facts(late) == facts(live)


def test_flags_of_buckets_caught_up_reach_the_refit_of_the_same_tick(over):
    """Down over midnight during an outage: the refit made on the way leaves the outage out, as it would have live."""
    made = tv_outage(2, None)
    live = over(made, "live").run(range(N, N + 18))
    late = over(made, "late").run([*range(N, N + 2), N + 17])
    assert told(late.transitions) == told(live.transitions) == [("opened", "drop", "device=tv")]
    with live.state.read() as tx, late.state.read() as other:
        as_of = int(FRESH.starts[29 * 24])
        assert store.fit(tx, "playback_volume", as_of) == store.fit(other, "playback_volume", as_of)


def test_two_processes_at_one_tick_write_it_once(over):
    """The second finds the tick done and adds nothing."""
    ticks = over(tv_outage()).run(range(N, N + 3))
    rival = Evaluator(Watched.of(ticks.rule, Operations("oncall")), ticks.source, ticks.state)
    ticks.tick(N + 3)
    before = ticks.dump()
    assert rival.evaluate(ticks.at(N + 3)).repeated
    assert ticks.dump() == before


# --- who is judged ---------------------------------------------------------------------------------------------


def test_a_slice_silent_in_history_is_not_tested(over):
    """A leaf that the store knows and that had no event in four weeks raises nothing by being silent."""
    made = FRESH.with_leaves([("fax", "NO", "1")])
    ticks = over(made)
    with ticks.state.write() as tx:
        store.add_leaves(tx, ticks.rule.name, [("fax", "NO", "1")], np.array([BEGIN]))
    ticks.run(range(N, N + 4))
    assert ticks.transitions == () if isinstance(ticks.transitions, tuple) else ticks.transitions == []


def newcomer(born: int, dies: int) -> World:
    """FRESH and a device that comes up `born` days before the end of history and dies so many hours after."""
    made = FRESH.with_leaves([("watch", c, "1") for c in SMALL["country"]])
    values, rows = made.values.copy(), made.inside(device="watch")
    values[:, rows, N - born * 24 : N + dies] = np.random.default_rng(9).poisson(800, (3, born * 24 + dies))
    return replace(made, values=values)


@pytest.mark.parametrize(("born", "causes"), [(10, []), (20, [cause(device="watch")])])
def test_a_new_slice_is_judged_after_fourteen_days(born, causes):
    """Ten days old it may go as it came; twenty days old its loss is told."""
    ticks = Ticks.over(newcomer(born, 3), store.Store.open("sqlite://")).learn(N)
    ticks.run(range(N, N + 6))
    assert [i.cause for i in ticks.incidents] == causes
    ticks.state.close()


def test_an_expected_slice_is_judged_at_once():
    """The ten days old device is told where the rule expects it."""
    expected = SlicePolicy(expected=(("device", ("watch",)),))
    ticks = Ticks.over(newcomer(10, 3), store.Store.open("sqlite://"), slices=expected).learn(N)
    ticks.run(range(N, N + 6))
    assert [i.cause for i in ticks.incidents] == [cause(device="watch")]
    ticks.state.close()


def test_an_expected_slice_is_known_by_any_of_its_names():
    """Expected as version=w, which is the same cells as device=watch: judged at once under its shorter name."""
    made = newcomer(10, 3)
    made = replace(made, terms=tuple((d, c, "w") if d == "watch" else (d, c, v) for d, c, v in made.terms))
    expected = SlicePolicy(expected=(("version", ("w",)),))
    ticks = Ticks.over(made, store.Store.open("sqlite://"), slices=expected).learn(N)
    ticks.run(range(N, N + 6))
    assert [i.cause for i in ticks.incidents] == [cause(device="watch")]
    assert ticks.incidents[0].also
    ticks.state.close()


def test_ignored_slices_are_counted_and_not_tested(over):
    """A loss of an ignored pair is not told; beside it, others are."""
    made = FRESH.scaled(0.0, N + 1, device="web", country="DK").scaled(0.0, N + 1, device="tv", country="SE")
    ticks = over(made, slices=SlicePolicy(ignore=(cause(device="web"),)))
    ticks.run(range(N, N + 5))
    assert cause(device="tv", country="SE") in [i.cause for i in ticks.incidents]
    assert cause(device="web") not in [i.cause for i in ticks.incidents]


# --- the cube and the measures ---------------------------------------------------------------------------------


def test_a_bounded_cube_keeps_the_total():
    """Ten leaves of 24 are kept: kept and folded sum to the total in every bucket, before and after the first tick."""
    made = FRESH.scaled(0.0, N + 3, N + 6, device="tv")
    ticks = Ticks.over(made, store.Store.open("sqlite://"), slices=SlicePolicy(max=10)).learn(N)
    ticks.run(range(N, N + 8))
    with ticks.state.read() as tx:
        terms = store.leaves(tx, ticks.rule.name).terms
        starts = made.starts[N - 600 : N + 8]
        stored = store.pages(tx, ticks.rule.name, starts, n_leaves=len(terms), measures=1).values[0]
    assert len(terms) == 11
    assert terms.count((FOLDED,) * 3) == 1
    np.testing.assert_array_equal(stored.sum(axis=0), made.values[0][:, N - 600 : N + 8].sum(axis=0))
    largest = np.argsort(-made.values[0][:, :N].sum(axis=1))[:10]
    assert set(terms) - {(FOLDED,) * 3} == {made.terms[r] for r in largest}
    ticks.state.close()


def test_a_flood_of_new_values_folds(over):
    """Hundreds of new leaves in one run take only the room there is; the total stays."""
    flood = [("bot", "NO", str(n)) for n in range(300)]
    made = FRESH.with_leaves(flood)
    values = made.values.copy()
    values[:, made.inside(device="bot"), N + 1 :] = 1
    ticks = over(replace(made, values=values), slices=SlicePolicy(max=40)).run(range(N, N + 4))
    with ticks.state.read() as tx:
        terms = store.leaves(tx, ticks.rule.name).terms
        stored = store.pages(tx, ticks.rule.name, made.starts[N : N + 4], n_leaves=len(terms), measures=1).values[0]
    assert len(terms) == 41
    np.testing.assert_array_equal(stored.sum(axis=0), values[0][:, N : N + 4].sum(axis=0))


def test_a_rule_of_two_metrics_judges_each():
    """Plays go on, visits of tv stop: one incident, of that metric."""
    made = world(SMALL, metrics=2)
    values = made.values.copy()
    values[1, made.inside(device="tv"), N + 2 : N + 6] = 0
    metrics = (Metric("count"), Metric("sum", "visits"))
    ticks = Ticks.over(replace(made, values=values), store.Store.open("sqlite://"), metrics=metrics).learn(N)
    ticks.run(range(N, N + 10))
    assert [(i.metric, i.cause, i.state) for i in ticks.incidents] == [
        ("sum(visits)", cause(device="tv"), State.RESOLVED)
    ]
    ticks.state.close()


def test_two_metrics_that_fall_together_are_two_incidents():
    """Each metric has its own incident of the same cause."""
    made = world(SMALL, metrics=2).scaled(0.0, N + 2, N + 6, device="tv")
    metrics = (Metric("count"), Metric("sum", "visits"))
    ticks = Ticks.over(made, store.Store.open("sqlite://"), metrics=metrics).learn(N)
    ticks.run(range(N, N + 10))
    assert {(i.metric, i.cause, i.state) for i in ticks.incidents} == {
        ("count", cause(device="tv"), State.RESOLVED),
        ("sum(visits)", cause(device="tv"), State.RESOLVED),
    }
    ticks.state.close()


# --- a young rule ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("days", "lost", "causes"),
    [
        (1, {}, [Slice()]),
        (1, {"device": "tv"}, []),
        (5, {"device": "tv"}, [cause(device="tv")]),
        (20, {"device": "tv"}, [cause(device="tv")]),
    ],
)
def test_a_young_rule_tells_what_it_can(days, lost, causes):
    """In its first two days only total silence; from then on a dead device too, though with less confidence."""
    n = days * 24 + 10
    made = world(SMALL, volume=200_000).scaled(0.0, n + 2, n + 6, **lost)
    ticks = Ticks.over(made, store.Store.open("sqlite://"))
    ticks.source.world = replace(made, values=made.values)
    ticks.learn(n).run(range(n, n + 8))
    assert [i.cause for i in ticks.incidents] == causes
    ticks.state.close()


def test_a_rule_without_history_waits():
    """First contact with an empty table: no leaf, no incident, and no error."""
    ticks = Ticks.over(FRESH.scaled(0.0, 0), store.Store.open("sqlite://")).run(range(N, N + 3))
    assert ticks.transitions == []
    assert ticks.incidents == []
    ticks.state.close()


def test_excluded_history_is_unknown_not_normal():
    """A week of nonsense that the rule leaves out of its baseline does not blur what is expected."""
    made = FRESH.scaled(6.0, N - 14 * 24, N - 7 * 24).scaled(0.0, N + 2, device="tv")
    first, stop = (int(made.starts[c]) for c in (N - 14 * 24, N - 7 * 24))
    from monitor.buckets import to_datetime

    left_out = (Interval(to_datetime(first), to_datetime(stop)),)
    ticks = Ticks.over(made, store.Store.open("sqlite://"), exclude=left_out).learn(N)
    ticks.run(range(N, N + 5))
    (incident,) = ticks.incidents
    true = FRESH.mean[FRESH.inside(device="tv"), N + 2 : N + 5].sum()
    assert incident.expected == pytest.approx(true, rel=0.15)
    ticks.state.close()


# --- who is told -----------------------------------------------------------------------------------------------


def test_every_decision_has_its_reason(over):
    """One message when it opens, one when it is over; what is held says why; all of it is in the store."""
    ticks = over(tv_outage()).run(range(N, N + 12))
    decisions = [d for outcome in ticks.outcomes for d in outcome.decisions]
    assert [d.reason for d in decisions if d.send] == [Reason.NEW, Reason.RESOLVED]
    assert all(d.because for d in decisions)
    (incident,) = ticks.incidents
    with ticks.state.read() as tx:
        assert store.decisions(tx, incident.id) == sorted(decisions, key=lambda d: (d.seq, d.receiver))
        assert [t.incident.seq for t in store.transitions(tx, incident.id)] == list(range(1, incident.seq + 1))
        assert store.outbox_counts(tx).queued >= 2


def test_a_longer_for_waits(over):
    """`for: 2` fires at the third bad evaluation; an outage of two hours is withdrawn unsent."""
    long = over(tv_outage(), "long", for_=2).run(range(N, N + 8))
    assert next(t for t in long.transitions if t.change is Change.OPENED).at == long.at(N + 5)
    short = over(tv_outage(3, 5), "short", for_=2).run(range(N, N + 10))
    assert [t.change for t in short.transitions][-1] is Change.WITHDRAWN
    assert not any(outcome.messages for outcome in short.outcomes)
