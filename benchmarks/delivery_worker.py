"""The delivering half of the daemon as a process of its own, on a clock that runs faster than the real one.

`python -m benchmarks.delivery_worker CONFIG SPEED` says "up" and delivers until it is killed.
"""

from __future__ import annotations

import os
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from monitor import store
from monitor.app import App
from monitor.scheduler import DAEMON, FOR_EVER

ORIGIN = datetime(2026, 11, 23, 15, tzinfo=UTC).timestamp()


def fast(speed: float) -> datetime:
    """The time on the fast clock: the same in every process."""
    now = time.time()
    day = now - now % 86_400
    return datetime.fromtimestamp(ORIGIN + (now - day) * speed, UTC)


def main() -> None:
    """Deliver for ever."""
    config, speed = Path(sys.argv[1]), float(sys.argv[2])
    with App.open(config, os.environ, sys.stderr) as app, app.state.lock_daemon():
        store.SqlOutbox(app.state).end_leases(DAEMON)
        crew = app.crew(
            lambda: fast(speed),
            lambda seconds: time.sleep(min(seconds, 1.0) / speed),
            lambda _: None,
            f"{DAEMON}{os.getpid()}",
        )
        print("up", flush=True)
        while crew.start(FOR_EVER - timedelta(days=1)) >= 0:
            time.sleep(0.05)


if __name__ == "__main__":
    main()
