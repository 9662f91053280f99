"""Templates: everything that is put into one is escaped, and shown as messages show it."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any
from urllib.parse import quote, urlencode

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from alerts.wording import clean, counted, lasting, number, percent, signed
from alerts.wording import name_of as slice_name
from dashboards.web.assets import assets
from dashboards.web.drawing.share import share_bar
from dashboards.web.drawing.sparkline import sparkline
from rules.slices import Slice, slice_to_json

LONGEST = 120
"""Characters of a value from outside that a page shows."""

JUST_NOW = timedelta(minutes=1)

WHOLE_LINE = 10_000
"""Characters of a line of a text that is shown as it is, such as a query."""


@cache
def environment() -> Environment:
    """One for all pages: templates are parsed once."""
    made = Environment(
        loader=PackageLoader("dashboards.web"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {
        "number": _number,
        "signed": signed,
        "percent": percent,
        "seconds": seconds,
        "bytes": size,
        "share": lambda part: "unknown" if part is None else percent(part, 1.0),
        "counted": counted,
        "lasting": lasting,
        "clean": lambda text, limit=LONGEST: clean(str(text), limit),
        "clean_lines": lambda text: "\n".join(clean(line, WHOLE_LINE) for line in str(text).splitlines()),
        "when": when,
        "ago": ago,
        "slice": slice_name,
        "slice_key": slice_key,
        "segment": lambda text: quote(str(text), safe=""),
    }
    made.globals |= {
        "sparkline": sparkline,
        "share_bar": share_bar,
        "asset": lambda name: assets()[name].url,
        "link": link,
        "data": data,
    }
    return made


def render(template: str, **shown: Any) -> str:
    """A template filled in."""
    return environment().get_template(template).render(**shown)


def _number(value: float | None) -> str:
    return "unknown" if value is None else number(value)


def when(at: datetime | None) -> Markup:
    """A moment, in UTC; the page's script shows it in the reader's own time where they choose so."""
    if at is None:
        return Markup("never")
    utc = at.astimezone(UTC)
    return Markup('<time datetime="{}">{}</time>').format(
        utc.isoformat(timespec="seconds").replace("+00:00", "Z"), f"{utc:%-d %b %Y %H:%M} UTC"
    )


def ago(at: datetime | None, now: datetime) -> str:
    """`3 hours ago`; `in 2 days` for what is to come."""
    if at is None:
        return "never"
    gap = now - at
    if abs(gap) < JUST_NOW:
        return "just now"
    return f"{lasting(gap)} ago" if gap >= timedelta(0) else f"in {lasting(-gap)}"


def size(count: int) -> str:
    """`37 kB`, `1.2 GB`."""
    value, unit = float(count), "B"
    for unit in ("B", "kB", "MB", "GB", "TB"):  # noqa: B007  # the unit that fits is the one the loop ends with
        if value < 1000:
            break
        value /= 1000
    return f"{value:.0f} {unit}" if value >= 10 or unit == "B" else f"{value:.1f} {unit}"


def seconds(value: float | None) -> str:
    """`0.3 s`, `12 s`, `3 minutes`; "" where there is none."""
    if value is None:
        return ""
    if value >= 120:
        return lasting(timedelta(seconds=value))
    return f"{value:.1f} s" if value < 10 else f"{value:.0f} s"


def slice_key(item: Slice) -> str:
    """A slice in a query string; the total is ""."""
    # ASCII: an address cannot hold the half of a character that a broken source may send.
    return json.dumps(slice_to_json(item), ensure_ascii=True, separators=(",", ":")) if item.terms else ""


def link(path: str, **query: object) -> str:
    """A path with those of its filters that say anything."""
    given = {name: str(value) for name, value in query.items() if value not in (None, "", ())}
    return f"{path}?{urlencode(given)}" if given else path


def data(value: object) -> Markup:
    """JSON for a script to read, that cannot end the element it stands in."""
    text = json.dumps(value, ensure_ascii=True, separators=(",", ":"), allow_nan=False)
    return Markup(text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026"))  # noqa: S704  # just made harmless


__all__ = ["ago", "data", "environment", "link", "render", "slice_key", "when"]
