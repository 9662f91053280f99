"""What time alone makes of open incidents: hours that begin, critical ones that nobody acknowledges."""

from dataclasses import replace
from datetime import timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from alerts.actions import acknowledge, snooze
from alerts.following import Followed, follow, unanswered_since
from alerts.hours import Hours
from alerts.incidents import StepPolicy
from alerts.model import Actor, Change, Decision, Incident, Reason, State, Transition
from alerts.operations import Operations, ReceiverPolicy, Route
from alerts.plan import Routes, hold_of, plan
from rules.model import Rule, Severity, SourceRef, Timestamp
from rules.problem import Place
from tests.alerts.make import History, assess, finding, tick
from tests.alerts.test_incidents_properties import moves, said

KARI = Actor("cli", "kari", "Kari")
OFFICE = ReceiverPolicy("team", Hours.parse("Mon-Fri 09:00-18:00"), outside="oncall")
ONCALL = ReceiverPolicy("oncall", escalate_to="phone", escalate_after=timedelta(minutes=15))
PHONE = ReceiverPolicy("phone", escalate_to="boss", escalate_after=timedelta(minutes=30))
RULE = Rule(
    "r", SourceRef("lake", ("t",)), Timestamp("t"), ("device",), Place("r.yaml"), owner="recs", labels=(("tier", "1"),)
)
NIGHT, MORNING = tick(10), tick(19)
"""00:00 on a Tuesday, and 09:00."""


def opened(hour: float = 10, severity: Severity = Severity.WARNING) -> Transition:
    (made,) = History(StepPolicy(severity=severity)).see(assess(hour, finding()))
    return made


def routes(*policies: ReceiverPolicy, to: tuple[str, ...] = ("team",)) -> Routes:
    return Routes(tuple((severity, to) for severity in Severity), policies=policies)


def kept(decisions) -> list[tuple[str, bool, Reason]]:
    return [(d.receiver, d.send, d.reason) for d in decisions]


def step_at(incident: Incident, decisions, now, *policies: ReceiverPolicy, since=None):
    return follow([Followed(incident, since, tuple(decisions))], Operations(receivers=policies), now)


def test_outside_its_hours_a_receiver_waits_and_others_do_not():
    """A warning at midnight: held for the team until nine, sent to who has no hours."""
    made = plan([opened()], routes(OFFICE, to=("team", "archive")), NIGHT, {})
    assert kept(made) == [("team", False, Reason.OUT_OF_HOURS), ("archive", True, Reason.NEW)]
    assert made[0].because == "outside the hours of team (Mon-Fri 09:00-18:00), until 24 Nov 09:00 UTC"


def test_what_is_still_bad_when_the_hours_begin_is_told_then_to_who_waited():
    """Not before; once; and not to those who knew it."""
    step = opened()
    held = plan([step], routes(OFFICE, to=("team", "archive")), NIGHT, {})
    assert step_at(step.incident, held, MORNING - timedelta(minutes=1), OFFICE) == ()
    (again,) = step_at(step.incident, held, MORNING, OFFICE)
    assert (again.change, again.to, again.incident.seq) == (Change.RELEASED, ("team",), 2)
    sent = plan([again], routes(OFFICE), MORNING, {step.incident.id: ("archive",)})
    assert kept(sent) == [("team", True, Reason.RELEASED)]
    assert step_at(again.incident, [*held, *sent], MORNING, OFFICE) == ()
    assert step_at(replace(step.incident, good_ticks=1), held, MORNING, OFFICE) == ()
    assert step_at(replace(step.incident, state=State.UNKNOWN), held, MORNING, OFFICE) == ()


def test_who_waited_is_told_though_others_have_it_in_hand():
    """Acknowledged by who heard of it at night; of one that is snoozed only what had passed the snooze."""
    step = opened()
    held = plan([step], routes(OFFICE), NIGHT, {})
    mine = acknowledge(step.incident, KARI, NIGHT + timedelta(hours=1), timedelta(hours=20))
    later = snooze(step.incident, KARI, NIGHT + timedelta(hours=1), None)
    assert mine is not None
    assert later is not None
    (again,) = step_at(mine.incident, held, MORNING, OFFICE)
    assert (again.change, again.to, again.incident.state) == (Change.RELEASED, ("team",), State.ACKNOWLEDGED)
    assert step_at(later.incident, held, MORNING, OFFICE) == ()
    passed = [replace(d, seq=3, at=NIGHT + timedelta(hours=2)) for d in held]
    (again,) = step_at(later.incident, [*held, *passed], MORNING, OFFICE)
    assert kept(plan([again], routes(OFFICE), MORNING, {})) == [("team", True, Reason.RELEASED)]


