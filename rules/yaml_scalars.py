"""What a scalar of YAML 1.2 stands for: `NO`, `on` and `10:30` are words, `012` is twelve, `1e3` a thousand."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

_TAGS: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("bool", re.compile("true|True|TRUE|false|False|FALSE")),
    (
        "float",
        re.compile(
            r"[-+]?[0-9][0-9_]*\.[0-9_]*(?:[eE][-+]?[0-9]+)?|[-+]?[0-9][0-9_]*[eE][-+]?[0-9]+"
            r"|[-+]?\.[0-9_]+(?:[eE][-+][0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)"
        ),
    ),
    ("int", re.compile(r"[-+]?0b[0-1_]+|[-+]?0o?[0-7_]+|[-+]?[0-9_]+|[-+]?0x[0-9a-fA-F_]+")),
    ("null", re.compile("~|null|Null|NULL|")),
)
"""Tried in this order, as ruamel.yaml does."""

_NO_WORD = frozenset("-+0123456789.tTfFnN~")
"""What something else than a string begins with."""


def tag_of(text: str) -> str:
    """The tag of a scalar that is written without quotes, without its prefix: `str`, `int`, `null`..."""
    if text and (text[0] not in _NO_WORD or text[0] == "_"):
        return "str"
    return next((tag for tag, pattern in _TAGS if pattern.fullmatch(text)), "str")


def _integer(text: str) -> int:
    if len(text) > 40:
        raise ValueError(text)
    plain = text.replace("_", "")
    return int(plain, 0) if re.match(r"[-+]?0[xob]", plain) else int(plain)


def _real(text: str) -> float:
    plain = text.replace("_", "").lower()
    return float(plain.replace(".inf", "inf").replace(".nan", "nan"))


def _boolean(text: str) -> bool:
    if text.lower() not in {"true", "false"}:
        raise ValueError(text)
    return text.lower() == "true"


SCALARS: Mapping[str, Callable[[str], Any]] = {
    "str": str,
    "int": _integer,
    "float": _real,
    "bool": _boolean,
    "null": lambda _: None,
    "timestamp": str,  # YAML 1.2 has no dates: the text stands as it is
    "merge": str,
    "value": str,
}
