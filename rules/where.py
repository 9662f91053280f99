"""SQL that a rule may hold: `where` is one boolean expression, `query` one SELECT, and nothing else."""

from __future__ import annotations

import re
from collections.abc import Callable

import sqlglot
from sqlglot import Dialect, Token, TokenType, exp
from sqlglot.errors import SqlglotError

MAX_LENGTH = 20_000

DIALECTS = ("", "duckdb", "postgres", "mysql", "bigquery", "snowflake", "clickhouse")
"""Tried in order where the engine is not known: the first that can read the text decides."""

_FORBIDDEN: tuple[tuple[tuple[type[exp.Expr], ...], str], ...] = (
    ((exp.Query, exp.Values, exp.Table, exp.Exists), "it holds a subquery"),
    ((exp.DDL, exp.DML, exp.Command, exp.Drop, exp.Alter, exp.Pragma, exp.Set), "it holds a statement"),
    ((exp.Window, exp.AggFunc, exp.Filter), "it holds a window or aggregate function; each event is tested alone"),
    ((exp.UDTF, exp.Explode, exp.ReadCSV, exp.ReadParquet), "it holds a table function"),
    ((exp.Parameter, exp.SessionParameter, exp.Placeholder), "it holds a parameter"),
    ((exp.Alias, exp.PropertyEQ, exp.Star, exp.Columns), "it is not an expression of one value"),
)

_BOOLEAN: tuple[type[exp.Expr], ...] = (
    exp.Connector,
    exp.Predicate,
    exp.Not,
    exp.Boolean,
    exp.Column,
    exp.Func,
    exp.Bracket,
    exp.Dot,
)

_NOT_SCALAR = re.compile(
    r"(read_|pg_|lo_|dblink|sqlite_|duckdb_|parquet_|copy_|query|set_|system|sys_|xp_|utl_|dbms_|http|url|file|load_"
    r"|getenv|glob$|sniff_csv|sleep|benchmark|nextval|setval|current_setting|remote|cluster|dictget|executable"
    r"|writefile|readfile|edit$|fts3_|database_to_|table_to_|schema_to_|cursor_to_)",
    re.IGNORECASE,
)
"""Functions that read files, settings or other tables, wait, or change something."""


def check_where(text: str, dialect: str | None = None) -> str | None:
    """Why `text` is not one boolean expression and nothing else, in a clause; None where it is.

    `dialect` is sqlglot's name of the engine's, where known; else the first of `DIALECTS` that can read it.
    """
    return _in_some_dialect(_expression, text, dialect)


def check_query(text: str, dialect: str | None = None) -> str | None:
    """Why `text` is not one SELECT and nothing else, in a clause; None where it is. `dialect` as in `check_where`."""
    return _in_some_dialect(_select, text, dialect)


def _in_some_dialect(check: Callable[[str, str], str | None], text: str, dialect: str | None) -> str | None:
    if len(text) > MAX_LENGTH:
        return f"it is longer than {MAX_LENGTH} characters"
    reasons = []
    for name in DIALECTS if dialect is None else (dialect,):
        try:
            return check(text, name)
        except SqlglotError as error:
            reasons.append(f"it cannot be read as SQL ({_first_line(error)})")
        except RecursionError:
            return "it is nested too deeply"
    return reasons[0]


def _expression(text: str, dialect: str) -> str | None:
    tokens = sqlglot.tokenize(text, read=dialect)
    if reason := _bare(tokens):
        return reason
    if any(token.comments for token in tokens) or re.search(r"--|/\*", _outside_strings(text, tokens)):
        return "it holds a comment"
    parsed = _parsed(tokens, text, dialect)
    if len(parsed) != 1:
        return "it holds more than one expression"
    return _forbidden(parsed[0]) or _not_boolean(parsed[0])


def _parsed(tokens: list[Token], text: str, dialect: str) -> list[exp.Expr]:
    """As `sqlglot.parse`, of tokens that are there already."""
    trees = Dialect.get_or_raise(dialect).parser().parse(tokens, text)
    return [tree for tree in trees if tree is not None]


def _bare(tokens: list[Token]) -> str | None:
    if not tokens:
        return "it is empty"
    if any(token.token_type is TokenType.SEMICOLON for token in tokens):
        return "it holds a ';'"
    return None


def _outside_strings(text: str, tokens: list[Token]) -> str:
    """What of the text stands in no token: spaces and comments."""
    rest, end = [], 0
    for token in tokens:
        rest.append(text[end : token.start])
        end = token.end + 1
    return "".join([*rest, text[end:]])


def _forbidden(tree: exp.Expr) -> str | None:
    for node in tree.walk():
        for kinds, reason in _FORBIDDEN:
            if isinstance(node, kinds):
                return reason
        if reason_of_call := _call(node):
            return reason_of_call
    return None


def _call(node: exp.Expr) -> str | None:
    if isinstance(node, exp.Dot) and isinstance(node.expression, exp.Func):
        return f"it calls '{node.sql()[:60]}': only the engine's own functions"
    if isinstance(node, exp.Anonymous | exp.AnonymousAggFunc) and _NOT_SCALAR.match(str(node.name)):
        return f"it calls '{node.name}', which does more than compute a value"
    return None


def _not_boolean(tree: exp.Expr) -> str | None:
    inner = tree.unnest() if isinstance(tree, exp.Paren) else tree
    if isinstance(inner, _BOOLEAN) and not isinstance(inner, exp.Interval):
        return None
    return "it is not true or false"


def _select(text: str, dialect: str) -> str | None:
    tokens = sqlglot.tokenize(text, read=dialect)
    if reason := _bare(tokens):
        return reason
    parsed = _parsed(tokens, text, dialect)
    if len(parsed) != 1 or not isinstance(parsed[0], exp.Query):
        return "it is no SELECT"
    writes = (exp.DML, exp.DDL, exp.Command, exp.Into)
    if any(isinstance(node, writes) and not isinstance(node, exp.Query) for node in parsed[0].walk()):
        return "it writes"
    return next((reason for node in parsed[0].walk() if (reason := _reads_files(node) or _call(node))), None)


def _reads_files(node: exp.Expr) -> str | None:
    """Which files a source reads is the operators' to say, not a rule's."""
    return "it reads files" if isinstance(node, exp.ReadCSV | exp.ReadParquet) else None


def _first_line(error: SqlglotError) -> str:
    line = re.sub(r"\x1b\[\d+m", "", str(error)).strip().splitlines()[0]
    return line.rstrip(".")[:120]
