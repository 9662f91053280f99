"""`slicewatch serve`: whom it refuses to serve, and how it says so."""

from __future__ import annotations

import pytest

from monitor.settings import SettingsError

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
