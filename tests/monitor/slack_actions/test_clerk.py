"""What is pressed and typed: what is done, who may, what is answered."""

from __future__ import annotations

import pytest

from alerts.model import Act
from monitor.acting import Desk, told_of
from monitor.slack_actions.clerk import Clerk
from monitor.slack_actions.gate import Gate
from monitor.slack_actions.groups import members
from monitor.slack_actions.office import AppOffice
from monitor.slack_actions.requests import read
from tests.monitor.slack_actions.place import pressed, typed


def handled(place, payload, gate: Gate | None = None) -> str:
    doors = {receiver.name: receiver for receiver in place.app.settings.receivers}
    gate = gate or Gate(doors, members, lambda incident: told_of(place.app, incident))
    clerk = Clerk(gate, Desk(place.app), AppOffice(place.app))
    (act,) = read(payload)
    return clerk.handle(act, place.now)


@pytest.mark.parametrize(
    ("act", "choice", "answer", "state"),
    [
        (Act.ACKNOWLEDGE, "", "Acknowledged by kari until 24 Nov 00:00", "acknowledged"),
        (Act.SNOOZE, "30m", "Snoozed by kari until 23 Nov 16:30", "snoozed"),
        (Act.SNOOZE, "morning", "Snoozed by kari until 24 Nov 09:00", "snoozed"),
        (Act.SNOOZE, "resolved", "Snoozed by kari until it is over", "snoozed"),
        (Act.NOT_A_PROBLEM, "leave-out", "Kari says it is no problem", "resolved"),
        (Act.NOT_A_PROBLEM, "new-normal", "Kari says it is as it should be", "resolved"),
    ],
)
def test_each_button_does_what_it_says(place, act, choice, answer, state):
    """And answers in the sentence that is kept."""
    assert handled(place, pressed(place, act, choice)).startswith(answer)
    assert place.state() == state


def test_an_acknowledgement_is_taken_back(place):
    """By anybody who may act."""
    handled(place, pressed(place, Act.ACKNOWLEDGE))
    assert handled(place, pressed(place, Act.REOPEN, at=2.0)) == "Acknowledgement taken back by kari."
    assert place.state() == "firing"


def test_an_old_button_is_answered_with_why_not(place):
    """The message may not have been brought up to date yet."""
    handled(place, pressed(place, Act.NOT_A_PROBLEM, "leave-out"))
    assert "is closed since" in handled(place, pressed(place, Act.ACKNOWLEDGE, at=2.0))


@pytest.mark.parametrize(
    "place", ['app_token = {env = "APP"}\nactors = ["U0OLA", "S0RECS"]'], indirect=True, ids=["named"]
)
def test_only_those_who_are_named_may_act(place):
    """A user, or a member of a user group; a group that cannot be asked has nobody in it."""
    refused = handled(place, pressed(place, Act.ACKNOWLEDGE))
    assert refused.startswith("You may not do this here")
    assert (place.state(), place.acts()) == ("firing", [])
    place.slack.groups["S0RECS"] = ["U0KARI"]
    assert handled(place, pressed(place, Act.ACKNOWLEDGE)).startswith("Acknowledged")
    assert handled(place, pressed(place, Act.SNOOZE, "2h", user="U0OLA")).startswith("Snoozed")


def test_who_is_in_a_group_is_asked_now_and_then(place):
    """Not at every press, and not once for ever."""
    asked, clock = [], [0.0]

    def group(_receiver, name):
        asked.append(name)
        return frozenset({"U0KARI"})

    (door,) = place.app.settings.receivers
    gate = Gate(
        {"team": type(door)("team", "slack", "#oncall", actors=("S0RECS",))}, group, lambda _: None, lambda: clock[0]
    )
    for clock[0] in (0.0, 299.0, 301.0):
        handled(place, pressed(place, Act.ACKNOWLEDGE), gate)
    assert asked == ["S0RECS", "S0RECS"]


def test_somebody_of_another_workspace_may_not(place):
    """A shared channel is read by others; who may act of them is named."""
    guest = {"user": {"id": "U9", "name": "eve", "team_id": "T9"}}
    assert handled(place, pressed(place, Act.ACKNOWLEDGE) | guest).startswith("You may not")
    assert place.acts() == []


TWO_TEAMS = """app_token = {env = "APP"}
actors = ["U0OLA"]
[receivers.search]
kind = "slack"
channel = "#search"
token = {env = "BOT"}
app_token = {env = "APP"}
"""


@pytest.mark.parametrize("place", [TWO_TEAMS], indirect=True, ids=["two teams"])
def test_an_incident_is_acted_on_where_it_was_told(place):
    """Not from another team's channel by its id, but by who is named for it; looking at it is no act."""
    there, name = {"channel": "search"}, place.incident.id
    elsewhere = {"channel_id": "C0SEARCH"}
    for text in (f"ack {name}", f"snooze {name} 2h"):
        refused = handled(place, typed(place, text, **there) | elsewhere)
        assert refused.startswith(f"{name} was not told in this channel: act on it where it was told.")
    assert (place.state(), place.acts()) == ("firing", [])
    assert name in handled(place, typed(place, f"explain {name}", **there) | elsewhere)
    assert "no incident is called" in handled(place, typed(place, "ack sw-0", **there) | elsewhere)
    allowed = handled(place, typed(place, f"ack {name}", user="U0OLA", **there) | elsewhere)
    assert allowed.startswith("Acknowledged by kari")


def test_a_command_in_another_channel_is_refused(place):
    """What is wrong with the data is told where its alerts are told."""
    assert handled(place, typed(place, "status", channel="random") | {"channel_id": "C9"}).startswith(
        "This channel is no"
    )


@pytest.mark.parametrize(
    ("text", "answer", "state"),
    [
        ("ack {}", "Acknowledged by kari until 24 Nov 00:00", "acknowledged"),
        ("snooze {} 3h", "Snoozed by kari until 23 Nov 19:00", "snoozed"),
        ("snooze {} soon", "'soon'", "firing"),
    ],
)
def test_what_is_typed_does_what_a_button_does(place, text, answer, state):
    """And a snooze of any length."""
    assert answer in handled(place, typed(place, text.format(place.incident.id)))
    assert place.state() == state


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "/slicewatch status"),
        ("silence playback_volum 2h why", "did you mean 'playback_volume'?"),
        ("silence playback_volume devise=ios 2h why", "did you mean 'device'?"),
        ("silence playback_volume soon why", "'soon' is not a duration"),
        ("silence playback_volume 2h", "a silence says why"),
        ("explain sw-nothing", "no incident is called 'sw-nothing'"),
    ],
)
def test_a_mistake_is_answered_with_what_to_do(place, text, says):
    """As on the command line."""
    assert says in handled(place, typed(place, text))


@pytest.mark.parametrize(
    "change",
    [
        {"type": "view_submission"},
        {"actions": []},
        {"actions": [{"action_id": "acknowledge", "block_id": "someone else's"}]},
        {"actions": [{"action_id": "explode", "block_id": "slicewatch sw-1 team", "action_ts": "1"}]},
        {"actions": [{"action_id": "snooze", "block_id": "slicewatch sw-1 team", "selected_option": {"value": "1y"}}]},
        {"user": {}},
    ],
)
def test_what_is_not_understood_does_nothing(place, change):
    """Other interactions, buttons of others, choices that were never offered."""
    assert read(pressed(place, Act.ACKNOWLEDGE) | change) == ()
