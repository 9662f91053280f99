"""The list of incidents."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from starlette.responses import Response

from alerts.model import State
from dashboards.views import incidents as views
from dashboards.views.incidents import IncidentsPage, Lasting, Wanted
from dashboards.web.access.guard import Viewer
from dashboards.web.asked import BLANK, NO_NUL, moment
from dashboards.web.export import as_csv
from dashboards.web.site import Here
from rules.model import Severity

router = APIRouter(include_in_schema=False)
api = APIRouter(tags=["incidents"])

Text = Annotated[str, Query(max_length=200, pattern=NO_NUL)]
Time = Annotated[str, Query(max_length=40, description="A date or a time, ISO 8601.")]
Page = Annotated[int, Query(ge=0, le=100_000, description="Which hundred, from 0.")]

NAMES = ("lasting", "state", "rule", "owner", "severity", "since", "until")


def _wanted(
    lasting: Lasting = Lasting.OPEN,
    state: Annotated[State | None, BLANK] = None,
    rule: Text = "",
    owner: Text = "",
    severity: Annotated[Severity | None, BLANK] = None,
    since: Time = "",
    until: Time = "",
) -> Wanted:
    """The filters; `since` and `until` are when incidents began."""
    return Wanted(lasting, state, rule, owner, severity, moment(since, "since"), moment(until, "until"))


Filters = Annotated[Wanted, Depends(_wanted)]


@router.get("/incidents")
def page(request: Request, person: Viewer, here: Here, wanted: Filters, page: Page = 0) -> Response:
    """Those that began last first."""
    shown = here.ports.incidents.incidents(here.now(), wanted, page)
    filters = {name: request.query_params.get(name, "") for name in NAMES}
    return here.page(request, "incidents.html", person, view=shown, wanted=wanted, filters=filters)


@router.get("/incidents.csv")
def csv(_: Viewer, here: Here, wanted: Filters, page: Page = 0) -> Response:
    """One row an incident."""
    return as_csv(views.table(here.ports.incidents.incidents(here.now(), wanted, page).rows), "incidents")


@api.get("/incidents")
def incidents(_: Viewer, here: Here, wanted: Filters, page: Page = 0) -> IncidentsPage:
    """A hundred incidents, those that began last first."""
    return here.ports.incidents.incidents(here.now(), wanted, page)
