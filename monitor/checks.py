"""What is wrong between a rule, the operators' settings and the events themselves."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from alerts.plan import Routes
from monitor.budgets import with_shares
from monitor.degraded import degraded
from monitor.detectors import detector_names, is_detector
from monitor.query import Column, QueryRefusedError, ScanTooLargeError, Source, SourceError
from monitor.settings import Settings
from monitor.unused import unused
from rules.duration import format_duration
from rules.load import RuleSet, load_rules
from rules.model import Interval, Mode, Rule
from rules.problem import Place, Problem, Span
from rules.suppress import settle
from rules.vocabulary import did_you_mean

if TYPE_CHECKING:
    from monitor.survey import Survey

DAY = timedelta(days=1)
NOT_RUNNABLE = frozenset({"unknown-source", "unknown-table", "unknown-detector"})


@dataclass(frozen=True)
class Coverage:
    """How much history a rule finds: `events` is None where the table is empty."""

    rule: str
    source: str
    events: Interval | None
    full_from: datetime | None
    """When the lookback is filled, so that the rule protects fully."""
    survey: Survey | None = None


@dataclass(frozen=True)
class Examined:
    """What the events say of one rule; `asked` is False where the source could not be asked."""

    problems: tuple[Problem, ...] = ()
    coverage: Coverage | None = None
    asked: bool = True


def load_runnable(settings: Settings) -> RuleSet:
    """The rules of all files that can run, and every problem found without asking a source.

    A rule without a source cannot run. One whose receiver is unknown is watched all the same: its
    incidents go to the fallback, for a typing mistake must not blind anyone.
    """
    return runnable(load_rules(settings.rule_paths(), (settings.defaults,), settings.roots()), settings)


def runnable(found: RuleSet, settings: Settings) -> RuleSet:
    """Of rules that were read, those that can run, with all problems that no comment suppresses."""
    problems = [*_patterns_without_files(settings), *found.problems]
    sound = []
    for rule in found.rules:
        wrong = list(check_wiring(rule, settings))
        problems += wrong
        if not any(problem.code in NOT_RUNNABLE for problem in wrong):
            sound.append(rule)
    problems += degraded(settings)
    # A rule with an error may be the one that uses what seems unused.
    if sound and not any(problem.severity == "error" for problem in problems):
        problems += unused(settings, sound)
    written = (*found.suppressions, *settings.suppressions)
    running = with_shares(_held_back_by_running(sound), settings)
    return RuleSet(running, settle(problems, written, online=False), written)


def _held_back_by_running(rules: Sequence[Rule]) -> tuple[Rule, ...]:
    """The rules without what one that does not run holds back: nobody would close an incident of it."""
    running = {rule.name for rule in rules}
    return tuple(
        rule
        if running.issuperset(rule.inhibited_by)
        else replace(rule, inhibited_by=tuple(name for name in rule.inhibited_by if name in running))
        for rule in rules
    )


def _patterns_without_files(settings: Settings) -> Iterator[Problem]:
    for pattern in settings.rules:
        if not settings.matches(pattern):
            yield Problem(Place(settings.file), "no-rule-files", f"no file is named by '{pattern}'", severity="warning")


def check_wiring(rule: Rule, settings: Settings) -> Iterator[Problem]:
    """The names a rule uses are names the operators gave. Asks nobody."""
    yield from _detector_is_known(rule)
    yield from _source_is_known(rule, settings)
    yield from _receivers_are_known(rule, settings)


def _detector_is_known(rule: Rule) -> Iterator[Problem]:
    if not is_detector(rule.detector.name):
        message = f"no detector is called '{rule.detector.name}'"
        hint = did_you_mean(rule.detector.name, detector_names())
        yield rule.span("detector").problem("unknown-detector", message, hint)


def _source_is_known(rule: Rule, settings: Settings) -> Iterator[Problem]:
    name = rule.source.source
    source = settings.source(name)
    if source is None:
        hint = did_you_mean(name, [known.name for known in settings.sources])
        yield rule.span("source").problem("unknown-source", f"'{name}' is not a source of {settings.file}", hint)
    elif source.kind == "duckdb" and rule.source.query is None:
        tables, table = [known for known, _ in source.tables], ".".join(rule.source.table)
        if table not in tables:
            message = f"'{table}' is not a table of the source {name}"
            yield rule.span("source").problem("unknown-table", message, did_you_mean(table, tables))


def _receivers_are_known(rule: Rule, settings: Settings) -> Iterator[Problem]:
    known = [receiver.name for receiver in settings.receivers]
    names = dict.fromkeys(name for _, receivers in rule.notify for name in receivers)
    for name in names:
        if settings.receiver(name) is None:
            hint = did_you_mean(name.removeprefix("#"), known)
            yield _notify_span(rule, name).problem("unknown-receiver", f"'{name}' is not a receiver", hint)
    routes = Routes.of(rule, settings.operations)
    unheard = [s for s in (rule.severity, *(step.severity for step in rule.escalate)) if not routes.receivers(s)]
    if rule.mode is Mode.LIVE and unheard:
        hint = f"add 'notify', or 'fallback' to {settings.file}"
        kind = f"{unheard[0].value} " if rule.notify else ""
        span = rule.span("notify" if rule.notify else "name")
        yield span.problem("nobody-told", f"nobody is told of its {kind}incidents", hint, "warning")


def _notify_span(rule: Rule, name: str) -> Span:
    """The token that names the receiver, in any of the forms of `notify`."""
    return rule.span(next(_paths_to(name, rule.written.data.get("notify"), "notify"), "notify"))


def _paths_to(name: str, raw: object, path: str) -> Iterator[str]:
    entries = raw.items() if isinstance(raw, dict) else enumerate(raw) if isinstance(raw, list) else ()
    for key, value in entries:
        yield from _paths_to(name, value, f"{path}.{key}")
    if raw == name:
        yield path


def check_events(rule: Rule, source: Source, now: datetime, timer: Callable[[], float]) -> Examined:
    """Whether the source has the rule's table and columns, of usable types, and events in them; what they hold and cost.

    `timer` gives seconds from any moment on.
    """
    try:
        columns = source.columns(rule.source)
    except QueryRefusedError as error:
        return Examined((_refused(rule, error, "query" if rule.source.query is not None else "source"),))
    except SourceError as error:
        return Examined((_unreachable(rule, error),), asked=False)
    problems = tuple(_column_problems(rule, columns))
    return Examined(problems) if problems else _events(rule, source, now, timer)


def _events(rule: Rule, source: Source, now: datetime, timer: Callable[[], float]) -> Examined:
    try:
        span = source.span(rule.source, rule.timestamp, rule.where)
    except QueryRefusedError as error:
        return Examined((_refused(rule, error, "where" if rule.where is not None else "source"),))
    except SourceError as error:
        return Examined((_unreachable(rule, error),), asked=False)
    full_from = span.start + rule.lookback if span else None
    coverage = Coverage(rule.name, rule.source.name, span, full_from)
    problems = list(_time_problems(rule, span, now))
    if span is not None:
        from monitor.survey import survey, survey_problems  # noqa: PLC0415  loads what counts, which few checks need

        try:
            problems += _slices(rule, source, span.end)
            found = survey(rule, source, span.end, timer)
        except ScanTooLargeError as error:
            return Examined((*problems, _scan_too_large(rule, error)), coverage)
        except SourceError as error:
            return Examined((*problems, _unreachable(rule, error)), coverage, asked=False)
        coverage = replace(coverage, survey=found)
        problems += survey_problems(rule, found)
    return Examined(tuple(problems), coverage)


def _slices(rule: Rule, source: Source, end: datetime) -> Sequence[Problem]:
    """Whether the rule's detector can judge so many slices."""
    if rule.detector.name == "default":
        return ()
    from monitor.few_slices import too_many_slices  # noqa: PLC0415  loads all that judges, which few checks need

    return tuple(too_many_slices(rule, source, end))


