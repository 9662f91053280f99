"""Who gets in: by the headers of a proxy, by an API token, and from this machine; and how often."""

from __future__ import annotations

from contextlib import closing, suppress
from datetime import timedelta
from http.client import HTTPConnection

import httpx
import pytest
from axe_playwright_python.sync_playwright import Axe
from hypothesis import given
from hypothesis import strategies as st

from alerts.actions import RefusedError
from dashboards.web.access.limits import MOST, Limiter, Limits
from dashboards.web.bounds import MOST_BODY, MOST_URL
from dashboards.web.errors import TooManyError
from monitor.token_desk import Tokens
from tests.dashboards.web.guarded import PROXY, ROOT, empty_world, guarded, lenient

pytestmark = pytest.mark.xdist_group("web")

API = "/api/v1/overview"


@pytest.fixture(scope="module")
def empty(tmp_path_factory):
    """Nothing is watched: this is about who gets in."""
    return empty_world(tmp_path_factory.mktemp("empty") / "world")


@pytest.fixture(scope="module")
def proxied(empty, tmp_path_factory):
    """Behind a proxy on this machine; tests of this file that change nothing share it."""
    with guarded(empty, tmp_path_factory.mktemp("proxied"), PROXY) as site:
        yield site


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 401),
        ({"Remote-User": ""}, 401),
        ({"Remote-User": "ola@example.com"}, 403),
        ({"Remote-User": "ola@example.com", "Remote-Groups": "sales, staff"}, 200),
        ({"Remote-User": "kari@example.com"}, 200),
        ({"Remote-User": "user:kari@example.com"}, 403),
        ({"Remote-User": "x" * 256, "Remote-Groups": "staff"}, 401),
        ({"Remote-Groups": "platform"}, 401),
        ({"X-Forwarded-User": "kari@example.com"}, 401),
    ],
)
def test_a_proxy_says_who_somebody_is(proxied, headers, status):
    """By the headers that the operators name, and no others."""
    with proxied.client(**headers) as browser:
        assert browser.get(API).status_code == status


def test_a_name_that_came_twice_is_nobodys(proxied):
    """A proxy that adds to what the browser sent, instead of replacing it, opens nothing."""
    twice = [("Remote-User", "kari@example.com"), ("Remote-User", "ola@example.com")]
    assert httpx.get(proxied.url + API, headers=twice).status_code == 401


def test_names_are_utf8(proxied):
    """As proxies send them, and shown so."""
    with proxied.as_("viewer") as browser:
        assert "Kåre Ødegård" in browser.get("/", headers={"Remote-Name": "Kåre Ødegård".encode()}).text


def test_headers_that_come_from_elsewhere_are_not_believed(empty, tmp_path):
    """Whoever is not the proxy is a stranger, whatever they say of themselves."""
    with guarded(empty, tmp_path, PROXY.replace("127.0.0.1/32", "10.1.0.0/24")) as site, site.as_("admin") as browser:
        for path in ("/", API, "/overview.csv"):
            answer = browser.get(path, headers={"X-Forwarded-For": "10.1.0.7", "X-Real-IP": "10.1.0.7"})
            assert answer.status_code == 401, path


def test_without_sign_in_no_proxy_is_answered(empty, tmp_path):
    """One on this machine would let everybody in as whoever is on it."""
    with guarded(empty, tmp_path, "") as site, site.client() as browser:
        assert browser.get(API).status_code == 200
        for header in ("X-Forwarded-For", "Forwarded", "Via", "X-Real-IP"):
            answer = browser.get("/", headers={header: "203.0.113.9"})
            assert answer.status_code == 401
            assert "answers no proxy" in answer.text


# --- tokens -----------------------------------------------------------------------------------------------------


def test_a_token_opens_what_it_is_for(proxied):
    """And changes nothing for whoever also comes through the proxy."""
    secret = proxied.token().secret
    with proxied.client(Authorization=f"Bearer {secret}") as script:
        assert script.get(API).status_code == 200
    with proxied.as_("admin") as both:
        assert both.get("/api/v1/tokens", headers={"Authorization": f"Bearer {secret}"}).status_code == 403
        assert both.get("/api/v1/tokens", headers={"Authorization": "Bearer ya29.of-the-proxy"}).status_code == 200


def test_a_token_is_over_when_it_expires_and_when_it_is_revoked(empty, tmp_path):
    """At once, with a reason; and a session does not make up for it."""
    with guarded(empty, tmp_path, PROXY) as site:
        short, long = site.token(lasting=timedelta(hours=1)), site.token()
        headers = {"Authorization": f"Bearer {short.secret}"}
        with site.client(**headers) as script, site.as_("admin") as both:
            site.now += timedelta(minutes=59)
            assert script.get(API).status_code == 200
            site.now += timedelta(minutes=1)
            answer = script.get(API)
            assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")
            assert answer.json() == {"error": "this token is expired: ask an admin for another"}
            assert both.get(API, headers=headers).status_code == 401
        with site.client(Authorization=f"Bearer {long.secret}") as script:
            assert script.get(API).status_code == 200
            Tokens(site.app.state).revoke(long.token.id, ROOT, site.now)
            assert script.get(API).json() == {"error": "this token is revoked: ask an admin for another"}
        assert [act for act, _, _ in site.acts(long.token.id)] == ["give token", "revoke token"]


