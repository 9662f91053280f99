"""`slicewatch token`: given, shown once, listed without its secret, taken back."""

from __future__ import annotations

import json

import pytest

pytestmark = pytest.mark.xdist_group("commands")


def test_a_token_is_given_listed_and_taken_back(told):
    """The secret alone is on standard output, once; who gave it and who took it back is kept."""
    made = told.run("token", "add", "deployments", "--role", "responder", "--scope", "marks", "--as", "Kari")
    secret = made.stdout.strip()
    assert secret.startswith("swt_")
    assert "deployments: responder (marks), until " in made.stderr
    listed = told.run("token", "list", "--json").stdout
    (row,) = [json.loads(line) for line in listed.splitlines()]
    assert (row["name"], row["role"], row["scopes"], row["standing"]) == ("deployments", "responder", ["marks"], "good")
    assert secret not in listed
    assert told.run("token", "revoke", row["id"], "--as", "Ola").stdout.startswith(f"{row['id']}  deployments: ")
    again = told.run("token", "revoke", row["id"])
    assert (again.exit_code, "was revoked at" in again.stderr) == (1, True)
    assert "revoked 20" in told.run("token", "list").stdout


@pytest.mark.parametrize(
    ("words", "code", "told_so"),
    [
        (("add",), 2, "say what it is for"),
        (("add", "x", "--scope", "admin"), 1, "the scope admin needs the role admin"),
        (("add", "x", "--for", "1d", "--forever"), 2, "choose one"),
        (("revoke",), 2, "name the token"),
        (("revoke", "tk-none"), 1, "no token is called 'tk-none'"),
    ],
)
def test_what_makes_no_sense_is_said(told, words, code, told_so):
    """With what to write instead."""
    ran = told.run("token", *words)
    assert (ran.exit_code, told_so in ran.stderr) == (code, True)
