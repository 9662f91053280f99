"""A week for those who answer for the data."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from alerts.message import MESSAGE_LENGTH, PUSH_LENGTH, SECTION_LENGTH
from alerts.model import Feedback, Kind, State
from alerts.notifiers import slack_blocks
from alerts.notifiers.email_form import html
from dashboards.blindspots import BlindSpots, Cover, Spot
from dashboards.precision import Fired, fired_of, fired_text
from dashboards.weekly import BlindSpot, Coverage, RuleWeek, coverage_of
from dashboards.weekly_message import compose_week
from rules.model import Severity
from rules.slices import Slice
from tests.alerts.make import cause, tick
from tests.alerts.stories import causes, week
from tests.standins.block_kit import problems

FIRED = causes(1)[0].incident
DISMISSED = replace(FIRED, feedback=Feedback.LEAVE_OUT, state=State.RESOLVED, resolved_at=tick(3))


def test_precision_is_what_nobody_called_no_problem():
    """Of slices that fired: what is pending, a silent source and a new value are no judgement."""
    others = [
        replace(FIRED, raised_at=None),
        *(replace(FIRED, kind=kind) for kind in (Kind.BLIND, Kind.LATE, Kind.NEW)),
    ]
    normal = replace(DISMISSED, feedback=Feedback.NEW_NORMAL)
    assert fired_of([FIRED, FIRED, normal, DISMISSED, *others]) == Fired(4, 1)
    assert Fired(4, 1).precision == 0.75
    assert Fired().precision is None


def test_silence_of_people_is_no_praise():
    """Where nobody called anything no problem there is no number."""
    assert fired_text(Fired(3, 0)) == "3 incidents"
    assert fired_text(Fired(4, 1)) == "4 incidents, 1 of them no problem: precision 75 %"


def test_times_are_those_of_the_middle_incident():
    """From the start of the loss to its firing, and from there to its end; what was no problem has no end of its own."""
    fired = [replace(FIRED, raised_at=FIRED.since + timedelta(hours=n)) for n in (1, 2, 9)]
    ended = [replace(i, resolved_at=i.raised_at + timedelta(hours=3)) for i in fired]
    long = replace(DISMISSED, resolved_at=tick(900))
    seen = week(incidents=tuple(fired), resolved=(*ended, long))
    assert (seen.detected_after, seen.resolved_after) == (timedelta(hours=2), timedelta(hours=3))
    assert week(incidents=(), resolved=()).detected_after is None


def test_rules_count_by_their_events():
    """A small rule that sees everything does not hide a large one that does not."""
    large, small = (RuleWeek(name, None, "", Coverage(share, events, 10, 7, ())) for name, share, events in (
        ("large", 0.5, 900.0), ("small", 1.0, 100.0)))  # fmt: skip
    seen = week(rules=(large, small, RuleWeek("new", None)))
    assert seen.share == 0.55
    assert seen.slices == (14, 20)
    assert week(rules=(RuleWeek("new", None),)).share is None


HOUR, DAY = timedelta(hours=1), timedelta(days=1)
SPOTS = (
    Spot(Slice(), 50.0, (0.1,), HOUR, HOUR),
    *(Spot(cause(device=name), usual, (None,), None, None) for name, usual in (("tv", 2.0), ("watch", 1.0))),
)


def blind_spots(horizons: tuple[timedelta, ...]) -> BlindSpots:
    """Of a rule that sees of single devices half, three quarters and all, within three times."""
    rows = (Cover((), 1, (1, 1, 1), (1.0, 1.0, 1.0)), Cover(("device",), 2, (1, 1, 2), (0.5, 0.75, 1.0)))
    return BlindSpots("r", "count", "p", tick(0), "", "", 7.0, horizons, horizons[-1], rows, SPOTS)


def test_coverage_is_of_the_finest_slices_within_a_day():
    """Of a rule of days within the longest time: none is noticed sooner."""
    hours, days = blind_spots((HOUR, DAY, 7 * DAY)), blind_spots((DAY, 3 * DAY, 7 * DAY))
    assert (hours.protected, days.protected) == (0.75, 1.0)
    assert replace(hours, cover=()).protected is None
    seen = coverage_of(hours, HOUR, 1)
    assert seen == Coverage(0.75, 50.0 * 168, 3, 1, (BlindSpot("r", cause(device="tv"), 336.0),))


words = st.text(max_size=300)
rules = st.builds(
    RuleWeek,
    words,
    st.none(),
    words,
    st.none()
    | st.builds(
        Coverage,
        st.floats(0, 1),
        st.floats(0, 1e12),
        st.integers(0, 10**6),
        st.just(0),
        st.lists(
            st.builds(BlindSpot, words, words.map(lambda value: cause(device=value)), st.floats(0, 1e12)), max_size=6
        ).map(tuple),
    ),
)
incidents = st.builds(
    lambda rule, severity, false: replace(
        FIRED, rule=rule, severity=severity, feedback=Feedback.LEAVE_OUT if false else None
    ),
    words,
    st.sampled_from(Severity),
    st.booleans(),
)


@settings(max_examples=60)
@given(st.lists(rules, max_size=12), st.lists(incidents, max_size=40), st.integers(0, 10**6))
def test_it_fits_wherever_it_is_shown(some, fired, before):
    """Within the caps of a message and the limits of Slack's blocks, whatever names there are; nothing breaks out of the mail."""
    message = compose_week(week(rules=tuple(some), incidents=tuple(fired), before=before), "week-1")
    assert len(message.push) <= PUSH_LENGTH
    assert all(0 < len(text) <= SECTION_LENGTH for text in message.summary)
    assert sum(map(len, message.summary)) <= MESSAGE_LENGTH
    assert problems(slack_blocks.blocks(message)) == []
    assert "<script" not in html(message)


def test_the_digest_is_marked_as_what_it_is():
    """Neither an alarm nor an end, in Slack and in a mail."""
    message = compose_week(week(), "week-1")
    assert slack_blocks.blocks(message)[0]["text"]["text"].startswith("📊 Weekly digest")
    assert "#175cd3" in html(message)
    assert message.acts == ()