def _time_problems(rule: Rule, span: Interval | None, now: datetime) -> Iterator[Problem]:
    if span is None:
        token = rule.span("source" if rule.where is None else "where")
        message = f"{rule.source.name} has no event" + ("" if rule.where is None else " for which 'where' holds")
        yield token.problem("empty-table", message, "nothing is learned before there are events", "warning")
    elif span.end > now + DAY:
        message = f"the last event of {rule.source.name} is of {span.end:%Y-%m-%d %H:%M} UTC, which is to come"
        hint = "buckets to come are not judged; is it the right column and time zone?"
        yield rule.span("timestamp.column").problem("future-time", message, hint, "warning")


def _column_problems(rule: Rule, columns: Sequence[Column]) -> Iterator[Problem]:
    known = {column.name: column for column in columns}
    used = _columns_used(rule)
    for path, name in used:
        if name not in known:
            message = f"'{name}' is not a column of {rule.source.name}"
            yield rule.span(path).problem("unknown-column", message, did_you_mean(name, known))
    if rule.timestamp.column in known:
        yield from _time_type(rule, known[rule.timestamp.column])
    if rule.arrived_at is not None and rule.arrived_at.column in known:
        yield from _arrival_type(rule, known[rule.arrived_at.column])
    for path, name in used:
        if path.startswith("metrics.") and name in known:
            yield from _sum_type(rule, path, known[name])


