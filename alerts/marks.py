"""Marks: what people say has changed (a release, a migration), held beside what breaks at about that time. Pure."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from alerts.actions import RefusedError
from alerts.model import Actor
from alerts.silences import Scope
from alerts.wording import clean
from rules.model import Rule

TEXT_LENGTH = 120
NEAR = timedelta(hours=6)
"""A change so long before something broke may have to do with it."""
CHARTED = timedelta(days=63)
"""How far back marks are looked for: as far as a chart reaches."""
MOST = 3
"""Marks that a message names, the nearest ones."""


@dataclass(frozen=True)
class Mark:
    """Something changed at a moment, UTC; `scope` says for which rules."""

    id: str
    at: datetime
    text: str
    scope: Scope
    by: Actor


def new_mark(text: str, at: datetime, scope: Scope, by: Actor) -> Mark:
    """A mark that somebody sets; the same again is the same mark. Raises `RefusedError` where it says nothing."""
    words = clean(" ".join(text.split()), TEXT_LENGTH)
    if not words:
        raise RefusedError("a mark says what has changed, in a few words")
    parts = [words, at.isoformat(), scope.label()]
    return Mark(
        "mk-" + hashlib.blake2b(json.dumps(parts).encode("ascii"), digest_size=5).hexdigest(), at, words, scope, by
    )


def of_rule(marks: Iterable[Mark], rule: Rule) -> tuple[Mark, ...]:
    """Those that concern a rule."""
    return tuple(mark for mark in marks if mark.scope.concerns(rule))


def near(marks: Iterable[Mark], since: datetime, bucket: timedelta) -> tuple[Mark, ...]:
    """Those shortly before something broke or within its first bucket, the nearest first, at most `MOST`."""
    before = max(NEAR, bucket)
    some = [mark for mark in marks if since - before <= mark.at < since + bucket]
    return tuple(sorted(some, key=lambda mark: (abs(mark.at - since), mark.id))[:MOST])
