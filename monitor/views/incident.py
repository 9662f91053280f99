"""The page of one incident, from the store."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np

from alerts.actions import name_of as actor_name
from alerts.marks import NEAR, Mark, of_rule
from alerts.message import RuleFacts, compose
from alerts.model import Incident, Kind
from alerts.ports import Part
from alerts.silences import LONGEST_SILENCE, Silence, silencing
from alerts.wording import name_of
from dashboards.views.common import Curve, MarkLine, SilenceLine
from dashboards.views.incident import (
    Did,
    Differing,
    IncidentPage,
    Panel,
    Sent,
    Share,
    alike,
    as_it_stands,
    deliveries,
    ranked,
    timeline,
)
from monitor import store
from monitor.app import App
from monitor.buckets import to_epoch
from monitor.explaining import Told, told_of
from monitor.lattice import ANY
from monitor.paste import query_to_paste
from monitor.views.incidents import lines
from monitor.views.panorama import Panoramas
from monitor.views.stretch import Stretch, stretch_of
from rules.model import Rule
from rules.slices import Slice, label_of

BEFORE = timedelta(hours=48)
AFTER = timedelta(hours=24)
DAYS_BEFORE, DAYS_AFTER = 14, 7
"""What is shown around an incident; the days are for rules whose buckets are days."""
SIBLINGS = 3
OTHERS = 1_000
"""Newest incidents of the rule among which similar ones are looked for."""


@dataclass(frozen=True)
class IncidentPagesOfStore:
    """`dashboards.views.incident.IncidentPages` of an app."""

    app: App
    panoramas: Panoramas

    def incident(self, name: str, now: datetime) -> IncidentPage | None:
        """All that is known of an incident."""
        with self.app.state.read() as tx:
            item = store.incident(tx, name)
            if item is None:
                return None
            told, (line,) = told_of(tx, item), lines(tx, [item])
            marks = tuple(store.marks(tx, item.since - max(NEAR, BEFORE)))
            silences = tuple(store.silences(tx, item.since))
            others = store.incidents(tx, rule=item.rule, limit=OTHERS)
        rule = self.app.rule(item.rule)
        marks = () if rule is None else _during(of_rule(marks, rule), item, now)
        over = () if rule is None else tuple(s for s in silences if s.scope.concerns(rule) and s.scope.covers(item))
        sent, unsaid = deliveries(told.transitions, told.decisions, _sent(told))
        stretch = None if rule is None else self._stretch(rule, item)
        facts = RuleFacts(item.rule, source="", place="not read") if rule is None else _facts(rule, item, marks)
        quiet = silencing(item, over, now)
        return IncidentPage(
            now=now,
            line=line,
            also=tuple(name_of(other) for other in item.also),
            owner=None if rule is None else rule.owner,
            rule_known=rule is not None,
            severity=item.severity,
            message=compose(as_it_stands(item, told.transitions), facts),
            panels=tuple(_worked_out(stretch, item)) if stretch is not None else tuple(_as_told(item)),
            differing=tuple(_differing(stretch, item.cause)) if stretch is not None else (),
            marks=tuple(MarkLine.of(mark) for mark in marks),
            timeline=timeline(told.transitions, marks, _held(over, item, now), sent),
            deliveries=sent,
            unsaid=unsaid,
            alike=alike(item, others),
            silence=None if quiet is None else SilenceLine.of(quiet),
            did=_did(told),
        )

    def _stretch(self, rule: Rule, item: Incident) -> Stretch | None:
        """None for what is not about events, and for what is by now normal: then what was told stands."""
        if item.kind in (Kind.BLIND, Kind.LATE, Kind.NEW, Kind.RENAMED) or item.accepted_at is not None:
            return None
        found = next((p for p in self.panoramas.of(rule) if p.metric == item.metric), None)
        if found is None or set(item.cause.dimensions) - set(rule.dimensions):
            return None
        after = DAYS_AFTER if found.question.grid.daily else int(AFTER / rule.time_bucket)
        return stretch_of(self.app.state, found, to_epoch(item.since), to_epoch(item.until), after)


def _facts(rule: Rule, item: Incident, marks: tuple[Mark, ...]) -> RuleFacts:
    return RuleFacts.of(rule, query_to_paste(rule, item), marks)


def _during(marks: tuple[Mark, ...], item: Incident, now: datetime) -> tuple[Mark, ...]:
    """Known changes shortly before it or while it lasted."""
    end = item.resolved_at or now
    return tuple(mark for mark in marks if item.since - NEAR <= mark.at <= end)


def _held(silences: tuple[Silence, ...], item: Incident, now: datetime) -> tuple[Silence, ...]:
    """Silences over it that began while it lasted, or shortly before."""
    end = item.resolved_at or now
    return tuple(s for s in silences if item.since - LONGEST_SILENCE <= s.starts <= end)


def _sent(told: Told) -> list[Sent]:
    texts = [item for item in told.deliveries if item.part == Part.TEXT.value]
    return [Sent(t.receiver, t.seq, t.state, t.attempts, t.finished_at, t.last_error) for t in texts]


def _did(told: Told) -> Did | None:
    if not told.actions:
        return None
    last = told.actions[-1]
    return Did(last.at, actor_name(last.by), f"{last.detail[:1].upper()}{last.detail[1:]}.")


# --- curves -------------------------------------------------------------------------------------------------------


def _as_told(item: Incident) -> Iterator[Panel]:
    """The curves that stand in the incident: those of the last message."""
    evidence = item.evidence
    if evidence is None:
        return
    if evidence.series is not None:
        yield Panel(item.cause, name_of(item.cause), Curve.of(evidence.series))
    if evidence.total_series is not None and item.cause.terms:
        yield Panel(Slice(), name_of(Slice()), Curve.of(evidence.total_series))


def _worked_out(stretch: Stretch, item: Incident) -> Iterator[Panel]:
    """The cause, the total, where it went, and the largest siblings."""
    named = [item.cause]
    if item.cause.terms:
        named.append(Slice())
    if item.to is not None:
        named.append(_destination(item.cause, item.to))
    named += [other for other in _siblings(stretch, item.cause) if other not in named][:SIBLINGS]
    around = _around(stretch)
    for wanted in named:
        series = stretch.series(wanted, around)
        if series is not None:
            yield Panel(wanted, name_of(wanted), Curve.of(series))


def _around(stretch: Stretch) -> int:
    grid = stretch.view.grid
    return DAYS_BEFORE if grid.daily else int(BEFORE.total_seconds()) // grid.seconds


def _destination(cause: Slice, to: Slice) -> Slice:
    """The slice that has the cause's events now: the cause with the other value in its place."""
    gained = dict(to.terms)
    return Slice(tuple((name, gained.get(name, value)) for name, value in cause.terms))


