"""A message as a mail: text and HTML, with the chart inside and the CSV attached, in one thread for each incident. Pure, the chart apart."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from html import escape

from alerts.message import plain_text, small_print
from alerts.model import Change, Fact, Message, State
from alerts.reprocess import csv_of, file_name
from alerts.wording import clean
from rules.model import Severity

CHART = "chart"
"""Content-ID of the chart, before the '@'."""
CARRIED = "attached"
"""Where the CSV is."""
COLOURS = {Severity.CRITICAL: "#b42318", Severity.WARNING: "#b54708", Severity.INFO: "#175cd3"}
OVER, UNKNOWN = "#067647", "#475467"
SUBJECT_LENGTH = 200
_STYLE = "font-family:-apple-system,'Segoe UI',Roboto,Arial,sans-serif;font-size:15px;line-height:1.45;color:#101828"


def mail(
    message: Message,
    sender: str,
    to: Sequence[str],
    at: datetime,
    *,
    root: str = "",
    png: bytes = b"",
    plain: bool = False,
) -> EmailMessage:
    """The mail of a message told at a time. `root` is the Message-ID of the incident's first, "" for the first itself."""
    made = EmailMessage(policy=SMTP)
    made["Subject"] = clean(message.push, SUBJECT_LENGTH)
    made["From"] = Address("slicewatch", addr_spec=sender)
    made["To"] = ", ".join(to)
    made["Date"] = format_datetime(at)
    made["Message-ID"] = message_id(message, sender)
    made["Auto-Submitted"] = "auto-generated"
    made["X-Slicewatch-Incident"] = clean(message.key)
    if root and root != made["Message-ID"]:
        made["In-Reply-To"] = made["References"] = root
    if message.severity is Severity.CRITICAL and message.state is not State.RESOLVED:
        made["Importance"] = "high"
    carried = "" if plain else CARRIED
    made.set_content(plain_text(message, carried) + "\n")
    if not plain:
        _enrich(made, message, png)
        _attach(made, message)
    return made


def message_id(message: Message, sender: str) -> str:
    """The same each time a message is sent, so that one which arrives twice is shown once."""
    host = sender.rpartition("@")[2]
    return f"<{_atom(message.key)}.{message.seq}.slicewatch@{host}>"


def _atom(key: str) -> str:
    return "".join(c if c.isascii() and (c.isalnum() or c in "-_") else f"={ord(c):x}" for c in key)[:200]


def _enrich(made: EmailMessage, message: Message, png: bytes) -> None:
    name = f"{CHART}@slicewatch"
    made.add_alternative(html(message, chart=f"cid:{name}" if png else ""), subtype="html")
    if png:
        rich = made.get_payload()[1]  # type: ignore[index]  # the alternatives: text, then HTML
        rich.add_related(png, "image", "png", cid=f"<{name}>", filename=f"{_atom(message.key)}-{message.seq}.png")  # type: ignore[union-attr]


def _attach(made: EmailMessage, message: Message) -> None:
    if message.reprocess is not None:
        content = csv_of(message.rule, message.reprocess)
        made.add_attachment(content, subtype="csv", filename=file_name(_atom(message.key)))


def html(message: Message, *, chart: str = "") -> str:
    """The mail's HTML: what comes from outside is escaped, and each value is set in its own direction."""
    parts = [
        f'<h2 style="margin:0 0 12px;font-size:18px;color:{_colour(message)}">{_text(message.title)}</h2>',
        *(f'<p style="margin:0 0 10px">{_text(paragraph)}</p>' for paragraph in message.summary),
        *([f'<img src="{chart}" alt="{escape(message.push)}" style="max-width:100%">'] if chart else []),
        *_facts(message.facts),
        *_query(message.query),
        *_runbook(message.runbook_url),
        *_open(message.page_url),
        f'<p style="color:#667085;font-size:12px">{_text(small_print(message, CARRIED))}</p>',
    ]
    body = "\n".join(parts)
    return (
        f'<!doctype html>\n<html><head><meta charset="utf-8"></head>\n<body style="{_STYLE}">\n{body}\n</body></html>\n'
    )


def _colour(message: Message) -> str:
    if message.state is State.RESOLVED and message.change not in {Change.OPENED, Change.REPORT}:
        return OVER
    return UNKNOWN if message.state is State.UNKNOWN else COLOURS[message.severity]


def _text(text: str) -> str:
    return f"<bdi>{escape(text)}</bdi>"


def _facts(facts: Sequence[Fact]) -> Iterator[str]:
    if facts:
        yield '<table style="border-collapse:collapse;margin:0 0 10px">'
        for fact in facts:
            label = f'<td style="padding:3px 14px 3px 0;color:#667085;vertical-align:top">{_text(fact.label)}</td>'
            yield f'<tr>{label}<td style="padding:3px 0">{_text(fact.text)}</td></tr>'
        yield "</table>"


def _query(query: str) -> Iterator[str]:
    if query:
        style = "background:#f2f4f7;padding:10px;white-space:pre-wrap;font-size:13px"
        yield f'<p style="margin:0">To see the numbers:</p>\n<pre style="{style}">{escape(query)}</pre>'


def _open(url: str | None) -> Iterator[str]:
    if url:
        yield f'<p><a href="{escape(url)}">Open in slicewatch</a></p>'


def _runbook(url: str | None) -> Iterator[str]:
    if not url:
        return
    safe = url.startswith(("https://", "http://"))
    yield f'<p><a href="{escape(url)}">Runbook</a></p>' if safe else f"<p>Runbook: {_text(clean(url, 500))}</p>"
