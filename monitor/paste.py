"""The query a person pastes into the warehouse to see an incident's numbers with own eyes."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from alerts.model import Incident, Kind
from rules.model import Metric, Rule
from rules.slices import Folded, Slice

KEYWORDS = frozenset(
    [
        "all",
        "analyse",
        "analyze",
        "and",
        "any",
        "array",
        "as",
        "asc",
        "at",
        "both",
        "case",
        "cast",
        "check",
        "collate",
        "column",
        "constraint",
        "create",
        "cross",
        "default",
        "desc",
        "describe",
        "distinct",
        "do",
        "else",
        "end",
        "except",
        "false",
        "fetch",
        "for",
        "foreign",
        "freeze",
        "from",
        "full",
        "grant",
        "group",
        "having",
        "in",
        "inner",
        "intersect",
        "into",
        "is",
        "join",
        "lambda",
        "lateral",
        "leading",
        "left",
        "like",
        "limit",
        "natural",
        "not",
        "null",
        "offset",
        "on",
        "only",
        "or",
        "order",
        "outer",
        "pivot",
        "placing",
        "primary",
        "qualify",
        "references",
        "returning",
        "right",
        "select",
        "show",
        "similar",
        "some",
        "summarize",
        "symmetric",
        "table",
        "then",
        "to",
        "trailing",
        "true",
        "union",
        "unique",
        "unpivot",
        "user",
        "using",
        "verbose",
        "when",
        "where",
        "window",
        "with",
    ]  # a hundred lines would say no more
)
"""Names that DuckDB or PostgreSQL does not take bare."""


def query_to_paste(rule: Rule, incident: Incident) -> str:
    """SQL for an incident's stretch; "" where no SQL can say it (a folded rest, a blind source)."""
    if incident.kind in {Kind.BLIND, Kind.LATE}:
        return ""
    return query_of(rule, incident.metric, incident.cause, (incident.since, incident.until), incident.expected)


def query_of(rule: Rule, metric: str, item: Slice, stretch: tuple[datetime, datetime], expected: float) -> str:
    """SQL that returns one row: `observed` counted in the warehouse, what was `expected`, and `week_before`.

    The same stretch a week before (on the rule's own clock) tells a person more than a number that slicewatch made.
    "" for a folded rest.
    """
    if any(isinstance(value, Folded) for _, value in item):
        return ""
    measure = next((m for m in rule.metrics if m.name == metric), rule.metrics[0])
    now = _within(rule, *stretch)
    then = _within(rule, *(_week_before(moment, rule.timezone) for moment in stretch))
    lines = [
        f"SELECT {_amount(measure, now)} AS observed,",
        f"       {_number(expected)} AS expected,",
        f"       {_amount(measure, then)} AS week_before",
        f"FROM {_table(rule)}",
        f"WHERE ({now} OR {then})",
        *(f"  AND {condition}" for condition in _conditions(rule, item)),
    ]
    return "\n".join(lines)


def _amount(metric: Metric, stretch: str) -> str:
    """What the metric counts within one of the stretches; 0 where nothing is there."""
    if metric.column is None:
        return f"count(CASE WHEN {stretch} THEN 1 END)"
    return f"coalesce(sum(CASE WHEN {stretch} THEN {_name(metric.column)} END), 0)"


def _within(rule: Rule, start: datetime, end: datetime) -> str:
    time, zone = _name(rule.timestamp.column), rule.timestamp.timezone
    return f"{time} >= {_time(start, zone)} AND {time} < {_time(end, zone)}"


def _week_before(moment: datetime, zone: str) -> datetime:
    """The same time of day, also over a change of the clock."""
    return (moment.astimezone(ZoneInfo(zone)) - timedelta(days=7)).astimezone(UTC)


def _table(rule: Rule) -> str:
    if rule.source.query is None:
        return ".".join(_name(part) for part in rule.source.table)
    return f"({rule.source.query}) AS events"


def _conditions(rule: Rule, item: Slice) -> Iterator[str]:
    """The slice, and the rule's own filter."""
    for name, value in item:
        yield f"{_name(name)} IS NULL" if value is None else f"{_name(name)} = {_text(str(value))}"
    if rule.where:
        yield f"({rule.where})"


def _number(expected: float) -> str:
    """Small expectations keep a digit: 0.4 events are not none."""
    return f"{expected:.0f}" if expected >= 10 else f"{expected:.1f}"


def _name(name: str) -> str:
    plain = name.isidentifier() and name.isascii() and name == name.lower() and name not in KEYWORDS
    return name if plain else '"' + name.replace('"', '""') + '"'


def _time(moment: datetime, zone: str) -> str:
    """As the column's own clock shows it."""
    return _text(moment.astimezone(ZoneInfo(zone)).strftime("%Y-%m-%d %H:%M:%S"))


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"
