"""What every handler works with: the data, the clock, and pages made from templates."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any

from fastapi import Depends, Request
from starlette.responses import HTMLResponse, Response

from dashboards.web.access import csrf
from dashboards.web.access.people import Person, Role
from dashboards.web.ports import Ports
from dashboards.web.templating import render


@dataclass(frozen=True)
class Site:
    """A site that is being served; `now` is its clock."""

    ports: Ports
    now: Callable[[], datetime]

    def page(self, request: Request, template: str, person: Person, *, status: int = 200, **shown: Any) -> Response:
        """A template filled in, with what every page needs. A part of a page is made the same way."""
        text = render(
            template,
            now=self.now(),
            person=person,
            may_act=person.role >= Role.RESPONDER,
            csrf=csrf.token(request),
            path=request.url.path,
            query=dict(request.query_params),
            **shown,
        )
        response = HTMLResponse(text, status_code=status)
        csrf.remember(request, response)
        return response


def _site(request: Request) -> Site:
    found: Site = request.app.state.site
    return found


Here = Annotated[Site, Depends(_site)]
