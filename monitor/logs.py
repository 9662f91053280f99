"""How the log is written: lines for people, or JSON that says what each line is about."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TextIO

from alerts.about import subject
from monitor.daemon_settings import LogSettings

log = logging.getLogger("slicewatch")

EVERY_SECONDS = 10.0
KEYS = ("rule", "tick", "run", "source", "incident", "receiver", "replica")
"""What a line may be about; `extra` of a line says it as well."""
OTHERS = {
    # A wake that comes while its rule is at work is told as a warning, and is none: the work sees what is due.
    "apscheduler": logging.ERROR,
    "asyncio": logging.WARNING,
    "concurrent.futures": logging.WARNING,
    "py.warnings": logging.WARNING,
    "uvicorn": logging.WARNING,
}
"""Loggers of libraries that have something to say of what goes wrong, and the least that is heard of each."""


class TextLines(logging.Formatter):
    """Time in UTC, level, message."""

    def __init__(self) -> None:
        super().__init__("%(asctime)sZ %(levelname)s %(message)s", datefmt="%Y-%m-%dT%H:%M:%S")
        self.converter = lambda seconds: datetime.fromtimestamp(seconds or 0, UTC).timetuple()

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802  # the base class names it so
        """The line but for a traceback."""
        return super().formatMessage(record) + left_out(record)


class JsonLines(logging.Formatter):
    """One object a line: `time`, `level`, `logger`, `message`, what it is about, and `exception`.

    `always` is said with each line. All of it is ASCII, whatever the encoding of the stream.
    """

    def __init__(self, always: Mapping[str, str]) -> None:
        super().__init__()
        self._always = dict(always)

    def format(self, record: logging.LogRecord) -> str:
        """The object."""
        moment = datetime.fromtimestamp(record.created, UTC).replace(tzinfo=None)
        line = {
            "time": f"{moment.isoformat(timespec='milliseconds')}Z",
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage() + left_out(record),
        }
        said = {key: str(record.__dict__[key]) for key in KEYS if key in record.__dict__}
        line |= self._always | dict(subject()) | said
        if record.exc_info:
            # What hides secrets has written it out already.
            line["exception"] = record.exc_text or self.formatException(record.exc_info)
        return json.dumps(line)


@dataclass
class Sparing(logging.Filter):
    """Lets one line of those marked `sparingly` through within some seconds, and counts the others.

    By the text before its arguments and by who says it: two hundred rules that meet the same trouble say one thing.
    """

    seconds: float = EVERY_SECONDS
    _seen: dict[tuple[str, str], tuple[float, int]] = field(default_factory=dict)
    """By text and speaker: when it was last let through, and how many were not since."""
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        super().__init__()

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether it is written."""
        who: str | None = getattr(record, "sparingly", None)
        if who is None:
            return True
        with self._lock:
            last, left = self._seen.get((record.msg, who), (record.created - self.seconds, 0))
            # A clock that was set back keeps nothing quiet.
            if 0 <= record.created - last < self.seconds:
                self._seen[record.msg, who] = (last, left + 1)
                return False
            self._seen[record.msg, who] = (record.created, 0)
        record.left_out = left
        return True


def sparingly(who: str) -> dict[str, str]:
    """`extra` of a line that many threads may have to say at once, as of a store that fails: one in ten seconds is enough."""
    return {"sparingly": who}


def left_out(record: logging.LogRecord) -> str:
    """How many like it were not written before it, as an end of its text."""
    count: int = getattr(record, "left_out", 0)
    return f" ({count} more like it before)" if count else ""


def write_log(stream: TextIO, settings: LogSettings, always: Mapping[str, str]) -> None:
    """Write what the program and its libraries say; what ends a thread is said like all else."""
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonLines(always) if settings.format == "json" else TextLines())
    handler.addFilter(Sparing())
    ours = logging.getLogger("slicewatch")
    ours.handlers = [handler]
    ours.setLevel(settings.number)
    for name, least in OTHERS.items():
        other = logging.getLogger(name)
        other.handlers = [handler]
        other.setLevel(max(settings.number, least))
    if settings.format == "json":
        logging.captureWarnings(capture=True)
    threading.excepthook = _thread_ended


def _thread_ended(args: threading.ExceptHookArgs) -> None:
    if args.exc_type is SystemExit or args.exc_value is None:
        return
    name = args.thread.name if args.thread is not None else "a thread"
    log.error("%s ended by an error", name, exc_info=(args.exc_type, args.exc_value, args.exc_traceback))
