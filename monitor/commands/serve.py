"""`slicewatch serve`: the pages alone, beside a daemon or without one."""

from __future__ import annotations

import signal
import threading
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import click

from monitor.commands import HELP
from monitor.commands.common import FAILED, Moment, config_option, log_to_stderr, opened
from monitor.serving.access import OpenToAllError, open_access
from monitor.serving.server import CannotListenError, WebServer
from monitor.serving.wiring import web_app
from monitor.settings import split_address


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
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopped.set())
    with opened(config) as app:
        address = listen or app.settings.listen
        host, port = split_address(address)
        try:
            access = open_access(app.settings, app.state, address, lambda: datetime.now(UTC))
        except OpenToAllError as error:
            raise click.UsageError(str(error)) from None
        clock = (lambda: moment) if moment is not None else (lambda: datetime.now(UTC))
        with web_app(app, access.door, clock, access.key, access.gate) as web:
            try:
                server = WebServer(web, host, port)
            except CannotListenError as error:
                click.echo(str(error), err=True)
                raise SystemExit(FAILED) from None
            with closing(server):
                server.start()
                click.echo(f"slicewatch is at {server.address}")
                stopped.wait()
