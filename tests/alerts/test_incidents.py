"""The life of incidents: one cause, one incident, from the first finding to the resolve."""

from dataclasses import replace

from alerts.incidents import StepPolicy, amend, step
from alerts.model import Change, Evidence, Kind, Recovery, State, TotalState
from rules.model import Severity
from rules.slices import Slice
from tests.alerts.make import START, History, assess, blind, cause, evidence, fact, finding, tick

IOS = cause(device="ios")
IOS_NO = cause(device="ios", country="NO")
IOS_SE = cause(device="ios", country="SE")
NOW = StepPolicy(keep_firing_for=1)


def changes(transitions) -> list[Change]:
    return [t.change for t in transitions]


def test_a_finding_fires_at_once_without_for():
    """With `for: 0` the first finding opens a firing incident, raised at the tick."""
    history = History()
    assert changes(history.see(assess(1, finding()))) == [Change.OPENED]
    incident = history.only
    assert (incident.state, incident.raised_at, incident.first_seen_at) == (State.FIRING, tick(1), tick(1))
    assert (incident.since, incident.until, incident.seq) == (START, tick(1), 1)
    assert incident.id.startswith("sw-")
    assert len(incident.id) == 13


def test_for_keeps_an_incident_pending_for_so_many_further_evaluations():
    """`for: 2` fires at the third evaluation in a row that found it."""
    history = History(StepPolicy(for_=2))
    made = [changes(history.see(assess(hour, finding(until=tick(hour))))) for hour in (1, 2, 3)]
    assert made == [[Change.PENDING], [Change.PENDING], [Change.OPENED]]
    assert history.only.raised_at == tick(3)
    assert history.only.first_seen_at == tick(1)


def test_a_pending_incident_that_is_not_found_again_is_withdrawn():
    """What never fired goes away without having been raised."""
    history = History(StepPolicy(for_=1))
    history.see(assess(1, finding()))
    assert changes(history.see(assess(2))) == [Change.WITHDRAWN]
    assert (history.only.state, history.only.raised_at) == (State.RESOLVED, None)


def test_an_incident_named_nowhere_stays_as_it_is():
    """Silence of the judge is neither worse nor better: no transition at all."""
    history = History()
    history.see(assess(1, finding()))
    assert history.see(assess(2)) == ()


def test_it_resolves_after_keep_firing_for_good_evaluations():
    """The last recovery gives the final numbers and the sentence."""
    history = History(StepPolicy(keep_firing_for=2))
    history.see(assess(1, finding()))
    name = history.only.id
    assert changes(history.see(assess(5, good=[name]))) == [Change.CONFIRMED]
    assert history.only.state is State.FIRING
    assert changes(history.see(assess(6, good=[name]))) == [Change.RESOLVED]
    done = history.only
    assert (done.resolved_at, done.until, done.observed, done.expected) == (tick(6), tick(5), 5_000, 900_000)
    assert done.resolution == "back to normal for 2 evaluations in a row"


def test_found_bad_again_starts_the_recovery_anew():
    """Good evaluations must be in a row; the finding wins over a recovery of the same tick."""
    history = History(StepPolicy(keep_firing_for=2))
    history.see(assess(1, finding()))
    name = history.only.id
    history.see(assess(2, good=[name]))
    history.see(assess(3, finding(), good=[name]))
    assert history.only.good_ticks == 0
    history.see(assess(4, good=[name]))
    assert history.only.state is State.FIRING


def test_keep_firing_for_zero_still_needs_one_good_evaluation():
    """Nothing resolves without having been found recovered."""
    history = History(StepPolicy(keep_firing_for=0))
    history.see(assess(1, finding()))
    assert history.see(assess(2)) == ()
    assert changes(history.see(assess(3, good=[history.only.id]))) == [Change.RESOLVED]


def test_a_wider_finding_widens_the_same_incident():
    """The pair ios x NO becomes ios: one incident, the old cause remembered with the tick it held from."""
    history = History()
    history.see(assess(1, finding(IOS_NO, expected=12_000.0)))
    assert changes(history.see(assess(2, finding(IOS)))) == [Change.WIDENED]
    incident = history.only
    assert (incident.cause, incident.expected) == (IOS, 812_000)
    assert [(c.slice, c.at) for c in incident.causes] == [(IOS_NO, tick(1))]
    assert incident.cause_at == tick(2)
    assert history.transitions[-1].gap_before == 12_000


