"""One tick judged, without a store: findings, recoveries, and the cells that are no part of what is normal."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cache

import numpy as np
import pytest

from alerts.incidents import StepPolicy, step
from alerts.model import Assessment, Incident, Kind, State
from monitor.assess import assess
from monitor.buckets import to_datetime
from monitor.detectors.fit import Fit
from monitor.lattice import ANY
from monitor.question import Answer, Question
from rules.model import Direction
from tests.monitor.world import CROSS, HOUR, World, cause, fleet, world

DAY28 = 28 * 24
NOON = DAY28 + 12


@cache
def cross() -> World:
    return world(CROSS)


@cache
def learned() -> Fit:
    return cross().fit(DAY28)


@dataclass
class Judge:
    """Assesses column after column, keeping open incidents and flags as the store would."""

    made: World
    fit: Fit
    direction: Direction = Direction.DROP
    open: tuple[Incident, ...] = ()
    closed: tuple[Incident, ...] = ()
    flagged: np.ndarray = field(init=False)
    answers: list[Answer] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.flagged = np.zeros(self.made.values.shape[1:], dtype=bool)

    def question(self, column: int) -> Question:
        first = max(0, column + 1 - 120)
        lattice = self.made.lattice()
        recent = replace(self.made.series(column + 1, first), flagged=self.flagged[:, first : column + 1].copy())
        return Question(
            "playback_volume", "count", self.direction, self.made.grid, lattice, self.fit, recent, self.open,
            self.made.context(lattice),
        )  # fmt: skip

    def see(self, column: int) -> Answer:
        answer = assess(self.question(column))
        self.answers.append(answer)
        self.flagged[:, max(0, column + 1 - 120) : column + 1] = answer.flagged
        tick = to_datetime(int(self.made.starts[column]) + HOUR)
        made = step(self.open, Assessment("playback_volume", tick, answer.findings, answer.recoveries), StepPolicy())
        latest = {i.id: i for i in self.open} | {t.incident.id: t.incident for t in made}
        self.open = tuple(i for i in latest.values() if i.state is not State.RESOLVED)
        self.closed += tuple(i for i in latest.values() if i.state is State.RESOLVED)
        return answer

    def run(self, columns) -> Judge:
        for column in columns:
            self.see(column)
        return self


def judge(made: World, **fields) -> Judge:
    """Over a world whose first four weeks are those of `cross`."""
    return Judge(made, learned(), **fields)


def test_nothing_wrong_is_an_empty_answer():
    """No finding, no recovery, no flag."""
    answer = judge(cross()).see(NOON)
    assert (answer.findings, answer.recoveries) == ((), ())
    assert not answer.flagged.any()


def test_a_finding_says_what_when_and_how_much():
    """A dead device: its cause, its first and last bad bucket, and its sums."""
    made = cross().scaled(0.0, NOON - 1, device="tv")
    (finding,) = judge(made).see(NOON).findings
    assert (finding.kind, finding.slice) == (Kind.DROP, cause(device="tv"))
    assert int(finding.since.timestamp()) == made.starts[NOON - 1]
    assert int(finding.until.timestamp()) == made.starts[NOON] + HOUR
    assert finding.observed == 0
    assert finding.expected == pytest.approx(cross().mean[made.inside(device="tv"), NOON - 1 : NOON + 1].sum(), rel=0.1)
    assert 0 < finding.p < 1e-4
    assert finding.continues is None


def test_exactly_the_bad_cells_are_flagged():
    """The cause's leaves from its first bad bucket on, and nothing else."""
    made = cross().scaled(0.0, NOON - 1, device="tv")
    flagged = judge(made).see(NOON).flagged
    wanted = np.zeros_like(flagged)
    wanted[made.inside(device="tv"), -2:] = True
    np.testing.assert_array_equal(flagged, wanted)


def test_an_open_incident_is_continued():
    """The next tick names the incident it goes on with, with sums up to then."""
    made = cross().scaled(0.0, NOON, device="tv")
    run = judge(made).run(range(NOON, NOON + 4))
    (incident,) = run.open
    later = [answer.findings[0] for answer in run.answers[1:]]
    assert [f.continues for f in later] == [incident.id] * 3
    assert [f.expected for f in later] == sorted(f.expected for f in later)
    assert all(f.since == later[0].since for f in later)


def test_a_recovery_bounds_the_bad_stretch():
    """Back to normal: no finding, a recovery with the end and the sums of the bad hours, flags up to there."""
    made = cross().scaled(0.0, NOON, NOON + 3, device="tv")
    run = judge(made).run(range(NOON, NOON + 5))
    answer = run.answers[3]
    assert answer.findings == ()
    (recovery,) = answer.recoveries
    assert int(recovery.until.timestamp()) == made.starts[NOON + 3]
    assert recovery.observed == 0
    assert recovery.expected == pytest.approx(cross().mean[made.inside(device="tv"), NOON : NOON + 3].sum(), rel=0.1)
    np.testing.assert_array_equal(np.flatnonzero(run.flagged.any(axis=0)), [NOON, NOON + 1, NOON + 2])
    assert run.open == ()