def test_what_is_over_by_then_is_never_told():
    """An end reaches who heard the beginning: nobody did."""
    step = opened()
    end = replace(step, change=Change.RESOLVED, incident=replace(step.incident, state=State.RESOLVED, seq=2))
    held, over = plan([step, end], routes(OFFICE), NIGHT, {})
    assert (held.reason, over.reason) == (Reason.OUT_OF_HOURS, Reason.NEVER_SENT)


def test_who_waits_for_a_change_hears_the_end_all_the_same():
    """A change of the night is held for the team, which knows the incident: its end, in the same evaluation, is not."""
    step = opened()
    wider = replace(step, change=Change.WIDENED)
    end = replace(step, change=Change.RESOLVED, incident=replace(step.incident, state=State.RESOLVED, seq=2))
    made = plan([wider, end], routes(OFFICE), NIGHT, {step.incident.id: ("archive", "team")})
    assert [(d.receiver, d.send) for d in made if d.seq == 2] == [("archive", True), ("team", True)]


def test_critical_ones_go_through_or_to_who_stands_in():
    """With `outside` to that receiver, without it to the very one."""
    loud = opened(severity=Severity.CRITICAL)
    at_night = plan([loud], routes(OFFICE), NIGHT, {})
    assert kept(at_night) == [("oncall", True, Reason.NEW), ("team", False, Reason.OUT_OF_HOURS)]
    assert at_night[1].because.endswith("until 24 Nov 09:00 UTC; oncall is told meanwhile")
    assert kept(plan([loud], routes(replace(OFFICE, outside=None)), NIGHT, {})) == [("team", True, Reason.NEW)]
    assert kept(plan([loud], routes(OFFICE), MORNING, {})) == [("team", True, Reason.NEW)]


def test_who_was_stood_in_for_is_told_when_the_hours_begin():
    """One message, though it widened twice at night and was acknowledged; none of what is over by then."""
    loud = opened(severity=Severity.CRITICAL)
    wider = replace(loud, change=Change.WIDENED, incident=replace(loud.incident, seq=2))
    held = plan([loud, wider], routes(OFFICE), NIGHT, {})
    mine = acknowledge(wider.incident, KARI, NIGHT + timedelta(hours=1), timedelta(hours=20))
    assert mine is not None
    for incident in (wider.incident, mine.incident):
        assert step_at(incident, held, MORNING - timedelta(minutes=1), OFFICE) == ()
        (again,) = step_at(incident, held, MORNING, OFFICE)
        assert (again.change, again.to) == (Change.RELEASED, ("team",))
        sent = plan([again], routes(OFFICE), MORNING, {incident.id: ("oncall",)})
        assert kept(sent) == [("team", True, Reason.RELEASED)]
        assert step_at(again.incident, [*held, *sent], MORNING, OFFICE) == ()
    assert step_at(replace(wider.incident, state=State.RESOLVED), held, MORNING, OFFICE) == ()


def test_what_nobody_acknowledges_to_who_stands_in_goes_where_the_receiver_hands_on():
    """At night the team's `outside` is told; fifteen minutes later the team's `escalate_to` is, once."""
    team = replace(OFFICE, escalate_to="lead", escalate_after=timedelta(minutes=15))
    loud = opened(severity=Severity.CRITICAL)
    sent = list(plan([loud], routes(team), NIGHT, {}))
    assert step_at(loud.incident, sent, NIGHT + timedelta(minutes=14), team, since=NIGHT) == ()
    (on,) = step_at(loud.incident, sent, NIGHT + timedelta(minutes=15), team, since=NIGHT)
    assert (on.change, on.to) == (Change.HANDED_ON, ("lead",))
    assert on.because == "nobody has acknowledged it at oncall within 15 minutes"
    sent += plan([on], routes(team), on.at, {loud.incident.id: ("oncall",)})
    assert step_at(on.incident, sent, on.at + timedelta(hours=1), team, since=NIGHT) == ()


def test_what_is_told_late_keeps_the_hours_of_when_it_is_told():
    """A tick of the night that is caught up in the morning is told at once, and one of the day caught up at night is not."""
    step = opened()
    assert kept(plan([step], routes(OFFICE), NIGHT, {}, told_at=MORNING)) == [("team", True, Reason.NEW)]
    assert kept(plan([step], routes(OFFICE), MORNING, {}, told_at=NIGHT)) == [("team", False, Reason.OUT_OF_HOURS)]


def test_an_end_is_told_at_any_hour_and_a_repeat_at_none_outside():
    """Ends wake nobody; nothing waits for a repeat, so that none is made while all would have to wait."""
    step = opened()
    end = replace(step, change=Change.RESOLVED)
    assert kept(plan([end], routes(OFFICE), NIGHT, {step.incident.id: ("team",)})) == [("team", True, Reason.RESOLVED)]
    repeat = replace(step, change=Change.REPEATED)
    assert hold_of(repeat, routes(OFFICE), NIGHT, ("team",)) is not None
    assert hold_of(repeat, routes(OFFICE), MORNING, ("team",)) is None