def test_when_a_token_was_last_used_is_kept_once_a_minute(empty, tmp_path):
    """Not every request writes."""
    with guarded(empty, tmp_path, PROXY) as site:
        given_out, desk = site.token(), Tokens(site.app.state)
        used = []
        with site.client(Authorization=f"Bearer {given_out.secret}") as script:
            for seconds in (0, 59, 1):
                site.now += timedelta(seconds=seconds)
                script.get(API)
                used.append(desk.tokens(site.now).tokens[0].used_at)
        assert used == [empty.now, empty.now, empty.now + timedelta(minutes=1)]


def test_the_secret_of_a_token_is_nowhere_in_the_store(empty, tmp_path):
    """Whoever reads the store can be nobody by it."""
    with guarded(empty, tmp_path, PROXY) as site:
        secret = site.token().secret
        held = b"".join(path.read_bytes() for path in tmp_path.glob("slicewatch.db*"))
    assert b"a script" in held
    assert secret.encode() not in held
    assert secret.removeprefix("swt_").encode() not in held


@pytest.mark.parametrize(
    ("role", "scopes", "words"),
    [
        ("boss", (), "is no role: write viewer, responder, admin"),
        ("viewer", ("marks",), "the scope marks needs the role responder"),
        ("responder", ("admin",), "the scope admin needs the role admin"),
        ("admin", ("everything",), "is no scope: write read, act"),
    ],
)
def test_a_token_cannot_be_for_more_than_its_role(proxied, role, scopes, words):
    """Said when it is given, not when it is used at night."""
    with pytest.raises(RefusedError, match=words):
        proxied.token(role, *scopes)


def test_a_token_for_one_thing_does_nothing_else(proxied):
    """A script that may have rules read again sees no page."""
    with proxied.client(Authorization=f"Bearer {proxied.token('admin', 'reload').secret}") as script:
        answer = script.get(API)
        assert (answer.status_code, answer.json()["error"]) == (403, "this needs the scope read; a script has it not")
        assert script.get("/api/v1/tokens").status_code == 403


def test_an_admin_gives_and_takes_a_token_on_the_page(empty, tmp_path, tab):
    """It is shown once, opens what it is for, and nothing once it was revoked; axe finds nothing to complain of."""
    with guarded(empty, tmp_path, "") as site:
        tab.goto(f"{site.url}/tokens")
        tab.get_by_label("What it is for").fill("deployments")
        tab.get_by_label("Role").select_option("admin")
        tab.get_by_label("reload").check()
        tab.get_by_role("button", name="Give token").click()
        secret = tab.get_by_label("Token", exact=True).input_value()
        assert Axe().run(tab).response["violations"] == []
        headers = {"Authorization": f"Bearer {secret}"}
        assert httpx.post(f"{site.url}/-/reload", headers=headers).status_code == 200
        tab.get_by_role("button", name="Revoke deployments").click()
        tab.get_by_text("revoked", exact=True).wait_for()
        assert secret not in tab.content()
        assert httpx.post(f"{site.url}/-/reload", headers=headers).status_code == 401


# --- how often, and how much ------------------------------------------------------------------------------------


def test_whoever_asks_too_often_waits(empty, tmp_path):
    """Each person for themselves; the answer says for how long, and pages go on."""
    limits = Limits(lenient().sign_in, lenient().refused, Limiter(rate=0.1, burst=3, ticks=lambda: 0.0))
    with guarded(empty, tmp_path, PROXY, limits=limits) as site:
        with site.as_("viewer") as busy:
            assert [busy.get(API).status_code for _ in range(4)] == [200, 200, 200, 429]
            assert busy.get(API).headers["retry-after"] == "10"
            assert busy.get("/").status_code == 200
        with site.as_("responder") as calm:
            assert calm.get(API).status_code == 200


def test_whoever_tries_tokens_is_made_to_wait(empty, tmp_path):
    """From one address; a good one still opens meanwhile."""
    limits = Limits(lenient().sign_in, Limiter(rate=0.1, burst=2, ticks=lambda: 0.0), lenient().api)
    with guarded(empty, tmp_path, PROXY, limits=limits) as site, site.client() as browser:
        tried = [browser.get(API, headers={"Authorization": f"Bearer swt_{n}"}).status_code for n in range(3)]
        assert tried == [401, 401, 429]
        good = {"Authorization": f"Bearer {site.token().secret}"}
        assert browser.get(API, headers=good).status_code == 200


@given(st.lists(st.floats(0, 30), min_size=1, max_size=60))
def test_no_more_than_the_burst_and_the_rate_get_through(gaps):
    """Over any stretch of time from the first request on, however they are spread."""
    now, passed = 0.0, 0
    limiter = Limiter(rate=0.5, burst=4, ticks=lambda: now)
    for gap in gaps:
        now += gap
        with suppress(TooManyError):
            limiter.take("kari")
            passed += 1
    assert passed <= 4 + 0.5 * now + 1e-6


