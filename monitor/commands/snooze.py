"""`slicewatch snooze`: not now."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import click

from monitor.commands import HELP
from monitor.commands.common import config_option, json_option
from monitor.commands.people import as_option, desk, tell


@click.command("snooze", context_settings=HELP)
@click.argument("incident")
@click.argument("until")
@as_option
@config_option
@json_option
def snooze(incident: str, until: str, name: str | None, config: Path, *, as_json: bool) -> None:
    """Hear no more of an INCIDENT until then: `30m`, `2h`, `morning`, `resolved`, or an instant.

    `morning` is nine o'clock on the next working day, by the rule's time zone. Told all the same: its end, a higher
    severity, and a wider cause that loses more than twice as much. Where it is still bad at the end of the snooze, that
    is told once. `slicewatch ack --take-back` ends it sooner.
    """
    with desk(config, name) as (people, who):
        tell(people.snooze(incident, who, datetime.now(UTC), until), as_json=as_json)