def test_a_critical_one_that_nobody_acknowledges_is_handed_on():
    """Fifteen minutes after the first was told, then half an hour after the second; then there is nobody left."""
    step = opened(severity=Severity.CRITICAL)
    sent, since = list(plan([step], routes(to=("oncall",)), step.at, {})), step.at
    everyone = (ONCALL, PHONE)
    assert step_at(step.incident, sent, since + timedelta(minutes=14), *everyone, since=since) == ()
    for minutes, to in ((15, "phone"), (45, "boss")):
        (on,) = step_at(step.incident, sent, since + timedelta(minutes=minutes), *everyone, since=since)
        assert (on.change, on.to) == (Change.HANDED_ON, (to,))
        sent += plan([on], routes(), on.at, {step.incident.id: ("oncall",)})
        assert kept(sent)[-1] == (to, True, Reason.HANDED_ON)
        assert step_at(on.incident, sent, on.at, *everyone, since=since) == ()
    assert step_at(step.incident, sent, since + timedelta(days=1), *everyone, since=since) == ()


def test_who_stands_in_is_handed_it_once_and_the_next_one_when_the_hours_begin():
    """At night `outside` of the next one is told, at no look after that; in the morning, unanswered still, the next one."""
    step = opened(severity=Severity.CRITICAL)
    handing = (replace(ONCALL, escalate_to="team"), replace(OFFICE, outside="phone"))
    sent = list(plan([step], routes(to=("oncall",)), step.at, {}))
    (on,) = step_at(step.incident, sent, NIGHT + timedelta(minutes=15), *handing, since=step.at)
    sent += plan([on], routes(*handing), on.at, {step.incident.id: ("oncall",)})
    assert kept(sent)[-1] == ("phone", True, Reason.HANDED_ON)
    assert step_at(on.incident, sent, on.at + timedelta(seconds=15), *handing, since=step.at) == ()
    (on,) = step_at(on.incident, sent, MORNING, *handing, since=step.at)
    assert kept(plan([on], routes(*handing), MORNING, {}))[-1] == ("team", True, Reason.HANDED_ON)


def test_who_acknowledges_stops_it_and_an_expiry_begins_anew():
    """While somebody has it in hand nothing is handed on; the wait counts from when that was over, told in a digest or not."""
    step = opened(severity=Severity.CRITICAL)
    sent, since = list(plan([step], routes(to=("oncall",)), step.at, {})), step.at
    mine = acknowledge(step.incident, KARI, since + timedelta(minutes=5), timedelta(hours=1))
    assert mine is not None
    sent += plan([mine], routes(), mine.at, {step.incident.id: ("oncall",)})
    assert step_at(mine.incident, sent, since + timedelta(minutes=40), ONCALL, since=since) == ()
    (over,) = step_at(mine.incident, sent, since + timedelta(minutes=65), ONCALL, since=since)
    assert over.change is Change.EXPIRED
    told = plan([over], routes(to=("oncall",)), over.at, {step.incident.id: ("oncall",)})
    sent += [replace(decision, reason=Reason.DIGESTED) for decision in told]
    anew = unanswered_since([step, mine, over])
    assert step_at(over.incident, sent, since + timedelta(minutes=79), ONCALL, since=anew) == ()
    (on,) = step_at(over.incident, sent, since + timedelta(minutes=80), ONCALL, since=anew)
    assert on.to == ("phone",)


def test_the_wait_begins_no_sooner_than_it_was_delivered():
    """Evaluated three hours late, after a stop: the first one has its fifteen minutes from when it heard."""
    step = opened(severity=Severity.CRITICAL)
    came = step.at + timedelta(hours=3)
    item = Followed(step.incident, step.at, plan([step], routes(to=("oncall",)), step.at, {}), {"oncall": came})
    looks = [follow([item], Operations(receivers=(ONCALL,)), came + timedelta(minutes=n)) for n in (14, 15)]
    assert [len(made) for made in looks] == [0, 1]


def test_what_is_told_to_all_again_begins_the_wait_anew_and_what_is_for_one_does_not():
    """A mute that is over; the hours of one receiver change nothing for another."""
    step = opened(severity=Severity.CRITICAL)
    released = replace(step, change=Change.RELEASED, at=tick(14))
    assert unanswered_since([step, released]) == tick(14)
    assert unanswered_since([step, replace(released, to=("team",))]) == step.at


