"""One bucket of one rule, judged: the pure step that evaluation, and benchmarks that replay in memory, share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from alerts.incidents import StepPolicy, step
from alerts.model import Absence, Assessment, Incident, Transition
from monitor.assess import assess
from monitor.buckets import DAY, Grid, to_epoch
from monitor.detectors.fit import level_span, windows_of
from monitor.detectors.model import LeafSeries
from monitor.question import Answer, Question
from rules.model import Rule

LONGEST_FOLLOWED = 15 * DAY
"""How far back the start of an open incident is read; a longer one (while its source is silent) is followed from there."""


@dataclass(frozen=True)
class Judgement:
    """What a bucket came to: the incidents' transitions, and every flag [S] of the buckets whose flags changed."""

    transitions: tuple[Transition, ...]
    flags: dict[int, NDArray[np.bool_]]
    answers: tuple[Answer, ...]
    """One per metric."""


def first_needed(grid: Grid, bucket: int, followed: Sequence[Incident]) -> int:
    """Start of the first bucket that judging `bucket` reads: level, longest window, onset, incidents followed."""
    longest, span = max(windows_of(grid)), level_span(grid)
    first = grid.shift(bucket, -(span + 3 * longest) + 1)
    for incident in followed:
        begin = grid.shift(grid.floor(to_epoch(incident.since)), -span)
        first = min(first, max(begin, grid.shift(grid.floor(bucket - LONGEST_FOLLOWED), -span)))
    return first


def judge_bucket(
    rule: Rule,
    at: datetime,
    questions: Sequence[Question],
    incidents: tuple[Incident, ...],
    absence: Absence | None = None,
) -> Judgement:
    """Judge one bucket at the time `at`: one question per metric, about the same bucket; `incidents` are open.

    `absence` is the stretch in which nothing was judged, where the bucket should have been judged in it.
    """
    answers = [assess(question) for question in questions]
    assessment = Assessment(
        rule=rule.name,
        tick=at,
        findings=tuple(f for answer in answers for f in answer.findings),
        recoveries=tuple(r for answer in answers for r in answer.recoveries),
        absence=absence,
    )
    made = step(incidents, assessment, StepPolicy.of(rule))
    return Judgement(tuple(made), _changed(questions[0].recent, answers), tuple(answers))


def _changed(recent: LeafSeries, answers: Sequence[Answer]) -> dict[int, NDArray[np.bool_]]:
    """Buckets whose flags changed, with all their flagged leaves."""
    flagged = np.logical_or.reduce([answer.flagged for answer in answers])
    changed = np.flatnonzero((flagged != recent.flagged).any(axis=0))
    return {int(recent.starts[t]): flagged[:, t] for t in changed}
