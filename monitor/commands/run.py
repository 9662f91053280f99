"""`slicewatch run`: the daemon."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import click

from alerts.wording import counted
from monitor import store
from monitor.answers import listening
from monitor.commands import HELP
from monitor.commands.common import config_option, log_to_stderr, opened
from monitor.ending import Ending
from monitor.probing import Probing
from monitor.scheduler import DAEMON, Daemon, log
from monitor.service_manager import READY, STOPPING, ServiceManager
from monitor.serving.beside import serving
from monitor.signals import handled


@click.command("run", context_settings=HELP)
@config_option
@click.option("--json", "as_json", is_flag=True, help="Accepted for all commands; the daemon prints its log.")
def run(config: Path, *, as_json: bool) -> None:  # noqa: ARG001  # every command takes --json
    """Evaluate every rule on its schedule and deliver alerts, until stopped.

    SIGTERM and SIGINT let running evaluations and deliveries end, for [daemon] grace at most; then, or on a second
    signal, it ends anyhow with exit code 3, and what was left is done at the next start. Ticks missed while the daemon
    was down are caught up. Rule files that change are read again within seconds, and at once on SIGHUP; a broken one
    keeps its last good version. What people press and type in Slack, and do in PagerDuty, is taken, where a receiver is
    set up for it. Where slicewatch.toml has a [web] table, the pages and the API are served at its `listen`.
    """
    log_to_stderr()
    manager = ServiceManager.of(os.environ, os.getpid())
    with opened(config, sends=True, logs=True) as app, app.state.lock_daemon() as lock:
        if lock.alone:
            store.SqlOutbox(app.state).end_leases(DAEMON)
        daemon = Daemon(app, started=lambda: manager.tell(READY))
        log_to_stderr(app.settings.log, replica=daemon.name)
        log.info("watching %s", counted(len(app.rules.rules), "rule"))
        manager.watch(daemon.vitals.amiss)
        ending = Ending(app.settings.daemon.grace.total_seconds(), lambda: _stop(daemon, manager), daemon.cut)
        acts = {signal.SIGTERM: ending.ask, signal.SIGINT: ending.ask, signal.SIGHUP: daemon.reload}
        probes = Probing(app, daemon.vitals, daemon.phase)
        with handled(acts), listening(app) as doors, serving(app, doors, daemon.now, daemon.reload, probes):
            daemon.run()
        ending.over()
        log.info("stopped")


def _stop(daemon: Daemon, manager: ServiceManager) -> None:
    manager.tell(STOPPING)
    daemon.stop()
