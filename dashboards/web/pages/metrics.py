"""`/metrics` in Prometheus' text format: how slicewatch itself does, for those who watch it from elsewhere.

All are read from the store at the moment of the scrape, so that any of several daemons, or `slicewatch serve`, says the
same; what is counted is added up there by all daemons, and goes on over restarts. Names and units follow Prometheus' own
advice: base units, `_total` for counters, and `_timestamp_seconds` for moments.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends
from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.registry import Collector
from starlette.responses import Response

from dashboards.read import CanaryState, Health
from dashboards.views.readings import Readings, ReceiverReadings, RuleReadings
from dashboards.web.access.guard import Guard
from dashboards.web.access.people import Person, Role, TokenScope
from dashboards.web.site import Here

router = APIRouter(include_in_schema=False)
api = APIRouter()

Scraper = Annotated[Person, Depends(Guard(Role.VIEWER, TokenScope.METRICS))]
"""Whoever sees all, or has a token for this alone."""

Values = Iterable[tuple[tuple[str, ...], float | None]]
"""Values by labels; what is unknown is left out: an absent series is unknown, a zero is not."""


@router.get("/metrics")
def metrics(_: Scraper, here: Here) -> Response:
    """Everything at once."""
    registry = CollectorRegistry()
    registry.register(Read(here.ports.readings.readings(here.now())))
    return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)


class Read(Collector):
    """What was read for one scrape."""

    def __init__(self, readings: Readings) -> None:
        self._readings = readings

    def collect(self) -> Iterable[Metric]:
        """As the library asks; every metric is named, whether anything is known of it or not."""
        yield from _program(self._readings)
        yield from _selfwatch(self._readings)
        yield from _canaries(self._readings.canary)
        yield from _rules(self._readings.rules)
        yield from _work(self._readings.rules, self._readings.now)
        yield from _receivers(self._readings.receivers, self._readings.now)


def _gauge(name: str, says: str, labels: tuple[str, ...], values: Values) -> Metric:
    made = GaugeMetricFamily(f"slicewatch_{name}", says, labels=labels)
    return _filled(made, values)


def _counter(name: str, says: str, labels: tuple[str, ...], values: Values) -> Metric:
    made = CounterMetricFamily(f"slicewatch_{name}", says, labels=labels)
    return _filled(made, values)


def _filled(made: GaugeMetricFamily | CounterMetricFamily, values: Values) -> Metric:
    for key, value in values:
        if value is not None:
            made.add_metric(key, value)
    return made


def _at(moment: datetime | None) -> float | None:
    return None if moment is None else moment.timestamp()


def _ago(moment: datetime | None, now: datetime) -> float:
    return 0.0 if moment is None else (now - moment).total_seconds()


def _program(v: Readings) -> Iterator[Metric]:
    yield _gauge("build_info", "The version that answers.", ("version",), [((v.version,), 1.0)])
    yield _gauge("daemons", "Daemons that said within a minute that they are there.", (), [((), v.daemons)])
    yield _gauge("rules", "Rules that are watched.", (), [((), len(v.rules))])
    yield _gauge("store_bytes", "Size of the state store.", (), [((), v.store_bytes)])
    yield _counter("store_errors", "What the store did not do when it was asked.", (), [((), v.store_errors)])
    yield _gauge(
        "clock_off_seconds",
        "By how much a daemon's machine is off the store's clock, of the one that is the furthest off.",
        (),
        [((), v.clock_off)],
    )
    yield _gauge(
        "failed_evaluations",
        "Evaluations of the last seven days that could not ask, or whose source was behind.",
        ("outcome",),
        [((outcome,), float(count)) for outcome, count in v.failed],
    )
    yield _gauge(
        "rule_parked_failures",
        "Failures in a row of a rule that is parked, for slicewatch itself fails to judge it.",
        ("rule",),
        [((rule,), float(failures)) for rule, failures in v.parked],
    )
    yield _gauge(
        "outbox_oldest_seconds",
        "Age of the oldest message that waits; 0 where none does.",
        (),
        [((), _ago(v.oldest_queued, v.now))],
    )


def _selfwatch(v: Readings) -> Iterator[Metric]:
    yield _gauge("rules_unchecked", "Rules that somebody was told are not checked.", (), [((), v.unchecked)])
    yield _counter(
        "heartbeats",
        "Heartbeats, by what became of them: sent, told (that something does not work), withheld, failed.",
        ("result",),
        [((result,), count) for result, count in v.heartbeats],
    )
    yield _counter(
        "reloads",
        "Times that changed rule files were read again.",
        ("result",),
        [((result,), count) for result, count in v.reloads],
    )
    at, well = v.reloaded or (None, None)
    yield _gauge("reload_timestamp_seconds", "When a daemon read its rule files again last.", (), [((), _at(at))])
    yield _gauge(
        "reload_success",
        "1 where the last reading left no file with errors and nothing undone, in every daemon.",
        (),
        [((), None if well is None else float(well))],
    )
    yield _gauge("broken_rule_files", "Rule files with errors, as the daemons see them.", (), [((), v.broken_files)])
    yield _gauge(
        "thread_timestamp_seconds",
        "When each of a daemon's threads did its work last; of several daemons the one furthest behind.",
        ("thread",),
        [((thread,), _at(moment)) for thread, moment in v.threads],
    )


def _canaries(canary: CanaryState | None) -> Iterator[Metric]:
    known = [] if canary is None else [canary]
    yield _gauge(
        "canary_up", "1 where the newest canary arrived, 0 where it did not.", (), [((), c.arrived) for c in known]
    )
    yield _gauge("canary_timestamp_seconds", "When a canary arrived last.", (), [((), _at(c.last)) for c in known])
    yield _gauge("canary_seconds", "How long that one took, from being sent.", (), [((), c.seconds) for c in known])


def _rules(rules: tuple[RuleReadings, ...]) -> Iterator[Metric]:
    work, by_rule = [rule.work for rule in rules], ("rule",)
    yield _gauge(
        "rule_last_run_timestamp_seconds",
        "Scheduled time of the newest evaluation.",
        by_rule,
        [((w.rule,), _at(w.last_run)) for w in work],
    )
    yield _gauge(
        "rule_last_success_timestamp_seconds",
        "Scheduled time of the newest evaluation for which the source answered.",
        by_rule,
        [((r.work.rule,), _at(r.last_success)) for r in rules],
    )
    yield _gauge(
        "rule_health",
        "1 for the state that a rule is in.",
        ("rule", "health"),
        [((w.rule, health.value), float(w.health is health)) for w in work for health in Health],
    )
    yield _gauge(
        "rule_behind_seconds",
        "From the end of the newest bucket that was counted until now.",
        by_rule,
        [((w.rule,), None if w.behind is None else w.behind.total_seconds()) for w in work],
    )
    yield _gauge(
        "rule_due_seconds",
        "As far behind as a rule may be.",
        by_rule,
        [((w.rule,), w.due.total_seconds()) for w in work],
    )
    yield _gauge(
        "rule_run_seconds",
        "What an evaluation takes, the middle one of the last twenty.",
        by_rule,
        [((w.rule,), w.median_seconds) for w in work],
    )
    yield _gauge(
        "rule_query_seconds",
        "Waiting for the source, the middle one of the last twenty.",
        by_rule,
        [((w.rule,), w.query_seconds) for w in work],
    )
    yield _gauge(
        "rule_query_rows",
        "Rows that the source answered with, in the newest evaluation.",
        by_rule,
        [((w.rule,), w.rows) for w in work],
    )
    yield _gauge(
        "open_incidents",
        "Incidents that are open, by rule and severity.",
        ("rule", "severity"),
        [((w.rule, severity), count) for w in work for severity, count in w.open],
    )


def _work(rules: tuple[RuleReadings, ...], now: datetime) -> Iterator[Metric]:
    by_rule = ("rule",)
    ran = [rule for rule in rules if rule.work.last_run is not None]
    yield _gauge(
        "rule_schedule_seconds",
        "Between two evaluations, by the rule's schedule.",
        by_rule,
        [((r.work.rule,), r.schedule.total_seconds()) for r in rules],
    )
    yield _gauge(
        "rule_overdue_seconds",
        "Since when the oldest evaluation is due that was not made; 0 where all were.",
        by_rule,
        [((r.work.rule,), _ago(r.late_since, now)) for r in ran],
    )
    yield _gauge(
        "rule_missed_evaluations",
        "Evaluations that are due and were not made; they are caught up in order.",
        by_rule,
        [((r.work.rule,), r.missing) for r in ran],
    )
    yield _counter(
        "rule_evaluations",
        "Evaluations by what they came to: ok, blind, late (the source is), repeated, failed (tried again).",
        ("rule", "result"),
        [((r.work.rule, result), count) for r in rules for result, count in r.evaluations],
    )
    yield _counter(
        "rule_delayed_evaluations",
        "Evaluations made more than 15 minutes after their time.",
        by_rule,
        [((r.work.rule,), r.delayed) for r in rules],
    )
    yield _counter(
        "rule_evaluation_seconds", "Time in evaluations.", by_rule, [((r.work.rule,), r.seconds) for r in rules]
    )
    yield _counter(
        "rule_source_seconds",
        "Of it, waiting for the source.",
        by_rule,
        [((r.work.rule,), r.source_seconds) for r in rules],
    )
    yield _counter(
        "rule_source_rows",
        "Rows that the source answered with.",
        by_rule,
        [((r.work.rule,), r.source_rows) for r in rules],
    )
    yield _counter(
        "rule_judged_buckets", "Buckets that were judged.", by_rule, [((r.work.rule,), r.buckets) for r in rules]
    )
    yield _gauge(
        "rule_slices",
        "Slices at the newest evaluation: judged, unlearned (too young or silent for long), ignored (as the rule says), "
        "folded (combinations beyond slices.max).",
        ("rule", "state"),
        [((r.work.rule, state), count) for r in rules for state, count in r.slices],
    )


def _receivers(receivers: tuple[ReceiverReadings, ...], now: datetime) -> Iterator[Metric]:
    states = [((r.name, state), count) for r in receivers for state, count in (("queued", r.queued), ("dead", r.dead))]
    yield _gauge("outbox_messages", "Messages that wait, or were given up.", ("receiver", "state"), states)
    yield _gauge(
        "outbox_due_seconds",
        "How long the oldest message could have been sent, and was not; 0 where none could.",
        ("receiver",),
        [((r.name,), _ago(r.due_since, now)) for r in receivers],
    )
    yield _counter(
        "deliveries",
        "Attempts to deliver a text, chart or file, by what became of them: sent, retried, rerouted (to the fallback), dead (given up).",
        ("receiver", "result"),
        [((r.name, result), count) for r in receivers for result, count in r.deliveries],
    )
    yield _gauge(
        "delivered_7d",
        "Messages that arrived in the last seven days.",
        ("receiver",),
        [((r.name,), r.arrived) for r in receivers],
    )
    yield _gauge(
        "delivery_median_seconds",
        "From when a message was queued until it arrived, the middle one of the last seven days.",
        ("receiver",),
        [((r.name,), r.median_seconds) for r in receivers],
    )
