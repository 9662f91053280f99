"""`slicewatch check`: rule files and settings, and with --online the events themselves."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TextIO

import click

from alerts.wording import counted
from monitor.checks import Coverage, Examined, check_events, load_runnable
from monitor.commands import HELP
from monitor.opening import open_source
from monitor.query import Source, SourceError
from monitor.settings import Settings, SettingsError, load_settings, missing_secrets
from rules.formats import FORMATS
from rules.model import Rule
from rules.problem import Problem
from rules.suppress import Suppression, settle

OpenSource = Callable[[Settings, str], Source]
"""Opens the source of this name; raises `SourceError` or `SettingsError`."""

FINE, FINDINGS, NOT_CHECKED = 0, 1, 2
"""Exit codes: nothing wrong (warnings apart), something is, or something could not be asked."""


@dataclass(frozen=True)
class CheckResult:
    """All that a check found. `complete` is False where a file or a source could not be asked."""

    rules: tuple[Rule, ...] = ()
    problems: tuple[Problem, ...] = ()
    coverage: tuple[Coverage, ...] = ()
    complete: bool = True
    suppressions: tuple[Suppression, ...] = ()
    files: tuple[str, ...] = ()

    @property
    def errors(self) -> int:
        """Problems that keep something from running."""
        return sum(problem.severity == "error" for problem in self.problems)

    @property
    def exit_code(self) -> int:
        """As `FINE`, `FINDINGS`, `NOT_CHECKED`."""
        if not self.complete:
            return NOT_CHECKED
        return FINDINGS if self.errors else FINE


def run_check(
    config: Path,
    *,
    online: bool,
    env: Mapping[str, str],
    out: TextIO,
    now: datetime,
    form: str = "text",
    strict: bool = False,
    opener: OpenSource | None = None,
) -> int:
    """Check and print; the exit code. `opener` is needed where `online`; `now` tells events to come.

    Where `strict`, warnings count as findings too.
    """
    result = check_config(config, env=env, now=now, opener=opener if online else None)
    lines = _text(result) if form == "text" else FORMATS[form](result.problems, result.files)
    out.writelines(f"{line}\n" for line in lines)
    return FINDINGS if strict and result.problems and result.complete else result.exit_code


def check_config(
    config: Path, *, env: Mapping[str, str], now: datetime, opener: OpenSource | None = None
) -> CheckResult:
    """Settings, rule files and how they fit; with `opener` also the events."""
    try:
        settings = load_settings(config, env)
    except SettingsError as error:
        readable = all(problem.code != "unreadable" for problem in error.problems)
        return CheckResult(problems=error.problems, complete=readable, files=(config.as_posix(),))
    offline = _offline(settings)
    return offline if opener is None else _online(offline, settings, opener, now)


def _offline(settings: Settings) -> CheckResult:
    found = load_runnable(settings)
    files = (settings.file, *(path.as_posix() for path in settings.rule_paths()))
    problems = (*missing_secrets(settings), *found.problems)
    return CheckResult(found.rules, problems, suppressions=found.suppressions, files=files)


def _online(offline: CheckResult, settings: Settings, opener: OpenSource, now: datetime) -> CheckResult:
    """Ask each source, opened once, about each of its rules."""
    examined: list[Examined] = []
    for source in settings.sources:
        rules = [rule for rule in offline.rules if rule.source.source == source.name]
        if rules:
            examined += _ask(rules, settings, opener, now)
    found = settle((problem for item in examined for problem in item.problems), offline.suppressions, online=True)
    return CheckResult(
        offline.rules,
        # A secret that is missing is also why its source cannot be opened: told once.
        tuple(dict.fromkeys((*offline.problems, *found))),
        tuple(item.coverage for item in examined if item.coverage is not None),
        all(item.asked for item in examined),
        files=offline.files,
    )


def _ask(rules: list[Rule], settings: Settings, opener: OpenSource, now: datetime) -> list[Examined]:
    name = rules[0].source.source
    try:
        source = opener(settings, name)
    except SettingsError as error:
        return [Examined(error.problems, asked=False)]
    except SourceError as error:
        problem = rules[0].span("source").problem("unreachable", f"{name} could not be asked: {error}")
        return [Examined((problem,), asked=False)]
    with closing(source):
        return [check_events(rule, source, now) for rule in rules]


def _text(result: CheckResult) -> Iterable[str]:
    for problem in result.problems:
        yield f"{problem.render()}\n"
    for item in result.coverage:
        yield _coverage(item)
    warnings = len(result.problems) - result.errors
    sound = f"{counted(len(result.rules), 'rule')} can run"
    yield f"{sound}; {counted(result.errors, 'error')}, {counted(warnings, 'warning')}"


def _coverage(item: Coverage) -> str:
    if item.events is None or item.full_from is None:
        return f"{item.rule}: no events yet"
    first, last, full = (f"{at:%Y-%m-%d %H:%M}" for at in (item.events.start, item.events.end, item.full_from))
    return f"{item.rule}: events of {item.source} from {first} to {last} UTC; full protection from {full} UTC"


@click.command("check", context_settings=HELP)
@click.option(
    "--config",
    type=click.Path(path_type=Path),
    default=Path("slicewatch.toml"),
    show_default=True,
    help="The operators' file.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object per problem.")
@click.option("--format", "form", type=click.Choice(["text", *FORMATS]), default="text", help="How to print.")
@click.option("--strict", is_flag=True, help="Exit with 1 for warnings too.")
@click.option("--online", is_flag=True, help="Also ask the sources for tables, columns, types and events.")
def check(config: Path, *, as_json: bool, form: str, strict: bool, online: bool) -> None:
    """Check the settings and all rule files.

    Exits with 0 where nothing is wrong (warnings apart), 1 where something is, 2 where something could not be asked.
    """
    now = datetime.now(UTC)
    code = run_check(
        config,
        online=online,
        env=os.environ,
        out=sys.stdout,
        now=now,
        form="json" if as_json else form,
        strict=strict,
        opener=open_source if online else None,
    )
    raise SystemExit(code)
