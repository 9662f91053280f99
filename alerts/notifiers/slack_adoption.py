"""Finding a message in Slack whose send had an unknown outcome, by the metadata it carries.

Slack's post knows no idempotency key. Where the token may read the channel's history (`channels:history`, and
`channels:read` where the channel is named and not given by its id), a message that did arrive is adopted; where it
may not, the message is sent again.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError
from slack_sdk.web import SlackResponse

from alerts.model import Message, Receipt
from alerts.notifiers import slack_blocks

PAGES = 5
"""Of 200 messages each: a message in doubt is minutes old, not days."""
EARLIER = timedelta(minutes=2)
"""Slack's clock and ours may differ by so much."""

_ID = re.compile(r"[CGD][A-Z0-9]{6,}")


def channel_id(client: WebClient, channel: str) -> str | None:
    """The id of a channel that may be given by its name; None where it is not found or may not be looked for."""
    if _ID.fullmatch(channel):
        return channel
    name, cursor = channel.removeprefix("#"), ""
    for _ in range(PAGES):
        try:
            answer = client.conversations_list(
                types="public_channel,private_channel", exclude_archived=True, limit=1_000, cursor=cursor
            )
        except SlackApiError as error:
            _only_if_it_may_not_look(error)
            return None
        for found in answer.get("channels") or ():
            if name in {found.get("name"), found.get("name_normalized")}:
                return str(found["id"])
        cursor = _cursor(answer.get("response_metadata"))
        if not cursor:
            return None
    return None


@dataclass(frozen=True)
class Adopted:
    """The first message of an incident, and which of its news it tells: as it was posted, or since it was edited."""

    root: Receipt
    seq: int
    edited: bool


def root_of(client: WebClient, channel: str, message: Message, since: datetime) -> Adopted | None:
    """The first message of an incident in a channel (its id); None where it is not found."""
    ask: dict[str, Any] = {"channel": channel, "oldest": _oldest(since), "include_all_metadata": True, "limit": 200}
    found = None
    for item in _pages(client.conversations_history, ask):
        if "thread_ts" not in item or item["thread_ts"] == item.get("ts"):
            seq = _seq(item, message)
            found = Adopted(Receipt(channel, str(item["ts"])), seq, _is_edit(item)) if seq is not None else found
    return found


def has_reply(client: WebClient, root: Receipt, message: Message, since: datetime) -> bool:
    """Whether the incident's thread already holds the reply of this message."""
    ask: dict[str, Any] = {"channel": root.channel, "ts": root.ref, "oldest": _oldest(since)}
    ask |= {"include_all_metadata": True, "limit": 200}
    items = _pages(client.conversations_replies, ask)
    return any(_seq(item, message) == message.seq for item in items if item.get("ts") != root.ref)


def _pages(method: Callable[..., SlackResponse], ask: dict[str, Any]) -> Iterator[dict[str, Any]]:
    cursor = ""
    for _ in range(PAGES):
        try:
            answer = method(**ask, cursor=cursor or None)
        except SlackApiError as error:
            _only_if_it_may_not_look(error)
            return
        yield from answer.get("messages") or ()
        cursor = _cursor(answer.get("response_metadata"))
        if not cursor:
            return


def _only_if_it_may_not_look(error: SlackApiError) -> None:
    """Pass over that the token has no right to look; a Slack that is busy or down is asked again later."""
    if int(getattr(error.response, "status_code", 200)) >= 400:
        raise error


def _seq(item: dict[str, Any], message: Message) -> int | None:
    """Which news of the message's incident an item tells, None where it is of something else."""
    metadata = item.get("metadata") or {}
    payload = metadata.get("event_payload") or {}
    ours = metadata.get("event_type") == slack_blocks.EVENT_TYPE and payload.get("incident") == message.key
    return int(payload["seq"]) if ours else None


def _is_edit(item: dict[str, Any]) -> bool:
    return bool(item["metadata"]["event_payload"].get(slack_blocks.EDIT))


def _oldest(since: datetime) -> str:
    return f"{(since - EARLIER).timestamp():.6f}"


def _cursor(metadata: Any) -> str:
    return str((metadata or {}).get("next_cursor") or "")
