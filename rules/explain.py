"""What pydantic found, as problems with a place and what to do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails, PydanticCustomError

from rules.document import Path
from rules.problem import Problem
from rules.vocabulary import did_you_mean
from rules.written import Locate


@dataclass(frozen=True)
class Doc:
    """What a key's type is called and what it means; stands in the key's annotation."""

    kind: str
    meaning: str
    default: str = ""
    """How the default is shown, where it is not a plain value."""


def refusal(code: str, message: str, hint: str = "", *, at: Path = (), at_key: bool = False) -> PydanticCustomError:
    """An error for a validator to raise: with the value it sees, or with what is at the path `at` below it."""
    return PydanticCustomError(code, "{message}", {"message": message, "hint": hint, "at": at, "at_key": at_key})


def explain(error: ValidationError, model: type[BaseModel], locate: Locate) -> list[Problem]:
    """One problem per mistake, in the order of the file; those that say the same of one place once."""
    details = error.errors(include_url=False)
    wrong = [detail for detail in details if not _follows_from_another(detail, details)]
    found = dict.fromkeys(_problem(detail, model, locate) for detail in wrong)
    return sorted(found, key=lambda problem: problem.place)


def _follows_from_another(detail: ErrorDetails, details: list[ErrorDetails]) -> bool:
    """A list of which no entry is sound counts as empty; its entries have told why."""
    at = detail["loc"]
    return detail["type"] == "too_short" and any(len(d["loc"]) > len(at) and d["loc"][: len(at)] == at for d in details)


def _problem(detail: ErrorDetails, model: type[BaseModel], locate: Locate) -> Problem:
    path = tuple(part for part in detail["loc"] if part != "[key]")
    kind, context = detail["type"], detail.get("ctx", {})
    if kind == "extra_forbidden":
        return _unknown_key(path, model, locate)
    if kind == "missing":
        return _missing_key(path, model, locate)
    if "message" in context:
        hint, at_key = str(context.get("hint", "")), bool(context.get("at_key"))
        return locate((*path, *context.get("at", ())), at_key).problem(kind, str(context["message"]), hint)
    code, message, hint = _builtin(detail, _name(path) or _title(model))
    return locate(path, False).problem(code, message, hint)


def _unknown_key(path: Path, model: type[BaseModel], locate: Locate) -> Problem:
    inner = _model_at(model, path[:-1])
    message = f"'{path[-1]}' is not a key of {_title(inner)}"
    hint = did_you_mean(str(path[-1]), key_names(inner)) or "remove it"
    return locate(path, True).problem("unknown-key", message, hint)


def _missing_key(path: Path, model: type[BaseModel], locate: Locate) -> Problem:
    inner = _model_at(model, path[:-1])
    doc = key_doc(inner, str(path[-1]))
    hint = f"add it: {_as_clause(doc.meaning)}" if doc else "add it"
    return locate(path[:-1], False).problem("missing-key", f"{_title(inner)} needs '{path[-1]}'", hint)


def _as_clause(meaning: str) -> str:
    return meaning[:1].lower() + meaning[1:].rstrip(".")


_WANTED: Mapping[str, str] = {
    "string_type": "a string",
    "int_type": "a whole number",
    "float_type": "a number",
    "finite_number": "a finite number",
    "bool_type": "true or false",
    "tuple_type": "a list",
    "list_type": "a list",
    "dict_type": "a mapping",
    "mapping_type": "a mapping",
    "model_type": "a mapping",
    "model_attributes_type": "a mapping",
    "literal_error": "one of its words",
}

_EMPTY = frozenset({"too_short", "string_too_short"})


def _builtin(detail: ErrorDetails, name: str) -> tuple[str, str, str]:
    """Code, message and hint for an error of pydantic's own."""
    kind, given, context = detail["type"], detail["input"], detail.get("ctx", {})
    if kind in _WANTED:
        hint = _type_hint(_WANTED[kind], given)
        return "wrong-type", f"{name} must be {_WANTED[kind]}, not {described(given)}", hint
    if kind in _EMPTY:
        return "empty", f"{name} may not be empty", ""
    bounds = {"greater_than": "gt", "greater_than_equal": "ge", "less_than": "lt", "less_than_equal": "le"}
    words = {"gt": "more than", "ge": "at least", "lt": "less than", "le": "at most"}
    if kind in bounds:
        bound = bounds[kind]
        return "bad-value", f"{name} must be {words[bound]} {described(context[bound])}, not {described(given)}", ""
    return "bad-value", f"{name}: {detail['msg']}", ""


def _type_hint(wanted: str, given: object) -> str:
    if given is None:
        return "nothing stands here; a '#' begins a comment, so quote a word that starts with one"
    if wanted == "a list" and isinstance(given, str):
        return f"write [{given}]"
    if wanted == "a string" and isinstance(given, bool | int | float):
        return "put it in quotes"
    return ""


def described(given: object) -> str:
    """A value of a file as a person sees it."""
    if given is None:
        return "nothing"
    if isinstance(given, bool):
        return str(given).lower()
    if isinstance(given, int | float):
        return f"{given:.6g}" if isinstance(given, float) else str(given)
    if isinstance(given, str):
        return f"'{given[:60]}'"
    return "a list" if isinstance(given, list | tuple) else "a mapping"


def _name(path: Path) -> str:
    """`'device'`, or `an entry of 'dimensions'`; nothing for the whole."""
    words = [part for part in path if isinstance(part, str)]
    if not words:
        return ""
    return f"an entry of '{words[-1]}'" if isinstance(path[-1], int) else f"'{words[-1]}'"


def key_names(model: type[BaseModel]) -> list[str]:
    """The keys a file may hold, as they are written there."""
    return [info.alias or name for name, info in model.model_fields.items()]


def key_doc(model: type[BaseModel], key: str) -> Doc | None:
    """What is said of a key in the model."""
    for name, info in model.model_fields.items():
        if key == (info.alias or name):
            return next((item for item in info.metadata if isinstance(item, Doc)), None)
    return None


def _title(model: type[BaseModel]) -> str:
    return model.model_config.get("title") or model.__name__


def _model_at(model: type[BaseModel], path: Path) -> type[BaseModel]:
    for part in path:
        info = {info.alias or name: info for name, info in model.model_fields.items()}.get(str(part))
        model = (_inner_model(info.annotation) if info else None) or model
    return model


def _inner_model(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for arg in get_args(annotation) if (found := _inner_model(arg))), None)
