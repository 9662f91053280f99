from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.scenarios import (
    DATA_SETS,
    NYC_BIKE,
    SCENARIOS,
    USAGOV,
    DataSet,
    Scenario,
    apportion,
    arriving_late,
    between,
    complaints,
    untouched_workspace,
    utc,
    workspace,
)

pytestmark = pytest.mark.shared

EVERY = sorted(SCENARIOS)
CHANGING = [name for name in EVERY if name != "W1"]


def sums(frame: pd.DataFrame, *by: str) -> pd.Series:
    return frame.groupby(["date", *by])["visits"].sum()


@pytest.mark.parametrize("name", CHANGING)
def test_a_scenario_changes_only_its_own_stretch(name):
    """Rows before and after the change are those of the file, in its order; those inside are not."""
    scenario = SCENARIOS[name]
    before, after = scenario.data.read(), scenario.changed()
    inside = [between(frame, scenario.data.time, scenario.begins, scenario.ends) for frame in (before, after)]
    pd.testing.assert_frame_equal(before[~inside[0]], after[~inside[1]])
    assert not before[inside[0]].equals(after[inside[1]])


@pytest.mark.parametrize("name", CHANGING)
def test_a_scenario_keeps_the_files_types(name):
    """A change keeps every column's name and type, so that the source sees the same table."""
    scenario = SCENARIOS[name]
    assert scenario.changed().dtypes.to_dict() == scenario.data.read().dtypes.to_dict()


def test_r1_loses_nothing():
    """Every trip arrives within a day, 97 % of them within four hours, by zone between .6 and .97 at once."""
    before, after = NYC_BIKE.read(), arriving_late(NYC_BIKE.read())
    begin = NYC_BIKE.start - timedelta(days=33)
    keys = ["hour", "zone_row", "zone_col", "direction"]
    whole = before[between(before, "hour", begin, NYC_BIKE.end + timedelta(days=1))].set_index(keys)["trips"]
    arrived = after.groupby(keys)["trips"].sum().astype(whole.dtype)
    pd.testing.assert_series_equal(arrived, whole[whole > 0].sort_index(), check_names=False)
    lag = (after["arrived_at"] - after["hour"]) / pd.Timedelta(hours=1) - 1
    assert lag.between(0, 24).all()
    assert after["trips"][lag <= 4].sum() / after["trips"].sum() == pytest.approx(0.97, abs=0.002)
    zone = after.groupby(["zone_row", "zone_col"])["trips"].sum()
    at_once = after[lag == 0].groupby(["zone_row", "zone_col"])["trips"].sum()
    share = (at_once / zone)[zone > 5000]
    assert share.between(0.58, 0.98).all()
    assert share.max() - share.min() > 0.25


def test_u1_loses_what_the_readme_says():
    """U1 removes 264,000 of 38 million visits a day."""
    before, after = USAGOV.read(), SCENARIOS["U1"].changed()
    day = pd.Timestamp("2023-12-05")
    lost = (sums(before) - sums(after))[day]
    assert round(lost, -3) == 264_000
    assert 37e6 < sums(before)[day] < 39e6
    assert (sums(before) - sums(after))["2023-12-05":"2023-12-07"].gt(0).all()


def test_u2_halves_edge_on_every_system():
    """U2 halves Edge, 97 % of which is on Windows."""
    before, after = (frame[frame["browser"] == "Edge"] for frame in (USAGOV.read(), SCENARIOS["U2"].changed()))
    days = slice("2023-12-05", "2023-12-08")
    ratio = (sums(after) / sums(before)).loc[days]
    assert len(ratio) == 4
    assert ratio.between(0.49, 0.5).all()
    windows = (sums(before, "os").xs("Windows", level="os") / sums(before)).loc[days]
    assert windows.between(0.97, 0.98).all()


def test_u3_keeps_every_marginal_but_the_os():
    """U3 keeps total, agencies, browsers and agency x browser; os=Android moves by 3 %."""
    before, after = USAGOV.read(), SCENARIOS["U3"].changed()
    for kept in ((), ("agency",), ("browser",), ("agency", "browser")):
        pd.testing.assert_series_equal(sums(before, *kept), sums(after, *kept))
    moved = (sums(after, "os") / sums(before, "os")).loc["2023-12-05":"2023-12-08"]
    assert moved.xs("Android", level="os").between(0.965, 0.98).all()
    assert moved.drop(index=["Android", "iOS"], level="os").eq(1.0).all()


def test_u4_renames_a_browser_for_good():
    """U4 keeps every count under the new name, from the day on, and the new name was never seen before."""
    before, after = (sums(frame, "browser") for frame in (USAGOV.read(), SCENARIOS["U4"].changed()))
    day = pd.Timestamp("2023-12-05")
    old, new = (after.xs(f"Samsung {name}", level="browser") for name in ("Internet", "Browser"))
    assert old.index.max() < day
    assert new.index.min() == day
    kept = before.xs("Samsung Internet", level="browser")
    pd.testing.assert_series_equal(pd.concat([old, new]), kept)


def test_u5_keeps_every_marginal_without_the_agency():
    """U5 keeps total, every os, every browser and os x browser; justice's iOS is gone."""
    before, after = USAGOV.read(), SCENARIOS["U5"].changed()
    for kept in ((), ("os",), ("browser",), ("os", "browser")):
        pd.testing.assert_series_equal(sums(before, *kept), sums(after, *kept))
    gone = sums(after[(after["agency"] == "justice") & (after["os"] == "iOS")])
    assert gone.loc["2023-12-05":"2023-12-07"].empty
    assert not gone.loc["2023-12-08":"2023-12-08"].empty


