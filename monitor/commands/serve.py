"""`slicewatch serve`: the pages alone, beside a daemon or without one."""

from __future__ import annotations

import logging
import signal
import threading
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import click

from monitor.app import App
from monitor.commands import HELP
from monitor.commands.common import FAILED, Moment, config_option, log_to_stderr, opened
from monitor.ending import Ending
from monitor.serving.access import OpenToAllError, open_access
from monitor.serving.server import CannotListenError, WebServer
from monitor.serving.wiring import web_app
from monitor.settings import split_address
from monitor.signals import handled

log = logging.getLogger("slicewatch")

LOOK_SECONDS = 1.0
"""Between two looks at whether the server is there."""
CUT_SECONDS = 1.0
"""What is within a transaction has this long to end it, once the grace time is over."""


@click.command("serve", context_settings=HELP)
@click.option(
    "--listen", metavar="HOST:PORT", help="Where to listen; [web] listen by default. Port 0 takes a free one."
)
@click.option("--at", "moment", type=Moment(), help="Show everything as if it were another time.")
@config_option
@click.option("--json", "as_json", is_flag=True, help="Accepted for all commands; the server prints its address.")
def serve(listen: str | None, moment: datetime | None, config: Path, *, as_json: bool) -> None:  # noqa: ARG001  # every command takes --json
    """Serve the pages and the API until stopped.

    It reads the store that the daemon writes, and asks no source. `slicewatch run` serves the same pages itself where
    slicewatch.toml has a [web] table.
    """
    log_to_stderr()
    stopped = threading.Event()
    with opened(config, logs=True) as app:
        ending = Ending(app.settings.daemon.grace.total_seconds(), stopped.set, lambda: _cut(app))
        address = listen or app.settings.listen
        host, port = split_address(address)
        try:
            access = open_access(app.settings, app.state, address, lambda: datetime.now(UTC))
        except OpenToAllError as error:
            raise click.UsageError(str(error)) from None
        clock = (lambda: moment) if moment is not None else (lambda: datetime.now(UTC))
        acts = {signal.SIGTERM: ending.ask, signal.SIGINT: ending.ask}
        with handled(acts), web_app(app, access.door, clock, access.key, access.gate) as web:
            try:
                server = WebServer(web, host, port)
            except CannotListenError as error:
                click.echo(str(error), err=True)
                raise SystemExit(FAILED) from None
            with closing(server):
                server.start()
                click.echo(f"slicewatch is at {server.address}")
                while not stopped.wait(LOOK_SECONDS):
                    if not server.alive():
                        log.error("the pages are served no longer: their thread has ended")
                        raise SystemExit(FAILED)


def _cut(app: App) -> str:
    app.cut(CUT_SECONDS)
    return "requests that were being answered"
