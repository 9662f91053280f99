"""What signals ask for."""

from __future__ import annotations

import os
import signal
import threading
from contextlib import suppress

from monitor.signals import handled

SLOW = 60.0


def test_a_signal_has_its_act_done_whatever_the_main_thread_holds():
    """Each as often as it came, in its order; the act may take the very lock that the main thread is in."""
    lock, done, acts = threading.Lock(), threading.Semaphore(0), []

    def act(name):
        def doing():
            with lock:
                acts.append(name)
            done.release()

        return doing

    with handled({signal.SIGTERM: act("term"), signal.SIGHUP: act("hup")}):
        with lock:
            for number in (signal.SIGHUP, signal.SIGTERM, signal.SIGHUP):
                os.kill(os.getpid(), number)
            assert not done.acquire(timeout=0.1)
        assert all(done.acquire(timeout=SLOW) for _ in range(3))
    assert acts == ["hup", "term", "hup"]


def test_afterwards_signals_do_what_they_did_before():
    """Whatever ended the block."""
    before = signal.getsignal(signal.SIGTERM)
    with suppress(ZeroDivisionError), handled({signal.SIGTERM: lambda: None}):
        assert signal.getsignal(signal.SIGTERM) is not before
        assert 1 / 0
    assert signal.getsignal(signal.SIGTERM) is before
    assert signal.set_wakeup_fd(-1) == -1
