"""Which files of a table can hold a window: listed here, judged by the names of their hive partitions.

Partitions may be named in local time, and files may be written a little after their events, so a day on either
side of the window is read as well. Folders named by arrival (`ingest_date=`) only ever rule out what arrived before
the window: an event can arrive any time later, never earlier.
"""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import PurePath
from urllib.parse import unquote

from monitor.query import SourceError

MARGIN = timedelta(days=1)
_DAY = r"_?(dt|ds|date|day)$"
_DAY_KEYS = re.compile(rf"^((event|log|partition|part|p){_DAY}|(dt|ds|date|day|datehour|date_hour|event_hour)$)")
_ARRIVAL_KEYS = re.compile(rf"^(ingest(ion|ed)?|arriv(al|ed)|received|load(ed)?|process(ed|ing)?){_DAY}")
_STAMP = re.compile(r"^(\d{4})-?(\d{2})-?(\d{2})(?:[-T _]?(\d{2})(?::?00)*)?$")
_YEAR = ("year", "yyyy", "y")
_FINER = (("month", "mm", "m"), ("day", "dd", "d"), ("hour", "hh", "h", "hr"))

Held = tuple[datetime | None, datetime]
"""Times [low, high) that a partition can hold, naive, as its folder names them; low None is open."""


@dataclass(frozen=True)
class DataFile:
    """One file: its absolute path and hive partition values, in the order of the path."""

    path: str
    keys: tuple[tuple[str, str], ...]


def list_files(patterns: Iterable[str]) -> tuple[DataFile, ...]:
    """All files of a table, sorted by path. Files and folders hidden by `_` or `.` are unfinished work of a writer."""
    found: set[str] = set()
    for pattern in patterns:
        if "://" in pattern:
            raise SourceError(f"{pattern}: object stores are not supported yet, only local files")
        whole = os.path.abspath(pattern)  # noqa: PTH100 -- Path.resolve would follow links out of the hive layout
        found |= {path for path in glob.glob(whole, recursive=True) if _finished(path, whole)}  # noqa: PTH207 -- Path.glob does not take absolute patterns
    return tuple(DataFile(path, hive_keys(path)) for path in sorted(found) if os.path.isfile(path))  # noqa: PTH113 -- thousands of paths


def hive_keys(path: str) -> tuple[tuple[str, str], ...]:
    """`key=value` folders of a path, outermost first."""
    folders = (folder.partition("=") for folder in PurePath(path).parts[:-1])
    return tuple((key, unquote(value)) for key, sign, value in folders if sign and key)


def prune(files: Sequence[DataFile], windows: Sequence[tuple[datetime, datetime]]) -> tuple[DataFile, ...]:
    """Files that can hold an event of any window (naive UTC); what is not understood is kept."""
    return tuple(file for file in files if any(_meets(held_by(file.keys), *window) for window in windows))


def held_by(keys: Sequence[tuple[str, str]]) -> tuple[Held, ...]:
    """The stretches of time that hive keys name: a file holds only what lies in all of them."""
    lower = {key.lower(): value for key, value in keys}
    named = [_from_day(key, value, lower) for key, value in lower.items()]
    return tuple(held for held in (*named, _from_parts(lower)) if held is not None)


def _meets(stretches: tuple[Held, ...], start: datetime, end: datetime) -> bool:
    return all(high + MARGIN > start and (low is None or low - MARGIN < end) for low, high in stretches)


def _from_day(key: str, value: str, keys: dict[str, str]) -> Held | None:
    """What `dt=2026-01-03`, `dt=20260103`, `date=2026-01-03/hour=7` or `dt=2026-01-03-07` hold."""
    if _ARRIVAL_KEYS.match(key):
        held = _stamp(value)
        return None if held is None else (None, held[1])
    if not _DAY_KEYS.match(key):
        return None
    held = _stamp(value)
    hour = _number(keys, _FINER[2])
    if held is None or held[0] is None or hour is None or held[1] - held[0] < timedelta(days=1):
        return held
    return held[0] + timedelta(hours=hour), held[0] + timedelta(hours=hour + 1)


def _from_parts(keys: dict[str, str]) -> Held | None:
    """What `year=2026/month=01/day=03/hour=07` holds, to the depth that is there."""
    numbers = [_number(keys, _YEAR)]
    for names in _FINER:
        if numbers[-1] is not None:
            numbers.append(_number(keys, names))
    known = [number for number in numbers if number is not None]
    if not known:
        return None
    year, month, day, hour = (*known, *(0, 1, 1, 0)[len(known) :])
    try:
        low = datetime(year, month, day, hour)  # noqa: DTZ001 -- folders name wall clocks
        return low, _next(low, len(known))
    except (ValueError, OverflowError):
        return None


def _next(low: datetime, depth: int) -> datetime:
    if depth == 1:
        return low.replace(year=low.year + 1)
    if depth == 2:
        return low.replace(year=low.year + low.month // 12, month=low.month % 12 + 1)
    return low + (timedelta(days=1) if depth == 3 else timedelta(hours=1))


def _stamp(value: str) -> Held | None:
    found = _STAMP.match(value)
    if not found:
        return None
    year, month, day, hour = (None if part is None else int(part) for part in found.groups())
    try:
        low = datetime(year or 0, month or 0, day or 0, hour or 0)  # noqa: DTZ001 -- folders name wall clocks
        return low, low + (timedelta(days=1) if hour is None else timedelta(hours=1))
    except (ValueError, OverflowError):
        return None


def _number(keys: dict[str, str], names: Iterable[str]) -> int | None:
    for name in names:
        value = keys.get(name, "")
        if value.isascii() and value.isdigit():
            return int(value)
    return None


def _finished(path: str, pattern: str) -> bool:
    """Whether no part of the path that the pattern left open is hidden; `_key=value` is a partition, not hidden."""
    fixed = re.split(r"[*?\[]", pattern, maxsplit=1)[0].rpartition(os.sep)[0]
    parts = PurePath(path[len(fixed) :]).parts
    return not any(part[0] in "_." and "=" not in part for part in parts)
