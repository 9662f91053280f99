"""Every page that the application has, and an address of each on a site: made from its routes, so that none is forgotten."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from urllib.parse import urlencode

from dashboards.web.access.guard import Entry
from dashboards.web.templating import link, slice_key
from rules.slices import Slice

NO_PAGE = re.compile(
    r"^/api/|^/static/|\.(csv|md|json)$"  # files, and answers for programs
    r"|^/(metrics|healthz|readyz)$"
    r"|^/slices/one/decomposition$"  # the page of a slice asks for it
)
SETTLED = """() => document.readyState === "complete"
    && !document.querySelector(".chart:not([data-ready]), [hx-trigger^=load]")"""
"""Charts are drawn, and what a page asks for once it is there has come."""
PLAIN = "() => !document.querySelector('.modebar, [data-title*=hare], a[href*=plotly]')"
"""No button of plotly.js, of which one would send a chart to its maker."""


@dataclass(frozen=True)
class Shown:
    """What there is to see on a site: an incident, a slice of a rule, and a change to try."""

    rule: str
    incident: str
    slice: Slice
    metric: str = "count"

    @property
    def addresses(self) -> Mapping[str, str]:
        """By the route of each page whose address holds a name."""
        key = slice_key(self.slice)
        change = urlencode({"rule": self.rule, "key": "min_change", "value": "30%"})
        return {
            "/slices/one": link("/slices/one", rule=self.rule, metric=self.metric, slice=key),
            "/slices": link("/slices", rule=self.rule),
            "/incidents/{name}": f"/incidents/{self.incident}",
            "/incidents": "/incidents?lasting=all",
            "/rules/{name:path}": f"/rules/{self.rule}",
            "/blind-spots": link("/blind-spots", rule=self.rule),
            "/blind-spots/drill": link("/blind-spots/drill", rule=self.rule, metric=self.metric, slice=key),
            "/noise/rehearsal": f"/noise/rehearsal?{change}",
            "/deliveries": "/deliveries",
        }

    def visits(self, entries: Iterable[Entry]) -> dict[str, str]:
        """Route and address of each page; KeyError for one whose address holds a name that nobody gave here."""
        routes = [e.path for e in entries if "GET" in e.methods and not NO_PAGE.search(e.path)]
        return {route: self.addresses[route] if "{" in route else self.addresses.get(route, route) for route in routes}


def name_of(route: str) -> str:
    """A word for a page: `overview`, `incidents`, `incident` for one of them."""
    return "-".join(re.findall(r"[a-z]+", re.sub(r"s/(\{.*\}|one)$", "", route))) or "overview"


def settle(tab: object) -> None:
    """Wait until nothing of a page is yet to come."""
    tab.wait_for_function(SETTLED, timeout=60_000)
