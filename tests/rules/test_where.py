"""`where` is one boolean expression and nothing else."""

import pytest

from rules.where import MAX_LENGTH, check_query, check_where

GOOD = [
    "env = 'prod' AND NOT is_test",
    "is_live",
    "(a = 1 OR b IS NOT NULL) AND c IN ('x', 'y')",
    "note = '--' OR note = 'a; b' OR note LIKE '/*%'",
    "device ~ '^ios'",
    "`device` = 'ios'",
    "payload ->> '$.kind' = 'play'",
    "size::int > 3 AND at > now() - INTERVAL '1 day'",
    "CASE WHEN a THEN b ELSE c END",
    "lower(device) = 'ios' AND starts_with(os, '17')",
    "list_contains(tags, 'x')",
    "day = DATE '2026-01-01'",
    "x BETWEEN 1 AND 2",
]

BAD = {
    "": "empty",
    "   ": "empty",
    "a = 1;": "';'",
    "a = 1; DROP TABLE t": "';'",
    "1 = 1) OR (1 = 1": "cannot be read",
    "a = 1 -- rest": "comment",
    "a = 1 /* rest */": "comment",
    "/* x */ a = 1": "comment",
    "a = 1, b": "cannot be read",
    "a AS b": "not an expression",
    "a = 1 b": "not an expression",
    "*": "not an expression",
    "a := 1": "not an expression",
    "SELECT 1": "subquery",
    "a IN (SELECT 1)": "subquery",
    "EXISTS (SELECT 1)": "subquery",
    "a = (FROM t)": "subquery",
    "a = (VALUES (1))": "subquery",
    "a = 1 UNION SELECT 2": "subquery",
    "WITH x AS (SELECT 1) SELECT 2": "subquery",
    "a = 1 ORDER BY b": "cannot be read",
    "DROP TABLE t": "statement",
    "PRAGMA x": "statement",
    "SET x = 1": "statement",
    "count(*) > 1": "aggregate",
    "sum(a) FILTER (WHERE b) > 1": "aggregate",
    "row_number() OVER () = 1": "window",
    "read_csv('/etc/passwd') = 1": "table function",
    "unnest([1]) = 1": "table function",
    "read_text('/etc/passwd') = ''": "read_text",
    "READ_BLOB('x') IS NULL": "read_blob",
    "getenv('HOME') = 'x'": "getenv",
    "pg_read_file('x') = ''": "pg_read_file",
    "pg_sleep(5) IS NULL": "pg_sleep",
    "sys.reset() = 1": "own functions",
    "a = ?": "parameter",
    "a = :b": "parameter",
    "5": "true or false",
    "'prod'": "true or false",
    "a + 1": "true or false",
    "(a || b)": "true or false",
    "INTERVAL '1 day'": "true or false",
}


@pytest.mark.parametrize("text", GOOD)
def test_a_condition_is_accepted(text):
    """What people write about one event's columns, in several engines' words."""
    assert check_where(text) is None


@pytest.mark.parametrize(("text", "why"), BAD.items())
def test_anything_else_is_refused_with_its_reason(text, why):
    """A second statement, a way out of the parentheses, another table, a file, no condition."""
    reason = check_where(text)
    assert reason is not None
    assert why.lower() in reason.lower()


def test_the_engines_own_dialect_decides_where_it_is_known():
    """Backticks are MySQL's; DuckDB cannot read them."""
    assert check_where("`a` = 1", "mysql") is None
    assert "cannot be read" in (check_where("`a` = 1", "duckdb") or "")


@pytest.mark.parametrize("text", ["a = '" + "x" * MAX_LENGTH + "'", "(" * 5000 + "a" + ")" * 5000])
def test_what_is_too_long_or_too_deep_is_refused(text):
    """Neither takes minutes nor crashes."""
    assert check_where(text) is not None


@pytest.mark.parametrize(
    "text", ["SELECT * FROM t", "WITH x AS (SELECT 1 AS a) SELECT a FROM x", "SELECT 1 UNION ALL SELECT 2", "FROM t"]
)
def test_a_query_is_one_select(text):
    """In any of its forms."""
    assert check_query(text) is None


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "empty"),
        ("SELECT 1;", "';'"),
        ("SELECT 1; DROP TABLE t", "';'"),
        ("DROP TABLE t", "no SELECT"),
        ("INSERT INTO t SELECT 1", "no SELECT"),
        ("COPY t TO 'x'", "no SELECT"),
        ("ATTACH 'x'", "no SELECT"),
        ("WITH x AS (DELETE FROM t RETURNING 1) SELECT * FROM x", "writes"),
        ("SELECT * INTO x FROM t", "writes"),
        ("SELECT * FROM read_csv('/etc/passwd')", "reads files"),
        ("SELECT * FROM read_text('/etc/passwd')", "read_text"),
        ("SELECT getenv('SLACK_BOT_TOKEN')", "getenv"),
        ("SELECT (", "cannot be read"),
    ],
)
def test_a_query_that_is_more_than_a_select_is_refused(text, why):
    """Writes, second statements, and reading what the operators did not name."""
    assert why in (check_query(text) or "")