def test_a_narrower_finding_is_absorbed():
    """A part of an open cause confirms it and changes neither cause nor sums."""
    history = History()
    history.see(assess(1, finding(IOS)))
    made = history.see(assess(2, finding(IOS_NO, expected=12_000.0, until=tick(2))))
    assert changes(made) == [Change.CONFIRMED]
    assert (history.only.cause, history.only.expected, history.only.until) == (IOS, 812_000, tick(2))


def test_a_narrower_finding_that_continues_the_incident_refines_it():
    """The judge says these are the incident's cells: the cause was stated too wide."""
    history = History()
    history.see(assess(1, finding(IOS)))
    made = history.see(assess(2, finding(IOS_NO, expected=12_000.0, continues=history.only.id)))
    assert changes(made) == [Change.NARROWED]
    assert (history.only.cause, history.only.expected) == (IOS_NO, 12_000)
    assert [c.slice for c in history.only.causes] == [IOS]


def test_two_narrower_findings_leave_the_wider_cause():
    """A cause that is bad in two of its parts is not narrowed to one of them."""
    history = History()
    history.see(assess(1, finding(IOS)))
    name = history.only.id
    made = history.see(assess(2, finding(IOS_NO, continues=name), finding(IOS_SE, continues=name)))
    assert changes(made) == [Change.CONFIRMED]
    assert history.only.cause == IOS


def test_a_wide_cause_that_recovered_is_what_remains_of_it():
    """The total is back, one device is not: the same incident goes on as that device."""
    history = History()
    history.see(assess(1, finding(Slice())))
    made = history.see(assess(3, finding(IOS), good=[history.only.id]))
    assert changes(made) == [Change.NARROWED]
    assert history.only.cause == IOS


def test_a_finding_beside_the_cause_that_continues_it_replaces_it():
    """The same cells under another dimension are the same incident."""
    history = History()
    history.see(assess(1, finding(IOS)))
    made = history.see(assess(2, finding(cause(os="17"), expected=900_000.0, continues=history.only.id)))
    assert changes(made) == [Change.WIDENED]
    assert history.only.cause == cause(os="17")


def test_a_wider_finding_takes_over_several_incidents():
    """The oldest fired one widens, the others close and say who took over."""
    history = History()
    history.see(assess(1, finding(IOS_NO)))
    history.see(assess(2, finding(IOS_SE)))
    made = history.see(assess(3, finding(IOS)))
    assert changes(made) == [Change.WIDENED, Change.ABSORBED]
    heir, gone = made[0].incident, made[1].incident
    assert (heir.causes[0].slice, gone.cause, gone.state) == (IOS_NO, IOS_SE, State.RESOLVED)
    assert gone.resolution == f"part of device=ios, told as {heir.id}"


def test_a_narrower_finding_that_stands_apart_is_an_incident_beside_the_wider_one():
    """It says beside what; neither takes the other over later, and each ends by itself."""
    history = History(NOW)
    history.see(assess(1, finding(IOS)))
    wide = history.only
    (opened,) = history.see(assess(4, finding(IOS, continues=wide.id), replace(finding(IOS_NO), apart=(wide.id,))))[-1:]
    narrow = opened.incident
    assert (opened.change, narrow.cause, narrow.apart) == (Change.OPENED, IOS_NO, (wide.id,))
    assert opened.because == "found beside device=ios"
    both = (finding(IOS, continues=wide.id), finding(IOS_NO, continues=narrow.id))
    for hour, found in ((5, both), (6, both[:1]), (7, both[1:]), (8, both[::-1])):
        assert set(changes(history.see(assess(hour, *found)))) == {Change.CONFIRMED}, hour
    assert changes(history.see(assess(9, both[0], good=[narrow.id]))) == [Change.CONFIRMED, Change.RESOLVED]
    assert [item.id for item in history.open] == [wide.id]


def test_a_wider_finding_that_stands_apart_leaves_the_narrower_one_alone():
    """As the other way round: the narrower one was first."""
    history = History(NOW)
    history.see(assess(1, finding(IOS_NO)))
    narrow = history.only
    made = history.see(assess(4, finding(IOS_NO, continues=narrow.id), replace(finding(IOS), apart=(narrow.id,))))
    assert sorted(changes(made)) == [Change.CONFIRMED, Change.OPENED]
    wide = next(t.incident for t in made if t.change is Change.OPENED)
    made = history.see(assess(5, finding(IOS, continues=wide.id), finding(IOS_NO, continues=narrow.id)))
    assert changes(made) == [Change.CONFIRMED, Change.CONFIRMED]


