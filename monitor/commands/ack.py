"""`slicewatch ack`: somebody works on an incident."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import click

from monitor.commands import HELP
from monitor.commands.common import config_option, json_option
from monitor.commands.people import as_option, desk, tell


@click.command("ack", context_settings=HELP)
@click.argument("incident")
@click.option("--take-back", is_flag=True, help="Take an acknowledgement or a snooze back.")
@as_option
@config_option
@json_option
def ack(incident: str, name: str | None, config: Path, *, take_back: bool, as_json: bool) -> None:
    """Acknowledge an INCIDENT: somebody works on it.

    Its changes and its end are told as ever, its repeats are not. After `[alerts] ack_expires` (8 hours) it is told
    again where it is still bad.
    """
    with desk(config, name) as (people, who):
        act = people.reopen if take_back else people.acknowledge
        tell(act(incident, who, datetime.now(UTC)), as_json=as_json)
