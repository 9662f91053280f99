"""`slicewatch run`: the daemon."""

from __future__ import annotations

import signal
import threading
from pathlib import Path

import click

from alerts.wording import counted
from monitor import store
from monitor.answers import listening
from monitor.commands import HELP
from monitor.commands.common import config_option, log_to_stderr, opened
from monitor.scheduler import DAEMON, Daemon, log
from monitor.serving.beside import serving
from monitor.tracing import traced


@click.command("run", context_settings=HELP)
@config_option
@click.option("--json", "as_json", is_flag=True, help="Accepted for all commands; the daemon prints its log.")
def run(config: Path, *, as_json: bool) -> None:  # noqa: ARG001  # every command takes --json
    """Evaluate every rule on its schedule and deliver alerts, until stopped.

    SIGTERM and SIGINT let running evaluations finish. Ticks missed while the daemon was down are caught up. Rule
    files that change are read again within seconds, and at once on SIGHUP; a broken one keeps its last good version.
    What people press and type in Slack, and do in PagerDuty, is taken, where a receiver is set up for it. Where
    slicewatch.toml has a [web] table, the pages and the API are served at its `listen`.
    """
    log_to_stderr()
    with opened(config, sends=True) as app, app.state.lock_daemon() as lock:
        if lock.alone:
            store.SqlOutbox(app.state).end_leases(DAEMON)
        daemon = Daemon(app)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: _stop(daemon))
        if hasattr(signal, "SIGHUP"):
            signal.signal(signal.SIGHUP, lambda *_: threading.Thread(target=daemon.reload, name="reload").start())
        log.info("watching %s", counted(len(app.rules.rules), "rule"))
        with (
            traced(app.settings.selfwatch.tracing),
            listening(app) as doors,
            serving(app, doors, daemon.now, daemon.reload),
        ):
            daemon.run()
        log.info("stopped")


def _stop(daemon: Daemon) -> None:
    # Not here: a handler interrupts the main thread, which may be inside the very lock that stopping takes.
    threading.Thread(target=daemon.stop, name="stop").start()
