"""How a process ends that was asked to."""

from __future__ import annotations

import gc
import threading
import weakref
from dataclasses import dataclass, field

import pytest

from monitor.ending import CUT_OFF, Ending

SLOW = 60.0


@dataclass
class Process:
    """One that hangs, or would: what was asked of it, and how it left."""

    stopped: threading.Event = field(default_factory=threading.Event)
    cut: threading.Event = field(default_factory=threading.Event)
    left: threading.Event = field(default_factory=threading.Event)
    codes: list[int] = field(default_factory=list)

    def leave(self, code: int) -> None:
        self.codes.append(code)
        self.left.set()

    def cut_off(self) -> str:
        self.cut.set()
        return "1 evaluation (playback)"


def test_after_the_grace_time_it_ends_anyhow_and_says_what_is_left(caplog):
    """Stopped first, cut off then, and gone with a code of its own."""
    process = Process()
    Ending(0.05, process.stopped.set, process.cut_off, process.leave).ask()
    assert process.left.wait(SLOW)
    assert process.stopped.is_set()
    assert process.cut.is_set()
    assert process.codes == [CUT_OFF]
    assert caplog.messages == [
        "ended before its work, the grace time of 0.05 s is over; left to the next start: 1 evaluation (playback)"
    ]


def test_asked_twice_it_ends_at_once(caplog):
    """Not before: a grace time of a day is one."""
    process = Process()
    ending = Ending(86_400, process.stopped.set, process.cut_off, process.leave)
    ending.ask()
    assert process.stopped.wait(SLOW)
    assert not process.left.wait(0.2)
    ending.ask()
    assert process.left.wait(SLOW)
    assert "asked twice to end" in caplog.text


@pytest.mark.parametrize("cut", [lambda: threading.Event().wait(SLOW), lambda: 1 / 0], ids=["hangs", "fails"])
def test_a_stop_that_hangs_holds_nothing_up(cut):
    """Nor does cutting off that hangs, or fails."""
    process = Process()
    Ending(0.05, lambda: process.left.wait(SLOW), cut, process.leave).ask()
    assert process.left.wait(SLOW / 2)
    assert process.codes == [CUT_OFF]


def test_what_is_over_is_held_on_to_by_nobody_and_the_process_ends_all_the_same():
    """What still waits for the grace time keeps no daemon alive: at the interpreter's end its engines would complain."""
    process, work = Process(), Process()
    gone = weakref.ref(work)
    ending = Ending(2, work.stopped.set, work.cut_off, process.leave)
    ending.ask()
    assert work.stopped.wait(SLOW)
    ending.over()
    work = None
    gc.collect()
    assert gone() is None
    assert process.left.wait(SLOW)
