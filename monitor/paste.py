"""The query a person pastes into the warehouse to see an incident's numbers with own eyes."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

from alerts.model import Incident, Kind
from rules.model import Rule
from rules.slices import Folded

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
    """SQL that counts the incident's slice per bucket; "" where no SQL can say it (a folded rest, a blind source)."""
    if incident.kind in {Kind.BLIND, Kind.LATE} or any(isinstance(value, Folded) for _, value in incident.cause):
        return ""
    metric = next((m for m in rule.metrics if m.name == incident.metric), rule.metrics[0])
    what = "count(*)" if metric.column is None else f"sum({_name(metric.column)})"
    table = (
        ".".join(_name(part) for part in rule.source.table)
        if rule.source.query is None
        else f"({rule.source.query}) AS events"
    )
    time = _name(rule.timestamp.column)
    conditions = [
        f"{time} >= {_time(incident.since, rule.timestamp.timezone)}",
        f"{time} < {_time(incident.until, rule.timestamp.timezone)}",
        *(
            f"{_name(name)} IS NULL" if value is None else f"{_name(name)} = {_text(str(value))}"
            for name, value in incident.cause
        ),
        *([f"({rule.where})"] if rule.where else []),
    ]
    return f"SELECT {what} AS observed FROM {table} WHERE " + " AND ".join(conditions)


def _name(name: str) -> str:
    plain = name.isidentifier() and name.isascii() and name == name.lower() and name not in KEYWORDS
    return name if plain else '"' + name.replace('"', '""') + '"'


def _time(moment: datetime, zone: str) -> str:
    """As the column's own clock shows it."""
    return _text(moment.astimezone(ZoneInfo(zone)).strftime("%Y-%m-%d %H:%M:%S"))


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"
