"""`/metrics` in Prometheus' text format: how slicewatch itself does, for those who watch it from elsewhere.

All are read from the store at the moment of the scrape, so that any of several daemons, or `slicewatch serve`, says the
same. Names and units follow Prometheus' own advice: base units, and `_timestamp_seconds` for moments.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Annotated

from fastapi import APIRouter, Depends
from prometheus_client import CollectorRegistry
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.registry import Collector
from starlette.responses import Response

from dashboards.read import Health
from dashboards.views.deliveries import DeliveriesPage
from dashboards.views.health import HealthPage, WorkLine
from dashboards.web.access.guard import Guard
from dashboards.web.access.people import Person, Role, TokenScope
from dashboards.web.site import Here

router = APIRouter(include_in_schema=False)
api = APIRouter()

Scraper = Annotated[Person, Depends(Guard(Role.VIEWER, TokenScope.METRICS))]
"""Whoever sees all, or has a token for this alone."""


@router.get("/metrics")
def metrics(_: Scraper, here: Here) -> Response:
    """Everything at once."""
    now = here.now()
    registry = CollectorRegistry()
    registry.register(_Read(here.ports.health.health(now), here.ports.deliveries.deliveries(now, None, None, 0)))
    return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)


class _Read(Collector):
    """What was read for one scrape."""

    def __init__(self, health: HealthPage, mail: DeliveriesPage) -> None:
        self._health = health
        self._mail = mail

    def collect(self) -> Iterable[GaugeMetricFamily]:
        """As the library asks."""
        yield from _program(self._health)
        yield from _rules(self._health.work)
        yield from _receivers(self._mail)


def _gauge(
    name: str, says: str, labels: tuple[str, ...], values: Iterable[tuple[tuple[str, ...], float | None]]
) -> GaugeMetricFamily:
    """One metric; what is unknown is left out: an absent series is unknown, a zero is not."""
    made = GaugeMetricFamily(f"slicewatch_{name}", says, labels=labels)
    for key, value in values:
        if value is not None:
            made.add_metric(key, value)
    return made


def _program(page: HealthPage) -> Iterator[GaugeMetricFamily]:
    yield _gauge("build_info", "The version that answers.", ("version",), [((page.version,), 1.0)])
    yield _gauge(
        "daemons",
        "Daemons that said within a minute that they are there.",
        (),
        [((), sum(d.alive for d in page.daemons))],
    )
    yield _gauge("store_bytes", "Size of the state store.", (), [((), page.store_bytes)])
    yield _gauge(
        "failed_evaluations",
        "Evaluations of the last seven days that could not ask, or whose source was behind.",
        ("outcome",),
        [((outcome,), float(count)) for outcome, count in page.failed],
    )
    yield _gauge(
        "rule_parked_failures",
        "Failures in a row of a rule that is parked, for slicewatch itself fails to judge it.",
        ("rule",),
        [((item.rule,), float(item.failures)) for item in page.parked],
    )
    oldest = None if page.oldest_queued is None else (page.now - page.oldest_queued).total_seconds()
    yield _gauge(
        "outbox_oldest_seconds", "Age of the oldest message that waits; 0 where none does.", (), [((), oldest or 0.0)]
    )


def _rules(work: tuple[WorkLine, ...]) -> Iterator[GaugeMetricFamily]:
    by_rule = ("rule",)
    yield _gauge(
        "rule_last_run_timestamp_seconds",
        "Scheduled time of the newest evaluation.",
        by_rule,
        [((w.rule,), None if w.last_run is None else w.last_run.timestamp()) for w in work],
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


def _receivers(mail: DeliveriesPage) -> Iterator[GaugeMetricFamily]:
    states = [
        ((r.name, state), count) for r in mail.receivers for state, count in (("queued", r.queued), ("dead", r.dead))
    ]
    yield _gauge("outbox_messages", "Messages that wait, or were given up.", ("receiver", "state"), states)
    yield _gauge(
        "delivered_7d",
        "Messages that arrived in the last seven days.",
        ("receiver",),
        [((r.name,), r.done) for r in mail.receivers],
    )
    yield _gauge(
        "delivery_median_seconds",
        "From when a message was queued until it arrived, the middle one of the last seven days.",
        ("receiver",),
        [((r.name,), r.median_seconds) for r in mail.receivers],
    )
