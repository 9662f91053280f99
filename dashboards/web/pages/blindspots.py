"""What would we not notice? A map of the traffic, coloured by the smallest loss that is seen, and a button to try one."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from alerts.wording import name_of, number
from dashboards.blindspots import BlindSpots, Spot
from dashboards.views import blindspots as views
from dashboards.views.blindspots import MOST_DRAWN, BlindSpotsPage, Tried, of_dimensions
from dashboards.web.access.guard import Viewer
from dashboards.web.asked import SliceText, slice_asked
from dashboards.web.drawing.treemap import Tile, treemap
from dashboards.web.export import as_csv
from dashboards.web.site import Here
from dashboards.web.templating import link, slice_key

router = APIRouter(include_in_schema=False)
api = APIRouter(tags=["blind spots"])

RuleName = Annotated[str | None, Query(max_length=300, description="A rule; the first one by default.")]
Metric = Annotated[str | None, Query(max_length=300, description="One of its metrics; the first by default.")]
Dimension = Annotated[str, Query(alias="by", max_length=600, description="Names of dimensions, by commas.")]
Share = Annotated[float, Query(gt=0, le=1, description="Share of the events that is lost.")]
Buckets = Annotated[int, Query(ge=1, le=48, description="For how many of the newest buckets.")]

TONES = ((0.1, "seen10"), (0.3, "seen30"), (0.6, "seen60"), (1.0, "seen100"))
"""Smallest loss noticed within the longest horizon, and the class of the style sheet that it has."""


@router.get("/blind-spots")
def page(
    request: Request, person: Viewer, here: Here, rule: RuleName = None, metric: Metric = None, by: Dimension = ""
) -> Response:
    """A rule's slices of some dimensions by their traffic."""
    shown = here.ports.blind_spots.blind_spots(rule or None, metric or None)
    kinds = [cover.dimensions for cover in shown.found.cover if cover.dimensions] if shown.found else []
    chosen = next((kind for kind in kinds if ",".join(kind) == by), kinds[0] if kinds else ())
    spots = of_dimensions(shown.found, chosen) if shown.found else ()
    picture = treemap(_tiles(shown, spots), f"Slices of {shown.rule} by traffic") if shown.found else ""
    return here.page(
        request, "blindspots.html", person, view=shown, kinds=kinds, chosen=chosen, spots=spots, picture=picture
    )


@router.get("/blind-spots/drill")
def drill_part(
    request: Request,
    person: Viewer,
    here: Here,
    rule: Annotated[str, Query(max_length=300)],
    item: SliceText = "",
    share: Share = 1.0,
    buckets: Buckets = 6,
) -> Response:
    """The answer to "would we have noticed?", as a part of the page or as one of its own."""
    found = here.ports.blind_spots.drill(rule, slice_asked(item), share, buckets)
    part = "hx-request" in request.headers
    return here.page(request, "parts/drilled.html" if part else "drilled.html", person, tried=found)


@router.get("/blind-spots.csv")
def csv(_: Viewer, here: Here, rule: RuleName = None, metric: Metric = None) -> Response:
    """One row a slice."""
    return as_csv(views.table(here.ports.blind_spots.blind_spots(rule or None, metric or None)), "blind-spots")


@api.get("/blind-spots")
def blind_spots(_: Viewer, here: Here, rule: RuleName = None, metric: Metric = None) -> BlindSpotsPage:
    """What a rule would not notice; `found` is null while that is worked out."""
    return here.ports.blind_spots.blind_spots(rule or None, metric or None)


@api.get("/blind-spots/drill")
def drill(
    _: Viewer,
    here: Here,
    rule: Annotated[str, Query(max_length=300)],
    item: SliceText = "",
    share: Share = 1.0,
    buckets: Buckets = 6,
) -> Tried:
    """Would the loss of a slice have been noticed? Judged on the newest history that is remembered; nothing is sent."""
    return here.ports.blind_spots.drill(rule, slice_asked(item), share, buckets)


def _tiles(shown: BlindSpotsPage, spots: tuple[Spot, ...]) -> list[Tile]:
    assert shown.found is not None
    found = shown.found
    tiles = [_tile(shown, found, spot) for spot in spots[:MOST_DRAWN]]
    rest = spots[MOST_DRAWN:]
    if rest:
        blind = sum(spot.least[-1] is None for spot in rest)
        title = f"{len(rest):,} smaller slices together, {blind:,} of them not protected"
        tone = "blind" if blind * 2 > len(rest) else "mixed"
        tiles.append(Tile(sum(spot.usual for spot in rest), f"{len(rest):,} more", title, tone, "#list"))
    return tiles


def _tile(shown: BlindSpotsPage, found: BlindSpots, spot: Spot) -> Tile:
    least = spot.least[-1]
    tone = "blind" if least is None else next(name for most, name in TONES if least <= most)
    hours = int(found.horizons[-1].total_seconds() // 3600)
    seen = "not even its silence is noticed" if least is None else f"a loss of {least:.0%} is noticed"
    name = name_of(spot.slice)
    title = f"{name}: {number(spot.usual)} a bucket; within {hours} h {seen}"
    url = link("/slices/one", rule=shown.rule, metric=shown.metric, slice=slice_key(spot.slice))
    return Tile(spot.usual, ", ".join(str(value) for _, value in spot.slice), title, tone, url)
