"""Everything fails, and nothing is lost: `python -m tests.chaos` as a test, briefly and in full."""

from __future__ import annotations

import os
import random
import tempfile
from pathlib import Path

import pytest

from tests.chaos.conduct import Report, chaos
from tests.chaos.plan import FULL, SHORT, Size, at_once, counts, draw
from tests.chaos.report import faults, table

pytestmark = pytest.mark.xdist_group("chaos")

SEED = "SLICEWATCH_CHAOS_SEED"
"""Names a seed for a run that is to be had again."""


def run(size: Size, patience: float) -> Report:
    """A run of a seed that is printed, with its table."""
    seed = int(os.environ.get(SEED) or random.SystemRandom().randrange(1_000_000))
    print(f"{SEED}={seed}", flush=True)  # noqa: T201  # whoever looks at a failure needs it
    with tempfile.TemporaryDirectory(prefix="sw-chaos-", ignore_cleanup_errors=True) as folder:
        report = chaos(draw(seed, size), Path(folder), print, patience)
    print(table(report))  # noqa: T201  # as above
    return report


def held(report: Report) -> None:
    """Nothing was lost, and everything that was planned did go wrong."""
    size = report.plan.size
    assert min(counts(report.injected).values()) >= size.each
    assert at_once(report.injected) >= size.together
    assert not report.verdict.faults, faults(report)
    assert not report.log, report.log


@pytest.mark.timeout(290)
def test_a_few_rules_while_everything_fails_twice():
    """Two replicas lose no tick, no incident and no news while each kind of fault comes twice."""
    held(run(SHORT, patience=100.0))


@pytest.mark.soak
@pytest.mark.timeout(5_400)
def test_two_hundred_rules_while_everything_fails_twenty_times():
    """Three replicas lose no tick, no incident and no news in half an hour of faults."""
    report = run(FULL, patience=1_200.0)
    held(report)
    assert report.verdict.ticks >= 500
    assert report.verdict.injected >= 100
