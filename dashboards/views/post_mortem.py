"""An incident as Markdown, to begin a post-mortem with: what is known stands there, what only people know is asked."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from alerts.wording import counted, instant, number, percent, signed
from dashboards.views.incident import Differing, IncidentPage

ASKED = (
    "What happened, in a sentence",
    "Why did it happen",
    "What helped to find it",
    "What is done about it, by whom",
)
MARKED = re.compile(r"([\\`*_{}\[\]<>#|~!])")


def markdown(page: IncidentPage, url: str = "") -> str:
    """The whole document. Everything from outside is escaped: it may hold mark-up."""
    return "\n".join(_lines(page, url)) + "\n"


def _lines(page: IncidentPage, url: str) -> Iterator[str]:
    yield f"# {plain(page.message.title)}"
    yield ""
    yield f"Incident {page.line.id}" + (f", <{url}>" if url else "")
    for paragraph in page.message.summary:
        yield from ("", plain(paragraph))
    yield from ("", "| | |", "|---|---|")
    yield from (f"| {plain(fact.label)} | {plain(fact.text)} |" for fact in page.message.facts)
    yield from _section("Timeline", (f"- {instant(e.at)}: **{plain(e.kind)}** {plain(e.text)}" for e in page.timeline))
    for part in page.differing:
        yield from _differing(part)
    told = (f"- {instant(d.at)}: {_told(d.receiver, send=d.send)} {plain(d.because)}" for d in page.deliveries)
    yield from _section("Who was told", told)
    past = (f"- {a.line.id}, {instant(a.line.since)}, {a.how}: {plain(a.ended or 'open')}" for a in page.alike)
    yield from _section("Similar incidents", past)
    if page.message.query:
        yield from ("", "## To see the numbers", "", *(f"    {line}" for line in page.message.query.splitlines()))
    for question in ASKED:
        yield from ("", f"## {question}", "", "…")


def _section(title: str, lines: Iterable[str]) -> Iterator[str]:
    shown = list(lines)
    if shown:
        yield from ("", f"## {title}", "", *shown)


def _differing(part: Differing) -> Iterator[str]:
    where = "beside it" if part.beside else "within it"
    yield from ("", f"## {plain(part.dimension)}, {where}", "")
    yield from ("| value | observed | expected | change | of the loss |", "|---|--:|--:|--:|--:|")
    for s in part.shares:
        share = "" if s.of_loss is None else percent(s.of_loss, 1.0)
        change = signed(s.observed - s.expected)
        yield f"| {plain(s.value)} | {number(s.observed)} | {number(s.expected)} | {change} | {share} |"
    if part.more:
        yield from ("", f"and {counted(part.more, 'value')} more")


def _told(receiver: str, *, send: bool) -> str:
    whom = plain(receiver) or "nobody"
    return f"told {whom}:" if send else f"not told {whom if receiver else ''}:".replace(" :", ":")


def plain(text: str) -> str:
    """Text that Markdown shows as it is."""
    return MARKED.sub(r"\\\1", " ".join(text.split()))
