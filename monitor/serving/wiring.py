"""From an app to the ports of the pages."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import NoReturn

from fastapi import FastAPI

from dashboards.views.probes import Probes
from dashboards.views.reload import Reloader
from dashboards.web.access.doors import Door
from dashboards.web.access.gate import Gate
from dashboards.web.app import create_app
from dashboards.web.failures import answer_away
from dashboards.web.ports import Ports
from monitor.app import App
from monitor.buckets import to_datetime
from monitor.evaluation import Evaluator
from monitor.probing import Probing
from monitor.query import SourceError
from monitor.question import Question
from monitor.routing import routed
from monitor.serving.access import JournalOfStore
from monitor.serving.reloading import ViewReloader
from monitor.store import StoreError
from monitor.token_desk import Tokens
from monitor.views.audit import AuditsOfStore
from monitor.views.blindspots import BlindSpotsOfStore
from monitor.views.coverage import Coverages
from monitor.views.deliveries import DeliveriesOfStore
from monitor.views.glance import Glances
from monitor.views.health import HealthOfStore
from monitor.views.histories import Histories
from monitor.views.incident import IncidentPagesOfStore
from monitor.views.incidents import IncidentListsOfStore
from monitor.views.noise import NoiseOfStore
from monitor.views.overview import OverviewsOfStore
from monitor.views.panorama import Panoramas
from monitor.views.people import PeopleAtDesk
from monitor.views.readings import ReadingsOfStore
from monitor.views.rules import RulesOfStore
from monitor.views.slice import SlicePagesOfStore
from monitor.views.slices import HeatmapsOfStore
from monitor.vitals import Vitals
from monitor.watched import Watched
from rules.model import Rule


class NoSource:
    """In the place of a source: pages read what is remembered, and never ask a warehouse."""

    def _refuse(self, *_: object) -> NoReturn:
        raise SourceError("pages ask no source")

    count = watermark = columns = span = cost = _refuse

    def close(self) -> None:
        """Nothing is open."""


@dataclass
class Asking:
    """What the newest bucket of a rule's tick is judged by, from the store alone."""

    app: App
    _evaluators: dict[str, tuple[Rule, Evaluator]] = field(default_factory=dict)

    def __call__(self, rule: Rule, tick: int) -> list[Question]:
        """One question for each metric."""
        made = self._evaluators.get(rule.name)
        if made is None or made[0] != rule:
            watched = Watched.of(routed(rule, self.app.settings, aloud=False), self.app.settings.operations)
            made = rule, Evaluator(watched, NoSource(), self.app.state)
            self._evaluators[rule.name] = made
        return made[1].questions(to_datetime(tick))


@contextmanager
def web_app(
    app: App,
    door: Door,
    now: Callable[[], datetime],
    key: bytes,
    gate: Gate | None = None,
    reloader: Reloader | None = None,
    probes: Probes | None = None,
) -> Iterator[FastAPI]:
    """The web application of an app; what works aside for its pages ends with it.

    Without a gate, the usual one; without a reloader or probes, those of pages that stand alone.
    """
    with ports_of(app) as ports:
        whole = replace(ports, reloader=reloader or ports.reloader, probes=probes or ports.probes)
        made = create_app(whole, door, now, key, gate or Gate(JournalOfStore(app.state), now))
        answer_away(made, StoreError)
        yield made


@contextmanager
def ports_of(app: App, *, waits: bool = False) -> Iterator[Ports]:
    """Where the pages of an app get their data; `waits` for what is worked out aside, in place of leaving it out."""
    panoramas, coverages = Panoramas(app.state, Asking(app)), Coverages(app.state, waits)
    glances = Glances(app.state, panoramas, None if waits else coverages.worker)
    glances.warm(app.rules.rules)
    try:
        yield Ports(
            overview=OverviewsOfStore(app, glances, coverages),
            deliveries=DeliveriesOfStore(app),
            audit=AuditsOfStore(app.state),
            rules=RulesOfStore(app, glances),
            health=HealthOfStore(app),
            readings=ReadingsOfStore(app),
            noise=NoiseOfStore(app),
            blind_spots=BlindSpotsOfStore(app, coverages),
            incidents=IncidentListsOfStore(app),
            incident=IncidentPagesOfStore(app, panoramas),
            people=PeopleAtDesk(app),
            tokens=Tokens(app.state),
            reloader=ViewReloader(app),
            heatmap=HeatmapsOfStore(app, panoramas),
            slice=SlicePagesOfStore(app, panoramas, Histories(app.state)),
            probes=Probing(app, Vitals(), lambda: ""),
        )
    finally:
        coverages.close()
