"""The JSON Schema of rule files, for editors: from the model that reads them, and the words of the reference."""

from __future__ import annotations

import re
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from rules.alerting import EscalationShape, MuteShape
from rules.explain import Doc
from rules.known import KnownShape
from rules.parse import NOT_BY_DEFAULT
from rules.rule_tests import ExpectShape, HistoryShape, TestShape
from rules.schema import BaselineShape, FileShape, RuleShape, SlicesShape, TimestampShape

Schema = dict[str, Any]

DIALECT = "http://json-schema.org/draft-07/schema#"
"""The one that editors know."""

_TEXT: Schema = {"type": "string"}
_NAME: Schema = {"type": "string", "pattern": "^[A-Za-z0-9][A-Za-z0-9_.-]{0,99}$"}
_NUMBER: Schema = {"type": "number"}
_WHOLE: Schema = {"type": "integer", "minimum": 0}
_PLAIN: Schema = {"type": ["string", "number", "boolean", "null"]}
_SHARE: Schema = {
    "anyOf": [{"type": "string", "pattern": "^[0-9.]+ ?%$"}, {"type": "number", "minimum": 0, "maximum": 1}]
}
_DURATION: Schema = {
    "anyOf": [{"type": "string", "pattern": "^(0|([0-9]+w)?([0-9]+d)?([0-9]+h)?([0-9]+m)?([0-9]+s)?)$"}, {"const": 0}]
}
_CRON: Schema = {"type": "string", "pattern": r"^\s*(\S+\s+){4}\S+\s*$"}
_TERMS: Schema = {"type": "object", "additionalProperties": _PLAIN}
_OBJECT: Schema = {"type": "object"}


def _list(items: Schema) -> Schema:
    return {"type": "array", "items": items}


def _either(*forms: Schema) -> Schema:
    return {"anyOf": list(forms)}


_METRIC = _either({"const": "count"}, {"type": "object", "required": ["sum"], "properties": {"sum": _TEXT}})
_RECEIVERS = _either(_TEXT, _list(_TEXT))

_KINDS: dict[str, Schema] = {
    "1": {"const": 1},
    "path beside the rule file": _TEXT,
    "mapping": _OBJECT,
    "list of rules": _list(_NAME),
    "name": _NAME,
    "string": _TEXT,
    "SQL": _TEXT,
    "web address": {"type": "string", "pattern": "^https?://"},
    "`source.table`, `source.schema.table`, or a list": _either(_TEXT, _list(_TEXT)),
    "list of `count`, `{sum: column}`": _list(_METRIC),
    "column": _TEXT,
    "list of columns": _list(_TEXT),
    "list of dimensions": _list(_TEXT),
    "1, 2, 3": {"enum": [1, 2, 3]},
    "amount of data": {"type": "string", "pattern": "^[0-9]+(\\.[0-9]+)? ?([kKmMgGtTpP]?[bB])$"},
    "duration": _DURATION,
    "duration, or cron": _either(*_DURATION["anyOf"], _CRON),
    "`minute hour day month weekday`": _CRON,
    "time zone": _TEXT,
    "`default`, `stl`, `ets`, `{threshold: ...}`, a plug-in's name": _either(_TEXT, _OBJECT),
    "`low`, `medium`, `high`, number": _either({"enum": ["low", "medium", "high"]}, _NUMBER),
    "share: `20%`, `0.2`": _SHARE,
    "share: `90%`, `0.9`": _SHARE,
    "share: `200%`": _either({"type": "string", "pattern": "^[0-9.]+ ?%$"}, _NUMBER),
    "number": _NUMBER,
    "whole number": _WHOLE,
    "evaluations or duration": _either(_WHOLE, *_DURATION["anyOf"], {"type": "string", "pattern": "^[0-9]{1,6}$"}),
    "mapping of strings": _TERMS,
    "mapping of dimension to value": _TERMS,
    "mapping of dimension to values": {"type": "object", "additionalProperties": _list(_PLAIN)},
    "name, list, or mapping by severity": _either(_RECEIVERS, {"type": "object", "additionalProperties": _RECEIVERS}),
    "list of slices": _list(_TERMS),
    "list of `day` or `start/end`": _list(_TEXT),
    "list of countries, or `{by: dimension}`": _either(_list(_TEXT), {"type": "object", "required": ["by"]}),
    "list": {"type": "array"},
    "day or time": _TEXT,
    "time": _TEXT,
    "mapping, or a list of them": _either(_OBJECT, _list(_OBJECT)),
}
"""What a key's type, as the reference calls it, is to an editor; lists of words are read from the words."""


def json_schema() -> Schema:
    """The schema of a rule file. What only the whole set of files can say, such as what is inherited, it allows."""
    rule = _object(RuleShape, required=("name",))
    defaults = {**rule, "required": [], "title": "defaults"}
    defaults["properties"] = {key: value for key, value in rule["properties"].items() if key not in NOT_BY_DEFAULT}
    whole = _object(FileShape, required=("rules",))
    whole["properties"]["defaults"] |= {"$ref": "#/definitions/defaults"}
    whole["properties"]["rules"] |= {"type": "array", "items": {"$ref": "#/definitions/rule"}}
    return {"$schema": DIALECT, **whole, "definitions": {"rule": rule, "defaults": defaults}}


def _object(model: type[BaseModel], required: tuple[str, ...] | None = None) -> Schema:
    fields = {info.alias or name: info for name, info in model.model_fields.items()}
    needed = [key for key, info in fields.items() if info.is_required()] if required is None else list(required)
    return {
        "title": model.model_config.get("title"),
        "type": "object",
        "additionalProperties": False,
        "required": needed,
        "properties": {key: _property(key, info) for key, info in fields.items()},
    }


def _property(key: str, info: FieldInfo) -> Schema:
    doc = next((item for item in info.metadata if isinstance(item, Doc)), None)
    if doc is None:
        return {}
    return {**(_nested(key) or _of_kind(doc.kind)), "description": doc.meaning}


def _of_kind(kind: str) -> Schema:
    if kind in _KINDS:
        return dict(_KINDS[kind])
    words = re.findall(r"`(\w+)`", kind)
    assert words, kind  # a test asks for every kind there is
    return {"enum": words}


def _nested(key: str) -> Schema | None:
    """The keys whose values have keys of their own."""
    mappings: dict[str, type[BaseModel]] = {
        "slices": SlicesShape,
        "baseline": BaselineShape,
        "expect": ExpectShape,
        "history": HistoryShape,
    }
    lists: dict[str, type[BaseModel]] = {
        "escalate": EscalationShape,
        "mute": MuteShape,
        "known": KnownShape,
        "tests": TestShape,
    }
    if key in mappings:
        return _object(mappings[key])
    if key in lists:
        return _list(_object(lists[key]))
    return _either(_TEXT, _object(TimestampShape)) if key in {"timestamp", "arrived_at"} else None
