"""How everything stands as one HTML file that holds all it shows: no script, nothing fetched. For a mail or a wiki."""

from __future__ import annotations

from collections.abc import Sequence

from dashboards.views.incident import IncidentPage
from dashboards.views.overview import OverviewPage
from dashboards.web.assets import assets
from dashboards.web.drawing.area import area
from dashboards.web.templating import render


def report(overview: OverviewPage, incidents: Sequence[IncidentPage]) -> str:
    """The whole document: the overview, and each open incident."""
    return render(
        "report.html",
        now=overview.now,
        view=overview,
        incidents=incidents,
        area=area,
        style=assets()["app.css"].body.decode(),
    )
