"""Words people meant: the nearest known name for one that is not known."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The known name most like `word`, or None where none is like it."""
    by_lower = {name.lower(): name for name in known}
    found = get_close_matches(word.lower(), by_lower, n=1, cutoff=0.6)
    return by_lower[found[0]] if found else None


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """`did you mean 'device'?`, or what is known where nothing is like it and the list is short."""
    names = list(known)
    match = nearest(word, names)
    if match is not None:
        return f"did you mean '{match}'?"
    return f"known: {', '.join(names)}" if 0 < len(names) <= 12 else ""


def one_of(known: Iterable[str]) -> str:
    """`low, medium or high`."""
    *most, last = known
    return f"{', '.join(most)} or {last}" if most else last
