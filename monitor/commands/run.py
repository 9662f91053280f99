"""`slicewatch run`: the daemon."""

from __future__ import annotations

import os
import signal
from datetime import datetime, timedelta
from pathlib import Path

import click

from alerts.wording import counted
from monitor import store
from monitor.answers import listening
from monitor.app import App
from monitor.claims import LEASE
from monitor.clock import Clock
from monitor.commands import HELP
from monitor.commands.common import config_option, log_to_stderr, opened
from monitor.commands.waiting import Patience
from monitor.discretion import keep_from_log
from monitor.ending import Ending
from monitor.probing import Probing
from monitor.scheduler import DAEMON, Daemon, log
from monitor.service_manager import READY, STOPPING, ServiceManager
from monitor.serving.beside import serving
from monitor.signals import handled
from monitor.tracing import traced


@click.command("run", context_settings=HELP)
@config_option
@click.option("--json", "as_json", is_flag=True, help="Accepted for all commands; the daemon prints its log.")
def run(config: Path, *, as_json: bool) -> None:  # noqa: ARG001  # every command takes --json
    """Evaluate every rule on its schedule and deliver alerts, until stopped.

    SIGTERM and SIGINT let running evaluations and deliveries end, for [daemon] grace at most; then, or on a second
    signal, it ends anyhow with exit code 3, and what was left is done at the next start. Ticks missed while the daemon
    was down are caught up. Rule files that change are read again within seconds, and at once on SIGHUP; a broken one
    keeps its last good version. What people press and type in Slack, and do in PagerDuty, is taken, where a receiver is
    set up for it. Where slicewatch.toml has a [web] table, the pages and the API are served at its `listen`. On
    PostgreSQL any number of daemons share the work; one that starts before its database waits for it.
    """
    log_to_stderr()
    patience = Patience()
    with (
        handled(patience.ends),
        opened(config, sends=True, logs=True, waits=patience) as app,
        app.state.lock_daemon() as lock,
    ):
        watch(app, Clock(app.state), alone=lock.alone, patience=patience)


def watch(app: App, clock: Clock, *, alone: bool, patience: Patience, lease: timedelta = LEASE) -> None:
    """Be a daemon by this clock, until stopped; `alone` says that no other one can be on the store."""
    while True:
        try:
            clock.look()
            break
        except store.StoreAwayError as error:
            patience(error)
    app.clock = clock.now
    if alone:
        _go_on_alone(app, clock.now())
    manager = ServiceManager.of(os.environ, os.getpid())
    daemon = Daemon(app, clock.now, clock, lease=lease, started=lambda: manager.tell(READY))
    log_to_stderr(app.settings.log, replica=daemon.name)
    keep_from_log(app.settings)
    log.info("watching %s", counted(len(app.rules.rules), "rule"))
    manager.watch(daemon.vitals.amiss)
    ending = Ending(app.settings.daemon.grace.total_seconds(), lambda: _stop(daemon, manager), daemon.cut)
    acts = {signal.SIGTERM: ending.ask, signal.SIGINT: ending.ask, signal.SIGHUP: daemon.reload}
    probes = Probing(app, daemon.vitals, daemon.phase)
    with (
        handled(acts),
        traced(app.settings.selfwatch.tracing),
        listening(app, daemon.now) as doors,
        serving(app, doors, daemon.now, daemon.reload, probes),
    ):
        if patience.stopped.is_set():
            ending.ask()
        daemon.run()
    ending.over()
    log.info("stopped")


def _go_on_alone(app: App, now: datetime) -> None:
    """The daemon before is gone, and what it held is free; what it queued by a clock that has gone back since is due."""
    outbox = store.SqlOutbox(app.state)
    outbox.end_leases(DAEMON)
    back = outbox.not_after(now)
    if back:
        log.warning(
            "the machine's clock went back by %.0f s: what was queued is sent all the same", back.total_seconds()
        )


def _stop(daemon: Daemon, manager: ServiceManager) -> None:
    manager.tell(STOPPING)
    daemon.stop()
