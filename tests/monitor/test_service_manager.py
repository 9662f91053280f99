"""What systemd is told, over a real socket."""

from __future__ import annotations

import logging
import os
import socket
import threading
from contextlib import closing

import pytest

from monitor.service_manager import READY, WELL, ServiceManager


@pytest.fixture(params=["file", "abstract"])
def listener(request, tmp_path):
    """A socket as systemd opens one, and how NOTIFY_SOCKET names it."""
    name = str(tmp_path / "notify") if request.param == "file" else f"@slicewatch-{os.getpid()}"
    with closing(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)) as found:
        found.bind(name.replace("@", "\0"))
        found.settimeout(60)
        yield found, name


def test_it_is_told_where_it_listens(listener):
    """One datagram a message."""
    found, name = listener
    ServiceManager.of({"NOTIFY_SOCKET": name}, 1).tell(READY)
    assert found.recv(100) == b"READY=1"


def test_without_systemd_nobody_is_told(caplog):
    """And one that is gone is a line of the log."""
    ServiceManager.of({}, 1).tell(READY)
    assert caplog.messages == []
    ServiceManager("/nowhere/notify").tell(READY)
    assert "systemd was not told READY=1" in caplog.text


def test_all_is_well_is_said_until_it_is_not(listener, caplog):
    """Again and again, so that the watchdog fires only where it stops; why is logged once."""
    found, name = listener
    answers = [(), (), ("deliver has been at one turn for 400 s",), ("deliver is still stuck",), ()]

    def amiss():
        return answers.pop(0) if len(answers) > 1 else answers[0]

    over = threading.Event()
    with caplog.at_level(logging.ERROR):
        ServiceManager(name, watchdog=0.03).watch(amiss, over)
        assert [found.recv(100) for _ in range(3)] == [WELL.encode()] * 3
        over.set()
    assert caplog.messages == ["systemd is not told that all is well: deliver has been at one turn for 400 s"]


def test_a_watchdog_of_another_process_is_not_ours():
    """WATCHDOG_PID says whose; what is no number is none."""
    assert ServiceManager.of({"WATCHDOG_USEC": "30000000"}, 7).watchdog == 30
    assert ServiceManager.of({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "7"}, 7).watchdog == 30
    assert ServiceManager.of({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "8"}, 7).watchdog is None
    assert ServiceManager.of({"WATCHDOG_USEC": "soon"}, 7).watchdog is None
