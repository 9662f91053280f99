"""One request to a receiver: where it goes, and what is known when it fails."""

from __future__ import annotations

import socket
import time

import pytest

from alerts.model import SendError
from alerts.notifiers import http
from tests.standins.slack import Fault
from tests.standins.smtp import server_context, trusted
from tests.standins.web import Reply, Request, WebStandin


class Proxy(WebStandin):
    """Answers in place of whatever lies behind it, and keeps what it was asked for."""

    def reply(self, request: Request) -> Reply:
        return Reply(200, request.headers["host"])


@pytest.fixture
def proxy(monkeypatch):
    """The environment's proxy for http."""
    with Proxy() as standin:
        monkeypatch.setenv("http_proxy", standin.url)
        monkeypatch.delenv("no_proxy", raising=False)
        yield standin


def target(url: str, **options) -> http.Target:
    return http.Target(url, "it", **{"timeout": 2.0, **options})


def test_the_environments_proxy_is_gone_through(proxy):
    """By the whole address; that the proxy is in the private network says nothing of what lies behind it."""
    answer = http.post(target("http://hooks.example.com/x?y=1", public_only=True), b"{}", {})
    assert (answer.status, answer.body) == (200, "hooks.example.com")
    assert proxy.taken[0].path == "/x"


def test_no_proxy_is_kept_to(proxy, monkeypatch):
    """And this machine is never looked for behind one."""
    monkeypatch.setenv("no_proxy", "hooks.invalid")
    with pytest.raises(SendError, match="cannot be reached"):
        http.post(target("http://hooks.invalid/x"), b"{}", {})
    with Proxy() as other:
        http.post(target(other.url), b"{}", {})
        assert len(other.taken) == 1
    assert proxy.taken == []


@pytest.mark.parametrize("host", ["10.0.0.1", "[fd00::1]", "[::ffff:192.168.0.1]"])
def test_a_private_address_is_refused_behind_a_proxy_too(proxy, host):
    """Where it is written as one, before anything is connected to."""
    with pytest.raises(SendError, match="a private network") as caught:
        http.post(target(f"http://{host}/latest", public_only=True), b"{}", {})
    assert caught.value.permanent
    assert proxy.taken == []


@pytest.mark.parametrize("public_only", [True, False])
@pytest.mark.parametrize(
    "host", ["169.254.169.254", "[fe80::1]", "[::ffff:169.254.169.254]", "[fd00:ec2::254]", "100.100.100.200"]
)
def test_a_clouds_own_metadata_are_refused_whatever_is_allowed(proxy, host, public_only):
    """No receiver lives there, and what answers gives its secrets to whoever asks."""
    with pytest.raises(SendError, match="this link alone") as caught:
        http.post(target(f"http://{host}/latest/meta-data", public_only=public_only), b"{}", {})
    assert caught.value.permanent
    assert proxy.taken == []


@pytest.mark.parametrize("name", ["127.1", "2130706433", "0x7f.1", "LOCALHOST"])
def test_nothing_is_connected_to_at_an_address_that_is_refused(name):
    """By the address that the name leads to: not even a connection is made, from which one could see that somebody listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0.3)
        port = listener.getsockname()[1]
        with pytest.raises(SendError, match="this machine: allow_private = true"):
            http.post(target(f"http://{name}:{port}/", public_only=True), b"{}", {})
        with pytest.raises(TimeoutError):
            listener.accept()


@pytest.mark.parametrize(
    "url", ["hooks.example.com", "ftp://x/", "http://", "http://x:0/", "http://x:port/", "http://[x/"]
)
def test_what_is_no_web_address_is_permanent_and_not_repeated(url):
    """It may be a secret, so it stays out of the error."""
    with pytest.raises(SendError, match="is no web address") as caught:
        http.post(target(url), b"", {})
    assert caught.value.permanent
    assert url not in str(caught.value)


def test_a_certificate_that_nobody_vouches_for_is_permanent():
    """Nothing was sent; with the right context it is."""
    with Proxy() as standin:
        standin._server.socket = server_context().wrap_socket(standin._server.socket, server_side=True)
        url = standin.url.replace("http://127.0.0.1", "https://localhost")
        with pytest.raises(SendError, match="certificate that is not trusted") as caught:
            http.post(target(url), b"", {})
        assert (caught.value.permanent, standin.taken) == (True, [])
        assert http.post(target(url, context=trusted()), b"", {}).status == 200


@pytest.mark.parametrize("secure", [False, True])
def test_an_answer_that_comes_byte_by_byte_has_an_end(secure):
    """No wait is long, and the whole is: it is cut. Without its first line it is not known whether the message arrived."""
    with Proxy() as standin:
        url = standin.url
        if secure:
            standin._server.socket = server_context().wrap_socket(standin._server.socket, server_side=True)
            url = url.replace("http://127.0.0.1", "https://localhost")
        standin.faults.append(Fault("drip", seconds=5.0))
        began = time.monotonic()
        with pytest.raises(SendError, match="did not answer: it took too long") as caught:
            http.post(target(url, longest=0.3, context=trusted()), b"", {})
        assert caught.value.unknown
        standin.faults[:] = [Fault("drip_headers", seconds=5.0)]
        assert http.post(target(url, longest=0.3, context=trusted()), b"", {}).status == 200
        assert time.monotonic() - began < 3.0


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "7"}, 7.0),
        ({"retry-after": "0"}, 1.0),
        ({"retry-after": "86400"}, 3600.0),
        ({"retry-after": "Mon, 23 Nov 2026 15:01:30 GMT", "date": "Mon, 23 Nov 2026 15:00:00 GMT"}, 90.0),
        ({"retry-after": "Mon, 23 Nov 2026 14:00:00 GMT", "date": "Mon, 23 Nov 2026 15:00:00 GMT"}, 1.0),
        ({"retry-after": "Mon, 23 Nov 2026 15:01:30 GMT"}, 60.0),
        ({"retry-after": "soon"}, 60.0),
        ({}, 60.0),
    ],
)
def test_how_long_to_wait(headers, seconds):
    """Seconds or a date, by the receiver's own clock; never a busy loop, never for ever."""
    assert http.retry_after(headers) == seconds
