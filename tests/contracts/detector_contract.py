"""What every detector promises, tried through a whole assessment: counts in, findings and recoveries out.

To hold one to it, derive a class with a `detector` fixture; it must notice that a device stops completely:

    class TestMine(DetectorContract):
        @pytest.fixture
        def detector(self): return open_detector(DetectorChoice("mine"), "count")
"""

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
from monitor.detectors.model import LeafSeries
from monitor.detectors.protocol import Detector
from monitor.detectors.view import View
from monitor.fits import Learned, carry_over
from monitor.question import Answer, Question
from rules.model import Direction
from tests.monitor.world import HOUR, World, cause, world

DEVICES = {"device": ("phone", "tv", "web"), "country": ("NO", "SE")}
MIDNIGHT = 28 * 24
NOON = MIDNIGHT + 12
BASE = world(DEVICES, days=30, volume=6_000, spread=0.3)
GONE = BASE.scaled(0.0, NOON, None, device="tv")
RECENT = 120


def learned(detector: Detector, made: World) -> Fit:
    """What a detector knows at MIDNIGHT, as it is after a restart."""
    lattice = made.lattice()
    return detector.fit(lattice, made.series(MIDNIGHT), int(made.starts[MIDNIGHT]), made.context(lattice)).stored()


@cache
def learned_from_base(detector: Detector) -> Fit:
    """Detectors are values, so that one which was made again has learned already."""
    return learned(detector, BASE)


@dataclass
class Course:
    """A day judged hour by hour: `unknown` are the columns of which nothing is known."""

    detector: Detector
    made: World
    fit: Fit
    unknown: tuple[int, ...] = ()
    open: tuple[Incident, ...] = ()
    closed: tuple[Incident, ...] = ()
    answers: list[Answer] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.flagged = np.zeros(self.made.values.shape[1:], dtype=bool)

    def recent(self, column: int) -> LeafSeries:
        first = max(0, column + 1 - RECENT)
        found = self.made.series(column + 1, first)
        values = np.where(np.isin(np.arange(first, column + 1), self.unknown)[None, :], np.nan, found.values)
        return replace(found, values=values, flagged=self.flagged[:, first : column + 1].copy())

    def see(self, column: int) -> Answer:
        lattice = self.made.lattice()
        question = Question(
            rule="playback_volume",
            metric="count",
            direction=Direction.DROP,
            grid=self.made.grid,
            lattice=lattice,
            fit=self.fit,
            recent=self.recent(column),
            open=self.open,
            context=self.made.context(lattice),
            detector=self.detector,
        )
        answer = assess(question)
        self.answers.append(answer)
        self.flagged[:, max(0, column + 1 - RECENT) : column + 1] = answer.flagged
        tick = to_datetime(int(self.made.starts[column]) + HOUR)
        made = step(self.open, Assessment("playback_volume", tick, answer.findings, answer.recoveries), StepPolicy())
        latest = {i.id: i for i in self.open} | {t.incident.id: t.incident for t in made}
        self.open = tuple(i for i in latest.values() if i.state is not State.RESOLVED)
        self.closed += tuple(i for i in latest.values() if i.state is State.RESOLVED)
        return answer

    def run(self, columns: range) -> Course:
        for column in columns:
            self.see(column)
        return self


def verdicts_of(detector: Detector, made: World, fit: Fit, column: int):
    """The bare verdicts at a column."""
    recent = made.series(column + 1, max(0, column + 1 - RECENT))
    view = View(made.grid, made.lattice(), fit, recent, recent.flagged)
    return detector.judge(view, np.zeros(len(view.lattice), dtype=bool))


