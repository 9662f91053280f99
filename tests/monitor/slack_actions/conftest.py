"""A store with one incident that fires, and an app whose Slack is a stand-in."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from alerts.message import RuleFacts
from alerts.plan import Routes, plan
from monitor import store
from monitor.app import App, open_notifiers
from monitor.recording import record_news
from monitor.routing import routed
from monitor.settings import parse_settings
from monitor.telling import composed
from rules.load import RuleSet
from rules.parse import parse_rules
from tests.alerts.make import History, assess, finding
from tests.monitor.slack_actions.place import AT, ENV, RULE, Place
from tests.standins.slack import SlackStandin


@pytest.fixture
def slack():
    """A running Slack stand-in."""
    with SlackStandin() as standin:
        yield standin


@pytest.fixture
def place(slack, request) -> Place:
    """By default Socket Mode and everybody in the channel; a parameter is other lines of the receiver."""
    lines = getattr(request, "param", 'app_token = {env = "APP"}')
    text = (
        'rules = ["rules.yaml"]\n[web]\nlisten = "127.0.0.1:1"\n[receivers.team]\nkind = "slack"\nchannel = "#oncall"\n'
    )
    text += f'token = {{env = "BOT"}}\nbase_url = "{slack.url}"\n{lines}\n'
    state = store.Store.open("sqlite://")
    rules = RuleSet(parse_rules(RULE, "rules.yaml").rules)
    settings = parse_settings(text, "slicewatch.toml", Path(), ENV)
    app = App(settings, rules, state, io.StringIO(), open_notifiers(settings, io.StringIO()))
    history = History()
    made = history.see(assess(1, finding()))
    decisions = plan(made, Routes.of(routed(rules.rules[0], settings), settings.operations), AT)
    messages = composed(made, decisions, lambda _: RuleFacts.of(rules.rules[0]))
    with state.write() as tx:
        record_news(tx, made, decisions, messages, AT)
    yield Place(app, slack, history.only)
    state.close()
