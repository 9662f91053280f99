"""`replay`: every tick of a stretch of time, evaluated in order as if live, with a state of its own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from alerts.model import Hush, Incident, Outside
from monitor import store
from monitor.backfill import Backfill
from monitor.buckets import to_epoch
from monitor.evaluation import Evaluator
from monitor.query import Source
from monitor.ticks import judging_ticks
from monitor.watched import Watched
from rules.model import Rule
from rules.slices import slice_to_json, value_to_json


@dataclass(frozen=True)
class Replay:
    """A rule replayed over the buckets that start in [start, end)."""

    rule: Rule
    source: Source
    state: store.Store
    start: datetime
    end: datetime

    @property
    def watched(self) -> Watched:
        return Watched.of(self.rule)

    def ticks(self) -> list[datetime]:
        """The evaluation times by the rule's schedule that judge a bucket."""
        grid, begin = self.watched.grid, to_epoch(self.start)
        first = grid.floor(begin)
        starts = grid.starts(first if first >= begin else grid.shift(first, 1), to_epoch(self.end))
        return judging_ticks(self.watched, int(starts[0]), int(starts[-1])) if len(starts) else []

    def run(self) -> Iterator[tuple[int, int]]:
        """Learn the history before the first tick, then evaluate them all; yields (steps done, steps in all)."""
        ticks = self.ticks()
        if not ticks:
            return
        backfill = Backfill(self.watched, self.source, self.state)
        first = to_epoch(ticks[0])
        plan = backfill.plan(self.watched.schedule.newest(first), first)
        total, done = plan.buckets + len(ticks), 0
        for buckets in backfill.run(plan, first):
            done += buckets
            yield done, total
        evaluator = Evaluator(self.watched, self.source, self.state)
        for tick in ticks:
            evaluator.evaluate(tick)
            done += 1
            yield done, total

    def noise(self) -> str:
        """Nominal against observed: what the budget allows in the stretch, and what fired."""
        weeks = (self.end - self.start).total_seconds() / (7 * 86_400)
        nominal = self.rule.false_incidents_per_week
        return (
            f"{self.rule.name}: budget {nominal:g} false incidents a week ({nominal * weeks:.1f} in this stretch), "
            f"{len(self.incidents())} incidents fired, true ones included"
        )

    def incidents(self) -> list[Incident]:
        """Incidents that fired, by the time they were raised."""
        with self.state.read() as tx:
            found = store.incidents(tx, rule=self.rule.name, newest_first=False)
        return sorted((i for i in found if i.raised_at is not None), key=lambda i: (i.raised_at or i.since, i.id))


def incident_to_json(incident: Incident) -> dict[str, Any]:
    """An incident as every command prints it; the keys are part of the public surface."""
    return {
        "id": incident.id,
        "rule": incident.rule,
        "metric": incident.metric,
        "kind": incident.kind.value,
        "cause": slice_to_json(incident.cause),
        "also": [slice_to_json(item) for item in incident.also],
        "to": slice_to_json(incident.to) if incident.to is not None else None,
        "causes": [{"cause": slice_to_json(c.slice), "at": stamp(c.at)} for c in incident.causes],
        "since": stamp(incident.since),
        "until": stamp(incident.until),
        "raised_at": stamp(incident.raised_at),
        "resolved_at": stamp(incident.resolved_at),
        "observed": _number(incident.observed),
        "expected": _number(incident.expected),
        "severity": incident.severity.value,
        "state": incident.state.value,
        "outside": _outside(incident.outside),
        "hush": _hush(incident.hush),
        "feedback": incident.feedback.value if incident.feedback is not None else None,
    }


def _outside(found: Outside | None) -> dict[str, Any] | None:
    """Where the loss sits outside of the rule."""
    if found is None:
        return None
    return {
        "cause": slice_to_json(found.cause),
        "since": stamp(found.since),
        "until": stamp(found.until),
        "column": found.column,
        "value": value_to_json(found.value),
        "observed": _number(found.observed),
        "expected": _number(found.expected),
        "share": round(found.share, 3),
    }


def _hush(hush: Hush | None) -> dict[str, Any] | None:
    """Who acknowledged or snoozed it, and until when; null where that is until it is over."""
    return None if hush is None else {"by": dict(vars(hush.by)), "at": stamp(hush.at), "until": stamp(hush.until)}


LINE = (
    *("rule", "metric", "kind", "cause", "also", "to", "causes", "since", "raised_at", "resolved_at"),
    *("observed", "expected", "severity", "state"),
)
"""Keys of a line of `replay --json`."""


def line_of(incident: Incident) -> dict[str, Any]:
    """One line of `replay --json`: an incident that is in no store has no id to ask for."""
    full = incident_to_json(incident)
    return {key: full[key] for key in LINE}


def stamp(moment: datetime | None) -> str | None:
    """ISO 8601 with Z, or None."""
    return None if moment is None else moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _number(value: float) -> float | int:
    rounded = round(value, 1)
    return int(rounded) if rounded == int(rounded) else rounded


def incidents_to_text(incidents: Sequence[Incident]) -> str:
    """One line per incident for a terminal; a metric other than the number of events is named."""
    if not incidents:
        return "no incident"
    return "\n".join(
        f"{stamp(i.raised_at)}  {i.severity.value:<8} {i.kind.value:<7} {i.cause.label()}  "
        + (f"{i.metric}  " if i.metric != "count" else "")
        + f"observed {i.observed:,.0f} of {i.expected:,.0f} since {stamp(i.since)}  "
        + (f"resolved {stamp(i.resolved_at)}" if i.resolved_at else "open")
        for i in incidents
    )
