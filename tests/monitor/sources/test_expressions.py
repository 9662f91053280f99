"""What may stand in `where` and `query`."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.query import QueryRefusedError
from monitor.sources.expressions import check_select, check_where, suggest


@pytest.mark.parametrize(
    "dialect", ["duckdb", "postgres", "sqlite", "mysql", "bigquery", "snowflake", "clickhouse", "trino"]
)
@pytest.mark.parametrize(
    ("text", "columns"),
    [
        ("env = 'prod' AND NOT is_test", {"env", "is_test"}),
        ("a BETWEEN 1 AND 2 OR b IN ('x', 'y')", {"a", "b"}),
        ("coalesce(a, b) IS NOT NULL", {"a", "b"}),
        ("CAST(a AS INTEGER) > 1", {"a"}),
        ("lower(a) LIKE '%--%' AND b <> '/* no comment */; $1 ?'", {"a", "b"}),
        ("CASE WHEN a THEN b ELSE c END = 1", {"a", "b", "c"}),
        ("-a + 2 * (b - 1) >= 0.5", {"a", "b"}),
        ("TRUE", set()),
        ("is_test", {"is_test"}),
    ],
)
def test_filters_and_their_columns(dialect, text, columns):
    """Ordinary conditions pass in every dialect, with the columns they name."""
    assert check_where(text, dialect) == columns


@pytest.mark.parametrize("dialect", ["duckdb", "postgres", "sqlite", "mysql"])
@pytest.mark.parametrize(
    "text",
    [
        "a = 1 UNION SELECT 2",
        "a = 1 GROUP BY b",
        "a = 1 LIMIT 0",
        "a = (VALUES (1))",
        "a := 1",
        "a AS b",
        "*",
        "DROP TABLE x",
        "SELECT 1",
        "lo_import('/etc/passwd') = 1",
        "dblink('host=x', 'select 1') IS NULL",
        "nextval('s') > 0",
        "sleep(10) = 0",
        "unheard_of(a) = 1",
        "((a = 1)",
        "a = 1;",
        "a = 1 AND -- b",
        "/*! 1 */ = 1",
    ],
)
def test_what_is_no_filter_is_refused(dialect, text):
    """Statements, clauses, assignments, variables and functions that act are refused in every dialect."""
    with pytest.raises(QueryRefusedError) as caught:
        check_where(text, dialect)
    assert caught.value.subject == "where"


@pytest.mark.parametrize("dialect", ["postgres", "sqlite", "mysql"])
def test_variables_are_parameters(dialect):
    """`@b` is a variable, where it is not an operator (DuckDB's absolute value)."""
    with pytest.raises(QueryRefusedError, match="parameter"):
        check_where("a = @b", dialect)


def answer_to(text):
    """The columns of a filter, or the refusal's message."""
    try:
        return check_where(text, "duckdb")
    except QueryRefusedError as refused:
        return str(refused)


@given(st.text(max_size=40))
def test_no_text_breaks_the_check(text):
    """Any text is either a filter or refused in one line, never an error of another kind."""
    answer = answer_to(text)
    assert isinstance(answer, frozenset) or "\n" not in answer


@given(st.text(max_size=20))
def test_a_quoted_string_is_a_constant_whatever_it_holds(text):
    """No content of a string can turn a filter into something else."""
    quoted = "'" + text.replace("'", "''") + "'"
    assert check_where(f"device = {quoted}", "duckdb") == {"device"}


def test_tables_of_a_query():
    """Tables by dotted name, without the names a WITH gives."""
    text = "WITH x AS (SELECT * FROM a.b) SELECT * FROM x JOIN c ON true WHERE d IN (SELECT e FROM f)"
    assert check_select(text, "postgres") == {"a.b", "c", "f"}
    assert check_select("SELECT * FROM range(3) UNION SELECT * FROM g", "duckdb") == {"g"}


@pytest.mark.parametrize(
    "text",
    [
        "SELECT pg_read_file('/etc/passwd')",
        "SELECT * FROM a FOR UPDATE",
        "INSERT INTO a SELECT 1",
        "UPDATE a SET b = 1",
        "WITH x AS (INSERT INTO a VALUES (1) RETURNING *) SELECT * FROM x",
        "CREATE TABLE a AS SELECT 1",
        "EXPLAIN ANALYZE DELETE FROM a",
        "TRUNCATE a",
        "CALL f()",
        "VALUES (1)",
        "SELECT :a",
        "SELECT /*! sleep(10) */ 1",
        "VACUUM",
        "GRANT ALL ON a TO b",
    ],
)
def test_what_is_no_query_is_refused(text):
    """Anything that may do more than read."""
    with pytest.raises(QueryRefusedError) as caught:
        check_select(text, "postgres")
    assert caught.value.subject == "query"


def test_suggestions_ignore_case():
    """Existing names as they are spelled, best first."""
    assert suggest("devise", ["Device", "os", "DEVICES"])[0] == "Device"
    assert suggest("zzz", ["device"]) == ()
