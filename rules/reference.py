"""The reference of rule files, made from the model that reads them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from enum import Enum

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from rules.alerting import EscalationShape, MuteShape
from rules.duration import format_duration
from rules.events import EventShape
from rules.explain import Doc
from rules.known import KnownShape
from rules.model import Metric
from rules.rule_tests import ExpectShape, HistoryShape, TestShape
from rules.schema import BaselineShape, FileShape, RuleShape, SlicesShape

_TABLES: tuple[tuple[str, str, type[BaseModel]], ...] = (
    ("The file", "", FileShape),
    ("A rule", "", RuleShape),
    ("`slices`", "slices.", SlicesShape),
    ("`baseline`", "baseline.", BaselineShape),
    ("An entry of `escalate`", "", EscalationShape),
    ("An entry of `mute`", "", MuteShape),
    ("An event of `baseline.events`", "", EventShape),
    ("An incident of `known`", "", KnownShape),
    ("A test of `tests`", "", TestShape),
    ("`expect` of a test", "expect.", ExpectShape),
    ("`history` of a test", "history.", HistoryShape),
)


def reference() -> str:
    """Markdown: a table of key, type, default and meaning for the file, the rule, and its mappings."""
    return "\n".join(line for table in _TABLES for line in _table(*table))


def _table(title: str, prefix: str, model: type[BaseModel]) -> Iterator[str]:
    yield from (f"### {title}", "", "| key | type | default | meaning |", "|---|---|---|---|")
    for name, info in model.model_fields.items():
        doc = next(item for item in info.metadata if isinstance(item, Doc))
        key = f"`{prefix}{info.alias or name}`"
        yield f"| {key} | {doc.kind} | {doc.default or _default(info)} | {doc.meaning} |"
    yield ""


def _default(info: FieldInfo) -> str:
    if info.is_required():
        return "required"
    value = info.default
    if value is None or value in ("", (), {}) or isinstance(value, BaseModel):
        return ""
    return f"`{_written(value)}`"


def _written(value: object) -> str:
    """A default as it would be written in a file."""
    if isinstance(value, timedelta):
        return format_duration(value)
    if isinstance(value, tuple):
        return f"[{', '.join(map(_written, value))}]"
    if isinstance(value, Metric):
        return value.name
    if isinstance(value, float):
        return f"{value:g}"
    return str(value.value) if isinstance(value, Enum) else str(value)
