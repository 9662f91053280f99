"""What people do in PagerDuty, taken back: a real server, a real store, and events that are forged, old or repeated."""

from __future__ import annotations

import io
import json
import socket
import time
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest

from alerts.message import RuleFacts
from alerts.model import Change, Incident
from alerts.plan import Routes, plan
from monitor import store
from monitor.answers import listening
from monitor.app import App, open_notifiers
from monitor.news import record_news
from monitor.pagerduty_actions.events import signature
from monitor.probing import Probing
from monitor.routing import routed
from monitor.serving.beside import serving
from monitor.settings import parse_settings
from monitor.telling import composed
from monitor.vitals import Vitals
from rules.load import RuleSet
from rules.parse import parse_rules
from tests.alerts.make import History, assess, finding
from tests.standins.web import PagerDutyStandin

AT = datetime(2026, 11, 23, 16, tzinfo=UTC)
ENV = {"KEY": "R0STANDIN0000000000000000000000K", "HOOK": "pager-secret", "OTHER": "other-secret"}
RULE = """\
rules:
  - name: playback_volume
    source: lake.playback
    timestamp: event_time
    dimensions: [device, country]
    notify: [pager]
"""
SETTINGS = """\
rules = ["rules.yaml"]
[web]
listen = "127.0.0.1:{port}"
[receivers.pager]
kind = "pagerduty"
routing_key = {{env = "KEY"}}
base_url = "{url}"
webhook_secret = {{env = "HOOK"}}
[receivers.others]
kind = "pagerduty"
routing_key = {{env = "KEY"}}
webhook_secret = {{env = "OTHER"}}
"""


@dataclass
class Place:
    """An open app that listens at a port, the incident that its pager was told of, and a PagerDuty."""

    app: App
    port: int
    incident: Incident
    pager: PagerDutyStandin
    now: datetime = AT

    def now_(self) -> datetime:
        return self.now

    def deliver(self) -> None:
        self.app.deliver(lambda: self.now, self._wait, self.now + timedelta(minutes=1), "test")

    def _wait(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)

    def stands(self, state: str) -> bool:
        """Whether the incident comes to stand so: it is done beside the answer."""
        deadline = time.monotonic() + 5
        while self.state() != state and time.monotonic() < deadline:
            time.sleep(0.01)
        return self.state() == state

    def state(self) -> str:
        with self.app.state.read() as tx:
            found = store.incident(tx, self.incident.id)
        assert found is not None
        return found.state.value

    def acts(self) -> list[tuple[str, str, str, str]]:
        with self.app.state.read() as tx:
            return [(act.action, act.by.kind, act.by.id, act.by.name) for act in store.actions(tx, self.incident.id)]

    def event(self, what: str, name: str = "01A", after: float = 1.0, **fields: Any) -> dict[str, Any]:
        """As PagerDuty tells that somebody did something to the alert, after so many seconds."""
        at = (AT + timedelta(seconds=after)).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        kari = {"id": "PKARI", "type": "user_reference", "summary": "Kari Nordmann"}
        data = {"id": "Q1", "type": "incident", "incident_key": f"slicewatch/{self.incident.id}"}
        return {"id": name, "event_type": what, "occurred_at": at, "agent": kari, "data": data} | fields

    def post(self, event: dict[str, Any], secret: str = ENV["HOOK"], header: str | None = None) -> int:
        """The status with which an event is answered; `header` replaces its signature, {} in it."""
        body = json.dumps({"event": event}).encode()
        signed = (header or "v1={}").replace("{}", signature(secret, body))
        connection = HTTPConnection("127.0.0.1", self.port, timeout=5)
        connection.request("POST", "/pagerduty/events", body, {"X-PagerDuty-Signature": signed})
        status = connection.getresponse().status
        connection.close()
        return status


@pytest.fixture
def place():
    with PagerDutyStandin() as pager, socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
        found.close()
        state = store.Store.open("sqlite://")
        rules = RuleSet(parse_rules(RULE, "rules.yaml").rules)
        settings = parse_settings(SETTINGS.format(port=port, url=pager.url), "slicewatch.toml", Path(), ENV)
        app = App(settings, rules, state, io.StringIO(), open_notifiers(settings, io.StringIO()))
        history = History()
        made = history.see(assess(1, finding()))
        decisions = plan(made, Routes.of(routed(rules.rules[0], settings), settings.operations), AT, {})
        messages = composed(made, decisions, lambda _: RuleFacts.of(rules.rules[0]))
        with state.write() as tx:
            record_news(tx, made, decisions, messages, AT)
        there = Place(app, port, history.only, pager)
        there.deliver()
        with (
            listening(app, there.now_) as doors,
            serving(app, doors, there.now_, lambda: None, Probing(app, Vitals(), str)),
        ):
            yield there
        state.close()


