"""What signals ask for, done in a thread of its own.

A handler of Python's interrupts the main thread wherever that is, inside of any lock: starting so much as a thread there
may wait for ever. So a signal is a byte in a pipe, written by the interpreter itself, and somebody else reads it.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

OVER = 0
"""No signal has this number."""


@contextmanager
def handled(acts: Mapping[signal.Signals, Callable[[], None]]) -> Iterator[None]:
    """Within the block each of these signals has its act done, which should return soon. For the main thread."""
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    reader = threading.Thread(target=_read, args=(reading, dict(acts)), name="signals", daemon=True)
    reader.start()
    woken = signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    before = {number: signal.signal(number, _nothing) for number in acts}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(woken)
        os.write(writing, bytes([OVER]))
        reader.join()
        os.close(reading)
        os.close(writing)


def _nothing(*_: object) -> None:
    """The interpreter writes its byte for signals that have a handler."""


def _read(reading: int, acts: Mapping[int, Callable[[], None]]) -> None:
    while (number := os.read(reading, 1)[0]) != OVER:
        if number in acts:
            acts[number]()