def test_what_an_incident_stands_apart_from_outlives_its_names():
    """An incident widens to everything beside a narrower one, and takes a third over: the two stay apart."""
    history = History(NOW)
    history.see(assess(1, finding(IOS_NO)))
    narrow = history.only
    history.see(assess(2, finding(IOS_NO, continues=narrow.id), finding(cause(device="tv"))))
    third = next(i for i in history.open if i.cause == cause(device="tv"))
    wide = replace(finding(Slice(), continues=third.id), apart=(narrow.id,))
    history.see(assess(3, finding(IOS_NO, continues=narrow.id), wide))
    for hour in (4, 5):
        both = (finding(Slice(), continues=third.id), finding(IOS_NO, continues=narrow.id))
        assert set(changes(history.see(assess(hour, *both)))) == {Change.CONFIRMED}
    assert {item.id for item in history.open} == {narrow.id, third.id}


def test_another_cause_is_another_incident():
    """Slices that share no cover are told apart, and so are metrics."""
    history = History()
    history.see(assess(1, finding(IOS), finding(cause(device="tv")), finding(IOS, metric="sum(visits)")))
    assert len(history.open) == 3


def test_a_spike_never_continues_a_drop():
    """Not even if the finding says so: losing and gaining are different stories."""
    history = History()
    history.see(assess(1, finding(IOS)))
    name = history.only.id
    made = history.see(assess(2, finding(IOS, kind=Kind.SPIKE, observed=2e6, continues=name)))
    assert changes(made) == [Change.OPENED]
    assert {i.kind for i in history.open} == {Kind.DROP, Kind.SPIKE}


def test_the_same_cells_under_another_name_are_one_incident():
    """`also` names the same cells, whichever name comes first."""
    history = History()
    history.see(assess(1, finding(IOS, also=(cause(os="ios"),))))
    assert changes(history.see(assess(2, finding(cause(os="ios"))))) == [Change.CONFIRMED]
    assert history.only.cause == IOS


def test_the_widest_of_several_findings_wins():
    """Several findings on one incident: the widest is its cause, what it covers goes with it."""
    history = History()
    history.see(assess(1, finding(IOS_NO)))
    made = history.see(assess(2, finding(IOS_SE), finding(IOS), finding(IOS_NO)))
    assert changes(made) == [Change.WIDENED]
    assert history.only.cause == IOS


def test_since_moves_earlier_never_later_and_until_extends():
    """A later finding may know of an earlier start; a shorter view does not forget it."""
    history = History()
    history.see(assess(2, finding(since=tick(1), until=tick(2))))
    history.see(assess(3, finding(since=START, until=tick(3), expected=2e6)))
    history.see(assess(4, finding(since=tick(2), until=tick(4), expected=1e6)))
    assert (history.only.since, history.only.until, history.only.expected) == (START, tick(4), 2e6)


def test_a_moved_slice_is_news_about_the_same_incident():
    """What looked lost is found to have moved: same incident, another reading."""
    history = History()
    history.see(assess(1, finding()))
    made = history.see(assess(2, finding(kind=Kind.MOVED, to=cause(device="tv"))))
    assert changes(made) == [Change.RECLASSIFIED]
    assert (history.only.kind, history.only.to) == (Kind.MOVED, cause(device="tv"))


def test_what_turns_out_late_is_news_once():
    """The older hours have come, the newest are still short: told as amended, then only confirmed."""
    history = History()
    history.see(assess(1, finding()))
    came = finding(until=tick(5), observed=3e6, expected=3.9e6, late=True)
    assert changes(history.see(assess(5, came))) == [Change.AMENDED]
    assert changes(history.see(assess(6, came))) == [Change.CONFIRMED]
    assert history.only.late
    assert (history.only.observed, history.only.expected) == (3e6, 3.9e6)


