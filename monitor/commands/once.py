"""`slicewatch once`: evaluate now, or as if it were another time, and deliver."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import click

from alerts.deliver import Outcome as Delivered
from alerts.message import plain_text
from alerts.model import Message
from alerts.wording import counted
from monitor import store
from monitor.app import App
from monitor.buckets import to_epoch
from monitor.catching_up import MOST_TICKS, Backlogs, CatchingUp
from monitor.commands import HELP
from monitor.commands.common import (
    FAILED,
    Moment,
    config_option,
    json_option,
    opened,
    progress,
    rules_called,
)
from monitor.missed import tell_missed
from monitor.query import SourceError
from monitor.replay import incident_to_json, stamp
from monitor.resending import Resender
from monitor.rewind import rewind
from monitor.tick import Outcome
from monitor.ticks import due_ticks
from monitor.watched import Watched
from monitor.weekly import send_due
from rules.model import Rule
from rules.order import inhibitors_first

DELIVER_SECONDS = 60
"""How long `once` waits for receivers; what is not delivered then stays in the outbox."""
LOOK_SECONDS = 0.02
"""Between two looks whether all is delivered."""


@click.command("once", context_settings=HELP)
@click.argument("rules", nargs=-1)
@click.option("--at", type=Moment(), help="Evaluate as if it were this time.")
@click.option("--dry-run", is_flag=True, help="Remember and send nothing; print the messages instead.")
@config_option
@json_option
def once(rules: tuple[str, ...], at: datetime | None, config: Path, *, dry_run: bool, as_json: bool) -> None:
    """Evaluate RULES (all by default) once, and deliver what there is to tell.

    With --at a time in the past is evaluated as it would have been then; refused where newer evaluations exist,
    unless with --dry-run. Exits with 2 where a source could not be asked.
    """
    began = time.monotonic()
    origin = (at or datetime.now(UTC)).replace(microsecond=0)
    with opened(config, sends=not dry_run, out=sys.stderr if as_json else sys.stdout) as app:
        chosen = rules_called(app, rules)
        _prepare(app, chosen, origin, dry_run=dry_run)
        outcomes = [outcome for rule in inhibitors_first(chosen) for outcome in _evaluate(app, rule, origin)]
        for outcome in outcomes:
            _print(outcome, as_json=as_json, messages=dry_run)
        missed = tell_missed(app.state, app.settings.operations, origin, caught_up=True)
        if dry_run and not as_json:
            _print_messages(missed)
        if not dry_run:
            app.follow_up(origin)
            send_due(app, origin)
            clock = _clock(origin, began)
            deliver_now(app, clock)
            Resender.of(app.state, app.notifiers, time.sleep, app.settings.web.public_url).look(clock())
            app.tidy(min(origin, clock()))
    raise SystemExit(FAILED if any(outcome.blind for outcome in outcomes) else 0)


def _clock(origin: datetime, began: float) -> Callable[[], datetime]:
    """When something is sent: what is evaluated as of the past is sent today, beside a daemon that may hold it as well."""
    return lambda: max(origin + timedelta(seconds=time.monotonic() - began), datetime.now(UTC))


def _prepare(app: App, chosen: list[Rule], origin: datetime, *, dry_run: bool) -> None:
    """The store as it is to be before the first evaluation; for a dry run a copy, as it was at that time."""
    if dry_run:
        app.on_a_copy()
    app.settle(origin)
    if not dry_run:
        _refuse_older(app, chosen, origin)
        return
    for rule in chosen:
        rewind(app.state, Watched.of(rule), origin)


def _refuse_older(app: App, rules: list[Rule], tick: datetime) -> None:
    with app.state.read() as tx:
        for rule in rules:
            newest = store.newest_run(tx, rule.name)
            if newest is not None and newest > to_epoch(tick):
                known = datetime.fromtimestamp(newest, UTC)
                raise click.UsageError(
                    f"{rule.name} was evaluated at {stamp(known)}, after {stamp(tick)}: what came later would be judged "
                    "again out of order. Use --dry-run to see what it would have told."
                )


def _evaluate(app: App, rule: Rule, origin: datetime) -> list[Outcome]:
    """The outcomes, of which the last is that of now; a source that cannot even be opened stops no other rule.

    What was missed is judged with it, or where that is very much, day by day before it.
    """
    watched = app.evaluator(rule).watched
    with app.state.read() as tx:
        newest = store.newest_run(tx, rule.name)
    ticks, catching_up = Backlogs().due(watched, newest, origin)
    if catching_up is None or len(due_ticks(watched, newest, origin)) <= MOST_TICKS:
        return [_tick(app, rule, origin, None)]
    catching_up = replace(catching_up, last=origin)
    found: list[Outcome] = []
    for tick in (*ticks[:-1], origin):
        outcome = _tick(app, rule, tick, catching_up)
        found.append(outcome)
        if outcome.blind:
            break  # all up to now are
    return found


def _tick(app: App, rule: Rule, tick: datetime, catching_up: CatchingUp | None) -> Outcome:
    evaluator, last = app.evaluator(rule), tick if catching_up is None else catching_up.last
    try:
        plan = app.missing_history(rule, tick)
    except SourceError as error:
        return evaluator.blind(tick, str(error), last, catching_up)
    if plan.days:
        click.echo(plan.describe(rule.name), err=True)
    with progress(rule.name) as show:
        return app.tick(rule, tick, show, now=last, catching_up=catching_up)


def deliver_now(app: App, clock: Callable[[], datetime]) -> None:
    """Send to all receivers side by side until nothing is due any more, or the time is up."""
    until = clock() + timedelta(seconds=DELIVER_SECONDS)
    crew = app.crew(clock, time.sleep, _report, f"once-{os.getpid()}")
    while crew.start(until):
        time.sleep(LOOK_SECONDS)
    with app.state.read() as tx:
        waiting = store.outbox_counts(tx).queued
    if waiting:
        waits = f"{counted(waiting, 'message')} left in the outbox; the next `once` or `run` delivers what waits"
        click.echo(waits, err=True)


def _report(done: Delivered) -> None:
    if done.error:
        click.echo(f"{done.delivery.receiver}: {done.result.value}: {done.error}", err=True)


def _print(outcome: Outcome, *, as_json: bool, messages: bool) -> None:
    if as_json:
        click.echo(json.dumps(_to_json(outcome), ensure_ascii=False))
        return
    if outcome.blind:
        click.echo(f"{outcome.rule}: could not ask the source: {outcome.blind}")
    elif outcome.late:
        click.echo(f"{outcome.rule}: the source is behind: {outcome.late}")
    elif outcome.repeated:
        click.echo(f"{outcome.rule}: {stamp(outcome.tick)} was evaluated before; nothing to do")
    else:
        judged, news = counted(len(outcome.judged), "bucket"), counted(len(outcome.messages), "message")
        click.echo(f"{outcome.rule}: {judged} judged at {stamp(outcome.tick)}, {news}")
    for notice in outcome.notices:
        click.echo(f"{outcome.rule}: {notice}")
    if messages:
        _print_messages(outcome.messages)


def _print_messages(messages: Iterable[tuple[str, Message]]) -> None:
    for receiver, message in messages:
        click.echo(f"to {receiver}:\n{plain_text(message)}")


def _to_json(outcome: Outcome) -> dict[str, Any]:
    return {
        "rule": outcome.rule,
        "tick": stamp(outcome.tick),
        "judged": [stamp(start) for start in outcome.judged],
        "repeated": outcome.repeated,
        "blind": outcome.blind or None,
        "late": outcome.late or None,
        "transitions": [
            {"change": t.change.value, "because": t.because, "incident": incident_to_json(t.incident)}
            for t in outcome.transitions
        ],
        "messages": [{"receiver": receiver, "push": message.push} for receiver, message in outcome.messages],
        "notices": list(outcome.notices),
    }
