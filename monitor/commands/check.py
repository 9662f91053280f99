"""`slicewatch check`: rule files and settings, and with --online the events themselves."""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, TextIO

import click

from alerts.wording import counted
from dashboards.read import Stage
from monitor.checks import Coverage, Examined, check_events, load_runnable
from monitor.commands import HELP
from monitor.opening import open_source
from monitor.query import Source, SourceError, size
from monitor.receivers import OpenNotifier, Reached, ask_receivers
from monitor.settings import Settings, SettingsError, load_settings, missing_secrets
from monitor.statistics.constants import STAGE_DAYS
from rules.formats import FORMATS
from rules.model import Rule
from rules.problem import Problem
from rules.suppress import Suppression, settle

if TYPE_CHECKING:
    from monitor.survey import Survey

OpenSource = Callable[[Settings, str], Source]
"""Opens the source of this name; raises `SourceError` or `SettingsError`."""

FINE, FINDINGS, NOT_CHECKED = 0, 1, 2
"""Exit codes: nothing wrong (warnings apart), something is, or something could not be asked."""


@dataclass(frozen=True)
class World:
    """What is asked with --online: sources, and receivers where their notifiers can be opened."""

    sources: OpenSource
    notifiers: OpenNotifier | None = None
    timer: Callable[[], float] = perf_counter


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
    secrets: bool = True,
    world: World | None = None,
) -> int:
    """Check and print; the exit code. The world is asked where `online`; `now` tells events to come.

    Where `strict`, warnings count as findings too. Without `secrets` it is no matter whether they are there.
    """
    result = check_config(config, env=env, now=now, secrets=secrets, world=world if online else None)
    lines = _text(result, now) if form == "text" else FORMATS[form](result.problems, result.files)
    out.writelines(f"{line}\n" for line in lines)
    return FINDINGS if strict and result.problems and result.complete else result.exit_code


def check_config(
    config: Path, *, env: Mapping[str, str], now: datetime, secrets: bool = True, world: World | None = None
) -> CheckResult:
    """Settings, rule files and how they fit; with a `world` also the events and the receivers."""
    try:
        settings = load_settings(config, env)
    except SettingsError as error:
        readable = all(problem.code != "unreadable" for problem in error.problems)
        return CheckResult(problems=error.problems, complete=readable, files=(config.as_posix(),))
    offline = _offline(settings, secrets=secrets)
    return offline if world is None else _online(offline, settings, world, now)


def _offline(settings: Settings, *, secrets: bool) -> CheckResult:
    found = load_runnable(settings)
    files = (settings.file, *(path.as_posix() for path in settings.rule_paths()))
    problems = (*(missing_secrets(settings) if secrets else ()), *found.problems)
    return CheckResult(found.rules, problems, suppressions=found.suppressions, files=files)


def _online(offline: CheckResult, settings: Settings, world: World, now: datetime) -> CheckResult:
    """Ask each source, opened once, about each of its rules, and each receiver."""
    examined: list[Examined] = []
    for source in settings.sources:
        rules = [rule for rule in offline.rules if rule.source.source == source.name]
        if rules:
            examined += _ask(rules, settings, world, now)
    reached = ask_receivers(settings, world.notifiers) if world.notifiers else ()
    asked: list[Examined | Reached] = [*examined, *reached]
    found = settle((problem for item in asked for problem in item.problems), offline.suppressions, online=True)
    return CheckResult(
        offline.rules,
        # A secret that is missing is also why its source cannot be opened: told once.
        tuple(dict.fromkeys((*offline.problems, *found))),
        tuple(item.coverage for item in examined if item.coverage is not None),
        all(item.asked for item in asked),
        files=offline.files,
    )


def _ask(rules: list[Rule], settings: Settings, world: World, now: datetime) -> list[Examined]:
    name = rules[0].source.source
    try:
        source = world.sources(settings, name)
    except SettingsError as error:
        return [Examined(error.problems, asked=False)]
    except SourceError as error:
        problem = rules[0].span("source").problem("unreachable", f"{name} could not be asked: {error}")
        return [Examined((problem,), asked=False)]
    with closing(source):
        return [check_events(rule, source, now, world.timer) for rule in rules]


def _text(result: CheckResult, now: datetime) -> Iterable[str]:
    for problem in result.problems:
        yield f"{problem.render()}\n"
    for item in result.coverage:
        yield from _coverage(item, now)
    warnings = len(result.problems) - result.errors
    sound = f"{counted(len(result.rules), 'rule')} can run"
    yield f"{sound}; {counted(result.errors, 'error')}, {counted(warnings, 'warning')}"


def _coverage(item: Coverage, now: datetime) -> Iterable[str]:
    if item.events is None or item.full_from is None:
        yield f"{item.rule}: no events yet"
        return
    first, last, full = (f"{at:%Y-%m-%d %H:%M}" for at in (item.events.start, item.events.end, item.full_from))
    yield f"{item.rule}: events of {item.source} from {first} to {last} UTC; full protection from {full} UTC"
    yield f"    protection now: {_stage(item.events.start, now)}"
    if item.survey is not None:
        yield f"    {_survey(item.survey)}"


def _stage(first: datetime, now: datetime) -> str:
    """What the history of events allows today, once it is read."""
    days = (now - first) / timedelta(days=1)
    stage = list(Stage)[sum(days >= edge for edge in STAGE_DAYS)]
    to_go = STAGE_DAYS[-1] - max(int(days), 0)
    return stage.value if stage is Stage.FULL else f"{stage.value}; {counted(to_go, 'day')} until it is full"


def _survey(found: Survey) -> str:
    """What the newest week holds, and what a day of checks costs."""
    read = "" if found.bytes is None else f"{size(found.bytes)} in "
    held = f"{counted(found.combinations, 'combination')} in the newest week"
    return f"{held}; a day of {counted(found.checks, 'check')} reads {read}about {found.seconds:.2g} s"


def _notifiers(out: TextIO) -> OpenNotifier:
    from monitor.app import open_notifier

    return lambda receiver: open_notifier(receiver, out)


@contextmanager
def _uncollected() -> Iterator[None]:
    """Rules are many objects that all stay: to look for garbage among them again and again would take a fifth of the time."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


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
@click.option("--no-secrets", is_flag=True, help="Do not look whether secrets are there, as where code is reviewed.")
@click.option("--online", is_flag=True, help="Also ask sources and receivers: counts the newest week of events.")
def check(config: Path, *, as_json: bool, form: str, strict: bool, no_secrets: bool, online: bool) -> None:
    """Check the settings and all rule files.

    Exits with 0 where nothing is wrong (warnings apart), 1 where something is, 2 where something could not be asked.
    """
    now = datetime.now(UTC)
    with _uncollected():
        code = run_check(
            config,
            online=online,
            env=os.environ,
            out=sys.stdout,
            now=now,
            form="json" if as_json else form,
            strict=strict,
            secrets=not no_secrets,
            world=World(open_source, _notifiers(sys.stdout)) if online else None,
        )
    raise SystemExit(code)
