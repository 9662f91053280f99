"""`slicewatch serve`: whom it refuses to serve, and how it says so."""

from __future__ import annotations

import signal
import subprocess

import pytest

from monitor.settings import SettingsError
from tests.dashboards.web.guarded import free_port
from tests.monitor.commands.place import PROGRAM

SLOW = 120.0

pytestmark = pytest.mark.xdist_group("commands")

OIDC = """
[web]
access = "oidc"
public_url = "https://slices.example.com"
session_key = {file = "key"}
[web.oidc]
issuer = "https://login.example.com"
client_id = "slicewatch"
[web.roles]
viewer = ["*"]
"""


def test_without_sign_in_no_other_machine_is_served(told):
    """Whatever the settings say, an address on the command line counts."""
    for listen in ("0.0.0.0:0", "[::]:0", "192.0.2.1:8080"):
        ran = told.run("serve", "--listen", listen)
        assert ran.exit_code == 2
        assert f"whoever reaches {listen} could do everything" in ran.stderr


def test_a_key_that_could_be_guessed_signs_nothing(told):
    """Said with its place, and without the key."""
    config = told.folder / "slicewatch.toml"
    config.write_text(config.read_text() + OIDC)
    (told.folder / "key").write_text("hunter2")
    ran = told.run("serve", "--listen", "127.0.0.1:0")
    assert ran.exit_code == 2
    assert "web.session_key is shorter than 32 characters" in ran.stderr
    assert "hunter2" not in ran.stderr
    (told.folder / "key").unlink()
    assert "missing secret: web.session_key" in told.run("check").stdout
    assert SettingsError.__name__ not in ran.stderr


def test_pages_that_stand_alone_say_that_they_are_well_and_end_when_asked(told):
    """By SIGTERM, with exit code 0; whoever asks meanwhile is answered without a sign-in."""
    port = free_port()
    config = told.folder / "slicewatch.toml"
    config.write_text(f'{config.read_text()}\n[web]\nlisten = "127.0.0.1:{port}"\n')
    process = subprocess.Popen([PROGRAM, "serve", "--config", str(config)], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout.readline() == f"slicewatch is at http://127.0.0.1:{port}\n"
        assert (told.run("health").stdout, told.run("health", "--ready").stdout) == ("ok\n", "ok\n")
        process.send_signal(signal.SIGTERM)
        assert process.wait(SLOW) == 0
    finally:
        process.kill()
        process.communicate()
    assert told.run("health").exit_code == 2
