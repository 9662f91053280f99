"""`suggest`: a commented rule from what a table holds. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

from alerts.wording import number
from monitor.profile import Profile, Values
from rules.duration import format_duration

MOST_LEAVES = 20_000
MOST_DIMENSIONS = 4
BUCKETS = ((timedelta(minutes=5), 50_000.0), (timedelta(minutes=15), 25_000.0), (timedelta(hours=1), 50.0))
"""Buckets, and the rows that one has to have at least, shortest first; else it is a day."""
DAY = timedelta(days=1)
FULL = timedelta(days=28)
FULL_OF_DAYS = timedelta(days=56)


@dataclass(frozen=True)
class Noise:
    """What a rule told over some buckets of history."""

    stretch: timedelta
    fired: int
    slices: int


def bucket_of(profile: Profile) -> timedelta:
    """The shortest bucket that holds enough rows."""
    if profile.daily:
        return DAY
    # An hour's rows that are sums already are as many as there are combinations.
    if profile.summed is not None:
        return timedelta(hours=1)
    return next((length for length, least in BUCKETS if profile.rows_a_day * (length / DAY) >= least), DAY)


def dimensions_of(profile: Profile) -> tuple[Values, ...]:
    """What to slice by: the richest columns that do not follow from another."""
    return tuple(item for item in profile.values if item.follows is None)[:MOST_DIMENSIONS]


def rule_text(profile: Profile, noise: Noise | None = None) -> str:
    """A rule file with one rule, and why it is as it is."""
    parts = (
        _head(profile),
        _times(profile),
        _metrics(profile),
        _dimensions(profile),
        _bucket(profile),
        _tail(profile, noise),
    )
    return "\n".join(line for part in parts for line in part) + "\n"


def _head(profile: Profile) -> Iterator[str]:
    first, last = (f"{at:%Y-%m-%d %H:%M}" for at in (profile.events.start, profile.events.end))
    yield f"# Suggested by slicewatch from {profile.source.name}: events from {first} to {last} UTC."
    yield "version: 1"
    yield "rules:"
    yield f"  - name: {_name(profile)}"
    yield f"    source: {yaml_word(profile.source.name)}"


def _name(profile: Profile) -> str:
    plain = re.sub(r"[^A-Za-z0-9_.-]+", "_", profile.source.table[-1]).strip("_.-")
    return f"{plain or 'events'}_volume"


def _times(profile: Profile) -> Iterator[str]:
    others = f"; other times: {', '.join(map(_plain, profile.other_times))}" if profile.other_times else ""
    yield f"    timestamp: {yaml_word(profile.timestamp.name)}  # {profile.timestamp.type}; naive times are read as UTC{others}"
    if profile.arrived_at is not None:
        yield f"    arrived_at: {yaml_word(profile.arrived_at.name)}  # if it says when an event could be read: late is then told from lost"


def _metrics(profile: Profile) -> Iterator[str]:
    if profile.summed is not None:
        yield f"    metrics: [{{sum: {yaml_word(profile.summed)}}}]  # each combination has one row a bucket: a row stands for many events"
    elif profile.amounts:
        yield f"    # metrics: [{{sum: {yaml_word(profile.amounts[0])}}}]  # if a row stands for many events"


def _dimensions(profile: Profile) -> Iterator[str]:
    chosen = dimensions_of(profile)
    yield f"    dimensions: [{', '.join(yaml_word(item.column.name) for item in chosen)}]"
    for item in profile.values:
        why = (
            ""
            if item in chosen
            else ": enough are named"
            if item.follows is None
            else f": follows from {_plain(item.follows)}"
        )
        left_out = "" if item in chosen else ", left out"
        yield f"    #   {_plain(item.column.name)}: {item.count:,} values, {item.entropy:.1f} bits{why}{left_out}"
    for item in profile.too_many:
        yield f"    #   {_plain(item.column.name)}: {item.count:,} values are too many to slice by, left out"
    if profile.constant:
        yield f"    #   always the same, left out: {', '.join(map(_plain, profile.constant))}"
    if profile.leaves > MOST_LEAVES:
        yield f"    #   {profile.leaves:,} combinations: the rarest fold into one beyond slices.max ({MOST_LEAVES:,})"


def _bucket(profile: Profile) -> Iterator[str]:
    bucket = bucket_of(profile)
    rows = number(profile.rows_a_day * (bucket / DAY))
    yield f"    time_bucket: {format_duration(bucket)}  # {rows} rows in each, {profile.leaves:,} combinations in the last days"


def _tail(profile: Profile, noise: Noise | None) -> Iterator[str]:
    yield "    sensitivity: medium  # one false incident a week at most, whatever the number of slices"
    if noise is not None:
        told = "none" if not noise.fired else f"{noise.fired}, true ones included"
        yield (
            f"    #   incidents in the last {format_duration(noise.stretch)} of history, {noise.slices:,} slices tested: {told}"
        )
    need = FULL_OF_DAYS if bucket_of(profile) >= DAY else FULL
    have = profile.events.end - profile.events.start
    if have < need:
        yield f"    #   {have.days} days of history: full protection takes {need.days}"
    yield "    # severity: critical"
    yield "    # owner: the team that answers for it"
    yield '    # notify: "#oncall"'


def yaml_word(name: str) -> str:
    """A name in YAML, quoted where it would be read as anything else."""
    plain = re.fullmatch(r"[A-Za-z_][A-Za-z0-9_.]*", name) and name.lower() not in {"true", "false", "null"}
    return name if plain else json.dumps(name, ensure_ascii=False)


def _plain(name: str) -> str:
    """A name from outside in a comment: on one line."""
    return json.dumps(name, ensure_ascii=False)[1:-1]
