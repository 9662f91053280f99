"""What several commands share: options, opening the app, errors with an exit code, progress on a terminal."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TextIO

import click

from alerts.ports import Notifier
from alerts.wording import counted
from monitor.app import App
from monitor.buckets import to_datetime, to_epoch
from monitor.commands.options import FAILED, config_option, json_option
from monitor.daemon_settings import LogSettings
from monitor.discretion import keep_from_log
from monitor.logs import write_log
from monitor.query import SourceError
from monitor.settings import Settings, SettingsError
from monitor.store import StoreAwayError, StoreError
from monitor.watched import Watched
from rules.duration import parse_duration
from rules.model import Rule
from rules.problem import Problem
from rules.vocabulary import did_you_mean

__all__ = [
    "FAILED",
    "Length",
    "Moment",
    "Share",
    "config_option",
    "json_option",
    "log_to_stderr",
    "newest_bucket",
    "opened",
    "progress",
    "rule_called",
    "rules_called",
    "write_report",
]

log = logging.getLogger("slicewatch")


class Moment(click.ParamType[datetime]):
    """An ISO 8601 date or time; without an offset it is UTC."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        """Read the time; anything else is a usage error."""
        if isinstance(value, datetime):
            return value
        try:
            found = datetime.fromisoformat(str(value))
        except ValueError:
            self.fail(f"{value!r} is not a time such as 2026-01-31 or 2026-01-31T14:00Z", param, ctx)
        return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)


class Length(click.ParamType[timedelta]):
    """A duration such as 6h or 1d12h, longer than none."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> timedelta:
        """Read the duration; anything else is a usage error."""
        if isinstance(value, timedelta):
            return value
        try:
            found = parse_duration(str(value))
        except ValueError:
            found = timedelta(0)
        if not found:
            self.fail(f"{value!r} is not a duration such as 6h or 1d", param, ctx)
        return found


class Share(click.ParamType[float]):
    """A share such as 50% or 0.5, more than none and at most all."""

    name = "share"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Read the share; anything else is a usage error."""
        text = str(value).strip()
        try:
            found = float(text.removesuffix("%")) / (100.0 if text.endswith("%") else 1.0)
        except ValueError:
            found = 0.0
        if not 0.0 < found <= 1.0:
            self.fail(f"{value!r} is not a share such as 50% or 0.5", param, ctx)
        return found


@contextmanager
def opened(
    config: Path,
    *,
    store_url: str | None = None,
    sends: bool = False,
    logs: bool = False,
    out: TextIO | None = None,
    waits: Callable[[StoreAwayError], None] | None = None,
) -> Iterator[App]:
    """The app of a configuration; whatever cannot be used ends the command with a clear line and exit code 2.

    Errors of rule files go to standard error and stop nothing else; warnings are counted there. A command that sends nothing needs no
    receiver's secret; `out` (standard output by default) is where a console receiver writes. A command that `logs` has a
    log as the settings say, which then holds what is wrong with rules. `waits` is for a command that begins once the
    store is there.
    """
    notifiers = None if sends else _nobody
    try:
        with _open(config, store_url, out or sys.stdout, notifiers, waits) as app:
            if logs:
                log_to_stderr(app.settings.log)
                keep_from_log(app.settings)
                _log(app.rules.problems)
            else:
                keep_from_log(app.settings)
                _show(app.rules.problems)
            yield app
    except (SettingsError, StoreError, SourceError) as error:
        click.echo(str(error), err=True)
        raise SystemExit(FAILED) from None


def _open(
    config: Path,
    store_url: str | None,
    out: TextIO,
    notifiers: Callable[[Settings, TextIO], dict[str, Notifier]] | None,
    waits: Callable[[StoreAwayError], None] | None,
) -> App:
    while True:
        try:
            return App.open(config, os.environ, out, store_url=store_url, notifiers=notifiers)
        except StoreAwayError as error:
            if waits is None:
                raise
            waits(error)


def _show(problems: Sequence[Problem]) -> None:
    """What is not watched, in full; what only might be better, as a reminder: `check` says it."""
    warnings = sum(problem.severity == "warning" for problem in problems)
    for problem in problems:
        if problem.severity == "error":
            click.echo(problem.render(), err=True)
    if warnings:
        click.echo(f"{counted(warnings, 'warning')}: see `slicewatch check`", err=True)


def _log(problems: Sequence[Problem]) -> None:
    """As `_show`, for a process whose log somebody's program reads."""
    warnings = sum(problem.severity == "warning" for problem in problems)
    for problem in problems:
        if problem.severity == "error":
            log.error("not watched, until it is mended:\n%s", problem.render())
    if warnings:
        log.info("%s: see `slicewatch check`", counted(warnings, "warning"))


def _nobody(settings: Settings, out: TextIO) -> dict[str, Notifier]:  # noqa: ARG001  # in place of `open_notifiers`
    return {}


def rules_called(app: App, names: Sequence[str]) -> list[Rule]:
    """The rules of these names, all where there are none; another name is a usage error.

    The name of a rule with several tables is that of each of them.
    """
    known = list(dict.fromkeys(name for rule in app.rules.rules for name in (rule.family, rule.name)))
    for name in names:
        if name not in known:
            raise click.UsageError(" - ".join(filter(None, (f"no rule is called {name!r}", did_you_mean(name, known)))))
    return app.chosen(names)


def rule_called(app: App, name: str) -> Rule:
    """The one rule of this name; a usage error where there is none, or one for each of several tables."""
    found = rules_called(app, (name,))
    if len(found) > 1:
        raise click.UsageError(f"{name!r} has several tables: name one of {', '.join(rule.name for rule in found)}")
    return found[0]


def newest_bucket(app: App, rule: Rule) -> datetime | None:
    """Start of the newest bucket that is whole, by the newest event; None where a rule's table is empty."""
    span = app.source(rule.source.source).span(rule.source, rule.timestamp, rule.where)
    if span is None:
        return None
    grid = Watched.of(rule).grid
    last = grid.floor(to_epoch(span.end))
    # The last bucket may still be filling, unless its events are times of buckets already.
    return to_datetime(last if grid.daily or to_epoch(span.end) == last else grid.shift(last, -1))


@contextmanager
def progress(label: str) -> Iterator[Callable[[int, int], None]]:
    """A progress bar on standard error, where that is a terminal; nothing elsewhere."""
    if not sys.stderr.isatty():
        yield lambda _done, _total: None
        return
    with click.progressbar(length=1, label=label, file=sys.stderr) as bar:

        def show(done: int, total: int) -> None:
            bar.length = total
            bar.update(done - bar.pos)

        yield show


def log_to_stderr(settings: LogSettings = LogSettings(), **always: str) -> None:  # noqa: B008  # it is frozen
    """Log on standard error; each line of JSON says `always` as well."""
    write_log(sys.stderr, settings, always)


def write_report(path: Path, text: str) -> None:
    """A file that was asked for; one that cannot be written ends the command with a line."""
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        click.echo(f"{path}: cannot be written: {error.strerror}", err=True)
        raise SystemExit(FAILED) from None
