"""What a `where` or `query` that is sound says of events, as far as the text alone tells. Pure.

Most conditions are told to be harmless by a look at their words; only what looks suspicious is parsed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from rules.where import DIALECTS

_TEXT = re.compile(r"'(?:[^']|'')*'")
_WORD = re.compile(r"[A-Za-z_][\w$]*|\"|`|\[")
_CONSTANT = frozenset({"and", "or", "not", "true", "false", "null", "is", "in", "between", "like"})
_EQUALS = re.compile(r"([\w.]+)\s*=[^=]")
_NULL = re.compile(r"(=|<|>)\s*null\b|\bnull\s*(=|<|>|!)|\bin\s*\([^)]*\bnull\b", re.IGNORECASE)
_MOMENT = re.compile(
    r"\b(?:(?:now|today|yesterday|getdate|sysdate|unix_timestamp)\s*\(|current_(?:date|time|timestamp)\b)",
    re.IGNORECASE,
)
_LIMIT = re.compile(r"\b(?:limit|fetch|top)\b", re.IGNORECASE)


def selects(where: str) -> str | None:
    """What a condition selects that tells no events apart, such as `every event`; None where it depends on the event."""
    bare = _TEXT.sub("''", where)
    columns = [word for word in _WORD.findall(bare) if word.lower() not in _CONSTANT]
    equal = [name.lower() for name in _EQUALS.findall(bare)]
    if columns and len(equal) == len(set(equal)):
        return None
    tree = _parsed(where)
    if tree is None:
        return None
    if not any(_depends(node) for node in tree.walk()):
        return _constant(tree)
    return "no event" if _excluded(tree) else None


def _depends(node: exp.Expr) -> bool:
    """On the event; a function may, as far as is known here. AND and OR count as functions of sqlglot's."""
    return isinstance(node, exp.Column | exp.Func) and not isinstance(node, exp.Connector)


def _constant(tree: exp.Expr) -> str:
    """As `selects`, of a condition without columns. NULL selects nothing; what needs arithmetic is left open."""
    tree = tree.unnest()
    if isinstance(tree, exp.Boolean):
        return "every event" if tree.this else "no event"
    if isinstance(tree, exp.EQ) and isinstance(tree.left, exp.Literal) and isinstance(tree.right, exp.Literal):
        return "every event" if tree.left == tree.right else "no event"
    return "no event" if isinstance(tree, exp.Null) else "every event or none"


def _excluded(tree: exp.Expr) -> bool:
    """Whether one column is to equal two values at once."""
    wanted: dict[str, str] = {}
    return any(wanted.setdefault(column, value) != value for column, value in _required(tree))


def _required(tree: exp.Expr) -> Iterator[tuple[str, str]]:
    """(column, literal) of each equation that has to hold for the whole to hold."""
    tree = tree.unnest()
    if isinstance(tree, exp.And):
        yield from (*_required(tree.left), *_required(tree.right))
    elif isinstance(tree, exp.EQ) and isinstance(tree.left, exp.Column) and isinstance(tree.right, exp.Literal):
        yield tree.left.sql().lower(), tree.right.sql()


def compared_with_null(where: str) -> str | None:
    """A comparison with NULL as it is written, which holds for no event; None where there is none."""
    if not _NULL.search(_TEXT.sub("''", where)) or (tree := _parsed(where)) is None:
        return None
    compared = tree.find_all(exp.EQ, exp.NEQ, exp.LT, exp.LTE, exp.GT, exp.GTE)
    found = (node for node in compared if isinstance(node.left, exp.Null) or isinstance(node.right, exp.Null))
    return next((node.sql() for node in found), None)


def moves_with_time(where: str) -> str | None:
    """The word by which a condition asks what time it is; None where it does not."""
    found = _MOMENT.search(_TEXT.sub("''", where))
    return found[0].rstrip("( \t\n") if found else None


def is_limited(query: str) -> bool:
    """Whether the outermost SELECT stops after so many rows."""
    if not _LIMIT.search(_TEXT.sub("''", query)) or (tree := _parsed(query)) is None:
        return False
    return tree.args.get("limit") is not None


def _parsed(text: str) -> exp.Expr | None:
    """As `check_where` reads it: by the first dialect that can."""
    for dialect in DIALECTS:
        try:
            return sqlglot.parse_one(text, read=dialect)
        except (SqlglotError, RecursionError):
            continue
    return None
