"""One replica of a chaos run: `slicewatch run` by the run's clock, which is off where the run says so.

`python -m tests.chaos.replica CONFIG CLOCK OFFSET` is the command, until it is stopped or killed. Only what tells time is
not the machine's: the clocks that the daemon takes as arguments, and the one that APScheduler wakes by.
"""

from __future__ import annotations

import sys
from datetime import datetime, tzinfo
from pathlib import Path
from typing import Any

from apscheduler.schedulers import base, blocking

from monitor.clock import Clock
from monitor.commands.common import log_to_stderr, opened
from monitor.commands.run import watch
from monitor.commands.waiting import Patience
from monitor.signals import handled
from tests.chaos.clock import RunClock

LOOK = 0.1
"""Real seconds after which APScheduler looks at the clock again, which runs faster than it thinks."""


def main() -> None:
    """Run until stopped, as `monitor.commands.run` does."""
    config, file, offset = (Path(argument) for argument in sys.argv[1:4])
    machine = RunClock(file, offset)
    wake_by(machine)
    log_to_stderr()
    patience = Patience()
    with (
        handled(patience.ends),
        opened(config, sends=True, logs=True, waits=patience) as app,
        app.state.lock_daemon() as lock,
    ):
        # Sources that failed rest by the run's time, as all else does.
        app.stopwatch = machine.steady
        watch(app, Clock(app.state, machine.now, machine.steady), alone=lock.alone, patience=patience)


def wake_by(machine: RunClock) -> None:
    """Let APScheduler, which takes no clock, ask this one what time it is."""

    class RunTime(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> Any:
            found = machine.now()
            return found if tz is None else found.astimezone(tz)

    base.datetime = RunTime
    base.TIMEOUT_MAX = blocking.TIMEOUT_MAX = LOOK


if __name__ == "__main__":
    main()
