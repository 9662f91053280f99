"""What the commands of people share: who acts, and how a refusal is told."""

from __future__ import annotations

import getpass
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from alerts.actions import RefusedError
from alerts.model import Actor
from monitor.acting import Answer, Desk
from monitor.commands.common import opened
from monitor.replay import incident_to_json

as_option = click.option("--as", "name", metavar="NAME", help="Who acts, as shown to others; your login by default.")


def acting(name: str | None) -> Actor:
    """Whoever runs the command."""
    try:
        login = getpass.getuser()
    except OSError:  # a container's user may have no name
        login = "unknown"
    return Actor("cli", login, name or login)


def tell(answer: Answer, *, as_json: bool) -> None:
    """What an action came to."""
    found = {"text": answer.text, "changed": answer.changed, "incident": incident_to_json(answer.incident)}
    click.echo(json.dumps(found, ensure_ascii=False) if as_json else answer.text)


@contextmanager
def desk(config: Path, name: str | None) -> Iterator[tuple[Desk, Actor]]:
    """Where to act, and who does. What is refused ends the command with the sentence and exit code 1."""
    with opened(config) as app:
        try:
            yield Desk(app), acting(name)
        except RefusedError as error:
            click.echo(str(error), err=True)
            raise SystemExit(1) from None
