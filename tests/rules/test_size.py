"""Amounts of data as people write them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.size import parse_size


@pytest.mark.parametrize(
    ("text", "amount"),
    [
        ("0B", 0),
        ("1B", 1),
        ("500MB", 500_000_000),
        ("1.5 TB", 1_500_000_000_000),
        ("20gb", 20_000_000_000),
        ("0.001kB", 1),
    ],
)
def test_amounts(text, amount):
    """A kilobyte is a thousand bytes; case and a space do not matter."""
    assert parse_size(text) == amount


@pytest.mark.parametrize("text", ["", "5", "MB", "-1MB", "1e3MB", "5 miles", "1.MB", "5  MB", "\u0665MB", "5MB "])
def test_what_is_no_amount(text):
    """Is said, with the text."""
    with pytest.raises(ValueError, match="is no amount of data"):
        parse_size(text)


@given(st.integers(0, 10**9 - 1), st.sampled_from(["B", "kB", "MB", "GB", "TB", "PB"]))
def test_a_whole_number_is_exact(number, unit):
    """However large."""
    assert parse_size(f"{number}{unit}") == number * 1000 ** ["B", "kB", "MB", "GB", "TB", "PB"].index(unit)
