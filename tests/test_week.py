"""A daemon lived through by a driven clock: nothing grows but the store, and that by the formula of docs/storage.md."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.week import COUNTRIES, DEVICES, VERSIONS, Day, lived

SLICES = 1 + sum((DEVICES, COUNTRIES, VERSIONS)) + DEVICES * COUNTRIES + DEVICES * VERSIONS + COUNTRIES * VERSIONS
"""Of one dimension and of two, and the total."""


def flat(days: list[Day], most: float) -> None:
    """Memory at the end of the last day is that of the second day, up to a share."""
    second, last = days[1], days[-1]
    assert last.traced <= second.traced * (1 + most), [day.traced for day in days]
    assert last.objects <= second.objects * (1 + most), [day.objects for day in days]


def held(days: list[Day], rules: int) -> None:
    """Every run was made in time, news were told, and the store is as large as it is said to become."""
    assert days[-1].overdue == 0
    assert days[-1].runs >= rules * 24 * days[-1].day
    assert days[-1].messages > 0
    size = pytest.importorskip("monitor.store_size", reason="the formula of the store's size is not there")
    leaves = DEVICES * COUNTRIES * VERSIONS
    use = size.RuleUse(leaves=leaves, events=30 * leaves, slices=SLICES, days=days[-1].day)
    found = size.IncidentUse(
        days[-1].incidents, buckets_open=3, receivers=1, parts=days[-1].messages / days[-1].incidents
    )
    said = size.store_bytes([use] * rules, found) / 2**20
    assert said * 0.75 <= days[-1].store <= said * 1.25, (said, days[-1].store)


def test_three_days_of_a_daemon(tmp_path: Path) -> None:
    """Three rules, losses that are told and over: what the program holds after the third day it held before."""
    days = list(lived(tmp_path, rules=3, days=3, fine=0, trace=True))
    flat(days, 0.03)
    held(days, 3)


@pytest.mark.soak
def test_a_week_of_a_daemon(tmp_path: Path) -> None:
    """Fifty rules for a week."""
    days = list(lived(tmp_path, rules=50, days=7, fine=0, trace=True))
    flat(days, 0.02)
    held(days, 50)
