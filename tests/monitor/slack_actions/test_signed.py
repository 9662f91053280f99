"""The way back by signed HTTP: a real server, and requests that are forged, old or repeated."""

from __future__ import annotations

import json
from dataclasses import replace
from http.client import HTTPConnection
from urllib.parse import urlencode

import pytest
from slack_sdk.signature import SignatureVerifier

from alerts.model import Act
from monitor.answers import listening
from monitor.probing import Probing
from monitor.serving.beside import serving
from monitor.slack_actions.reply import reply
from monitor.vitals import Vitals
from monitor.web_settings import WebSettings
from tests.monitor.slack_actions.place import AT, ENV, pressed, typed

NOT_READ = {400, 404, 405, 413}
"""What is for no door, or too long, is not looked at."""
SIGNED = pytest.mark.parametrize("place", ['signing_secret = {env = "SIGNING"}'], indirect=True, ids=["signed"])


@pytest.fixture(params=[False, True], ids=["alone", "with the pages"])
def server(request, place, unused_port):
    """One that listens for what was pressed."""
    web = WebSettings(asked=request.param, listen=f"127.0.0.1:{unused_port}")
    place.app.settings = replace(place.app.settings, web=web)
    with (
        listening(place.app, lambda: place.now) as doors,
        serving(place.app, doors, lambda: place.now, lambda: None, Probing(place.app, Vitals(), str)),
    ):
        yield unused_port


@pytest.fixture
def unused_port() -> int:
    """A port that nobody listens at."""
    import socket

    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def post(port: int, form: dict, *, secret: str = ENV["SIGNING"], age: int = 0, path: str = "/slack/actions", **headers):
    """The status with which a request of Slack is answered."""
    body = urlencode(form)
    stamp = str(int(AT.timestamp()) - age)
    signed = {
        "X-Slack-Request-Timestamp": stamp,
        "X-Slack-Signature": SignatureVerifier(secret).generate_signature(timestamp=stamp, body=body),
        "Content-Type": "application/x-www-form-urlencoded",
    }
    connection = HTTPConnection("127.0.0.1", port, timeout=5)
    connection.request(
        "POST", path, body, {name: value for name, value in (signed | headers).items() if value is not None}
    )
    status = connection.getresponse().status
    connection.close()
    return status


@SIGNED
def test_a_signed_press_is_done_and_a_signed_command_answered(place, server):
    """As by Socket Mode."""
    assert post(server, {"payload": json.dumps(pressed(place, Act.ACKNOWLEDGE))}) == 200
    assert place.answers()[0].startswith("Acknowledged by kari")
    assert post(server, typed(place, "status")) == 200
    assert place.incident.id in place.answers(2)[1]
    assert place.state() == "acknowledged"


@SIGNED
@pytest.mark.parametrize(
    ("how", "status"),
    [
        ({"secret": "another"}, 401),
        ({"X-Slack-Signature": None}, 401),
        ({"X-Slack-Signature": "v0=ümlaut".encode("latin-1")}, 401),
        ({"X-Slack-Request-Timestamp": None}, 401),
        ({"X-Slack-Request-Timestamp": "soon"}, 401),
        ({"age": 301}, 401),
        ({"age": -301}, 401),
        ({"path": "/"}, 0),
        ({"Content-Length": "99999999"}, 0),
        ({"Content-Length": "-1"}, 0),
    ],
    ids=str,
)
def test_what_is_forged_or_old_is_refused(place, server, caplog, how, status):
    """Nothing is done, nothing answered, and the log says so."""
    found = post(server, {"payload": json.dumps(pressed(place, Act.ACKNOWLEDGE))}, **how)
    assert found == status or (not status and found in NOT_READ)
    assert (place.state(), place.acts(), place.slack.replies) == ("firing", [], [])
    assert not status or "is refused" in caplog.text


@SIGNED
def test_a_replay_is_refused(place, server):
    """Whoever overheard a request cannot use it, as long as it would still be fresh."""
    form = {"payload": json.dumps(pressed(place, Act.ACKNOWLEDGE))}
    assert [post(server, form), post(server, form)] == [200, 401]
    place.answers()
    assert len(place.slack.replies) == 1


@SIGNED
@pytest.mark.parametrize("payload", ["no json", "[1]", '{"type": "block_actions", "user": 3}'])
def test_nonsense_that_is_signed_breaks_nothing(place, server, payload):
    """The next request is taken as ever."""
    assert post(server, {"payload": payload}) in {200, 400}
    assert post(server, {"payload": json.dumps(pressed(place, Act.ACKNOWLEDGE))}) == 200
    assert place.answers()[0].startswith("Acknowledged")


@SIGNED
def test_an_address_that_is_taken_stops_nobody(place, slack, caplog):
    """The daemon watches on, and its log says that no button works."""
    place.app.settings = replace(place.app.settings, web=WebSettings(listen=f"127.0.0.1:{slack.port}"))
    with (
        listening(place.app, lambda: place.now) as doors,
        serving(place.app, doors, lambda: place.now, lambda: None, Probing(place.app, Vitals(), str)),
    ):
        assert "what people do elsewhere does not come back (/slack/actions)" in caplog.text


def test_an_answer_goes_to_slack_and_nowhere_else(place):
    """Whatever address comes with a request."""
    reply("http://127.0.0.1:1/steal", "text", None)
    reply(place.slack.reply_url.replace("http://", "http://evil@"), "text", place.slack.url)
    reply(place.slack.reply_url, "one <!channel>", place.slack.url)
    assert [answer["text"] for answer in place.slack.replies] == ["one &lt;!channel&gt;"]
