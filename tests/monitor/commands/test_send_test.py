"""`slicewatch send-test RECEIVER`: every kind, what is printed, and what to do where it fails."""

from __future__ import annotations

import json
from dataclasses import dataclass

import pytest
from click.testing import CliRunner

from alerts.notifiers import KINDS
from monitor.cli import slicewatch
from tests.standins.slack import Fault, SlackStandin
from tests.standins.smtp import CERTIFICATE, SmtpStandin
from tests.standins.web import (
    AlertmanagerStandin,
    JsonStandin,
    PagerDutyStandin,
    SlackWebhookStandin,
    WebhookStandin,
)


@dataclass(frozen=True)
class Kind:
    """How a kind is set up, and what its service has of a test afterwards."""

    standin: type
    toml: str
    env: dict
    kept: object


MAIL = 'kind = "email"\nhost = "localhost"\nport = {0.port}\nusername = "slicewatch"\npassword = {{env = "S"}}\n'
SETUPS = {
    "slack": Kind(
        SlackStandin,
        'kind = "slack"\nchannel = "#oncall"\ntoken = {{env = "S"}}\nbase_url = "{0.url}"',
        {"S": "{0.token}"},
        lambda standin: [post["text"] for post in standin.roots() if "files" not in post],
    ),
    "slack-webhook": Kind(
        SlackWebhookStandin,
        'kind = "slack-webhook"\nurl = {{env = "S"}}\nallow_private = true',
        {"S": "{0.hook}"},
        lambda standin: standin.taken,
    ),
    "pagerduty": Kind(
        PagerDutyStandin,
        'kind = "pagerduty"\nrouting_key = {{env = "S"}}\nbase_url = "{0.url}"',
        {"S": "{0.key}"},
        lambda standin: [*standin.taken, *standin.alerts],
    ),
    "email": Kind(
        SmtpStandin,
        MAIL + 'from = "slicewatch@example.com"\nto = "a@example.com"',
        {"S": "standin"},
        lambda standin: standin.mails,
    ),
    "webhook": Kind(
        WebhookStandin,
        'kind = "webhook"\nurl = "{0.url}/hook"\ntoken = {{env = "S"}}\nallow_private = true',
        {"S": "{0.token}"},
        lambda standin: standin.taken,
    ),
    "alertmanager": Kind(
        AlertmanagerStandin,
        'kind = "alertmanager"\nurl = "{0.url}"\nusername = "standin"\npassword = {{env = "S"}}',
        {"S": "pass"},
        lambda standin: standin.taken,
    ),
    "apprise": Kind(
        JsonStandin,
        'kind = "apprise"\nurl = {{env = "S"}}',
        {"S": "json://127.0.0.1:{0.port}/"},
        lambda standin: standin.taken,
    ),
}


@pytest.fixture
def slack():
    """A running Slack stand-in."""
    with SlackStandin() as standin:
        yield standin


def run(tmp_path, toml: str, *options: str, **env: str):
    (tmp_path / "slicewatch.toml").write_text(f'rules = ["rules/*.yaml"]\n[receivers.team]\n{toml}\n')
    options = ("--config", str(tmp_path / "slicewatch.toml"), *options)
    return CliRunner().invoke(slicewatch, ["send-test", "team", *options], env=env)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of what Apprise loads
@pytest.mark.parametrize("kind", SETUPS)
def test_a_test_arrives_at_every_kind(tmp_path, kind):
    """A message and its end, in words that nobody takes for an incident; and nothing stays open."""
    setup = SETUPS[kind]
    with setup.standin() as standin:
        env = {name: value.format(standin) for name, value in setup.env.items()} | {"SSL_CERT_FILE": str(CERTIFICATE)}
        done = run(tmp_path, setup.toml.format(standin), **env)
        kept = setup.kept(standin)
    assert done.exit_code == 0, done.output
    lines = [f"team ({kind}) took a message", f"team ({kind}) took that it is over"]
    assert [line for line in done.output.splitlines() if not line.endswith(("its chart", "a file"))] == lines
    assert len(kept) == (1 if kind == "slack" else 2)


def test_every_kind_is_tried():
    """A kind that is added is added here."""
    assert {*SETUPS, "console"} == set(KINDS)


def test_the_console_shows_it(tmp_path):
    """Whoever has no other receiver yet sees what a message looks like."""
    done = run(tmp_path, 'kind = "console"')
    assert done.exit_code == 0
    assert "TEST of slicewatch: nothing is wrong" in done.output


@pytest.mark.parametrize(
    ("fault", "code", "says"),
    [
        (Fault("error", error="not_in_channel"), 1, "invite"),
        (Fault("down"), 2, "see that its address is right"),
        (Fault("cut_after"), 2, "it may have arrived all the same"),
        (Fault("rate_limit", seconds=99), 2, "try again in 99 seconds"),
        (Fault("refuse_blocks"), 0, "as plain text"),
    ],
    ids=lambda value: value.kind if isinstance(value, Fault) else "",
)
def test_a_failure_says_what_happened_and_what_to_do(tmp_path, slack, fault, code, says):
    """The service's word, then advice; the exit code tells a refusal from a receiver that is not there."""
    slack.faults.append(fault)
    done = run(tmp_path, SETUPS["slack"].toml.format(slack), S=slack.token)
    assert done.exit_code == code
    assert says in done.output
    assert slack.token not in done.output


def test_what_is_wrong_is_read_by_programs_too(tmp_path, slack):
    """One entry for each thing sent, the last with its error."""
    slack.faults.append(Fault("error", error="missing_scope", methods=("files.getUploadURLExternal",)))
    done = run(tmp_path, SETUPS["slack"].toml.format(slack), "--json", S=slack.token)
    sent, chart = json.loads(done.output)
    assert (sent["taken"], chart["taken"], chart["sent"]) == (True, False, "its chart")
    assert chart["error"]["text"] == "Slack answers missing_scope"


def test_a_receiver_that_is_none_is_named(tmp_path):
    """With the one that was meant."""
    (tmp_path / "slicewatch.toml").write_text('rules = ["r"]\n[receivers.team]\nkind = "console"\n')
    done = CliRunner().invoke(slicewatch, ["send-test", "tean", "--config", str(tmp_path / "slicewatch.toml")])
    assert done.exit_code == 2
    assert "did you mean 'team'?" in done.output


def test_a_missing_secret_ends_it_with_its_place(tmp_path):
    """As everywhere."""
    done = run(tmp_path, 'kind = "slack"\nchannel = "#oncall"\ntoken = {env = "NOWHERE"}')
    assert done.exit_code == 2
    assert "receivers.team.token reads the variable NOWHERE, which is not set" in done.output