def _columns_used(rule: Rule) -> list[tuple[str, str]]:
    """Path in the rule and name of each column it uses, apart from those of `where`."""
    return [
        ("timestamp.column", rule.timestamp.column),
        *([("arrived_at.column", rule.arrived_at.column)] if rule.arrived_at is not None else []),
        *((f"dimensions.{index}", name) for index, name in enumerate(rule.dimensions)),
        *((f"metrics.{index}.sum", metric.column) for index, metric in enumerate(rule.metrics) if metric.column),
    ]


def _time_type(rule: Rule, column: Column) -> Iterator[Problem]:
    span = rule.span("timestamp.column")
    if not column.type:
        return  # the engine does not say what a query's columns are: asking for events will tell
    if column.family not in {"time", "date"}:
        message = f"'{column.name}' of {rule.source.name} is {column.type}, not a time"
        yield span.problem("wrong-column-type", message, "name a column of a time type, or cast it in a 'query'")
    elif column.family == "date" and rule.time_bucket < DAY:
        bucket = format_duration(rule.time_bucket)
        message = f"'{column.name}' of {rule.source.name} is {column.type}: days cannot be told apart by {bucket}"
        yield span.problem("wrong-column-type", message, "write time_bucket: 1d")


def _arrival_type(rule: Rule, column: Column) -> Iterator[Problem]:
    if column.type and column.family != "time":
        message = f"'{column.name}' of {rule.source.name} is {column.type}, not a time of day"
        hint = "name a column of a time type, or cast it in a 'query'"
        yield rule.span("arrived_at.column").problem("wrong-column-type", message, hint)


def _sum_type(rule: Rule, path: str, column: Column) -> Iterator[Problem]:
    if column.type and column.family != "integer":
        message = f"'{column.name}' of {rule.source.name} is {column.type}; only whole numbers are summed"
        yield rule.span(path).problem("wrong-column-type", message, "name an integer column, or cast it in a 'query'")


_CODES = {"is not a column of": "unknown-column", "is not a table of": "unknown-table"}


def _refused(rule: Rule, error: QueryRefusedError, path: str) -> Problem:
    """At the place of what the source names, or where that is not a word of the rule at `path`."""
    message = str(error).partition("; did you mean")[0]
    hint = f"did you mean '{error.suggestions[0]}'?" if error.suggestions else ""
    code = next((code for words, code in _CODES.items() if words in message), "refused")
    used = {name: place for place, name in _columns_used(rule)}
    return rule.span(used.get(error.subject, path)).problem(code, message, hint)


def _scan_too_large(rule: Rule, error: ScanTooLargeError) -> Problem:
    message, _, hint = str(error).partition(": ")
    return rule.span("max_scan" if rule.max_scan is not None else "source").problem("scan-too-large", message, hint)


def _unreachable(rule: Rule, error: SourceError) -> Problem:
    return rule.span("source").problem("unreachable", f"{rule.source.source} could not be asked: {error}")
