"""The clock of a chaos run: it stands still until the run begins, and then runs faster than the real one.

All processes read it from one file, so that it is the same for all; a replica's own file says how far off its clock is.
"""

from __future__ import annotations

import json
import time
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path

FRESH = 0.05
"""Real seconds for which what was read of the files holds."""


@dataclass(frozen=True)
class Pace:
    """At the real second `real` it is `origin` (epoch seconds), and from then on time runs at `speed`."""

    origin: float
    real: float
    speed: float

    def at(self, real: float) -> float:
        """The run's time, in epoch seconds, at a real second."""
        return self.origin + (real - self.real) * self.speed

    def write(self, file: Path) -> None:
        """Put it in force, wholly or not at all."""
        text = json.dumps(asdict(self))
        fresh = file.with_suffix(".new")
        fresh.write_text(text, encoding="utf-8")
        fresh.replace(file)


@dataclass
class RunClock:
    """The clock of the machine that a process is on."""

    file: Path
    offset_file: Path | None = None
    _read_at: float = -FRESH
    _pace: Pace = field(default=Pace(0.0, 0.0, 0.0))
    _offset: float = 0.0

    def now(self) -> datetime:
        """The run's time, and how far this clock is off."""
        self._refresh()
        return datetime.fromtimestamp(self._pace.at(time.time()) + self._offset, UTC)

    def steady(self) -> float:
        """Seconds of the run's time that nobody can set."""
        self._refresh()
        return self._pace.at(time.time())

    def _refresh(self) -> None:
        if time.monotonic() - self._read_at < FRESH:
            return
        self._pace = Pace(**json.loads(self.file.read_text(encoding="utf-8")))
        if self.offset_file is not None and self.offset_file.exists():
            self._offset = float(self.offset_file.read_text(encoding="utf-8") or 0)
        self._read_at = time.monotonic()
