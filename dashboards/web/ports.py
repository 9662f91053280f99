"""Where pages get their data, and where they have things done: one Protocol for each page, given by whoever serves them."""

from __future__ import annotations

from dataclasses import dataclass

from dashboards.views.audit import Audits
from dashboards.views.blindspots import BlindSpotsSource
from dashboards.views.deliveries import Deliveries
from dashboards.views.health import Healths
from dashboards.views.incident import IncidentPages
from dashboards.views.incidents import IncidentLists
from dashboards.views.noise import Noises
from dashboards.views.overview import Overviews
from dashboards.views.people import People
from dashboards.views.probes import Probes
from dashboards.views.readings import ReadingsPort
from dashboards.views.reload import Reloader
from dashboards.views.rules import Rules
from dashboards.views.slice import SlicePages
from dashboards.views.slices import Heatmaps
from dashboards.views.tokens import TokenDesk


@dataclass(frozen=True)
class Ports:
    """All of them."""

    overview: Overviews
    deliveries: Deliveries
    audit: Audits
    rules: Rules
    noise: Noises
    health: Healths
    blind_spots: BlindSpotsSource
    incidents: IncidentLists
    incident: IncidentPages
    people: People
    tokens: TokenDesk
    reloader: Reloader
    heatmap: Heatmaps
    slice: SlicePages
    probes: Probes
    readings: ReadingsPort