def test_what_came_late_closes_as_late():
    """The resolution says that nothing was lost, and the sums are those that have arrived."""
    history = History(StepPolicy(keep_firing_for=1))
    history.see(assess(1, finding()))
    came = Recovery(history.only.id, tick(1), 810_000.0, 812_000.0, late=True)
    assert changes(history.see(replace(assess(5), recoveries=(came,)))) == [Change.RESOLVED]
    assert "late, not lost" in history.only.resolution
    assert history.only.observed == 810_000


def test_a_closed_incident_is_amended_once_its_events_arrive():
    """News once, quiet where more arrives after, and nothing where nothing does."""
    history = History(StepPolicy(keep_firing_for=1))
    history.see(assess(1, finding()))
    history.see(assess(3, good=[history.only.id]))
    closed = history.only
    came = Recovery(closed.id, closed.until, 810_000.0, 812_000.0, late=True)
    first = amend(closed, came, tick(6))
    assert first is not None
    assert (first.change, first.incident.state, first.incident.late) == (Change.AMENDED, State.RESOLVED, True)
    assert (first.incident.seq, first.incident.resolved_at) == (closed.seq + 1, closed.resolved_at)
    assert amend(first.incident, came, tick(7)) is None
    second = amend(first.incident, replace(came, observed=811_000.0), tick(8))
    assert second is not None
    assert second.change is Change.CONFIRMED
    partly = amend(closed, replace(came, observed=9_000.0, late=False), tick(6))
    assert partly is not None
    assert (partly.change, partly.incident.resolution) == (Change.CONFIRMED, closed.resolution)


def test_a_source_that_is_behind_says_so():
    """One late incident, its reason in words, and another when it has caught up."""
    history = History()
    history.see(assess(1, finding()))
    frozen = history.see(assess(2, unseen=blind(2, kind=Kind.LATE)))
    assert changes(frozen) == [Change.OPENED, Change.FROZEN]
    assert [t.because for t in frozen] == [
        "the source is behind",
        "the source is behind: better or worse, nobody knows",
    ]
    assert history.see(assess(3, finding()))[0].because == "the source has caught up"


def test_a_rename_is_told_once_and_closes():
    """It opens, and the next evaluation closes it, found again or not."""
    renamed = finding(kind=Kind.RENAMED, to=cause(device="iOS"))
    for later in ((), (renamed,)):
        history = History()
        assert changes(history.see(assess(1, renamed))) == [Change.OPENED]
        assert changes(history.see(assess(2, *later))) == [Change.RESOLVED]
        assert history.only.resolution == "told once; device=iOS inherits the history of device=ios"


def test_a_rename_is_quieter_only_where_the_new_name_carries_nearly_all():
    """At least 95 % of the loss under the new name lowers the severity by one degree."""
    new = cause(device="iOS")
    policy = StepPolicy(severity=Severity.CRITICAL)
    for gained, severity in ((800_000, Severity.WARNING), (700_000, Severity.CRITICAL)):
        proof = Evidence(fact(0, 0), TotalState.STABLE, 0, 0, grew=(fact(gained, 0, device="iOS"),))
        history = History(policy)
        history.see(assess(1, finding(kind=Kind.RENAMED, to=new, evidence=proof)))
        assert history.only.severity is severity


def test_a_blind_source_is_one_incident_and_freezes_the_others():
    """Unknown never resolves anything: states are kept, counters stand still."""
    history = History(StepPolicy(keep_firing_for=2))
    history.see(assess(1, finding()))
    name = history.only.id
    history.see(assess(2, good=[name]))
    made = history.see(assess(3, unseen=blind(3)))
    assert changes(made) == [Change.OPENED, Change.FROZEN]
    assert changes(history.see(assess(4, unseen=blind(4), good=[name]))) == [Change.CONFIRMED]
    frozen = history.incidents[name]
    assert (frozen.state, frozen.frozen_state, frozen.good_ticks) == (State.UNKNOWN, State.FIRING, 1)
    dark = next(i for i in history.open if i.kind is Kind.BLIND)
    assert (dark.cause, dark.state, dark.detail) == (Slice(), State.FIRING, "connection refused")
    assert (dark.since, dark.until) == (tick(2), tick(4))


def test_the_first_answer_ends_blindness_and_judges_at_once():
    """The blind incident resolves, the others thaw and are judged by the same assessment."""
    history = History(StepPolicy(keep_firing_for=2))
    history.see(assess(1, finding()))
    name = history.only.id
    history.see(assess(2, good=[name]))
    history.see(assess(3, unseen=blind(3)))
    made = history.see(assess(4, good=[name]))
    assert changes(made) == [Change.RESOLVED, Change.THAWED, Change.RESOLVED]
    assert history.open == ()


