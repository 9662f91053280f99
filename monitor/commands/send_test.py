"""`slicewatch send-test`: whether messages arrive at a receiver."""

from __future__ import annotations

import json
import os
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import click

from alerts.model import SendError
from monitor.commands import HELP
from monitor.commands.common import config_option, json_option
from monitor.receivers import advice
from monitor.settings import ReceiverSettings, SettingsError, load_settings
from monitor.trying import Attempt, made_up, try_out
from rules.model import Severity
from rules.vocabulary import did_you_mean

ARRIVED, REFUSED, UNREACHED = 0, 1, 2
"""Exit codes: all of it was taken; the receiver does not want it; nobody knows, or nobody was there."""


@click.command("send-test", context_settings=HELP)
@click.argument("receiver")
@click.option(
    "--severity",
    type=click.Choice([severity.value for severity in Severity]),
    default=Severity.INFO.value,
    show_default=True,
    help="How loud it is: of a pager, try `critical` too.",
)
@config_option
@json_option
def send_test(receiver: str, severity: str, config: Path, *, as_json: bool) -> None:
    """Send a test to a RECEIVER of slicewatch.toml: a message, that it is over, and a chart and a file.

    Nobody can take it for an incident, and nothing stays open of it. It is sent at once, past the queue, and no rule is
    read. Exit code 1: the receiver does not want it, and what to do is said; 2: it was not reached, or did not answer.
    """
    from monitor.app import open_notifier

    try:
        found = _receiver(config, receiver)
        notifier = open_notifier(found, sys.stdout)
    except SettingsError as error:
        click.echo(str(error), err=True)
        raise SystemExit(UNREACHED) from None
    now = datetime.now(UTC)
    attempts: list[Attempt] = []
    for attempt in try_out(notifier, made_up(found.name, Severity(severity), now), found.kind, now, time.sleep):
        attempts.append(attempt)
        if not as_json:
            click.echo(_line(found, attempt), err=attempt.error is not None)
    if as_json:
        click.echo(json.dumps([_entry(found, attempt) for attempt in attempts], ensure_ascii=False))
    raise SystemExit(_code(attempts[-1].error))


def _receiver(config: Path, name: str) -> ReceiverSettings:
    settings = load_settings(config, os.environ)
    found = settings.receiver(name)
    if found is None:
        known = [receiver.name for receiver in settings.receivers]
        hint = did_you_mean(name, known) or f"known: {', '.join(known) or 'none'}"
        raise click.UsageError(f"no receiver is called {name!r} - {hint}")
    return found


def _line(receiver: ReceiverSettings, attempt: Attempt) -> str:
    who = f"{receiver.name} ({receiver.kind})"
    if attempt.error is not None:
        return f"{who} did not take {attempt.what}: {attempt.error}\n    {advice(receiver.kind, attempt.error)}"
    return f"{who} took {attempt.what}" + (f" ({attempt.remark})" if attempt.remark else "")


def _entry(receiver: ReceiverSettings, attempt: Attempt) -> dict[str, object]:
    error = attempt.error
    told = None if error is None else {"text": str(error), "do": advice(receiver.kind, error)}
    return {
        "receiver": receiver.name,
        "kind": receiver.kind,
        "sent": attempt.what,
        "taken": error is None,
        "remark": attempt.remark,
        "error": told,
    }


def _code(error: SendError | None) -> int:
    if error is None:
        return ARRIVED
    return REFUSED if error.permanent or error.refused else UNREACHED
