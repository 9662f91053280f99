"""Proof that a rule's `where` is one expression, and its `query` one SELECT, before any engine sees them.

The engine's own locks (read-only transactions, no access to files) stand behind this; it is here so that a person
gets a clear answer, and so that neither text can reach beyond the events it filters.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping
from types import MappingProxyType

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from monitor.query import QueryRefusedError

_NOT_A_FILTER: tuple[tuple[type[exp.Expr], str], ...] = (
    (exp.Query, "a subquery"),
    (exp.Exists, "a subquery"),
    (exp.Table, "a table"),
    (exp.Placeholder, "a parameter"),
    (exp.Parameter, "a parameter"),
    (exp.SessionParameter, "a parameter"),
    (exp.AggFunc, "an aggregate"),
    (exp.Window, "a window function"),
    (exp.UDTF, "a table function"),
    (exp.Alias, "an alias"),
    (exp.PropertyEQ, "an assignment"),
    (exp.Star, "a star"),
    (exp.ReadCSV, "a function that reads files"),
)
_NOT_A_READ: tuple[type[exp.Expr], ...] = (
    exp.DML,
    exp.DDL,
    exp.Drop,
    exp.Command,
    exp.Into,
    exp.Lock,
    exp.Set,
    exp.Pragma,
    exp.Attach,
    exp.Detach,
    exp.Copy,
    exp.Placeholder,
    exp.Parameter,
    exp.SessionParameter,
    exp.ReadCSV,
)
# Scalar functions that sqlglot does not know by type and that only look at their arguments.
# fmt: off
_HARMLESS = frozenset({
    "abs", "array_contains", "array_has", "array_length", "ascii", "bit_count", "btrim", "cardinality", "ceil",
    "ceiling", "char_length", "chr", "coalesce", "concat", "concat_ws", "contains", "current_localtimestamp",
    "date", "date_add", "date_diff", "date_part", "date_sub", "date_trunc", "datediff", "datepart", "day",
    "dayname", "dayofmonth", "dayofweek", "element_at", "ends_with", "endswith", "epoch", "epoch_ms",
    "epoch_us", "exp", "extract", "floor", "glob", "greatest", "hash", "hour", "if", "ifnull", "iif",
    "ilike_escape", "instr", "isfinite", "isinf", "isnan", "isnull", "isodow", "jaccard", "json_array_length",
    "json_extract", "json_extract_path_text", "json_extract_scalar", "json_extract_string", "json_type",
    "json_valid", "json_value", "jsonb_extract_path_text", "jsonb_typeof", "julianday", "least", "left", "len",
    "length", "levenshtein", "like", "like_escape", "list_contains", "list_has", "list_length", "ln", "log",
    "lower", "lpad", "ltrim", "make_date", "make_timestamp", "map_extract", "md5", "minute", "mod", "month",
    "monthname", "not_like_escape", "now", "nullif", "nvl", "octet_length", "position", "power", "prefix",
    "regexp_extract", "regexp_full_match", "regexp_like", "regexp_matches", "regexp_replace", "replace",
    "reverse", "right", "round", "rpad", "rtrim", "second", "sign", "similarity", "split_part", "sqrt",
    "starts_with", "startswith", "strftime", "strpos", "strptime", "struct_extract", "substr", "substring",
    "suffix", "to_char", "to_date", "to_timestamp", "trim", "trunc", "try_cast", "typeof", "unicode",
    "unixepoch", "upper", "weekday", "year"
})
# fmt: on
_HARMFUL = re.compile(
    # PostgreSQL and its extensions: files, other servers, settings, locks, and functions that run a text as SQL
    r"^(pg_(?!typeof|catalog)\w*|lo_\w+|loread|lowrite|dblink\w*|postgres_fdw\w*|\w+_to_xml\w*|crosstab\w*|connectby|"
    r"ts_stat|ts_rewrite|set_config|current_setting|nextval|setval|plpy\w*|bt_index\w*|brin_\w+|gin_clean\w*|"
    r"binary_upgrade\w*|"
    # SQLite and MySQL
    r"load_extension|load_file|readfile|writefile|edit|fts3_tokenizer|sleep|benchmark|get_lock|release_\w*locks?|"
    r"\w+_pos_wait|wait_for_\w+|sys_\w+|xp_\w+|"
    # DuckDB and ClickHouse
    r"read_\w+|\w+_scan|scan_\w+|glob|sniff_\w+|query|query_table|getenv|getvariable|write_log|http_\w+|"
    r"file|url|s3|remote\w*|mysql|postgresql|jdbc|odbc|executable|getsetting|catboostevaluate|"
    # Snowflake
    r"system\$\w+|\w+_file_url|get_presigned_url)$",
    re.IGNORECASE,
)
_ENGINES_OWN: Mapping[str, re.Pattern[str]] = MappingProxyType(
    {
        "postgres": re.compile(r"(.*\.)?(pg_catalog|information_schema|pg_toast)\.[^.]*|pg_[^.]*"),
        "sqlite": re.compile(r"(.*\.)?(pragma_[^.]*|dbstat|sqlite_[^.]*)"),
        "mysql": re.compile(r"(mysql|sys|performance_schema|information_schema)\.[^.]*"),
        "clickhouse": re.compile(r"(system|information_schema)\.[^.]*"),
        "trino": re.compile(r"system\..*"),
    }
)
"""Tables of an engine's own, by sqlglot's name of it: settings, rights and passwords, other sessions, files. None holds events."""
_A_FILE = re.compile(r".*[/\\:*?].*|.*\.(csv|tsv|txt|parquet|json|jsonl|ndjson|xlsx|db|duckdb|gz|zst)", re.IGNORECASE)
"""A name that DuckDB, where it knows no table of it, takes for a file's."""
_TABLE_FUNCTIONS = frozenset(
    {"range", "generate_series", "exploding_generate_series", "unnest", "json_each", "jsonb_array_elements"}
)


