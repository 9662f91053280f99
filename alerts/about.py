"""What the lines of a log are about: named once where a piece of work begins, and carried by every line within."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar, copy_context
from types import MappingProxyType
from typing import TypeVar

T = TypeVar("T")

_NOTHING: Mapping[str, str] = MappingProxyType({})
_subject: ContextVar[Mapping[str, str]] = ContextVar("slicewatch_about", default=_NOTHING)


@contextmanager
def about(**fields: str) -> Iterator[None]:
    """Within the block, lines are about these as well: `about(rule="playback", run="5f0c")`."""
    token = _subject.set(MappingProxyType({**_subject.get(), **fields}))
    try:
        yield
    finally:
        _subject.reset(token)


def subject() -> Mapping[str, str]:
    """What a line that is written now is about."""
    return _subject.get()


def carried(work: Callable[[], T]) -> Callable[[], T]:
    """The same work for another thread: a thread of its own would not know what it is about."""
    context = copy_context()
    return lambda: context.run(work)