def test_u5_spreads_the_loss_in_proportion():
    """U5 gives to each other agency's iOS browser what is its share, to within one visit."""
    before, after = (
        frame[(frame["os"] == "iOS") & (frame["browser"] == "Safari") & (frame["date"] == "2023-12-05")]
        for frame in (USAGOV.read(), SCENARIOS["U5"].changed())
    )
    old, new = (frame.set_index("agency")["visits"] for frame in (before, after))
    others = old.drop("justice")
    assert (new - others - old["justice"] * others / others.sum()).abs().max() < 1


def test_n1_empties_one_zone_by_day():
    """N1 removes the zone's rows of twelve hours, both directions, and no others."""
    before, after = NYC_BIKE.read(), SCENARIOS["N1"].changed()
    lost = before.loc[before.index.difference(after.index)]
    assert set(zip(lost["zone_row"], lost["zone_col"], strict=True)) == {(8, 3)}
    assert set(lost["direction"]) == {"in", "out"}
    assert lost["hour"].min() == pd.Timestamp("2014-06-17 08:00")
    assert lost["hour"].max() == pd.Timestamp("2014-06-17 19:00")


def test_n2_halves_arrivals_by_chance():
    """N2 takes about half of direction=in, the same draw each time, and nothing from direction=out."""
    before, after = NYC_BIKE.read(), SCENARIOS["N2"].changed()
    rows = between(before, "hour", SCENARIOS["N2"].begins, SCENARIOS["N2"].ends)
    ratio = after[rows].groupby("direction")["trips"].sum() / before[rows].groupby("direction")["trips"].sum()
    assert abs(ratio["in"] - 0.5) < 0.01
    assert ratio["out"] == 1
    pd.testing.assert_frame_equal(after, SCENARIOS["N2"].changed())


@pytest.mark.parametrize("data", DATA_SETS, ids=lambda data: data.table)
def test_untouched_workspace_holds_the_file_as_it_is(data: DataSet, tmp_path):
    """A workspace holds data, the example's rule and a configuration."""
    config = untouched_workspace(data, tmp_path)
    pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / f"{data.table}.parquet"), data.read())
    assert data.table in config.read_text()
    assert f"- name: {data.rule}\n" in (tmp_path / "rules" / f"{data.table}.yaml").read_text()


def test_workspace_writes_the_changed_data(tmp_path):
    """A scenario's workspace holds the changed data."""
    workspace(SCENARIOS["U1"], tmp_path)
    written = pd.read_parquet(tmp_path / "os_browser.parquet")
    pd.testing.assert_frame_equal(written, SCENARIOS["U1"].changed().reset_index(drop=True))


@given(amount=st.integers(0, 10**9), weights=st.lists(st.integers(0, 10**8), min_size=1).filter(any))
def test_apportion_gives_all_in_proportion(amount, weights):
    """Integer shares sum to the amount and lie within one of the exact share."""
    shares = apportion(amount, np.array(weights))
    assert shares.sum() == amount
    exact = [amount * weight / sum(weights) for weight in weights]
    assert all(abs(share - part) < 1 + 1e-6 for share, part in zip(shares, exact, strict=True))


def incident(scenario: Scenario, **other: Any) -> dict[str, Any]:
    """The incident a scenario asks for, as `replay --json` prints it."""
    expected = scenario.expected
    resolved = expected.raised_by if expected.closes_at_once else scenario.resolves_by
    return {
        "kind": expected.kind,
        "cause": dict(expected.cause),
        "to": dict(expected.to) if expected.to is not None else None,
        "since": scenario.begins.isoformat(),
        "raised_at": expected.raised_by.isoformat().replace("+00:00", "Z"),
        "resolved_at": resolved.isoformat(),
    } | other


@pytest.mark.parametrize("name", EVERY)
def test_the_incident_asked_for_is_no_complaint(name):
    """The named kind, cause and times pass; the same beside what the untouched data raises too."""
    scenario = SCENARIOS[name]
    right = incident(scenario)
    known = incident(scenario, cause={"known": "before"})
    assert complaints(scenario, [right]) == []
    if name != "W1":
        assert complaints(scenario, [known, right], [known]) == []


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("kind", "spike"),
        ("cause", {"agency": "justice"}),
        ("since", "2023-12-04T00:00:00Z"),
        ("raised_at", "2023-12-07T00:00:00Z"),
        ("resolved_at", "2023-12-12T00:00:00Z"),
        ("resolved_at", None),
        ("until", "2023-12-10T00:00:00Z"),
    ],
)
def test_each_wrong_fact_is_a_complaint(field, value):
    """One wrong fact of an incident is told as one complaint."""
    scenario = SCENARIOS["U5"]
    assert len(complaints(scenario, [incident(scenario, **{field: value})])) == 1


def test_none_or_two_incidents_are_a_complaint():
    """Exactly one incident passes."""
    scenario = SCENARIOS["U3"]
    right = incident(scenario)
    assert complaints(scenario, []) != []
    assert complaints(scenario, [right, incident(scenario, cause={"os": "iOS"})]) != []
    assert complaints(scenario, [incident(scenario, to={"os": "Linux"})]) != []
    assert complaints(scenario, [right], [right]) != []


def test_a_rename_must_close_once_told():
    """U4's incident that stays open is a complaint."""
    scenario = SCENARIOS["U4"]
    assert complaints(scenario, [incident(scenario, resolved_at="2023-12-08T00:00:00Z")]) != []


def test_resolves_by_counts_three_buckets():
    """Three days for daily data, three hours for hourly data."""
    assert SCENARIOS["U1"].resolves_by == utc("2023-12-11")
    assert SCENARIOS["N1"].resolves_by == utc("2014-06-17 23:00")
    assert replace(SCENARIOS["N1"], ends=None).resolves_by == NYC_BIKE.end
