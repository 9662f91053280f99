"""`slicewatch report`: how everything stands, as one HTML file."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import click

from alerts.wording import counted
from dashboards.web.report import report as document
from monitor.commands import HELP
from monitor.commands.common import Moment, config_option, json_option, opened, write_report
from monitor.serving.wiring import ports_of


@click.command("report", context_settings=HELP)
@click.option(
    "--html", "file", type=click.Path(path_type=Path, dir_okay=False), required=True, help="Where to write it."
)
@click.option("--owner", help="Only rules of this owner.")
@click.option("--at", "moment", type=Moment(), help="As if it were another time.")
@config_option
@json_option
def report(file: Path, owner: str | None, moment: datetime | None, config: Path, *, as_json: bool) -> None:
    """Write the overview and every open incident as one file that holds all it shows: for a mail or a wiki.

    From the store alone: no source is asked.
    """
    now = moment or datetime.now(UTC)
    with opened(config) as app, ports_of(app, waits=True) as ports:
        overview = ports.overview.overview(now, owner)
        found = [ports.incident.incident(line.id, now) for line in overview.open]
        incidents = [page for page in found if page is not None]
    write_report(file, document(overview, incidents))
    said = {"file": str(file), "rules": len(overview.rules), "open_incidents": len(incidents)}
    click.echo(
        json.dumps(said)
        if as_json
        else f"{file}: {counted(len(overview.rules), 'rule')}, {counted(len(incidents), 'open incident')}"
    )
