"""`slicewatch run` on a machine whose clock is off, or with another lease.

`python -m tests.replicas.daemon --config FILE [--ahead SECONDS] [--lease SECONDS]`: the daemon itself, of which nothing is
replaced but the machine's clock that it is given.
"""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import click

from monitor.claims import LEASE
from monitor.clock import Clock, wall
from monitor.commands.common import log_to_stderr, opened
from monitor.commands.run import watch
from monitor.commands.waiting import Patience
from monitor.signals import handled


@click.command
@click.option("--config", type=click.Path(path_type=Path), required=True)
@click.option("--ahead", type=float, default=0.0)
@click.option("--lease", type=float, default=LEASE.total_seconds())
def main(config: Path, ahead: float, lease: float) -> None:
    """As `monitor.commands.run.run`."""
    log_to_stderr()
    patience = Patience()
    with (
        handled(patience.ends),
        opened(config, sends=True, logs=True, waits=patience) as app,
        app.state.lock_daemon() as lock,
    ):
        clock = Clock(app.state, lambda: wall() + timedelta(seconds=ahead))
        watch(app, clock, alone=lock.alone, patience=patience, lease=timedelta(seconds=lease))


if __name__ == "__main__":
    main()
