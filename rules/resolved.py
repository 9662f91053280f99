"""A rule with everything that holds for it: each value, and the file that says so."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import Enum
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from rules.duration import format_duration
from rules.explain import Doc
from rules.model import Metric, Rule
from rules.problem import Place
from rules.schema import BaselineShape, RuleShape, SlicesShape
from rules.yaml_scalars import tag_of

_MAPPINGS: dict[str, type[BaseModel]] = {"slices": SlicesShape, "baseline": BaselineShape}


@dataclass(frozen=True)
class Setting:
    """One value of a rule: plain data, as a file would hold it. `place` is None where it is built in."""

    key: str
    value: Any
    place: Place | None = None


def resolved(rule: Rule) -> tuple[Setting, ...]:
    """What holds for a rule, in the order of the reference; keys that nobody wrote and that have no default are left out."""
    return tuple(setting for name, info in _keys(RuleShape) for setting in _of_key(rule, name, info))


def _of_key(rule: Rule, name: str, info: FieldInfo) -> Iterator[Setting]:
    if name not in _MAPPINGS:
        yield from _setting(rule, name, info, rule.written.data)
        return
    raw = rule.written.data.get(name)
    for inner, inner_info in _keys(_MAPPINGS[name]):
        yield from _setting(rule, f"{name}.{inner}", inner_info, raw if isinstance(raw, dict) else {})


def _setting(rule: Rule, key: str, info: FieldInfo, written: Mapping[str, Any]) -> Iterator[Setting]:
    """The key as it is written in the mapping around it, else its default."""
    name = key.rpartition(".")[2]
    if name in written:
        yield Setting(key, written[name], rule.span(key).place)
    elif (value := _derived(rule).get(key, _default(info))) is not None:
        yield Setting(key, value)


def _derived(rule: Rule) -> dict[str, Any]:
    """Built-in values that follow from others."""
    return {"schedule": format_duration(rule.time_bucket), "baseline.lookback": format_duration(rule.lookback)}


def _keys(model: type[BaseModel]) -> Iterator[tuple[str, FieldInfo]]:
    return ((info.alias or name, info) for name, info in model.model_fields.items())


def _default(info: FieldInfo) -> Any:
    doc = next((item for item in info.metadata if isinstance(item, Doc)), None)
    if doc is not None and re.fullmatch(r"`?[\w%]+`?", doc.default) and doc.default != "none":
        return doc.default.strip("`")
    return None if info.default in (None, "", (), {}) or doc is None or doc.default else _plain(info.default)


def _plain(value: Any) -> Any:
    """A default of the model as a file would hold it."""
    if isinstance(value, timedelta):
        return format_duration(value) if value else 0
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, Metric):
        return value.name
    return [_plain(item) for item in value] if isinstance(value, tuple) else value


def as_yaml(value: Any) -> str:
    """Plain data in one line of YAML 1.2."""
    if isinstance(value, dict):
        return f"{{{', '.join(f'{as_yaml(key)}: {as_yaml(item)}' for key, item in value.items())}}}"
    if isinstance(value, list):
        return f"[{', '.join(map(as_yaml, value))}]"
    plain = isinstance(value, str) and tag_of(value) == "str" and re.fullmatch(r"[\w/][\w .%/+-]*(?<! )", value)
    return str(value) if plain else json.dumps(value, ensure_ascii=False)
