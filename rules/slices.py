"""Slices: which events are meant, as values of dimensions."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import CoreSchema, core_schema


@dataclass(frozen=True, slots=True)
class Folded:
    """The value that stands for every combination a bounded cube does not keep apart.

    It is no string, so it can never collide with a real value such as "(other)". All are equal, whatever they hold.
    """

    combinations: int = field(default=0, compare=False)
    """How many it stands for, as far as that is known; 0 where it is not."""


FOLDED = Folded()

Value = str | None | Folded
"""A dimension's value: a string, None for NULL, or FOLDED."""


@dataclass(frozen=True, slots=True)
class Slice:
    """Values of some dimensions; a dimension that is not named means any value.

    Terms stand in the rule's order of dimensions. `Slice()` is the total.
    """

    terms: tuple[tuple[str, Value], ...] = ()

    @classmethod
    def of(cls, terms: Mapping[str, Value] | Iterable[tuple[str, Value]]) -> Slice:
        """A slice from a mapping or pairs, in their order."""
        pairs = terms.items() if isinstance(terms, Mapping) else terms
        return cls(tuple(pairs))

    def __iter__(self) -> Iterator[tuple[str, Value]]:
        return iter(self.terms)

    def __len__(self) -> int:
        return len(self.terms)

    @property
    def dimensions(self) -> tuple[str, ...]:
        """Names of the dimensions this slice fixes."""
        return tuple(name for name, _ in self.terms)

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Stored as the object of `slice_to_json`, so that NULL, FOLDED and strings stay apart."""
        return core_schema.no_info_plain_validator_function(
            lambda raw: raw if isinstance(raw, Slice) else slice_from_json(raw),
            serialization=core_schema.plain_serializer_function_ser_schema(slice_to_json),
        )

    @classmethod
    def __get_pydantic_json_schema__(
        cls, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:  # as pydantic asks
        """How a description of an API tells of that object."""
        folded = {
            "type": "object",
            "properties": {"folded": {"const": True}, "values": {"type": "integer"}},
            "required": ["folded"],
            "description": "All values that are not kept apart; `values` is how many, where that is known.",
        }
        return {
            "type": "object",
            "title": "Slice",
            "additionalProperties": {"anyOf": [{"type": "string"}, {"type": "null"}, folded]},
            "description": "Values of some dimensions; one that is not named means any value, and `{}` is the total.",
            "examples": [{"device": "iphone", "country": "NO"}],
        }

    def covers(self, other: Slice) -> bool:
        """Whether every event of `other` is an event of this slice (a slice covers itself)."""
        return set(self.terms) <= set(other.terms)

    def label(self) -> str:
        """`device=ios, os=17`; the total is `total`."""
        if not self.terms:
            return "total"
        return ", ".join(f"{name}={label_of(value)}" for name, value in self.terms)


def label_of(value: Value) -> str:
    """How a value is shown: NULL and the empty string are told apart from strings that look alike."""
    if value is None:
        return "NULL"
    if isinstance(value, Folded):
        return f"other (folded, {value.combinations:,} values)" if value.combinations else "other (folded)"
    return value if value and value == value.strip() and value != "NULL" else f"'{value}'"


def value_to_json(value: Value) -> str | dict[str, int] | None:
    """A string, null for NULL, {"folded": true} for the folded rest, with its `values` where their number is known."""
    if not isinstance(value, Folded):
        return value
    return {"folded": True, "values": value.combinations} if value.combinations else {"folded": True}


def value_from_json(raw: object) -> Value:
    """The inverse of `value_to_json`."""
    if raw is None or isinstance(raw, str):
        return raw
    held = raw.get("values", 0) if isinstance(raw, Mapping) else 0
    return Folded(held if isinstance(held, int) else 0)


def slice_to_json(item: Slice) -> dict[str, str | dict[str, int] | None]:
    """An object of dimension to value, in the rule's order; `{}` is the total."""
    return {name: value_to_json(value) for name, value in item.terms}


def slice_from_json(raw: Mapping[str, object]) -> Slice:
    """The inverse of `slice_to_json`."""
    return Slice(tuple((name, value_from_json(value)) for name, value in raw.items()))
