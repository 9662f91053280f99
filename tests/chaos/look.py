"""What can be seen of a chaos run: rows of the store, and what Slack took."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import psycopg

from tests.chaos.oracle import Incident, Run, Seen, Told
from tests.standins.slack import Call, SlackStandin


def seen_of(connection: psycopg.Connection[Any], slack: SlackStandin, channels: Mapping[str, str]) -> Seen:
    """Everything."""
    by_id = {number: name for name, number in channels.items()}
    told = [_told(call, by_id) for call in slack.accepted]
    return Seen(
        runs_of(connection),
        incidents_of(connection),
        tuple(item for item in told if item is not None),
        _digests(connection),
    )


def runs_of(connection: psycopg.Connection[Any]) -> tuple[Run, ...]:
    """All evaluations."""
    query = "SELECT r.name, tick, outcome FROM public.slicewatch_run JOIN public.slicewatch_rule r ON r.id = rule"
    return tuple(Run(name, _at(tick), outcome) for name, tick, outcome in connection.execute(query))


def incidents_of(connection: psycopg.Connection[Any]) -> tuple[Incident, ...]:
    """All incidents, as they stand, oldest first."""
    rows = connection.execute("SELECT body FROM public.slicewatch_incident ORDER BY since, id").fetchall()
    return tuple(_incident(json.loads(body)) for (body,) in rows)


def _incident(body: Mapping[str, Any]) -> Incident:
    raised, resolved = body.get("raised_at"), body.get("resolved_at")
    return Incident(
        id=body["id"],
        rule=body["rule"],
        kind=body["kind"],
        causes=tuple(_slice(item) for item in (body["cause"], *body.get("also", ()))),
        since=_moment(body["since"]),
        until=_moment(body["until"]),
        raised_at=None if raised is None else _moment(raised),
        resolved_at=None if resolved is None else _moment(resolved),
        detail=body.get("detail", ""),
    )


def _slice(raw: Any) -> Mapping[str, str]:
    terms = raw.items() if isinstance(raw, dict) else raw
    return {str(name): str(value) for name, value in terms}


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _at(epoch: int) -> datetime:
    return datetime.fromtimestamp(epoch, UTC)


def _digests(connection: psycopg.Connection[Any]) -> Mapping[str, frozenset[str]]:
    found: dict[str, set[str]] = defaultdict(set)
    for incident, digest in connection.execute("SELECT incident, digest FROM public.slicewatch_digest"):
        found[incident].add(digest)
    return {incident: frozenset(keys) for incident, keys in found.items()}


def _told(call: Call, channels: Mapping[str, str]) -> Told | None:
    """What a call told people; None for one that tells nothing, as a question does, or a file."""
    if call.method not in {"chat.postMessage", "chat.update"}:
        return None
    payload = (call.args.get("metadata") or {}).get("event_payload") or {}
    how = "edit" if call.method == "chat.update" else "reply" if call.args.get("thread_ts") else "post"
    channel = channels.get(str(call.answer["channel"]), "")
    return Told(channel, str(payload.get("incident", "")), int(payload.get("seq", 0)), str(call.args["text"]), how)