def _siblings(stretch: Stretch, cause: Slice) -> list[Slice]:
    """Slices that differ from the cause in its first dimension, the largest first."""
    if not cause.terms:
        return []
    name = cause.terms[0][0]
    leaves = stretch.view.lattice.leaves
    d = leaves.dimensions.index(name)
    _, expected = stretch.by_value(d, stretch.members(cause, but=name))
    order = [int(code) for code in np.argsort(-expected) if expected[code] > 0]
    others = [Slice(((name, leaves.values[d][code]), *cause.terms[1:])) for code in order]
    return [item for item in others if item != cause]


# --- what differs -------------------------------------------------------------------------------------------------


def _differing(stretch: Stretch, cause: Slice) -> Iterator[Differing]:
    """Of each dimension its values: beside the cause where it names the dimension, within it where it does not."""
    lattice = stretch.view.lattice
    codes = lattice.leaves.codes_of(cause)
    for d, name in enumerate(lattice.leaves.dimensions):
        beside = codes[d] != ANY
        shares = list(_shares(stretch, cause, d, beside=beside))
        if len(shares) > 1:
            yield ranked(name, shares, beside=beside)


def _shares(stretch: Stretch, cause: Slice, d: int, *, beside: bool) -> Iterator[Share]:
    leaves = stretch.view.lattice.leaves
    name = leaves.dimensions[d]
    observed, expected = stretch.by_value(d, stretch.members(cause, but=name if beside else ""))
    gap, whole = float((expected - observed).sum()), float(expected.sum())
    for code in np.flatnonzero((observed > 0) | (expected > 0)).tolist():
        value = leaves.values[d][code]
        terms = dict(cause.terms) | {name: value}
        item = Slice(tuple((other, terms[other]) for other in leaves.dimensions if other in terms))
        lost = float(expected[code] - observed[code])
        yield Share(
            value=label_of(value),
            slice=item,
            observed=round(float(observed[code]), 2),
            expected=round(float(expected[code]), 2),
            of_loss=None if beside or not gap else lost / gap,
            of_expected=None if beside or whole <= 0 else float(expected[code]) / whole,
            is_cause=beside and item == cause,
        )
