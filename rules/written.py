"""A rule as it stands in its files: which file decides each key, and where."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from rules.document import Path
from rules.problem import Place, Problem, Span

Locate = Callable[[Path, bool], Span]
"""The span of a path's value or, where True, of its key; of what is nearest where there is none."""


def _nowhere(path: Path, at_key: bool) -> Span:  # noqa: ARG001  # as `Locate`
    return Span(Place(""))


@dataclass(frozen=True)
class Layer:
    """Keys and values that stand in one place: a rule, or the defaults of a file.

    `problems` are those of the text itself, each with the path of what it spoils; `()` is all of the layer.
    """

    data: Mapping[str, Any] = field(default_factory=dict)
    locate: Locate = _nowhere
    problems: tuple[tuple[Path, Problem], ...] = ()
    is_unknown: bool = False
    """Whether nobody knows what it says: then nothing that rests on it is known."""

    def is_spoilt(self, taken: Mapping[str, Any]) -> bool:
        """Whether the text is wrong in something that counts, where the keys `taken` are decided elsewhere."""
        return self.is_unknown or any(not path or path[0] not in taken for path, _ in self.problems)


@dataclass(frozen=True)
class Written:
    """The layers of a rule, the nearest first: each key is decided by the first layer that has it."""

    layers: tuple[Layer, ...] = ()

    @cached_property
    def data(self) -> dict[str, Any]:
        """All keys with the values that count, as they were written."""
        return {key: value for layer in reversed(self.layers) for key, value in layer.data.items()}

    def writes(self, key: str) -> bool:
        """Whether the rule says it itself."""
        return bool(self.layers) and key in self.layers[0].data

    def locate(self, path: Path, at_key: bool) -> Span:
        """As `Locate`, in the layer that decides the path's first part; else in the rule itself."""
        deciding = [layer for layer in self.layers if path and path[0] in layer.data]
        return (deciding or self.layers)[0].locate(path, at_key)

    def span(self, dotted: str) -> Span | None:
        """Of `dimensions.0` the value, of `slices.max:` the key; of what is nearest around; None where nothing is."""
        name = dotted.removesuffix(":")
        parts = name.split(".")
        path = _path(self.data, parts)
        if not path:
            return None
        whole = ".".join(map(str, path)) == name
        return self.locate(path, whole and dotted.endswith(":"))


def _path(data: Any, parts: Sequence[str]) -> Path:
    """The keys and indexes that dotted parts name, as far as there are such; a key may hold a dot."""
    if isinstance(data, list) and parts and parts[0].isdecimal() and int(parts[0]) < len(data):
        return int(parts[0]), *_path(data[int(parts[0])], parts[1:])
    for end in range(1, len(parts) + 1) if isinstance(data, Mapping) else ():
        if (key := ".".join(parts[:end])) in data:
            return key, *_path(data[key], parts[end:])
    return ()
