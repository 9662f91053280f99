"""A message as Slack's Block Kit shows it. Pure.

Everything that comes from outside goes through `escape`, and every mrkdwn object is `verbatim`: no value of a
dimension can mention a channel, link, or format anything.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from alerts.message import plain_text, small_print
from alerts.model import Change, Fact, Message, State
from alerts.plan import ACTIONS
from alerts.wording import clean, shorten
from rules.model import Severity

Block = dict[str, Any]

SECTION_TEXT = 3_000
HEADER_TEXT = 150
FIELD_TEXT = 2_000
FIELDS = 10
BLOCKS = 50
CONTEXT_TEXT = 2_000
PLAIN_TEXT = 12_000
EVENT_TYPE = "slicewatch_incident"
EDIT = "edit"
"""Marks the metadata of an edit: nobody hears of it, so its reply may be owed still."""
"""What our metadata is called."""

MARKS = {Severity.CRITICAL: "🔴", Severity.WARNING: "🟠", Severity.INFO: "🔵"}
OVER = "🟢"
UNKNOWN = "⚪"
REPORT = "📊"

_AT_EVERYONE = re.compile(r"@(?=(?:channel|here|everyone)\b)", re.IGNORECASE)
_FORMATS = re.compile(r"(?<!\w)[*_~`](?=\S)|(?<=\S)[*_~`](?!\w)")
_LINK = re.compile(r"https?://[^\s<>|]{1,500}")
_NOTHING = "\u200b"
"""A zero-width space: keeps Slack from reading a mark, shows nothing."""


def escape(text: str) -> str:
    """Text that Slack shows as it is: no mentions, no links, no formatting."""
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    text = _AT_EVERYONE.sub("@" + _NOTHING, text)
    return _FORMATS.sub(lambda match: _NOTHING + match.group() + _NOTHING, text)


def blocks(message: Message, buttons: Sequence[Block] = (), *, carried: str = "") -> list[Block]:
    """The message as blocks, within Slack's limits; buttons stand above the small print.

    `carried` says where the CSV is, of a channel that takes files; so it does below.
    """
    made = [
        _header(message),
        *(_section(paragraph) for paragraph in message.summary),
        *_fields(message.facts),
        *_query(message.query),
        *_runbook(message.runbook_url),
        *_open(message.page_url),
    ]
    last = [*buttons, _footer(small_print(message, carried))]
    return made[: BLOCKS - len(last)] + last


def note(text: str) -> Block:
    """Small print."""
    return _footer(text)


def push(message: Message) -> str:
    """The notification's text."""
    return escape(message.push)


def plain(message: Message, *, carried: str = "") -> str:
    """The whole message for a channel that refused its blocks."""
    return shorten(escape(plain_text(message, carried)), PLAIN_TEXT)


def reply(message: Message) -> str:
    """What a thread's followers read about a later change: the push text and the paragraphs."""
    # What a person did says nothing new about the slice: its numbers stand in the root message.
    told = () if message.change in ACTIONS else message.summary
    told = told[:1] if message.change is Change.LOCATED else told
    return shorten("\n".join([f"*{escape(message.push)}*", *map(escape, told)]), SECTION_TEXT)


def reply_blocks(message: Message, *, carried: str = "") -> list[Block]:
    """The thread reply as blocks, so that it is not linked or formatted by accident."""
    return [_mrkdwn_section(reply(message)), _footer(small_print(message, carried))]


def metadata(message: Message, *, edit: bool = False) -> dict[str, Any]:
    """What identifies the message to a program that reads the channel's history; `edit` of one that said something else."""
    payload = {"incident": message.key, "seq": message.seq, "rule": message.rule, "change": message.change.value}
    return {"event_type": EVENT_TYPE, "event_payload": payload | ({EDIT: True} if edit else {})}


def reader_time(at: datetime, text: str) -> str:
    """An instant in UTC, and in the time zone of whoever reads it."""
    local = f"<!date^{int(at.timestamp())}^{{date_short_pretty}} {{time}}|{escape(text)}>"
    return f"{escape(text)} ({local} your time)"


def _mark(message: Message) -> str:
    if message.change in {Change.REMOVED, Change.REPORT}:
        return UNKNOWN if message.change is Change.REMOVED else REPORT
    if message.change is Change.OPENED:
        return MARKS[message.severity]  # a new value too, of which nothing stays open
    if message.state is State.RESOLVED or message.change in {
        Change.RESOLVED,
        Change.ACCEPTED,
        Change.ABSORBED,
        Change.DISMISSED,
    }:
        return OVER
    return UNKNOWN if message.state is State.UNKNOWN else MARKS[message.severity]


def _header(message: Message) -> Block:
    text = shorten(f"{_mark(message)} {message.title}", HEADER_TEXT)
    return {"type": "header", "text": {"type": "plain_text", "text": text, "emoji": False}}


def _mrkdwn(text: str, limit: int) -> Block:
    return {"type": "mrkdwn", "text": _cut(text, limit), "verbatim": True}


def _cut(text: str, limit: int) -> str:
    """Cut escaped text without leaving half an entity behind."""
    return text if len(text) <= limit else re.sub(r"&[a-z]{0,4}$", "", text[: limit - 1]) + "…"


def _mrkdwn_section(text: str) -> Block:
    return {"type": "section", "text": _mrkdwn(text, SECTION_TEXT)}


def _section(paragraph: str) -> Block:
    return _mrkdwn_section(escape(paragraph))


def _fields(facts: Sequence[Fact]) -> Iterator[Block]:
    for start in range(0, len(facts), FIELDS):
        fields = [_mrkdwn(_field(fact), FIELD_TEXT) for fact in facts[start : start + FIELDS]]
        yield {"type": "section", "fields": fields}


def _field(fact: Fact) -> str:
    text = escape(fact.text) if fact.at is None else reader_time(fact.at, fact.text)
    return f"*{escape(fact.label)}*\n{text}"


def _query(query: str) -> Iterator[Block]:
    """The query as a code block: only &, < and > mean anything there, and the fence itself."""
    if query:
        code = query.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("```", "'''")
        if len(code) <= SECTION_TEXT - 40:
            yield _mrkdwn_section(f"*To see the numbers*\n```{code}```")


def _open(url: str | None) -> Iterator[Block]:
    if url:
        yield _mrkdwn_section(f"<{url.replace('&', '&amp;')}|Open in slicewatch>")


def _runbook(url: str | None) -> Iterator[Block]:
    if not url:
        return
    link = f"<{url.replace('&', '&amp;')}|Runbook>" if _LINK.fullmatch(url) else f"Runbook: {escape(clean(url, 500))}"
    yield _mrkdwn_section(link)


def _footer(text: str) -> Block:
    return {"type": "context", "elements": [_mrkdwn(escape(text), CONTEXT_TEXT)]}
