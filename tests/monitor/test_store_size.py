"""The formula for a store's size, held against stores that the program has filled."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest

from monitor.keeping import Retention
from monitor.store import Store
from monitor.store_size import IncidentUse, RuleUse, page_bytes, rule_bytes, store_bytes
from tests.monitor.ticks import Ticks
from tests.monitor.world import world

SHAPES = {
    "small": ({"a": 4, "b": 5, "c": 3}, 20_000.0),
    "middle": ({"a": 8, "b": 10, "c": 5}, 50_000.0),
}
BEGIN, DAYS = 29, 2


@pytest.mark.parametrize("shape", SHAPES)
def test_the_formula_holds_within_a_quarter(tmp_path: Path, shape: str) -> None:
    """Two days of hourly evaluations after four weeks of history, with three incidents of some hours."""
    values, volume = SHAPES[shape]
    made = world({k: tuple(f"{k}-value-{i}" for i in range(n)) for k, n in values.items()}, days=32, volume=volume)
    first = BEGIN * 24
    made = made.scaled(0, first + 5, first + 10, a="a-value-1").scaled(0.3, first + 20, first + 28, b="b-value-2")
    made = made.scaled(0, first + 32, first + 36, a="a-value-0", b="b-value-0")
    file = tmp_path / "slicewatch.db"
    state = Store.open(f"sqlite:///{file}")
    ticks = Ticks.over(made, state).learn(first).run(range(first, first + DAYS * 24))
    with state.read() as tx:
        steps = tx.connection.exec_driver_sql("SELECT count(*) FROM slicewatch_transition").scalar_one()
    incidents = len(ticks.incidents)
    state.close()
    with closing(sqlite3.connect(file)) as whole:
        whole.execute("VACUUM")
    use = RuleUse(leaves=len(made.terms), events=volume, slices=len(made.lattice()), days=DAYS)
    told = IncidentUse(incidents, buckets_open=steps / incidents - 2)
    assert incidents == 3
    assert file.stat().st_size == pytest.approx(store_bytes([use], told), rel=0.25)


def test_what_is_kept_bounds_the_size() -> None:
    """After eleven years a rule takes no more than after ten and a half; of short buckets the hours are the most of it."""
    hourly = [rule_bytes(RuleUse(500, 50_000, 300, days=365 * n)) for n in (10.5, 11)]
    assert hourly[0] == pytest.approx(hourly[1])
    fine = RuleUse(500, 5_000, 300, bucket_hours=1 / 12, days=400, schedule_hours=1 / 12)
    assert rule_bytes(fine) < 0.6 * 400 * 288 * page_bytes(500, 5_000)
    assert rule_bytes(fine, Retention(fine=timedelta(days=400))) > rule_bytes(fine)
