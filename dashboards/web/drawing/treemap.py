"""Rectangles as large as what they stand for, as close to squares as can be, in SVG: each one a link.

The layout is that of Bruls, Huizing and van Wijk, "Squarified Treemaps" (2000), by the package `squarify`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import squarify
from markupsafe import Markup

from alerts.wording import shorten

LETTER = 7.6
"""Width of a letter at the size of the labels, in units of the picture."""


@dataclass(frozen=True)
class Shape:
    """A picture's size in its own units, and the class by which the style sheet shows it on the screens it is for."""

    name: str
    wide: float
    high: float


SHAPES = (Shape("desk", 1200.0, 520.0), Shape("phone", 480.0, 560.0))
"""A picture that is scaled down to a phone has labels that nobody can read."""


@dataclass(frozen=True)
class Tile:
    """One rectangle; `tone` is a class of the style sheet, `title` is told to whoever points at it or hears the page."""

    size: float
    label: str
    title: str
    tone: str
    url: str


def treemap(tiles: Sequence[Tile], name: str) -> Markup:
    """All of them, once for each shape; those of no size are left out. `name` says what the picture shows."""
    drawn = sorted((tile for tile in tiles if tile.size > 0), key=lambda tile: -tile.size)
    if not drawn:
        return Markup("")
    return Markup("").join(_picture(drawn, name, shape) for shape in SHAPES)


def _picture(drawn: Sequence[Tile], name: str, shape: Shape) -> Markup:
    sizes = squarify.normalize_sizes([tile.size for tile in drawn], shape.wide, shape.high)
    boxes = squarify.squarify(sizes, 0, 0, shape.wide, shape.high)
    body = Markup("").join(_tile(tile, box) for tile, box in zip(drawn, boxes, strict=True))
    return Markup('<svg class="treemap {}" viewBox="0 0 {:g} {:g}" role="group" aria-label="{}">{}</svg>').format(
        shape.name, shape.wide, shape.high, name, body
    )


def _tile(tile: Tile, box: dict[str, float]) -> Markup:
    x, y, wide, high = box["x"], box["y"], box["dx"], box["dy"]
    room = int((wide - 12) / LETTER)
    label = Markup("")
    if room >= 4 and high >= 24:
        label = Markup('<text x="{:.1f}" y="{:.1f}">{}</text>').format(x + 6, y + 18, shorten(tile.label, room))
    return Markup(
        '<a href="{}" class="{}" aria-label="{}"><title>{}</title><rect x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}"/>{}</a>'
    ).format(tile.url, tile.tone, tile.title, tile.title, x, y, wide, high, label)
