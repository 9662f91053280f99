"""What stands beside a cause: the total, siblings, children, the curve."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from alerts.model import Evidence, TotalState
from monitor.curve import MOST_BUCKETS
from monitor.detectors.judge import alarms, judge
from monitor.evidence import MOST_NAMED, evidence_of
from monitor.localize.causes import explain
from monitor.localize.track import track
from tests.monitor.world import CROSS, World, cause, world

NOON = 28 * 24 + 12


@cache
def cross() -> World:
    return world(CROSS)


def evidence(made: World, *, down: bool = True, hole: int | None = None) -> Evidence:
    """Of the one cause at NOON; `hole` is an unknown column, counted from the newest."""
    view = made.view(NOON)
    if hole is not None:
        values = view.recent.values.copy()
        values[:, -1 - hole] = np.nan
        view = replace(view, recent=replace(view.recent, values=values))
    context = made.context(view.lattice)
    nobody = np.zeros(len(view.lattice), dtype=bool)
    verdicts = judge(view, nobody)
    found = alarms(view, verdicts, context, down=down)
    item = explain(view, verdicts, found, view.common_by_bucket(nobody), context.min_change)[0]
    return evidence_of(view, item, track(view, item.codes, item.members, item.first), context)


def names(facts) -> set[str]:
    return {fact.slice.label() for fact in facts}


def test_a_plain_loss_pulls_the_total_down():
    """The largest device dies: total down, the others fine and the largest of them first."""
    shares = {d: cross().mean[cross().inside(device=d)].sum() for d in CROSS["device"]}
    largest = max(shares, key=shares.get)
    found = evidence(cross().scaled(0.0, NOON - 3, device=largest))
    assert found.total_state is TotalState.DOWN
    assert names(found.fine) == {f"device={d}" for d in CROSS["device"] if d != largest}
    assert [f.expected for f in found.fine] == sorted((f.expected for f in found.fine), reverse=True)
    assert found.grew == ()


def test_a_masked_loss_names_who_grew():
    """One sibling takes all: the total is stable, the sibling grew and is not called fine."""
    found = evidence(cross().shared_out(NOON - 3, None, {"device": "tv"}, {"device": "phone"}))
    assert found.total_state is TotalState.STABLE
    assert names(found.grew) == {"device=phone"}
    assert names(found.fine) == {"device=tablet", "device=web"}
    assert found.total.observed == pytest.approx(found.total.expected, rel=0.1)
    (grew,) = found.grew
    assert grew.observed > grew.expected


def test_facts_of_siblings_are_over_the_bad_stretch():
    """Observed is exactly what came since the first bad hour."""
    broken = cross().scaled(0.0, NOON - 3, device="tv")
    found = evidence(broken)
    for fact in found.fine:
        rows = broken.inside(**dict(fact.slice.terms))
        assert fact.observed == broken.values[0][rows, NOON - 3 : NOON + 1].sum()
        assert fact.expected == pytest.approx(broken.mean[rows, NOON - 3 : NOON + 1].sum(), rel=0.1)


def test_siblings_of_a_pair_differ_in_one_value():
    """For tv in Norway: other devices in Norway, and tv elsewhere."""
    found = evidence(cross().scaled(0.0, NOON - 4, device="tv", country="NO"))
    assert names(found.fine) <= {
        *(cause(device=d, country="NO").label() for d in CROSS["device"] if d != "tv"),
        *(cause(device="tv", country=c).label() for c in CROSS["country"] if c != "NO"),
    }
    assert cause(device="tv", country="SE").label() in names(found.fine)


def test_children_are_listed_by_loss_and_counted():
    """Slices it explains, the largest first, at most ten; the cause itself is none of them."""
    found = evidence(cross().scaled(0.0, NOON - 3, device="tv"))
    assert len(found.children) <= MOST_NAMED <= found.children_count
    losses = [f.expected - f.observed for f in found.children]
    assert losses == sorted(losses, reverse=True)
    assert "device=tv" not in names(found.children)


def test_the_band_and_the_last_sight():
    """The observed sum lies outside the band, the expected one inside; last seen is the hour before the loss."""
    found = evidence(cross().scaled(0.0, NOON - 3, device="tv"))
    assert 0 < found.low < found.high
    assert int(found.last_seen.timestamp()) == cross().starts[NOON - 4]


def test_the_curve_is_that_of_the_cause():
    """The last 72 hours: what came, what was expected, a band around it that never goes below zero."""
    broken = cross().scaled(0.0, NOON - 3, device="tv")
    series = evidence(broken).series
    assert len(series.starts) == MOST_BUCKETS == len(series.observed) == len(series.expected)
    rows = broken.inside(device="tv")
    assert list(series.observed) == broken.values[0][rows, NOON - 71 : NOON + 1].sum(axis=0).tolist()
    assert all(0 <= low <= mu <= high for low, mu, high in zip(series.low, series.expected, series.high, strict=True))
    total = evidence(broken).total_series
    assert list(total.observed) == broken.values[0][:, NOON - 71 : NOON + 1].sum(axis=0).tolist()


def test_an_unknown_bucket_is_a_gap_in_the_curve():
    """None, not zero."""
    series = evidence(cross().scaled(0.0, NOON - 3, device="tv"), hole=10).series
    assert [at for at, value in enumerate(series.observed) if value is None] == [MOST_BUCKETS - 11]
    assert all(value is not None for value in series.expected)


def test_a_spike_has_its_evidence_too():
    """A slice that grew: the total is up, siblings are fine."""
    largest = max(CROSS["country"], key=lambda c: cross().mean[cross().inside(country=c)].sum())
    found = evidence(cross().scaled(3.0, NOON - 3, country=largest), down=False)
    assert found.total_state is TotalState.UP
    assert names(found.fine) == {f"country={c}" for c in CROSS["country"] if c != largest}