def test_whoever_waits_as_long_as_told_gets_through():
    """No sooner."""
    now = 0.0
    limiter = Limiter(rate=0.5, burst=1, ticks=lambda: now)
    limiter.take("kari")
    with pytest.raises(TooManyError) as caught:
        limiter.take("kari")
    now += caught.value.seconds
    limiter.take("kari")


def test_askers_without_end_take_no_memory_without_end():
    """Whoever has not asked for longest is forgotten."""
    limiter = Limiter(rate=0.001, burst=1, ticks=lambda: 0.0)
    for number in range(MOST + 10):
        limiter.take(str(number))
    assert len(limiter._left) == MOST


def test_what_is_too_long_is_refused_unread(proxied):
    """Bodies that say so and bodies that do not, addresses, headers: each with a status, and the site goes on."""
    with proxied.as_("admin") as browser:
        many = b"x" * (MOST_BODY + 1)
        assert browser.post("/api/v1/tokens", content=many).status_code == 413
        assert browser.post("/api/v1/tokens", content=iter([many])).status_code == 413
        assert asked_as_it_stands(proxied, f"{API}?owner={'x' * MOST_URL}") == 414
        assert browser.get(API, params={"owner": "x" * 201}).status_code == 422
        # The server closes such a connection; what its answer was may be lost by that.
        with suppress(httpx.TransportError):
            assert browser.get(API, headers={"X-Long": "x" * 300_000}).status_code == 400
        assert browser.get(API).status_code == 200


def test_nothing_but_this_site_runs_in_a_page(proxied):
    """The policy allows no inline script or style, and every answer carries it, errors too."""
    with proxied.as_("viewer") as browser, proxied.client() as stranger:
        for answer in (browser.get("/"), browser.get("/none"), stranger.get("/"), browser.get(API)):
            policy = dict(part.split(" ", 1) for part in answer.headers["content-security-policy"].split("; "))
            assert policy["default-src"] == "'none'"
            assert policy["script-src"] == "'self'"
            assert "unsafe" not in answer.headers["content-security-policy"]
            assert policy["frame-ancestors"] == policy["base-uri"] == "'none'"
            assert answer.headers["x-content-type-options"] == "nosniff"
            assert answer.headers["cache-control"] == "no-store"


def test_behind_https_cookies_forms_and_headers_go_by_the_public_address(empty, tmp_path):
    """`public_url` says how browsers come; what a proxy says of it by the way is not asked."""
    web = PROXY.replace("[web]", '[web]\npublic_url = "https://slices.example.com"', 1)
    with guarded(empty, tmp_path, web) as site, site.as_("admin") as browser:
        answer = browser.get("/tokens", headers={"X-Forwarded-Proto": "http"})
        cookie = answer.headers["set-cookie"]
        assert cookie.startswith("__Host-slicewatch_form=")
        assert {"Secure", "HttpOnly", "Path=/", "SameSite=lax"} <= set(cookie.split("; "))
        assert answer.headers["strict-transport-security"].startswith("max-age=")
        form = {"csrf": answer.text.split('name="csrf" content="')[1].split('"')[0], "name": "x", "role": "viewer"}
        sent = {"Cookie": cookie.split(";")[0]}
        ours, theirs = {"Origin": "https://slices.example.com"}, {"Origin": f"http://{site.url.split('//')[1]}"}
        assert browser.post("/tokens", data=form, headers=sent | theirs).status_code == 403
        assert browser.post("/tokens", data=form, headers=sent | ours).status_code == 200
    with guarded(empty, tmp_path, PROXY) as site, site.as_("viewer") as browser:
        answer = browser.get("/", headers={"X-Forwarded-Proto": "https", "X-Forwarded-Host": "evil.example"})
        assert "Secure" not in answer.headers["set-cookie"]
        assert "strict-transport-security" not in answer.headers


@pytest.mark.parametrize(
    "path",
    [
        "/static/x/../../../slicewatch.toml",
        "/static/x/..%2f..%2f..%2fslicewatch.toml",
        "/static/x/%2e%2e/%2e%2e/app.py",
        "/static/x//etc/passwd",
        "/static/x/..\\..\\app.py",
        "/static/../app.py",
        "/static/x/app.css%00.html",
        "/static/x/vendor/",
        "/static/x/vendor/htmx.LICENSE",
    ],
)
def test_no_file_but_those_of_the_pages_is_served(proxied, path):
    """However it is spelt."""
    assert asked_as_it_stands(proxied, path) in (400, 404)


def asked_as_it_stands(site, path: str) -> int:
    """The status of a path that other clients would tidy up, or find too long."""
    with closing(HTTPConnection(site.url.removeprefix("http://"), timeout=10)) as connection:
        connection.putrequest("GET", path)
        connection.endheaders()
        return connection.getresponse().status
