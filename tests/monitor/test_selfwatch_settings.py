"""[heartbeat], [canary] and [tracing]: what they mean, and what is said where they cannot be meant."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from monitor.settings import MissingSecretError, SettingsError, missing_secrets, parse_settings

TWO = """\
rules = ["*.yaml"]
fallback = "oncall"
[receivers.oncall]
kind = "console"
[receivers.test]
kind = "console"
"""


def settings(more: str, env: dict[str, str] | None = None):
    return parse_settings(TWO + more, "slicewatch.toml", Path(), env or {})


def test_nothing_is_asked_for_by_itself():
    """No table, no heartbeat, no canary, no spans."""
    found = settings("").selfwatch
    assert (found.heartbeat, found.canary, found.tracing) == (None, None, None)


def test_a_heartbeat_has_its_address_from_outside():
    """It is a secret: whoever knows it may beat. The rest has defaults."""
    found = settings('[heartbeat]\nurl = {env = "BEAT"}\n', {"BEAT": "https://hc.example/x"})
    plan = found.selfwatch.heartbeat
    assert plan is not None
    assert plan.url.reveal() == "https://hc.example/x"
    assert (plan.every, plan.slack, plan.method) == (timedelta(minutes=1), timedelta(minutes=15), "GET")
    assert plan.url in found.secrets()
    (problem,) = missing_secrets(settings('[heartbeat]\nurl = {env = "BEAT"}\n'))
    assert "heartbeat.url reads the variable BEAT" in problem.message
    with pytest.raises(MissingSecretError):
        settings('[heartbeat]\nurl = {env = "BEAT"}\n').selfwatch.heartbeat.url.reveal()


def test_a_canary_is_sent_every_morning():
    """By its own clock."""
    plan = settings('[canary]\nreceiver = "test"\ntimezone = "Europe/Oslo"\n').selfwatch.canary
    assert plan is not None
    assert (plan.receiver, plan.cron.text, plan.timezone, plan.within) == (
        "test",
        "0 6 * * *",
        "Europe/Oslo",
        timedelta(minutes=15),
    )


@pytest.mark.parametrize(
    ("text", "place", "says"),
    [
        ("[heartbeat]\n", "slicewatch.toml:7:2", "needs 'url'"),
        ('[heartbeat]\nurl = "ftp://x"\n', "slicewatch.toml:8:7", "is no web address"),
        ('[heartbeat]\nurl = "https://x"\nevery = "1s"\n', "slicewatch.toml:9:9", "too short"),
        ('[heartbeat]\nurl = "https://x"\nslack = "soon"\n', "slicewatch.toml:9:9", "bad-duration"),
        ('[heartbeat]\nurl = "https://x"\nmethod = "DELETE"\n', "slicewatch.toml:9:10", "'DELETE'"),
        ('[heartbeat]\nurl = "https://x"\nwho = 1\n', "slicewatch.toml:9:1", "unknown-key"),
        ('[canary]\nreceiver = "tset"\n', "slicewatch.toml:8:12", "did you mean 'test'"),
        ('[canary]\nreceiver = "oncall"\n', "slicewatch.toml:8:12", "nobody else would hear"),
        ('[canary]\nreceiver = "test"\ncron = "*/5 * * * *"\n', "slicewatch.toml:9:8", "more than once an hour"),
        ('[tracing]\nendpoint = "localhost:4318"\n', "slicewatch.toml:8:12", "is no web address"),
        ('[tracing]\nendpoint = "http://x"\nheaders = "a=b"\n', "slicewatch.toml:9:11", "plain-secret"),
    ],
)
def test_a_mistake_is_told_with_its_place(text, place, says):
    """Line and column of what is wrong."""
    with pytest.raises(SettingsError) as error:
        settings(text)
    assert place in str(error.value)
    assert says in str(error.value)
