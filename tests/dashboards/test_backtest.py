"""A backtest in words and as a page."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from alerts.model import Incident, Kind, State
from dashboards.backtest import Report, Work, compare, report_of
from dashboards.backtest_page import page
from dashboards.backtest_text import report_text
from rules.model import Interval, KnownIncident, Rule, Severity, SourceRef, Timestamp
from rules.problem import Place
from rules.slices import Slice

NOON, HOUR = datetime(2026, 3, 4, 12, tzinfo=UTC), timedelta(hours=1)
IOS, TV = Slice.of({"device": "ios"}), Slice.of({"device": "tv"})
RULE = Rule(
    name="playback",
    source=SourceRef("lake", ("playback",)),
    timestamp=Timestamp("at"),
    dimensions=("device",),
    place=Place("rules/playback.yaml", 2, 5),
    known=(
        KnownIncident(Interval(NOON, NOON + 2 * HOUR), IOS, name="the <outage>"),
        KnownIncident(Interval(NOON, NOON + 2 * HOUR), TV),
    ),
)


def incident(cause: Slice, at: int, told: int = 1) -> Incident:
    since = NOON + at * HOUR
    return Incident(
        id=f"sw-{at}",
        rule="playback",
        metric="count",
        kind=Kind.DROP,
        cause=cause,
        state=State.RESOLVED,
        severity=Severity.CRITICAL,
        since=since,
        until=since + 3 * HOUR,
        first_seen_at=since + HOUR,
        tick=since + 5 * HOUR,
        observed=0.0,
        expected=5_200.0,
        p=1e-9,
        raised_at=since + told * HOUR,
        resolved_at=since + 5 * HOUR,
    )


def report() -> Report:
    """One labelled incident told two hours late, one unlabelled; against a revision that was quicker and noisier."""
    now = [incident(IOS, 0, told=2), incident(Slice(), 20)]
    then = [incident(IOS, 0), incident(TV, 40)]
    stretch = Interval(NOON - 84 * HOUR, NOON + 84 * HOUR)
    made = report_of(RULE, stretch, Work(168, 1, 1_402, 167, 2.0), now)
    return replace(made, difference=compare("main", now, then))


def test_the_text_says_what_would_have_fired_and_what_was_missed():
    """Incidents, delay, noise against the budget, labels told and missed, and what the change adds and removes."""
    assert report_text(report()).splitlines() == [
        "playback  rules/playback.yaml:2:5",
        "  2026-03-01 00:00 to 2026-03-08 00:00 UTC: 168 evaluations of 1,402 slices, 1 of them without an answer",
        "  would have fired: 2 incidents",
        (
            "    2026-03-04 14:00  critical drop  device=ios: 0 of 5.2k since 2026-03-04 12:00, bad for 3 buckets, "
            "resolved 2026-03-04 17:00"
        ),
        (
            "    2026-03-05 09:00  critical drop  total: 0 of 5.2k since 2026-03-05 08:00, bad for 3 buckets, "
            "resolved 2026-03-05 13:00"
        ),
        "  told after 1h30m (median), 2h at most, from the start of the first bad bucket",
        "  noise: the budget (1 a week) allows 1 false incidents here; 2 fired, 1 of them not among the known",
        "  noisiest slices:",
        "    device=ios: 1 incident, bad for 3 buckets",
        "    total: 1 incident, bad for 3 buckets",
        "  known incidents: 1 of 2 told (50%); 50% of what fired is known",
        "    told    device=ios (the <outage>) from 2026-03-04 12:00 to 2026-03-04 14:00: after 2h, as drop of device=ios",
        "    MISSED  device=tv from 2026-03-04 12:00 to 2026-03-04 14:00",
        "  against main: 1 added, 1 removed, 1 as before",
        "    + 2026-03-05 09:00  critical drop  total: 0 of 5.2k since 2026-03-05 08:00, resolved 2026-03-05 13:00",
        "    - 2026-03-06 05:00  critical drop  device=tv: 0 of 5.2k since 2026-03-06 04:00, resolved 2026-03-06 09:00",
        (
            "    = 2026-03-04 14:00  critical drop  device=ios: 0 of 5.2k since 2026-03-04 12:00, "
            "resolved 2026-03-04 17:00: 1h later"
        ),
    ]


def test_a_quiet_rule_without_labels_says_so():
    """Nothing fired, nothing is known: no share of nothing is claimed."""
    quiet = report_of(replace(RULE, known=()), Interval(NOON, NOON + HOUR), Work(1, 0, 9, 1, 1.0), [])
    assert report_text(quiet).splitlines()[2:] == [
        "  would have fired: nothing",
        "  noise: the budget (1 a week) allows 0.006 false incidents here; 0 fired, true ones included",
        "  known incidents (`known:` of the rule): none in this stretch",
    ]


def test_names_from_outside_are_no_markup_on_the_page():
    """A label's name is shown, not obeyed; what was missed stands out."""
    html = page([report()])
    assert "the &lt;outage&gt;" in html
    assert "<outage>" not in html
    assert '<li class="missed">MISSED' in html