def check_where(text: str, dialect: str) -> frozenset[str]:
    """The unqualified columns that a filter names; refused unless it is one expression over columns and constants."""
    _check_marks(text, dialect)
    tree = _only_statement(text, dialect, "where")
    if not isinstance(tree, exp.Condition) or isinstance(tree, exp.Subquery):
        raise _refused("where", f"it is {_kind(tree)}, not a condition")
    for node in tree.walk():
        _check_node(node)
    return frozenset(column.name for column in tree.find_all(exp.Column) if not column.table)


def check_select(text: str, dialect: str) -> frozenset[str]:
    """The tables a rule's `query` reads (dotted names); refused unless it is one SELECT that only reads."""
    if "/*!" in text:
        raise _refused("query", "it holds a comment that some engines run")
    if re.search(r"\bu&\s*\"", text, re.IGNORECASE):
        raise _refused("query", "it holds a name that is written in codes")
    tree = _only_statement(text, dialect, "query")
    if not isinstance(tree, exp.Query) or isinstance(tree, exp.Subquery | exp.Table | exp.Values):
        raise _refused("query", f"it is {_kind(tree)}, not a SELECT")
    for node in tree.walk():
        if node.args.get("settings"):
            raise _refused("query", "it holds SETTINGS: it may only read")
        if isinstance(node, _NOT_A_READ):
            raise _refused("query", f"it holds {_kind(node)}: it may only read")
        if isinstance(node, exp.Func) and _HARMFUL.match(_function(node)):
            raise _refused("query", f"{_function(node)}() is not allowed")
    named = {cte.alias for cte in tree.find_all(exp.CTE)}
    tables = (_table(table, dialect) for table in tree.find_all(exp.Table))
    found = frozenset(name for name in tables if name and name not in named)
    for name in sorted(found):
        check_table(name, dialect)
    return found


def check_table(name: str, dialect: str) -> None:
    """Refuse a table (dotted name) of the engine's own."""
    own = _ENGINES_OWN.get(dialect)
    if own is not None and own.fullmatch(name.lower()):
        raise QueryRefusedError(f"{name!r} is the engine's own and not for rules to read", subject=name)


