"""What is to be loaded again once a loss is over."""

from __future__ import annotations

import csv
from dataclasses import replace
from io import StringIO

from hypothesis import given, settings
from hypothesis import strategies as st

from alerts.model import Kind, Reprocess, Stretch
from alerts.reprocess import csv_of, stretches_of
from rules.slices import FOLDED, Slice
from tests.alerts.make import START, History, assess, cause, evidence, finding, tick
from tests.alerts.stories import line
from tests.alerts.test_incidents_properties import moves, policies, said

IOS, NO, SE = cause(device="ios"), cause(device="ios", country="NO"), cause(device="ios", country="SE")


def left(history: History) -> list[tuple]:
    """(slice, first hour, last hour, observed, expected) of what the only open incident leaves."""
    (incident,) = history.open
    hour = lambda at: (at - START).total_seconds() / 3_600  # noqa: E731  # used twice in a line
    return [(s.slice, hour(s.since), hour(s.until), s.observed, s.expected) for s in stretches_of(incident)]


def test_one_cause_is_one_stretch():
    """With its sums."""
    history = History()
    history.see(assess(2, finding(until=tick(2), observed=5.0, expected=900.0)))
    assert left(history) == [(IOS, 0, 2, 5.0, 900.0)]


def test_a_wider_cause_is_loaded_from_its_own_beginning_on():
    """Before it only what was lost then, with sums cut where the curve is known, and none where it is not."""
    for curve, sums in ((line(0, [0, 1, 0], [9, 9, 9]), (1, 18)), (None, (None, None))):
        history = History()
        history.see(assess(3, finding(NO, until=tick(3), evidence=evidence(series=curve))))
        history.see(assess(4, finding(IOS, since=tick(2), until=tick(4), observed=2.0, expected=80.0)))
        early, late = left(history)
        assert early == (NO, 0, 2, *sums)
        assert late[:3] == (IOS, 2, 4)


def test_a_wider_cause_that_began_as_early_is_all():
    """Nothing is loaded twice."""
    history = History()
    history.see(assess(1, finding(NO, expected=9.0)))
    history.see(assess(2, finding(IOS, until=tick(2), expected=90.0)))
    assert left(history) == [(IOS, 0, 2, 0.0, 90.0)]


def test_what_was_named_too_wide_is_loaded_by_its_right_name():
    """Where the narrower cause has nearly all of the loss, the rest was never lost."""
    history = History()
    history.see(assess(1, finding(IOS, observed=880.0, expected=1_000.0)))
    narrow = finding(NO, since=tick(1), until=tick(2), expected=115.0, continues=history.only.id)
    history.see(assess(2, narrow))
    assert [found[:3] for found in left(history)] == [(NO, 0, 2)]


def test_what_has_come_back_earlier_is_loaded_as_long_as_it_was_lost():
    """All of ios at first, of which Norway stayed away: both, one after the other."""
    history = History()
    history.see(assess(2, finding(IOS, until=tick(2), expected=1_000.0)))
    history.see(assess(4, finding(NO, until=tick(4), expected=200.0, continues=history.only.id)))
    assert [found[:3] for found in left(history)] == [(IOS, 0, 2), (NO, 2, 4)]


def test_what_a_wider_incident_takes_over_is_not_forgotten():
    """Each country from its own beginning on, until all of it was lost."""
    history = History()
    history.see(assess(1, finding(NO, expected=9.0)))
    history.see(assess(3, finding(SE, since=tick(1), until=tick(3), expected=8.0)))
    history.see(assess(4, finding(IOS, since=tick(2), until=tick(4), expected=90.0)))
    assert [found[:3] for found in left(history)] == [(NO, 0, 1), (SE, 1, 2), (IOS, 2, 4)]


@settings(max_examples=150)
@given(st.lists(moves(), max_size=8), policies)
def test_nothing_is_empty_and_the_beginning_is_there(course, policy):
    """Whatever happens: stretches have a length, come in their order, and the first holds the incident's start."""
    history = History(policy)
    for hour, move in enumerate(course):
        assessment = said(history, 4 * hour, move)
        found = tuple(
            replace(item, until=tick(4 * hour)) for item in assessment.findings if item.since < tick(4 * hour)
        )
        history.see(replace(assessment, findings=found))
    for incident in history.incidents.values():
        found = stretches_of(incident)
        assert list(found) == sorted(found, key=lambda s: s.since)
        assert all(stretch.since < stretch.until for stretch in found)
        if incident.kind is Kind.DROP and incident.since < incident.until:
            assert found[0].since <= incident.since


VALUES = st.one_of(
    st.none(), st.text(), st.just(FOLDED), st.sampled_from(["NULL", "", "=1+1", "'x'", "a,b", 'say "x"'])
)


@given(st.lists(VALUES, min_size=1, max_size=5))
def test_every_value_has_a_cell_of_its_own(values):
    """NULL, the folded rest, any value and strings that look like them stay apart; none is a formula."""
    stretches = tuple(Stretch(Slice((("device", value),)), START, tick(1)) for value in values)
    text = csv_of("r", Reprocess("lake.t", "count", ("device", "os"), stretches))
    head, *rows = csv.reader(StringIO(text, newline=""))
    assert head == ["rule", "source", "metric", "device", "os", "start", "end", "expected", "observed", "lost"]
    cells = [row[3] for row in rows]
    assert len(set(cells)) == len(set(values))
    assert all(cell and cell[0] not in "=+-@\t\r" for cell in cells)
    assert {row[4] for row in rows} == {""}
