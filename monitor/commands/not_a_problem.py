"""`slicewatch not-a-problem`: what a person says that an alert was."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import click

from alerts.model import Feedback
from monitor.commands import HELP
from monitor.commands.common import config_option, json_option
from monitor.commands.people import as_option, desk, tell


@click.command("not-a-problem", context_settings=HELP)
@click.argument("incident")
@click.option(
    "--new-normal",
    "feedback",
    flag_value=Feedback.NEW_NORMAL.value,
    help="What it has now is what is expected of it from here on.",
)
@click.option(
    "--leave-out",
    "feedback",
    flag_value=Feedback.LEAVE_OUT.value,
    default=Feedback.LEAVE_OUT.value,
    help="It is an exception: learn nothing from it, and do not tell it again while it lasts. The default.",
)
@as_option
@config_option
@json_option
def not_a_problem(incident: str, feedback: str, name: str | None, config: Path, *, as_json: bool) -> None:
    """Close an INCIDENT that is no problem, and say what it is instead.

    It counts as a false one of its rule.
    """
    with desk(config, name) as (people, who):
        tell(people.not_a_problem(incident, who, datetime.now(UTC), Feedback(feedback)), as_json=as_json)
