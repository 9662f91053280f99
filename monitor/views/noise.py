"""The noise review, and a suggested change tried on the counts that are remembered."""

from __future__ import annotations

import json
import re
import threading
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path

from alerts.actions import RefusedError
from alerts.hours import Hours
from alerts.model import Reason
from dashboards.views.common import IncidentLine
from dashboards.views.noise import WEEK, Lived, NoisePage, NoiseRow, Rehearsed, Suggestion, by_owner, order, row_of
from dashboards.views.noise import suggestion as suggested
from dashboards.web.errors import MissingError
from monitor import store
from monitor.app import App
from monitor.buckets import to_datetime
from monitor.rehearsal import Scene, raised
from monitor.views.blindspots import BUSY, called, stored_scene
from monitor.views.rules import LONGEST_FOLLOWED
from monitor.watched import Watched
from rules.edit import unified, with_key
from rules.model import Rule
from rules.slices import slice_from_json

WORKING = "Mon-Fri 08:00-18:00"
"""Hours in which a message wakes nobody, in the rule's time zone."""
LOUD = frozenset({Reason.NEW, Reason.REPEATED, Reason.RELEASED, Reason.HANDED_ON, Reason.EXPIRED})
"""Decisions by which somebody is called, in place of a message being edited."""
CELLS = 100_000
"""Slices by buckets that a rehearsal judges at most: seconds, not minutes."""
LONGEST = timedelta(days=7)


@dataclass(frozen=True)
class NoiseOfStore:
    """`dashboards.views.noise.Noises` of an app."""

    app: App
    _busy: threading.Lock = field(default_factory=threading.Lock)

    def noise(self, now: datetime, days: int, owner: str | None) -> NoisePage:
        """Of the last so many days."""
        since = now - timedelta(days=days)
        rows: list[NoiseRow] = []
        found: list[Suggestion] = []
        with self.app.state.read() as tx:
            acted = store.acts_since(tx, since)
            sent = store.sent_since(tx, since, LOUD)
            for rule in self.app.rules.rules:
                if owner is not None and rule.owner != owner:
                    continue
                lived = _lived(tx, rule, since, acted, sent)
                nominal = rule.false_incidents_per_week * (timedelta(days=days) / WEEK)
                rows.append(row_of(rule.name, rule.owner, nominal, lived))
                change = suggested(rule.name, lived)
                found += [] if change is None else [replace(change, diff=_diff(rule, change))]
        return NoisePage(since, days, order(rows), by_owner(rows), tuple(found))

    def rehearse(self, rule: str, key: str, value: str, now: datetime) -> Rehearsed:
        """What a suggested change would have told, one rehearsal at a time."""
        del now  # the newest history that is remembered, whenever that was
        chosen = called(self.app, rule)
        changed = _changed(chosen, key, value)
        if not self._busy.acquire(blocking=False):
            raise RefusedError(BUSY)
        try:
            return _rehearsed(self.app.state, chosen, changed, key, value)
        finally:
            self._busy.release()


def _lived(
    tx: store.Tx, rule: Rule, since: datetime, acted: dict[str, frozenset[str]], sent: dict[str, tuple[datetime, ...]]
) -> list[Lived]:
    hours = Hours.parse(WORKING, rule.timezone)
    return [
        Lived(item, acted.get(item.id, frozenset()), sum(not hours.hold(at) for at in sent.get(item.id, ())))
        for item in store.incidents(tx, rule=rule.name, began_after=since - LONGEST_FOLLOWED)
        if item.raised_at is not None and item.raised_at >= since
    ]


def _diff(rule: Rule, change: Suggestion) -> str:
    """The change in the rule's file; "" where it cannot be read, or the change is more than a line."""
    try:
        text = Path(rule.place.file).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return ""
    made = with_key(text, rule, change.key, change.value)
    return "" if made is None else unified(text, made, rule.place.file)


def _changed(rule: Rule, key: str, value: str) -> Rule:
    """The rule with one of the keys that are suggested. Raises `MissingError` for any other, or another value."""
    if key == "min_loss" and re.fullmatch(r"\d{1,15}", value):
        return replace(rule, min_loss=float(value))
    if key == "min_change" and re.fullmatch(r"\d{1,2}%", value):
        return replace(rule, min_change=int(value[:-1]) / 100)
    if key == "slices.ignore":
        try:
            items = tuple(slice_from_json(item) for item in json.loads(value))
        except (ValueError, AttributeError, TypeError):
            items = ()
        if items and all(set(item.dimensions) <= set(rule.dimensions) for item in items):
            return replace(rule, slices=replace(rule.slices, ignore=(*rule.slices.ignore, *items)))
    raise MissingError("only min_loss, min_change and slices.ignore are tried here, as they are suggested")


def _rehearsed(state: store.Store, rule: Rule, changed: Rule, key: str, value: str) -> Rehearsed:
    one = stored_scene(state, rule, 1)
    if one is None:
        raise RefusedError(f"{rule.name} has not learned anything yet: there is no history to try it on")
    most = int(LONGEST / rule.time_bucket)
    scene = stored_scene(state, rule, max(1, min(most, CELLS // max(len(one.lattice), 1))))
    assert scene is not None
    grid = Watched.of(rule).grid
    return Rehearsed(
        rule=rule.name,
        key=key,
        value=value,
        begin=to_datetime(int(scene.starts[scene.begin])),
        end=to_datetime(grid.end(int(scene.starts[-1]))),
        before=_told(scene),
        after=_told(replace(scene, rule=changed)),
    )


def _told(scene: Scene) -> tuple[IncidentLine, ...]:
    *_, last = scene.rehearse(scene.values)
    return tuple(IncidentLine.of(item) for item in sorted(raised(last), key=lambda item: item.since))