def test_blindness_ignores_for_and_freezes_what_is_pending():
    """A source that cannot be asked is told at once; a pending incident waits in the dark."""
    history = History(StepPolicy(for_=3))
    history.see(assess(1, finding()))
    name = history.only.id
    assert changes(history.see(assess(2, unseen=blind(2)))) == [Change.OPENED, Change.FROZEN]
    history.see(assess(3, finding()))
    assert (history.incidents[name].state, history.incidents[name].bad_ticks) == (State.PENDING, 2)


def test_a_late_source_freezes_like_a_blind_one():
    """LATE among the findings is the source's incident, and its slices are unknown."""
    history = History()
    history.see(assess(1, finding()))
    made = history.see(assess(2, blind(2, kind=Kind.LATE), finding(IOS)))
    assert changes(made) == [Change.OPENED, Change.FROZEN]


def test_acknowledged_incidents_freeze_thaw_and_resolve():
    """What a person did to an incident survives the dark, and does not keep it from closing."""
    history = History(NOW)
    history.see(assess(1, finding()))
    name = history.only.id
    history.incidents[name] = replace(history.only, state=State.ACKNOWLEDGED)
    history.see(assess(2, unseen=blind(2)))
    history.see(assess(3))
    assert history.incidents[name].state is State.ACKNOWLEDGED
    history.see(assess(4, good=[name]))
    assert history.incidents[name].state is State.RESOLVED


def test_the_total_takes_over_everything():
    """A table that answers with no rows is one drop on the total, whatever was open."""
    history = History()
    history.see(assess(1, finding(IOS), finding(cause(country="SE"))))
    history.see(assess(2, finding(Slice(), evidence=evidence(total_state=TotalState.DOWN))))
    assert [i.cause for i in history.open] == [Slice()]


def test_resolved_incidents_handed_in_are_left_alone():
    """A caller that passes closed ones changes nothing about them."""
    history = History(NOW)
    history.see(assess(1, finding()))
    history.see(assess(2, good=[history.only.id]))
    made = step((history.only,), assess(3, finding()), NOW)
    assert changes(made) == [Change.OPENED]
    assert made[0].incident.id != history.only.id


def test_what_lasts_for_two_weeks_is_accepted_once():
    """The incident closes as accepted, with its last numbers; an hour earlier it is only still bad."""
    history = History()
    history.see(assess(1, finding()))
    day = 24
    assert changes(history.see(assess(14 * day, finding(until=tick(14 * day))))) == [Change.CONFIRMED]
    made = history.see(assess(14 * day + 1, finding(until=tick(14 * day + 1), expected=9e8)))
    assert changes(made) == [Change.CONFIRMED, Change.ACCEPTED]
    closed = history.only
    assert (closed.state, closed.accepted_at, closed.expected) == (State.RESOLVED, tick(14 * day + 1), 9e8)
    assert "14 days" in closed.resolution
    assert history.see(assess(14 * day + 2)) == ()


def test_time_in_the_dark_does_not_count_towards_acceptance():
    """Two days without an answer of the source: the change is accepted two days later."""
    history = History()
    history.see(assess(0, finding()))
    name = history.only.id
    history.see(assess(24, unseen=blind(24)))
    history.see(assess(72, finding()))
    history.see(assess(14 * 24, finding()))
    assert history.incidents[name].state is State.FIRING
    history.see(assess(16 * 24, finding()))
    assert history.incidents[name].accepted_at == tick(16 * 24)


def test_what_was_noticed_late_is_not_accepted_at_once():
    """A first finding that began long ago fires, and has two weeks from then."""
    history = History()
    assert changes(history.see(assess(20 * 24, finding()))) == [Change.OPENED]
    assert changes(history.see(assess(21 * 24, finding()))) == [Change.CONFIRMED]


def test_what_comes_back_on_the_last_day_is_not_accepted():
    """A recovery says that it is over: acceptance is for what is still bad."""
    history = History()
    history.see(assess(1, finding()))
    made = history.see(assess(15 * 24, good=[history.only.id]))
    assert changes(made) == [Change.CONFIRMED]
