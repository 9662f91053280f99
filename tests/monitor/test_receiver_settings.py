"""What `[receivers.NAME]` may hold, by kind, and what is said of mistakes."""

from __future__ import annotations

import sys
from io import StringIO
from pathlib import Path

import pytest

from alerts.notifiers import KINDS
from monitor.app import open_notifiers
from monitor.receiver_shapes import RECEIVERS
from monitor.settings import SettingsError, parse_settings

SECRETS = ("TOKEN", "APP", "SIGNING", "HOOK", "KEY", "PASSWORD", "SECRET", "TEAMS")
ALL = """\
rules = ["rules/*.yaml"]
fallback = "terminal"

[receivers.team]
kind = "slack"
channel = "#oncall"
token = {env = "TOKEN"}
app_token = {env = "APP"}
signing_secret = {env = "SIGNING"}
actors = ["U024BE7LH", "S0614TZR7"]

[receivers.hook]
kind = "slack-webhook"
url = {env = "HOOK"}

[receivers.pager]
kind = "pagerduty"
routing_key = {env = "KEY"}
base_url = "https://events.eu.pagerduty.com"

[receivers.mail]
kind = "email"
host = "smtp.example.com"
username = "slicewatch"
password = {env = "PASSWORD"}
from = "slicewatch@example.com"
to = ["a@example.com", "b@example.com"]

[receivers.program]
kind = "webhook"
url = "https://hooks.example.com/slicewatch"
secret = {env = "SECRET"}
allow_private = true

[receivers.prometheus]
kind = "alertmanager"
url = "http://alertmanager:9093"

[receivers.teams]
kind = "apprise"
url = {env = "TEAMS"}

[receivers.terminal]
kind = "console"
"""


def parsed(text: str, env=None):
    return parse_settings(text, "slicewatch.toml", Path("etc"), env or {})


# Apprise loads all its services, and these load what other Pythons deprecate.
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_notifier_of_every_kind_is_made_from_its_table():
    """Keys of the file are arguments of the notifier; none is left out by mistake."""
    settings = parsed(ALL, {name: f"json://{name.lower()}" for name in SECRETS})
    assert {receiver.kind for receiver in settings.receivers} == set(KINDS) == set(RECEIVERS)
    made = open_notifiers(settings, StringIO())
    plain = [getattr(made[receiver.name], "inner", made[receiver.name]) for receiver in settings.receivers]
    assert [type(notifier).__name__.removesuffix("Notifier") for notifier in plain] == [
        "Slack", "SlackWebhook", "PagerDuty", "Email", "Webhook", "Alertmanager", "Apprise", "Console"
    ]  # fmt: skip
    assert settings.receivers[0].actors == ("U024BE7LH", "S0614TZR7")
    assert {secret.source for secret in settings.secrets() if secret.kind == "env"} == set(SECRETS)


@pytest.mark.parametrize(
    "address", ["http://127.0.0.1:9/", "http://localhost/", "https://10.1.2.3/hook", "http://[::1]/"]
)
def test_an_address_that_would_be_refused_is_told_at_once(address):
    """Where it is written as one: nothing would ever arrive there, unless it is allowed."""
    table = f'rules = ["rules/*.yaml"]\n[receivers.program]\nkind = "webhook"\nurl = "{address}"\n'
    with pytest.raises(SettingsError, match="nothing would be sent there") as caught:
        parsed(table)
    assert "add allow_private = true" in str(caught.value)
    assert parsed(table + "allow_private = true\n").receivers


@pytest.mark.parametrize(
    ("old", "new", "place", "code", "says"),
    [
        ('"S0614TZR7"]', '"@recs"]', "10:10", "bad-value", "is no id of a user"),
        ('app_token = {env = "APP"}\nsigning_secret = {env = "SIGNING"}\n', "", "8:1", "missing-key", "no buttons"),
        ('kind = "pagerduty"', 'kind = "pagerdut"', "17:8", "unknown-kind", "did you mean 'pagerduty'?"),
        ('routing_key = {env = "KEY"}', 'routing_key = "R123"', "18:15", "plain-secret", "{env"),
        ("base_url", "baseurl", "19:1", "unknown-key", "did you mean 'base_url'?"),
        ('host = "smtp.example.com"', "", "21:2", "missing-key", 'host = "smtp.example.com"'),
        ('from = "slicewatch@', 'from = "slicewatch <slicewatch@', "26:8", "bad-value", "is no mail address"),
        ('to = ["a@example.com", "b@example.com"]', "to = []", "27:6", "empty", "recs-oncall@example.com"),
        ('host = "smtp.example.com"', 'host = "h"\nsecurity = "ssl"', "24:12", "unknown-value", '"starttls", "tls"'),
        ('host = "smtp.example.com"', 'host = "h"\nport = 0', "24:8", "bad-value", "more than 0"),
        ('username = "slicewatch"\n', "", "24:12", "missing-key", "username"),
        (
            'host = "smtp.example.com"',
            'host = "h"\nsecurity = "none"',
            "26:12",
            "contradiction",
            "open line",
        ),
        ('url = "https://hooks', 'url = "ftp://hooks', "31:7", "bad-value", 'write "https://..."'),
        ("allow_private = true", "allow_private = 1", "33:17", "wrong-type", "true or false"),
        ("allow_private = true", 'pace = "fast"', "33:8", "bad-duration", 'write "1s"'),
    ],
)
def test_a_mistake_is_told_with_its_place_and_what_to_do(old, new, place, code, says):
    """Line and column, the code, and the way out."""
    text = ALL.replace(old, new)
    assert text != ALL
    with pytest.raises(SettingsError) as caught:
        parsed(text)
    (problem,) = caught.value.problems
    assert (str(problem.place), problem.code) == (f"slicewatch.toml:{place}", code)
    assert says in problem.render()


def test_a_library_that_is_not_installed_is_named(monkeypatch):
    """With the command that installs it, at the place of the receiver; the others are not concerned."""
    monkeypatch.setitem(sys.modules, "apprise", None)  # what an import that fails leaves
    monkeypatch.delitem(sys.modules, "alerts.notifiers.apprise", raising=False)
    with pytest.raises(SettingsError) as caught:
        open_notifiers(parsed(ALL, dict.fromkeys(SECRETS, "json://x")), StringIO())
    (problem,) = caught.value.problems
    assert "a receiver of kind apprise needs apprise, which is not installed" in problem.message
    assert problem.hint == "pip install 'slicewatch[apprise]'"


def test_each_receiver_has_its_pace():
    """A second between two messages, none on a terminal, or what is written."""
    settings = parsed(ALL.replace("allow_private = true", 'pace = "5s"'))
    paces = {receiver.name: receiver.pace.total_seconds() for receiver in settings.receivers}
    assert (paces["team"], paces["terminal"], paces["program"]) == (1.0, 0.0, 5.0)
