"""Buttons under messages in Slack: where they are, which, and what a press of them means."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from alerts.actions import acknowledge, acts_on, dismiss, snooze
from alerts.message import RuleFacts, compose
from alerts.model import Act, Actor, Feedback, Receipt, State
from alerts.notifiers.slack import SlackNotifier
from alerts.notifiers.slack_buttons import MEANINGS, SNOOZES, Pressed, buttons, read_press
from tests.alerts.make import History, assess, blind, finding, tick
from tests.contracts.notifier_contract import RESOLVED, delivery
from tests.contracts.outbox_contract import message
from tests.standins.block_kit import problems
from tests.standins.slack import APP_TOKEN

KARI = Actor("slack", "U0KARI", "Kari")
ALL = (Act.ACKNOWLEDGE, Act.SNOOZE, Act.NOT_A_PROBLEM)


def firing():
    history = History()
    history.see(assess(1, finding()))
    return history.only


def blinded():
    history = History()
    history.see(assess(1, unseen=blind(1)))
    return history.only


def test_what_makes_sense_depends_on_how_it_stands():
    """No acknowledging twice; a source that cannot be judged is no exception; nothing once it is over."""
    one, now = firing(), tick(2)
    assert acts_on(one) == ALL
    taken = (Act.REOPEN, Act.SNOOZE, Act.NOT_A_PROBLEM)
    assert acts_on(acknowledge(one, KARI, now, timedelta(hours=8)).incident) == taken
    assert acts_on(snooze(one, KARI, now, None).incident) == taken
    assert acts_on(dismiss(one, KARI, now, Feedback.LEAVE_OUT).incident) == ()
    assert acts_on(replace(one, state=State.PENDING)) == ()
    assert acts_on(blinded()) == (Act.ACKNOWLEDGE, Act.SNOOZE)


def test_a_message_says_what_can_be_done():
    """Channels that bring answers back offer just that."""
    history = History()
    (opened,) = history.see(assess(1, finding()))
    assert compose(opened, RuleFacts("playback_volume", "lake.playback", "rules.yaml:1")).acts == ALL


@pytest.mark.parametrize("acts", [ALL, (Act.REOPEN, Act.SNOOZE, Act.NOT_A_PROBLEM)])
def test_every_press_is_read_as_it_was_meant(acts):
    """Each button and each choice comes back as the act, the incident and the receiver it was made for."""
    (block,) = buttons(replace(message(), acts=acts), "team mail")
    assert problems([block]) == []
    for element in block["elements"]:
        for option in element.get("options", [{}]):
            action = {**element, "block_id": block["block_id"], "selected_option": option}
            assert read_press(action) == Pressed(
                Act(element["action_id"]), "sw-1", "team mail", option.get("value", "")
            )
    assert {option["value"] for e in block["elements"] for option in e.get("options", ())} == {*SNOOZES, *MEANINGS}


@pytest.mark.parametrize(
    ("options", "there"),
    [({}, False), ({"app_token": APP_TOKEN}, True), ({"signing_secret": "standin"}, True)],
    ids=["neither", "socket", "signed"],
)
def test_there_are_no_buttons_before_they_work(slack, options, there):
    """Only where the app can be told of a press; and they are gone once nothing is left to do."""
    notifier = SlackNotifier("#oncall", slack.token, base_url=slack.url, **options)
    root = notifier.send(delivery(acts=ALL))
    (posted,) = slack.roots()
    assert ("actions" in [block["type"] for block in posted["blocks"]]) is there
    assert posted["blocks"][-1]["type"] == "context"
    assert isinstance(notifier.send(delivery(root, **RESOLVED)), Receipt)
    assert "actions" not in [block["type"] for block in slack.roots()[0]["blocks"]]


def test_a_receiver_whose_name_is_too_long_has_none():
    """A press could not say whose it is."""
    assert buttons(replace(message(), acts=ALL), "x" * 255) == []


def test_an_app_token_is_asked_for_too(slack):
    """`check --online` sees one that is wrong before a button is pressed in vain."""
    slack.socket_url = "ws://127.0.0.1:1/"
    SlackNotifier("#oncall", slack.token, app_token=APP_TOKEN, base_url=slack.url).ask()
    with pytest.raises(Exception, match="invalid_auth"):
        SlackNotifier("#oncall", slack.token, app_token="xapp-wrong", base_url=slack.url).ask()
