"""`[web]`: who gets in, and what of it cannot be meant."""

from __future__ import annotations

from datetime import timedelta
from ipaddress import ip_network
from pathlib import Path

import pytest

from dashboards.web.access.roles import Roles
from monitor.settings import SettingsError, missing_secrets, parse_settings

OIDC = """
[web]
access = "oidc"
public_url = "https://Slices.example.com/"
session_key = {env = "SESSION_KEY"}
session_lasts = "8h"
[web.oidc]
issuer = "https://login.example.com"
client_id = "slicewatch"
client_secret = {env = "OIDC_SECRET"}
[web.roles]
viewer = ["*"]
admin = ["platform", "user:kari@example.com"]
"""
PROXY = """
[web]
listen = "0.0.0.0:8080"
access = "proxy"
[web.proxy]
networks = ["10.1.0.0/24", "fd00::/8"]
user_header = "Remote-User"
[web.roles]
viewer = ["*"]
"""


def parsed(text):
    return parse_settings(f'rules = ["*.yaml"]\n{text}', "slicewatch.toml", Path("etc"), {})


def test_a_provider_and_roles_are_read():
    """Addresses by scheme and host; secrets where they are to be read; defaults for what is not said."""
    settings = parsed(OIDC)
    web = settings.web
    assert (web.asked, web.access, web.public_url) == (True, "oidc", "https://slices.example.com")
    assert web.session_lasts == timedelta(hours=8)
    assert web.roles == Roles(viewer=("*",), admin=("platform", "user:kari@example.com"))
    assert (web.oidc.scopes, web.oidc.groups_claim) == (("openid", "profile", "email"), "groups")
    assert [problem.message.split(" reads ")[0] for problem in missing_secrets(settings)] == [
        "missing secret: web.session_key",
        "missing secret: web.oidc.client_secret",
    ]


def test_a_proxy_is_believed_from_its_networks_alone():
    """Names of headers do not depend on case."""
    web = parsed(PROXY).web
    assert web.proxy.networks == (ip_network("10.1.0.0/24"), ip_network("fd00::/8"))
    assert (web.proxy.user_header, web.proxy.groups_header) == ("remote-user", "x-forwarded-groups")


def test_without_the_table_this_machine_alone_is_served():
    """The daemon does not serve pages unasked."""
    web = parsed("").web
    assert (web.asked, web.listen, web.access) == (False, "127.0.0.1:8080", "none")


@pytest.mark.parametrize(
    ("text", "place", "code", "words"),
    [
        ('[web]\nlisten = "0.0.0.0:80"', "3:10", "contradiction", "whoever reaches 0.0.0.0:80 could do everything"),
        ('[web]\nlisten = "[::]:80"', "3:10", "contradiction", "whoever reaches [::]:80 could do everything"),
        ('[web]\nlisten = "pages.internal:80"', "3:10", "contradiction", "whoever reaches"),
        ('[web]\naccess = "oicd"', "3:10", "unknown-value", "'oicd' is not none, proxy or oidc"),
        ('[web]\naccess = "oidc"', "2:2", "missing-key", "needs a table [web.oidc]"),
        ('[web]\naccess = "proxy"', "2:2", "missing-key", "needs a table [web.proxy]"),
        (PROXY.replace('access = "proxy"', ""), "6:2", "missing-key", 'nothing with access = "none"'),
        (PROXY.replace("[web.roles]", "").replace('viewer = ["*"]', ""), "3:2", "missing-key", "nobody would get in"),
        ('[web.roles]\nviewer = ["*"]', "2:2", "contradiction", "everybody on this machine is an admin"),
        (PROXY.replace("10.1.0.0/24", "0.0.0.0/0"), "7:12", "bad-value", "anybody could say who they are"),
        (PROXY.replace("10.1.0.0/24", "10.1.0.9/24"), "7:12", "bad-value", "has host bits set"),
        (PROXY.replace("Remote-User", "Remote_User"), "8:15", "bad-value", "is no name of a header"),
        (PROXY.replace('["*"]', '["user:"]'), "10:10", "wrong-type", "'user:' is nobody"),
        (OIDC.replace('public_url = "https://Slices.example.com/"', ""), "3:2", "missing-key", "needs 'public_url'"),
        (OIDC.replace("example.com/", "example.com/watch"), "5:14", "bad-value", "not below a path"),
        (OIDC.replace("https://Slices", "https://me@Slices"), "5:14", "bad-value", "is no web address"),
        (OIDC.replace("https://login", "http://login"), "9:10", "bad-value", "is no issuer"),
        (OIDC.replace('{env = "OIDC_SECRET"}', '"s3cret"'), "11:17", "plain-secret", "may not stand in the file"),
        (OIDC.replace("client_id", 'scopes = ["email"]\nclient_id'), "10:10", "missing-key", "scope openid"),
        (OIDC.replace('"8h"', '"90d"'), "7:17", "bad-value", "at most 30 days"),
        (OIDC.replace("client_id", "cliend_id"), "10:1", "unknown-key", "'cliend_id' is not a key of [web.oidc]"),
    ],
)
def test_what_cannot_be_meant_is_told_at_its_place(text, place, code, words):
    """Line and column, and no secret in the message."""
    with pytest.raises(SettingsError) as caught:
        parsed(text)
    found = [(str(p.place).removeprefix("slicewatch.toml:"), p.code) for p in caught.value.problems]
    assert (place, code) in found
    assert words in str(caught.value)
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.0.1", "localhost", "[::1]"])
def test_this_machine_has_several_addresses(host):
    """All of them are this machine's alone."""
    assert parsed(f'[web]\nlisten = "{host}:80"').listen == f"{host}:80"
