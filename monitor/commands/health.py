"""`slicewatch health`: asks a running process whether it is well, for health checks of containers and for people."""

from __future__ import annotations

import json
import os
from http.client import HTTPConnection, HTTPException
from ipaddress import ip_address
from pathlib import Path

import click

from dashboards.views.probes import ALIVE, READY
from monitor.commands import HELP
from monitor.commands.options import FAILED, config_option, json_option
from monitor.settings import Settings, SettingsError, load_settings, split_address

TIMEOUT_SECONDS = 5.0


@click.command("health", context_settings=HELP)
@click.option("--ready", is_flag=True, help="Ask whether it does its work, and not only whether it is well.")
@config_option
@json_option
def health(config: Path, *, ready: bool, as_json: bool) -> None:
    """Ask `slicewatch run` or `slicewatch serve` on this machine whether it is well.

    At [daemon] health, or at [web] listen where that is not set. Exit code 0: it is; 1: it is not; 2: it does not
    answer.
    """
    try:
        address = where(load_settings(config, os.environ))
    except SettingsError as error:
        click.echo(str(error), err=True)
        raise SystemExit(FAILED) from None
    path = READY if ready else ALIVE
    try:
        status, reasons = _ask(*address, path)
    except (OSError, HTTPException, ValueError) as error:
        click.echo(f"http://{address[0]}:{address[1]}{path} does not answer: {error}", err=True)
        raise SystemExit(FAILED) from None
    if as_json:
        click.echo(json.dumps({"ok": status == 200, "reasons": reasons}))
    else:
        click.echo("ok" if status == 200 else "\n".join(reasons) or f"it answers {status}")
    raise SystemExit(0 if status == 200 else 1)


def where(settings: Settings) -> tuple[str, int]:
    """Host and port to ask; whoever listens at all addresses listens at this machine's own."""
    host, port = split_address(settings.daemon.health or settings.listen)
    try:
        everywhere = ip_address(host).is_unspecified
    except ValueError:
        everywhere = False
    if not everywhere:
        return host, port
    return ("::1" if ":" in host else "127.0.0.1"), port


def _ask(host: str, port: int, path: str) -> tuple[int, list[str]]:
    connection = HTTPConnection(host, port, timeout=TIMEOUT_SECONDS)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        body = json.loads(answer.read(65_536) or b"{}")
    finally:
        connection.close()
    reasons = body.get("reasons", []) if isinstance(body, dict) else []
    return answer.status, [str(reason) for reason in reasons]