def strip_end(query: str) -> str:
    """A query without the semicolon that may close it."""
    return query.strip().removesuffix(";").rstrip()


def suggest(name: str, known: Iterable[str]) -> tuple[str, ...]:
    """Existing names like this one, best first; case does not count."""
    by_lower = {item.casefold(): item for item in known}
    close = difflib.get_close_matches(name.casefold(), by_lower, n=3, cutoff=0.6)
    return tuple(by_lower[item] for item in close)


def unknown_column(name: str, table: str, known: Iterable[str]) -> QueryRefusedError:
    """Refusal of a column that is not there, with the ones that are like it."""
    close = suggest(name, known)
    hint = f"; did you mean {close[0]!r}?" if close else ""
    return QueryRefusedError(f"{name!r} is not a column of {table}{hint}", subject=name, suggestions=close)


def _check_marks(text: str, dialect: str) -> None:
    """Refuse comments, as sqlglot finds them and as any engine might see them outside of quotes, and semicolons."""
    try:
        tokens = sqlglot.tokenize(text, read=dialect)
    except SqlglotError as error:
        raise _refused("where", _first_line(error)) from error
    outside = re.sub(r"'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"", "", text)
    if any(token.comments for token in tokens) or "--" in outside or "/*" in outside:
        raise _refused("where", "it holds a comment")
    if any(token.token_type.name == "SEMICOLON" for token in tokens):
        raise _refused("where", "it holds a semicolon")


def _only_statement(text: str, dialect: str, subject: str) -> exp.Expr:
    try:
        found = sqlglot.parse(text, read=dialect)
    except (SqlglotError, RecursionError) as error:
        raise _refused(subject, _first_line(error)) from error
    if len(found) != 1 or found[0] is None:
        raise _refused(subject, "it is empty" if found in ([], [None]) else "it is more than one statement")
    return found[0]


def _check_node(node: exp.Expr) -> None:
    for kind, name in _NOT_A_FILTER:
        if isinstance(node, kind):
            raise _refused("where", f"it holds {name}")
    if isinstance(node, exp.Identifier) and not node.quoted and node.name[:1] in {"$", "@", ":"}:
        raise _refused("where", "it holds a parameter")
    if isinstance(node, exp.Func) and not _harmless(node):
        name = _function(node)
        hint = "" if _HARMFUL.match(name) else "; a `query:` may use it"
        raise _refused("where", f"the function {name}() is not allowed{hint}")


def _harmless(node: exp.Func) -> bool:
    if isinstance(node, exp.Anonymous):
        return _function(node).lower() in _HARMLESS
    return not _HARMFUL.match(_function(node)) or isinstance(node, exp.Glob)


def _function(node: exp.Func) -> str:
    return node.name if isinstance(node, exp.Anonymous) else node.sql_name().lower()


def _table(table: exp.Table, dialect: str) -> str:
    """The dotted name of a table; "" for a table function that makes its own rows."""
    if isinstance(table.this, exp.Identifier):
        if dialect == "duckdb" and any(_A_FILE.fullmatch(part.name) for part in table.parts):
            raise _refused("query", f"{table.name!r} is a file: name a table of the source")
        return ".".join(part.name for part in table.parts)
    name = _function(table.this) if isinstance(table.this, exp.Func) else table.this.key
    if name.lower() in _TABLE_FUNCTIONS or isinstance(table.this, exp.UDTF):
        return ""
    raise _refused("query", f"the table function {name}() is not allowed")


def _kind(node: exp.Expr) -> str:
    return node.key.upper()


def _first_line(error: Exception) -> str:
    line = str(error).strip().splitlines()
    return re.sub(r"\x1b\[\d*m", "", line[0]).rstrip(".") if line else type(error).__name__


def _refused(subject: str, why: str) -> QueryRefusedError:
    what = "`where` must be one expression" if subject == "where" else "`query` must be one SELECT"
    return QueryRefusedError(f"{what}: {why}", subject=subject)