class DetectorContract:
    """Derive from it, with a fixture `detector`; equal detectors have equal hashes."""

    @pytest.fixture
    def fit(self, detector) -> Fit:
        """Learned once: all of these days are alike before MIDNIGHT."""
        return learned_from_base(detector)

    def test_a_day_as_always_is_silent(self, detector, fit):
        """Nothing broke, nothing is said."""
        course = Course(detector, BASE, fit).run(range(MIDNIGHT, MIDNIGHT + 24))
        assert [a.findings for a in course.answers if a.findings] == []

    def test_a_vanished_slice_is_judged_with_zero(self, detector, fit):
        """A device without a row is a drop to nothing, found within three hours, from its first hour on."""
        course = Course(detector, GONE, fit).run(range(NOON - 1, NOON + 3))
        (incident,) = course.open
        assert (incident.cause, incident.kind, incident.observed) == (cause(device="tv"), Kind.DROP, 0.0)
        assert incident.since == to_datetime(int(GONE.starts[NOON]))

    def test_it_is_over_when_the_slice_is_back(self, detector, fit):
        """Back as always: the incident resolves within the day, and no other begins."""
        back = BASE.scaled(0.0, NOON, NOON + 4, device="tv")
        course = Course(detector, back, fit).run(range(NOON - 1, NOON + 12))
        assert course.open == ()
        assert [i.cause for i in course.closed] == [cause(device="tv")]

    def test_ten_times_the_counts_do_not_lose_a_total_loss(self, detector):
        """The unit of counting changes no verdict of a device that is gone."""
        tenfold = replace(GONE, values=GONE.values * 10)
        course = Course(detector, tenfold, learned(detector, tenfold)).run(range(NOON - 1, NOON + 3))
        assert [i.cause for i in course.open] == [cause(device="tv")]

    def test_the_future_changes_no_past_verdict(self, detector, fit):
        """Two days that part at noon are judged alike until then, whichever came first."""
        first = Course(detector, GONE, fit).run(range(NOON - 4, NOON + 2))
        second = Course(detector, BASE, fit).run(range(NOON - 4, NOON + 2))
        again = Course(detector, GONE, fit).run(range(NOON - 4, NOON + 2))
        for one, two in zip(first.answers[:4], second.answers[:4], strict=True):
            assert (one.findings, one.recoveries) == (two.findings, two.recoveries)
        assert [a.findings for a in first.answers] == [a.findings for a in again.answers]

    def test_the_same_history_makes_the_same_fit(self, detector, fit):
        """No chance and no clock: equal bytes; and stored, it judges as it did."""
        lattice = BASE.lattice()
        made = detector.fit(lattice, BASE.series(MIDNIGHT), int(BASE.starts[MIDNIGHT]), BASE.context(lattice))
        assert made.stored().to_bytes() == fit.to_bytes()
        one, two = (verdicts_of(detector, GONE, found, NOON) for found in (fit, Fit.from_bytes(fit.to_bytes())))
        np.testing.assert_array_equal(one.drop, two.drop)

    def test_a_slice_that_appears_is_not_judged_and_disturbs_nobody(self, detector, fit):
        """A device nobody has seen: it raises nothing, then, and the loss beside it is found as before."""
        terms = [("watch", "NO"), ("watch", "SE")]
        grown = GONE.with_leaves(terms)
        grown.values[:, -2:, NOON - 2 :] = 40
        carried = carry_over(Learned(fit), GONE.lattice(), grown.lattice()).fit
        course = Course(detector, grown, carried).run(range(NOON - 2, NOON + 3))
        assert [i.cause for i in course.open] == [cause(device="tv")]

    def test_a_slice_silent_for_the_whole_lookback_is_not_told(self, detector):
        """Known from long ago, and gone since: nothing is expected of it."""
        silent = BASE.with_leaves([("fax", "NO")])
        course = Course(detector, silent, learned(detector, silent)).run(range(NOON, NOON + 3))
        assert course.open == ()

    def test_unknown_is_never_flagged_and_raises_nothing(self, detector, fit):
        """Hours that could not be counted: no finding, no flag."""
        hidden = (NOON, NOON + 1)
        course = Course(detector, GONE, fit, unknown=hidden).run(range(NOON - 1, NOON + 2))
        assert [a.findings for a in course.answers if a.findings] == []
        assert not course.flagged[:, list(hidden)].any()

    def test_unknown_resolves_nothing(self, detector, fit):
        """A device that is gone stays gone while nothing is known of it."""
        hidden = tuple(range(NOON + 4, NOON + 9))
        course = Course(detector, GONE, fit, unknown=hidden).run(range(NOON - 1, NOON + 9))
        assert [i.cause for i in course.open] == [cause(device="tv")]
        assert all(not a.recoveries for a in course.answers)
