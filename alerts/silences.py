"""Silences: for a while, by a person and for a reason, nobody is told of some rules or slices. Pure."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from alerts.actions import RefusedError, name_of
from alerts.model import Actor, Incident
from alerts.operations import matches
from alerts.wording import clean, instant
from rules.model import Rule
from rules.slices import Slice, slice_to_json

REASON_LENGTH = 300
LONGEST_SILENCE = timedelta(days=92)


@dataclass(frozen=True)
class Scope:
    """What is silenced: rules by pattern, owner and labels (all that are given must hold), and of these a slice.

    A slice covers its children: `device=ios` is `device=ios, country=NO` too. `Slice()` is everything of the rules.
    """

    rules: str = "*"
    slice: Slice = field(default_factory=Slice)
    owner: str | None = None
    labels: tuple[tuple[str, str], ...] = ()

    def concerns(self, rule: Rule) -> bool:
        """Whether the rule is one of those."""
        labelled = set(self.labels) <= set(rule.labels)
        return matches(self.rules, rule) and labelled and self.owner in {None, rule.owner}

    def covers(self, incident: Incident) -> bool:
        """Whether all of the incident's cells are silenced, under any of their names."""
        return any(self.slice.covers(name) for name in (incident.cause, *incident.also))

    def label(self) -> str:
        """`playback_* device=ios owner=recs-data`, as shown to people."""
        parts = [self.rules, *([self.slice.label()] if self.slice.terms else [])]
        parts += [f"owner={self.owner}"] if self.owner is not None else []
        return clean(" ".join([*parts, *(f"{key}={value}" for key, value in self.labels)]), 200)


@dataclass(frozen=True)
class Silence:
    """Nobody is told within [starts, ends), UTC."""

    id: str
    scope: Scope
    starts: datetime
    ends: datetime
    by: Actor
    reason: str

    def label(self) -> str:
        """Until when, by whom and why."""
        return f"silenced until {instant(self.ends)} by {name_of(self.by)}: {self.reason}"


def new_silence(scope: Scope, by: Actor, at: datetime, starts: datetime, ends: datetime, reason: str) -> Silence:
    """A silence that somebody asks for at `at`. Raises `RefusedError` where it would hold nothing, or for too long."""
    if not reason.strip():
        raise RefusedError("a silence says why: whoever wonders at night reads it")
    if ends <= max(starts, at):
        raise RefusedError(f"{instant(ends)} is over: a silence ends later than it begins")
    if ends > at + LONGEST_SILENCE:
        raise RefusedError(
            f"a silence lasts at most {LONGEST_SILENCE.days} days: what is as it should be is no problem"
        )
    words = clean(" ".join(reason.split()), REASON_LENGTH)
    return Silence(silence_id(scope, starts, by), scope, starts, ends, by, words)


def silence_id(scope: Scope, starts: datetime, by: Actor) -> str:
    """The id of a silence: the same for the same one, however often it is asked for."""
    parts = [scope.rules, slice_to_json(scope.slice), scope.owner, scope.labels, starts.isoformat(), by.kind, by.id]
    return "sl-" + hashlib.blake2b(json.dumps(parts).encode("ascii"), digest_size=5).hexdigest()


def silencing(incident: Incident, silences: Iterable[Silence], now: datetime) -> Silence | None:
    """The silence over an incident that ends last, or None. `silences` are those that concern its rule."""
    over = [item for item in silences if item.starts <= now < item.ends and item.scope.covers(incident)]
    return max(over, key=lambda item: (item.ends, item.id), default=None)


def silenced_since(incident: Incident, silences: Iterable[Silence], told: datetime, now: datetime) -> Silence | None:
    """The silence over an incident that ended last, of those that held between when it was last told and now; or None."""
    over = [s for s in silences if max(s.starts, told) < s.ends <= now and s.scope.covers(incident)]
    return max(over, key=lambda item: (item.ends, item.id), default=None)