def test_a_second_loss_after_the_first_is_a_new_incident():
    """Healed cells do not hide what breaks again."""
    made = cross().scaled(0.0, NOON, NOON + 2, device="tv").scaled(0.0, NOON + 6, device="tv")
    run = judge(made).run(range(NOON, NOON + 8))
    assert len(run.closed) == 1
    assert [i.cause for i in run.open] == [cause(device="tv")]
    assert int(run.open[0].since.timestamp()) == made.starts[NOON + 6]


def test_a_wider_cause_takes_the_open_one_over():
    """First a pair, then its whole device: the finding continues the incident under the wider name."""
    made = cross().scaled(0.0, NOON, None, device="tv", country="NO").scaled(0.0, NOON + 3, None, device="tv")
    run = judge(made).run(range(NOON, NOON + 6))
    (incident,) = run.open
    assert incident.cause == cause(device="tv")
    assert run.closed == ()


def test_what_broke_beside_an_open_incident_is_its_own():
    """An unrelated slice breaks later: two findings, one of them new."""
    made = cross().scaled(0.0, NOON, None, device="tv").scaled(0.0, NOON + 3, None, device="phone", country="SE")
    run = judge(made).run(range(NOON, NOON + 6))
    assert {i.cause for i in run.open} == {cause(device="tv"), cause(device="phone", country="SE")}


def test_a_total_loss_is_the_total():
    """Nothing comes at all: {} and no slice beside it, from the first hour to the last."""
    run = judge(cross().scaled(0.0, NOON, NOON + 3)).run(range(NOON, NOON + 6))
    assert [i.cause for i in run.closed] == [cause()]
    assert run.open == ()
    assert all(len(answer.findings) <= 1 for answer in run.answers)


def test_a_device_that_stays_away_after_a_total_loss_is_told():
    """All comes back but one: the total resolves, and the device has an incident of its own before long."""
    made = cross().scaled(0.0, NOON, NOON + 3).scaled(0.0, NOON + 3, None, device="tv")
    run = judge(made).run(range(NOON, NOON + 9))
    assert cause(device="tv") in [i.cause for i in run.open]
    assert all(i.cause != cause() for i in run.open)


@pytest.mark.parametrize("direction", list(Direction))
def test_only_the_direction_asked_for_is_found(direction):
    """A loss and an unrelated growth at once."""
    made = cross().scaled(0.0, NOON, None, device="tv").scaled(4.0, NOON, None, country="FI", device="phone")
    kinds = {f.kind for f in judge(made, direction=direction).run(range(NOON, NOON + 3)).answers[-1].findings}
    wanted = {
        Direction.DROP: {Kind.DROP},
        Direction.SPIKE: {Kind.SPIKE},
        Direction.BOTH: {Kind.DROP, Kind.SPIKE},
    }[direction]
    assert kinds == wanted


def test_a_move_flags_both_sides():
    """Lost here and gained there: neither is what is normal."""
    made = cross().relabelled(NOON, dimension="device", old="tv", new="web")
    run = judge(made).run(range(NOON, NOON + 2))
    (finding,) = run.answers[-1].findings
    assert (finding.kind, finding.to) == (Kind.MOVED, cause(device="web"))
    assert run.flagged[made.inside(device="tv"), NOON].all()
    assert run.flagged[made.inside(device="web"), NOON].all()
    assert not run.flagged[made.inside(device="phone")].any()


def test_other_names_of_the_same_cells_are_told():
    """All of tv runs tvos."""
    made = fleet().scaled(0.0, NOON, None, os="tvos")
    (finding,) = Judge(made, fleet().fit(DAY28)).run([NOON, NOON + 1]).answers[-1].findings
    assert finding.slice == cause(device="tv")
    assert finding.also == (cause(os="tvos"),)


def test_blind_and_resolved_incidents_are_not_followed():
    """A blind incident is about the source: it neither recovers nor continues here."""
    made = cross().scaled(0.0, NOON, device="tv")
    run = judge(made).run(range(NOON, NOON + 2))
    (incident,) = run.open
    run.open = (replace(incident, id="sw-blind", kind=Kind.BLIND), replace(incident, id="sw-old", state=State.RESOLVED))
    answer = assess(run.question(NOON + 1))
    assert answer.recoveries == ()
    assert all(f.continues is None for f in answer.findings)


def test_assessing_changes_nothing_it_is_given():
    """Pure: the same question twice has the same answer, and its arrays are as before."""
    made = cross().scaled(0.0, NOON, device="tv")
    question = judge(made).run(range(NOON, NOON + 2)).question(NOON + 2)
    values, flagged = question.recent.values.copy(), question.recent.flagged.copy()
    one, two = assess(question), assess(question)
    assert one.findings == two.findings
    assert one.recoveries == two.recoveries
    np.testing.assert_array_equal(one.flagged, two.flagged)
    np.testing.assert_array_equal(question.recent.values, values)
    np.testing.assert_array_equal(question.recent.flagged, flagged)


def test_codes_of_a_slice():
    """ANY where it names nothing; a value never seen has a code that no leaf has."""
    lattice = cross().lattice()
    assert lattice.leaves.codes_of(cause()) == (ANY, ANY, ANY)
    assert lattice.leaves.codes_of(cause(country="SE")) == (ANY, CROSS["country"].index("SE"), ANY)
    unknown = lattice.leaves.codes_of(cause(device="fax"))
    assert unknown[0] not in set(lattice.leaves.codes[:, 0].tolist())
