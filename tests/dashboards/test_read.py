"""What stands on a page and on the terminal: unknown never looks fine."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from alerts.incidents import StepPolicy
from alerts.model import Incident
from dashboards.read import ArrivalStage, Health, Overview, RuleView, Stage, health_of
from dashboards.text import overview_text
from tests.alerts.make import History, assess, finding

NOON = datetime(2026, 3, 4, 12, tzinfo=UTC)

FINE = RuleView(
    name="playback_volume",
    owner="recs-data",
    source="lake.playback",
    health=Health.FINE,
    last_run=NOON,
    last_error="",
    overdue=False,
    history_from=datetime(2026, 1, 1, tzinfo=UTC),
    history_to=datetime(2026, 3, 4, 11, tzinfo=UTC),
    leaves=3_665,
    stage=Stage.FULL,
    full_from=datetime(2026, 1, 29, tzinfo=UTC),
    arrivals=ArrivalStage.LEARNED,
    arrivals_from=datetime(2026, 1, 15, tzinfo=UTC),
    open=(),
)


def seen(policy: StepPolicy) -> Incident:
    """An incident after one bad evaluation."""
    history = History(policy)
    history.see(assess(1, finding()))
    return history.only


FIRED = seen(StepPolicy())
PENDING = seen(StepPolicy(for_=2))


@given(
    ran=st.booleans(),
    blind=st.booleans(),
    overdue=st.booleans(),
    open_ones=st.lists(st.sampled_from([FIRED, PENDING]), max_size=3),
)
def test_fine_means_looked_at_lately_with_an_answer_and_nothing_raised(ran, blind, overdue, open_ones):
    """Every other combination has a word of its own; what could not be asked hides behind no incident."""
    health = health_of(tuple(open_ones), ran=ran, blind=blind, overdue=overdue)
    assert (health is Health.FINE) == (ran and not blind and not overdue and FIRED not in open_ones)
    if ran and (blind or overdue):
        assert health is Health.UNKNOWN
    if not ran:
        assert health is Health.NEVER_RUN


def shown(*rules: RuleView, problems: int = 0) -> list[str]:
    return overview_text(Overview(rules, queued=1, delivered=2, dead=0, problems=problems)).splitlines()


def test_a_rule_that_is_fine_takes_four_lines():
    """Its last evaluation, its history, how well it protects and knows arrivals; then the deliveries."""
    assert shown(FINE) == [
        "playback_volume  FINE  last run 2026-03-04 12:00 UTC  owner recs-data",
        "  history 2026-01-01 00:00 UTC to 2026-03-04 11:00 UTC, 3,665 slices",
        "  protection: full",
        "  arrivals: learned",
        "deliveries: 2 done, 1 waiting, 0 given up",
    ]


def test_unknown_says_why():
    """The source's own words, or that nobody evaluates."""
    blind = replace(FINE, health=Health.UNKNOWN, last_error="lake: no files")
    assert shown(blind)[:2] == [
        "playback_volume  UNKNOWN  last run 2026-03-04 12:00 UTC  owner recs-data",
        "  could not ask lake.playback: lake: no files",
    ]
    overdue = replace(FINE, health=Health.UNKNOWN, overdue=True)
    assert shown(overdue)[1] == "  evaluations are overdue: is `slicewatch run` running?"


def test_a_rule_says_until_when_it_learns_arrivals():
    """The date from which late and lost are told apart; nothing is claimed before anything was read twice."""
    young = replace(FINE, arrivals=ArrivalStage.LEARNING)
    assert shown(young)[3] == "  arrivals: learning arrivals, until 2026-01-15 00:00 UTC"
    new = replace(FINE, arrivals=ArrivalStage.UNKNOWN, arrivals_from=None)
    assert shown(new)[3] == "  arrivals: not known yet: detection_delay is trusted"


def test_a_young_rule_says_when_it_will_protect_fully():
    """The stage it is in, and the date; without history only the stage."""
    young = replace(FINE, stage=Stage.TIME_OF_DAY)
    assert shown(young)[2] == "  protection: knows the time of day, full from 2026-01-29 00:00 UTC"
    new = replace(
        FINE,
        health=Health.NEVER_RUN,
        last_run=None,
        history_from=None,
        history_to=None,
        owner=None,
        stage=Stage.TOTAL_SILENCE,
        full_from=None,
    )
    assert shown(new)[:2] == [
        "playback_volume  NEVER RUN  last run never  owner nobody",
        "  protection: only total silence is noticed",
    ]


def test_open_incidents_stand_below_their_rule():
    """Id, state, severity, kind, cause, and how much of how much since when."""
    line = shown(replace(FINE, health=Health.FIRING, open=(FIRED,)))[4]
    assert line.split("  ")[1:] == [
        FIRED.id,
        FIRED.state.value,
        FIRED.severity.value,
        FIRED.kind.value,
        FIRED.cause.label(),
        f"{FIRED.observed:,.0f} of {FIRED.expected:,.0f} since {FIRED.since:%Y-%m-%d %H:%M} UTC",
    ]


def test_rules_that_cannot_run_are_counted():
    """They are not watched, so they must not be silent."""
    assert shown(problems=1) == [
        "no rule is watched",
        "1 problem in rule files: see `slicewatch check`",
        "deliveries: 2 done, 1 waiting, 0 given up",
    ]
    assert "2 problems in rule files" in shown(FINE, problems=2)[4]
