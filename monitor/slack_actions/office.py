"""What `/slicewatch` answers, from the same parts as the commands of that name."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

import click

from alerts.actions import RefusedError
from alerts.model import Actor
from dashboards.text import overview_text
from monitor import store
from monitor.acting import Desk
from monitor.app import App
from monitor.chain_text import fate_text
from monitor.commands.silence import scope_called
from monitor.explaining import told_of
from monitor.views.status import overview_of
from rules.duration import parse_duration


@dataclass(frozen=True)
class AppOffice:
    """Answers from an open app."""

    app: App

    def status(self, now: datetime) -> str:
        """As `slicewatch status` prints it."""
        return overview_text(overview_of(self.app, now))

    def explain(self, incident: str) -> str:
        """What was decided and sent, and what people did. Raises `RefusedError` for one that there is not.

        The counts behind it are told on the machine: working them out anew takes its own copy of the store.
        """
        with self.app.state.read() as tx:
            found = store.incident(tx, incident)
            if found is None:
                raise RefusedError(f"no incident is called '{incident}': /slicewatch status lists those that are open")
            told = told_of(tx, found)
        return f"{fate_text(told)}\n\nwith the counts: slicewatch explain {found.id}"

    def silence(self, words: list[str], by: Actor, now: datetime) -> str:
        """`RULE [SLICE] 2h REASON`: a silence from now on. Raises `RefusedError`, with what is wrong."""
        target = words[:2] if len(words) > 2 and "=" in words[1] else words[:1]
        lasting, *reason = words[len(target) :]
        try:
            scope = scope_called(self.app, target)
        except click.UsageError as error:
            raise RefusedError(error.message) from None
        made = Desk(self.app).silence(scope, by, now, now + _length(lasting), " ".join(reason))
        return f"{made.id}: {made.scope.label()} is {made.label()}"


def _length(text: str) -> timedelta:
    try:
        return parse_duration(text)
    except ValueError:
        raise RefusedError(f"'{text}' is not a duration such as 2h: silence RULE [SLICE] 2h REASON") from None
