"""Work that may take only so long."""

import threading

import pytest

from alerts.time_limit import within


def test_work_in_time_is_as_if_called():
    """Its result comes back, and so does its error."""
    assert within(10, lambda: 7) == 7
    with pytest.raises(ZeroDivisionError):
        within(10, lambda: 1 / 0)


def test_work_that_takes_too_long_is_left_behind():
    """Whoever asked goes on."""
    stuck = threading.Event()
    with pytest.raises(TimeoutError, match=r"longer than 0.01 s"):
        within(0.01, lambda: stuck.wait(30))
    stuck.set()
