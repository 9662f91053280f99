"""`slicewatch deliveries`: what waits to be delivered and what was given up, and sending that again."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from alerts.wording import counted
from monitor import store
from monitor.commands import HELP
from monitor.commands.common import config_option, json_option, opened
from monitor.commands.people import acting
from monitor.replay import stamp

SHOWN = 12
"""Characters of an id: enough to tell one from another."""


@click.group("deliveries", context_settings=HELP, invoke_without_command=True)
@click.option("--dead", is_flag=True, help="Only what was given up.")
@click.option("--receiver", help="Only what is for this receiver.")
@config_option
@json_option
@click.pass_context
def deliveries(ctx: click.Context, config: Path, *, dead: bool, receiver: str | None, as_json: bool) -> None:
    """List what waits to be delivered and what was given up, oldest first.

    `slicewatch deliveries retry ID` sends again what was given up, `slicewatch deliveries retry --all` all of it.
    """
    if ctx.invoked_subcommand is not None:
        # What was said before the word `retry` is meant for it.
        ctx.default_map = {"retry": {"config": str(config), "receiver": receiver, "as_json": as_json}}
        return
    with opened(config) as app, app.state.read() as tx:
        found = store.letters(tx, dead_only=dead, receiver=receiver)
    for letter in found:
        click.echo(json.dumps(_to_json(letter), ensure_ascii=False) if as_json else _line(letter))
    if not as_json:
        click.echo(_summary(found))


@deliveries.command("retry", context_settings=HELP)
@click.argument("ids", nargs=-1, metavar="[ID]...")
@click.option("--all", "everything", is_flag=True, help="All that was given up.")
@click.option("--receiver", help="Only what is for this receiver.")
@config_option
@json_option
def retry(ids: tuple[str, ...], config: Path, *, everything: bool, receiver: str | None, as_json: bool) -> None:
    """Send again what was given up: the next `once` or the running daemon delivers it.

    An ID may be cut short as long as it names one. What its receiver has been told the later course of is left alone.
    """
    if bool(ids) == everything:
        raise click.UsageError("name the IDs to send again, or --all: `slicewatch deliveries --dead` lists them")
    now = datetime.now(UTC)
    with opened(config) as app, app.state.write() as tx:
        dead = store.letters(tx, dead_only=True, receiver=receiver)
        chosen = dead if everything else [_called(name, dead) for name in ids]
        again = [letter.id for letter in chosen if store.requeue(tx, letter.id, now)]
        detail = f"{counted(len(again), 'message')} queued again"
        store.add_action(tx, store.Acted("retry", ids[0] if len(ids) == 1 else "outbox", acting(None), now, detail))
    if as_json:
        click.echo(json.dumps({"queued": again, "told_since": len(chosen) - len(again)}))
        return
    click.echo(detail)
    if len(again) < len(chosen):
        click.echo(f"{len(chosen) - len(again)} left alone: their receivers were told the later course")


def _called(name: str, dead: list[store.Letter]) -> store.Letter:
    found = [letter for letter in dead if letter.id.startswith(name)]
    if len(found) != 1:
        what = "nothing that was given up" if not found else f"{len(found)} messages"
        raise click.UsageError(f"{name!r} names {what}: `slicewatch deliveries --dead` lists the IDs")
    return found[0]


def _line(letter: store.Letter) -> str:
    state = "given up" if letter.state == "dead" else "waits"
    tries = counted(letter.attempts, "attempt") if letter.attempts else "not tried yet"
    lines = [
        f"{letter.id[:SHOWN]}  {stamp(letter.created_at)}  {letter.receiver}: {state}, {tries}",
        f"  {letter.part.value}: {letter.message.push}",
    ]
    return "\n".join([*lines, f"  {letter.error}"] if letter.error else lines)


def _summary(found: list[store.Letter]) -> str:
    dead = sum(letter.state == "dead" for letter in found)
    return f"{len(found) - dead} waiting, {dead} given up"


def _to_json(letter: store.Letter) -> dict[str, Any]:
    return {
        "id": letter.id,
        "receiver": letter.receiver,
        "part": letter.part.value,
        "state": letter.state,
        "incident": letter.message.key,
        "seq": letter.message.seq,
        "push": letter.message.push,
        "attempts": letter.attempts,
        "created": stamp(letter.created_at),
        "due": stamp(letter.due) if letter.state == "queued" else None,
        "error": letter.error or None,
    }
