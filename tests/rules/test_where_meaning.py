"""What a condition says of events, from its text alone."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.where_meaning import compared_with_null, is_limited, moves_with_time, selects


@pytest.mark.parametrize(
    ("where", "what"),
    [
        ("1 = 1", "every event"),
        ("true", "every event"),
        ("NOT false AND 2 > 1", "every event or none"),
        ("'a' = 'b'", "no event"),
        ("1 = NULL", "every event or none"),
        ("NULL", "no event"),
        ("env = 'prod' AND env = 'test'", "no event"),
        ("(env = 'prod') AND (x > 1 AND Env = 'test')", "no event"),
        ("env = 'prod' OR env = 'test'", None),
        ("env = 'prod' AND NOT env = 'test'", None),
        ("env = 'prod' AND env = 'prod'", None),
        ("is_live", None),
        ("env = 'true = false'", None),
        ("x = y AND x = z", None),
        ("starts_with('a', 'b')", None),
    ],
)
def test_a_condition_that_tells_no_events_apart_is_known(where, what):
    """Without a column, or with one column that is to equal two values; all else depends on the event."""
    assert selects(where) == what


@pytest.mark.parametrize(
    ("where", "found"),
    [
        ("country = NULL", "country = NULL"),
        ("NOT is_test AND (a OR NULL <> country)", "NULL <> country"),
        ("country IS NULL", None),
        ("country IS NOT NULL AND x = 1", None),
        ("note = 'a = NULL'", None),
        ("coalesce(country, NULL) = 'NO'", None),
    ],
)
def test_comparisons_with_null_are_found(where, found):
    """As they are written; IS NULL is none, and a text may say what it likes."""
    assert compared_with_null(where) == found


@pytest.mark.parametrize(
    ("where", "word"),
    [
        ("event_time > now() - INTERVAL 7 DAY", "now"),
        ("day >= CURRENT_DATE", "CURRENT_DATE"),
        ("now = 1 AND note <> 'now()'", None),
    ],
)
def test_a_condition_that_moves_with_time_is_known(where, word):
    """By the word that asks for the time; a column may be called so."""
    assert moves_with_time(where) == word


def test_only_the_outermost_limit_counts():
    """One inside may choose the newest of each, which is meant."""
    assert is_limited("SELECT * FROM a LIMIT 5")
    assert not is_limited("SELECT * FROM a WHERE id IN (SELECT id FROM b LIMIT 5)")
    assert not is_limited("SELECT 'LIMIT 5' AS a")


@given(st.text(alphabet="ab=<>'\"()NULLnowlimit 1,", max_size=40))
def test_every_text_is_answered(text):
    """Whatever stands there, nothing is raised."""
    assert selects(text) in {"every event", "no event", "every event or none", None}
    compared_with_null(text)
    moves_with_time(text)
    is_limited(text)
