"""Comments of YAML and TOML, from the lines of the text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.comments import comments


def found(text, **options):
    return [(comment.line, comment.column, comment.text) for comment in comments(text, **options)]


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("# a", [(1, 0, "# a")]),
        ("a: 1  # b ", [(1, 6, "# b")]),
        ("a: b#c", []),
        ("a: 'b # c'", []),
        ("a: 'it''s # c' # d", [(1, 15, "# d")]),
        (r'a: "b \" # c" # d', [(1, 14, "# d")]),
        ("a: it's # c", [(1, 8, "# c")]),
        ("where: env = 'a # b'", [(1, 16, "# b'")]),
        ("where: env IN ('a', 'b # c')", [(1, 23, "# c')")]),
        ("a: [x, 'b # c', \"d # e\"] # f", [(1, 25, "# f")]),
        ("a: {b: 'c # d'}", []),
        ("- 'a # b'", []),
        ("'a # b': c # d", [(1, 11, "# d")]),
        ("a: 'b\n  # c\n  d' # e", [(3, 5, "# e")]),
        ("a: [\n  'b # c', # d\n]", [(2, 11, "# d")]),
    ],
)
def test_a_hash_in_a_text_is_no_comment(text, at):
    """Quotes count where a value may begin; inside of a plain text they are letters, and ' #' ends it."""
    assert found(text) == at


@pytest.mark.parametrize("sign", ["|", ">-", "|2", "!x |"])
def test_a_block_text_has_no_comments(sign):
    """It ends where a line is no further right than its key; blank lines belong to it."""
    text = f"rules:\n  - query: {sign}\n      SELECT 1 # a\n\n      # b\n    where: x # c\n"
    assert found(text) == [(6, 13, "# c")]


def test_the_head_of_a_block_text_may_have_one():
    """After the sign."""
    assert found("a: | # x\n  # y\nb: 1") == [(1, 5, "# x")]


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ('a = "b # c" # d', [(1, 12, "# d")]),
        ("a = 'C:\\' # d", [(1, 10, "# d")]),
        ("a = [\n  'b # c', # d\n]", [(2, 11, "# d")]),
        ('a = """\n# b\n""" # c', [(3, 4, "# c")]),
        ("[sources.a] # b", [(1, 12, "# b")]),
    ],
)
def test_in_toml_texts_are_told_apart_too(text, at):
    """Single quotes escape nothing, and three quotes go over lines."""
    assert found(text, toml=True) == at


@given(st.text(alphabet="a#'\"|>-:[]{},\\ \n\t=", max_size=60), st.booleans())
def test_every_text_is_answered(text, toml):
    """Each comment is where it says it is."""
    lines = text.split("\n")
    for comment in comments(text, toml=toml):
        assert lines[comment.line - 1][comment.column :].rstrip() == comment.text
        assert comment.text.startswith("#")