def test_what_is_acknowledged_there_is_acknowledged_here_by_its_actor(place):
    """And taken back here when it is taken back there."""
    assert place.post(place.event("incident.acknowledged")) == 200
    assert place.stands("acknowledged")
    assert place.acts() == [("acknowledge", "pagerduty", "PKARI", "Kari Nordmann")]
    assert place.post(place.event("incident.unacknowledged", "01B", after=2.0)) == 200
    assert place.stands("firing")


def test_what_is_resolved_there_is_quiet_here_until_it_is_over_and_louder_news_page_anew(place):
    """Counts alone end an incident. The alert that somebody closed stays closed, unless it becomes critical."""
    place.pager.alerts.clear()
    assert place.post(place.event("incident.resolved")) == 200
    assert place.stands("snoozed")
    place.deliver()
    assert place.pager.alerts == {}
    with place.app.state.read() as tx:
        item = store.incident(tx, place.incident.id)
    louder = replace(item, seq=item.seq + 1)
    (step,) = [replace(t, incident=louder, change=Change.ESCALATED) for t in steps(place)[-1:]]
    routes = Routes.of(place.app.rules.rules[0], place.app.settings.operations)
    with place.app.state.write() as tx:
        decisions = plan([step], routes, place.now, store.told(tx, item.rule))
        facts = RuleFacts.of(place.app.rules.rules[0])
        record_news(tx, [step], decisions, composed([step], decisions, lambda _: facts), place.now)
    place.deliver()
    assert list(place.pager.alerts) == [f"slicewatch/{place.incident.id}"]


def steps(place: Place):
    with place.app.state.read() as tx:
        return store.transitions(tx, place.incident.id)


@pytest.mark.parametrize(
    ("how", "status"),
    [
        ({"secret": "another"}, 401),
        ({"header": "v1="}, 401),
        ({"header": "v0={}"}, 401),
        ({"header": "v1=ü"}, 401),
        ({"header": "nothing"}, 401),
        ({"header": "v1=00, v1={}"}, 200),
    ],
    ids=str,
)
def test_what_is_forged_is_refused_and_an_old_secret_may_sign_beside_the_new_one(place, how, status):
    """Nothing is done; PagerDuty signs twice while a secret is replaced."""
    assert place.post(place.event("incident.acknowledged"), **how) == status
    if status == 200:
        assert place.stands("acknowledged")
    else:
        assert (place.state(), place.acts()) == ("firing", [])


def test_an_event_is_done_once_and_an_old_one_not_at_all(place):
    """The same again, the same under another name, and one of yesterday."""
    event = place.event("incident.acknowledged")
    assert [place.post(event), place.post(event)] == [200, 401]
    assert place.stands("acknowledged")
    assert place.post(place.event("incident.unacknowledged", "01B", after=2.0)) == 200
    assert place.stands("firing")
    assert place.post(event | {"id": "01C"}) == 200
    assert place.post(place.event("incident.acknowledged", "01D", after=-3601.0)) == 401
    assert place.post({"id": "01E"}) == 400
    time.sleep(0.1)
    assert (place.state(), len(place.acts())) == ("firing", 2)


@pytest.mark.parametrize(
    "fields",
    [
        {"agent": None},
        {"agent": {"id": "PSVC", "type": "inbound_integration_reference"}},
        {"event_type": "incident.annotated"},
        {"data": {"incident_key": "somebody/else"}},
        {"data": {"incident_key": "slicewatch/sw-unknown"}},
    ],
    ids=["nobody", "an integration", "a note", "another alert", "an unknown incident"],
)
def test_what_no_person_did_to_an_incident_of_ours_is_taken_and_left(place, fields):
    """What slicewatch itself did there comes back as well: it must not go round in a circle."""
    assert place.post(place.event("incident.acknowledged") | fields) == 200
    time.sleep(0.05)
    assert (place.state(), place.acts()) == ("firing", [])


def test_a_secret_vouches_for_what_its_receivers_were_told(place):
    """Another team's PagerDuty has no say in this incident."""
    assert place.post(place.event("incident.acknowledged"), secret=ENV["OTHER"]) == 200
    time.sleep(0.05)
    assert (place.state(), place.acts()) == ("firing", [])