def test_a_warning_is_handed_on_to_nobody_and_counts_from_when_it_was_critical():
    """An incident told as a warning for hours has its fifteen minutes from when it became critical."""
    step = opened()
    sent = plan([step], routes(to=("oncall",)), step.at, {})
    later = step.at + timedelta(hours=5)
    assert step_at(step.incident, sent, later, ONCALL) == ()
    loud = replace(step.incident, severity=Severity.CRITICAL)
    assert unanswered_since([step, replace(step, incident=loud, at=later)]) == later
    assert step_at(loud, sent, later + timedelta(minutes=14), ONCALL, since=later) == ()
    assert len(step_at(loud, sent, later + timedelta(minutes=15), ONCALL, since=later)) == 1


def test_routes_are_for_rules_that_name_nobody_and_the_first_that_fits_counts():
    """By owner, labels and severity; then the fallback; what the rule names itself comes before all."""
    found = (
        Route(("pager",), owner="recs", severity=Severity.CRITICAL),
        Route(("recs",), owner="recs", labels=(("tier", "1"),)),
        Route(("search",), owner="search"),
    )
    operations = Operations("ops", routes=found)
    mine = Routes.of(RULE, operations)
    assert (mine.receivers(Severity.CRITICAL), mine.receivers(Severity.INFO)) == (("pager",), ("recs",))
    assert Routes.of(replace(RULE, owner=None), operations).receivers(Severity.INFO) == ("ops",)
    own = replace(RULE, notify=((Severity.INFO, ("own",)),))
    assert Routes.of(own, operations).receivers(Severity.INFO) == ("own",)
    assert Routes.of(own, operations).receivers(Severity.CRITICAL) == ("pager",)


def test_a_decision_is_none_of_another_receiver():
    """Whether a receiver waits is by the newest decision about itself."""
    held = Decision("i", 1, "team", send=False, reason=Reason.OUT_OF_HOURS, because="", at=NIGHT)
    assert OFFICE.waits([held])
    assert OFFICE.waits([held, replace(held, seq=2, receiver="archive", send=True)])
    assert OFFICE.waits([held, replace(held, seq=2, receiver="", reason=Reason.NOT_NEWS)])
    assert not OFFICE.waits([held, replace(held, seq=2, send=True)])


OPERATIONS = Operations(receivers=(replace(OFFICE, outside=None), ONCALL, PHONE))
BOTH = Routes(tuple((severity, ("team", "oncall")) for severity in Severity), policies=OPERATIONS.receivers)


class Night:
    """A history with its decisions, looked after between its ticks: what a store and a daemon would make of it."""

    def __init__(self, severity: Severity) -> None:
        self.history = History(StepPolicy(keep_firing_for=1, severity=severity))
        self.decisions: list[Decision] = []
        self.steps: dict[str, list[Transition]] = {}

    def keep(self, made, now) -> None:
        told: dict[str, tuple[str, ...]] = {}
        for d in self.decisions:
            if d.send:
                told[d.incident] = tuple(dict.fromkeys((*told.get(d.incident, ()), d.receiver)))
        self.decisions += plan(made, BOTH, now, told)
        for step in made:
            self.history.incidents[step.incident.id] = step.incident
            self.steps.setdefault(step.incident.id, []).append(step)

    def look(self, now) -> tuple[Transition, ...]:
        found = [
            Followed(i, unanswered_since(self.steps[i.id]), tuple(d for d in self.decisions if d.incident == i.id))
            for i in self.history.open
        ]
        made = follow(found, OPERATIONS, now)
        self.keep(made, now)
        return made


@settings(max_examples=40, deadline=None)
@given(
    st.sampled_from([Severity.WARNING, Severity.CRITICAL]),
    st.lists(st.tuples(moves(), st.lists(st.integers(1, 59), max_size=3)), max_size=7),
    st.integers(0, 24),
)
def test_however_often_one_looks_everybody_is_told_once_and_hears_the_end(severity, script, begin):
    """Over any history and hour of the day: no step of the clock is taken twice, and whoever knows it hears the end."""
    night = Night(severity)
    for hour, (move, looks) in enumerate(script, start=begin + 1):
        night.keep(night.history.see(said(night.history, hour, move)), tick(hour))
        for minute in sorted(looks):
            now = tick(hour + minute / 60)
            while night.look(now):
                pass
            assert night.look(now) == ()
    last = begin + len(script) + 1
    for hour in range(last, last + 4):
        night.keep(night.history.see(assess(hour, good=[i.id for i in night.history.open])), tick(hour))
    assert night.history.open == ()
    keys = [(d.incident, d.seq, d.receiver) for d in night.decisions]
    assert len(keys) == len(set(keys))
    for name, steps in night.steps.items():
        mine = [d for d in night.decisions if d.incident == name and d.send]
        assert [s.incident.seq for s in steps] == list(range(1, len(steps) + 1))
        assert {d.receiver for d in mine if d.seq == steps[-1].incident.seq} == {d.receiver for d in mine}
        assert [d.reason for d in mine].count(Reason.HANDED_ON) <= 2
