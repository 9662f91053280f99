"""Sign-in through an OpenID provider: a real one on loopback, and browsers that are sent there and come back."""

from __future__ import annotations

import base64
import hashlib
import re
from datetime import timedelta
from io import BytesIO
from urllib.parse import parse_qs, urlsplit

import pytest
from oidc_provider_mock import User, app
from oidc_provider_mock._server import _threaded_server
from werkzeug.wrappers import Response

from dashboards.web.access.oidc import Provider
from dashboards.web.access.sign_in import inward
from tests.dashboards.web.guarded import empty_world, free_port, guarded

pytestmark = [
    pytest.mark.xdist_group("web"),
    # The provider's own use of Authlib is older than the newest Authlib.
    pytest.mark.filterwarnings("ignore:get_jwt_config:DeprecationWarning"),
]

PEOPLE = (
    User(sub="u-kari", claims={"name": "Kari <b>Nordmann</b>", "groups": ["oncall", "sales"]}),
    User(sub="u-ola", claims={"name": "Ola", "groups": ["sales"]}),
    User(sub="u-per", claims={"name": "Per", "email": "per@example.com", "email_verified": True}),
    User(sub="u-eva", claims={"name": "Eva", "email": "per@example.com", "email_verified": False}),
)
WEB = """
[web]
access = "oidc"
public_url = "http://127.0.0.1:{port}"
session_lasts = "8h"
[web.oidc]
issuer = "http://localhost:{provider}"
client_id = "slicewatch"
client_secret = {{file = "secret"}}
[web.roles]
responder = ["oncall"]
admin = ["user:per@example.com"]
"""


class Provided:
    """The provider, what it was asked, and its pages without the style sheet that they would fetch from elsewhere."""

    def __init__(self) -> None:
        self.app = app(user_claims=PEOPLE)
        self.asked: list[tuple[str, str, str]] = []

    def __call__(self, environ, start_response):
        """A WSGI application around the provider's."""
        if environ["PATH_INFO"] == "/favicon.ico":
            return Response(status=204)(environ, start_response)
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        self.asked.append((environ["PATH_INFO"], environ["QUERY_STRING"], body.decode()))
        answer = Response.from_app(self.app, {**environ, "wsgi.input": BytesIO(body)})
        answer.data = ELSEWHERE.sub(b"", answer.data)
        return answer(environ, start_response)


ELSEWHERE = re.compile(rb"<link[^>]*https://[^>]*>")


@pytest.fixture(scope="module")
def empty(tmp_path_factory):
    """Nothing is watched: this is about who gets in."""
    return empty_world(tmp_path_factory.mktemp("empty") / "world")


@pytest.fixture(scope="module")
def provider():
    """One for all tests of this file."""
    made = Provided()
    with _threaded_server(app=made, poll_interval=0.02) as server:
        made.port = server.server_port
        yield made


@pytest.fixture
def site(empty, tmp_path, provider):
    """Whoever signs in gets in, where they have a role."""
    provider.asked.clear()
    port = free_port()
    (tmp_path / "secret").write_text("s3cret")
    with guarded(empty, tmp_path, WEB.format(port=port, provider=provider.port), port) as made:
        yield made


def sign_in(browser, who: str, wanted: str = "/"):
    """Be sent to the provider, be who one is, come back; the last answer of slicewatch."""
    sent = browser.get("/sign-in", params={"next": wanted})
    asked = browser.post(sent.headers["location"], data={"sub": who})
    return browser.get(asked.headers["location"])


def test_people_sign_in_see_what_they_asked_for_and_sign_out(site, tab):
    """In a browser: from the page that was asked for to the provider and back to it, with a name that holds markup."""
    tab.goto(f"{site.url}/?owner=recs-data")
    assert tab.url.startswith("http://localhost:")
    tab.get_by_role("button", name="u-kari").click()
    tab.wait_for_url(f"{site.url}/?owner=recs-data")
    assert tab.locator(".who").inner_text() == "Kari <b>Nordmann</b>"
    tab.get_by_role("button", name="Sign out").click()
    tab.wait_for_url(f"{site.url}/signed-out")
    assert {cookie["name"] for cookie in tab.context.cookies(site.url)} == {"slicewatch_form"}
    assert sorted(act[:2] for act in site.acts("access")) == [("sign in", "u-kari"), ("sign out", "u-kari")]


def test_the_provider_is_asked_with_pkce_state_and_nonce(site, provider):
    """S256; the verifier that comes later is the one; each sign-in has its own."""
    with site.client() as browser:
        assert sign_in(browser, "u-kari").headers["location"] == "/"
        sign_in(browser, "u-kari")
    first, second = [parse_qs(query) for path, query, _ in provider.asked if path == "/oauth2/authorize"]
    codes = [parse_qs(body) for path, _, body in provider.asked if path == "/oauth2/token"]
    digest = hashlib.sha256(codes[0]["code_verifier"][0].encode()).digest()
    assert first["code_challenge"] == [base64.urlsafe_b64encode(digest).rstrip(b"=").decode()]
    assert first["code_challenge_method"] == ["S256"]
    assert first["redirect_uri"] == [f"{site.url}/sign-in/back"]
    for name in ("state", "nonce", "code_challenge"):
        assert first[name] != second[name]


def test_who_has_no_role_is_told_so_and_stays_out(site):
    """By group, by a mail address that the provider has checked, and by one that it has not."""
    for who, status in (("u-ola", 403), ("u-eva", 403), ("u-kari", 200), ("u-per", 200)):
        with site.client() as browser:
            answer = sign_in(browser, who)
            assert answer.status_code == (303 if status == 200 else 403)
            assert status == 200 or "gives one by [web.roles]" in answer.text
            assert browser.get("/api/v1/overview").status_code == (200 if status == 200 else 401)
    assert sorted((act, who) for act, who, _ in site.acts("access")) == [
        ("sign in", "u-kari"),
        ("sign in", "u-per"),
        ("sign in refused", "u-eva"),
        ("sign in refused", "u-ola"),
    ]


def test_a_session_is_over_when_its_time_is(site):
    """To the second; a cookie that was changed is none."""
    with site.client() as browser:
        sign_in(browser, "u-kari")
        site.now += timedelta(hours=8) - timedelta(seconds=1)
        assert browser.get("/").status_code == 200
        site.now += timedelta(seconds=1)
        answer = browser.get("/?owner=x")
        assert (answer.status_code, answer.headers["location"]) == (303, "/sign-in?next=%2F%3Fowner%3Dx")
        site.now -= timedelta(hours=1)
        name, value = next((n, v) for n, v in browser.cookies.items() if "session" in n)
        browser.cookies.set(name, value[:-2] + ("AA" if value[-2:] != "AA" else "BB"), domain="127.0.0.1", path="/")
        assert browser.get("/api/v1/overview").status_code == 401


def test_the_session_is_made_anew_at_sign_in_and_no_script_reads_it(site):
    """HttpOnly, SameSite=Lax; whoever planted a form's cookie before has nothing of it."""
    with site.client() as browser:
        browser.cookies.set("slicewatch_form", "planted", domain="127.0.0.1", path="/")
        browser.cookies.set("slicewatch_session", "planted", domain="127.0.0.1", path="/")
        answer = sign_in(browser, "u-kari")
        session = next(c for c in answer.headers.get_list("set-cookie") if c.startswith("slicewatch_session="))
        assert {"HttpOnly", "SameSite=lax", "Path=/", "Max-Age=28800"} <= set(session.split("; "))
        assert "planted" not in browser.cookies.values()


def test_two_tabs_sign_in_side_by_side(site):
    """Neither takes the other's place."""
    with site.client() as browser:
        first, second = (browser.get("/sign-in", params={"next": path}) for path in ("/?owner=a", "/?owner=b"))
        backs = [browser.post(sent.headers["location"], data={"sub": "u-kari"}) for sent in (first, second)]
        assert [browser.get(b.headers["location"]).headers["location"] for b in backs] == ["/?owner=a", "/?owner=b"]


def test_who_was_not_sent_does_not_come_back(site):
    """A way back of somebody else's browser, one twice, one too late, one with an error: none of them is a session."""
    with site.client() as theirs, site.client() as mine:
        sent = theirs.get("/sign-in")
        back = theirs.post(sent.headers["location"], data={"sub": "u-kari"}).headers["location"]
        assert mine.get(back).status_code == 401
        late = theirs.get("/sign-in")
        back_late = theirs.post(late.headers["location"], data={"sub": "u-kari"}).headers["location"]
        assert theirs.get(back).status_code == 303
        assert theirs.get(back).status_code == 401
        site.now += timedelta(minutes=11)
        assert theirs.get(back_late).status_code == 401
        denied = theirs.get("/sign-in")
        answer = theirs.get(theirs.post(denied.headers["location"], data={"action": "deny"}).headers["location"])
        assert answer.status_code == 401
        assert "Sign in again" in answer.text


def test_a_part_of_a_page_sends_the_whole_page_to_sign_in(site):
    """What htmx asks for every minute cannot become a provider's page within ours."""
    with site.client(**{"hx-request": "true"}) as browser:
        answer = browser.get("/?owner=a")
        assert (answer.status_code, answer.headers["hx-redirect"]) == (401, "/sign-in?next=%2F%3Fowner%3Da")


def test_a_provider_that_cannot_be_asked_is_a_sentence(empty, tmp_path):
    """And a line in the log, not a traceback on a page."""
    port = free_port()
    (tmp_path / "secret").write_text("s3cret")
    with guarded(empty, tmp_path, WEB.format(port=port, provider=free_port()), port) as site, site.client() as browser:
        answer = browser.get("/sign-in")
        assert answer.status_code == 401
        assert "the sign-in did not work" in answer.text


def test_claims_lie_where_the_operators_say():
    """At the top, or within others, as Keycloak nests them."""
    named = Provider._named
    assert named({"realm_access": {"roles": ["a"]}}, "realm_access.roles") == ["a"]
    assert named({"a.b": ["c"], "a": {"b": ["d"]}}, "a.b") == ["c"]
    assert named({"a": "x"}, "a.b") is None


@pytest.mark.parametrize(
    "wanted",
    [
        "https://evil.example/",
        "//evil.example",
        "///evil.example",
        "/\\evil.example",
        "\\\\evil.example",
        "/\t/evil.example",
        "javascript:alert(1)",
        "evil.example",
        " //evil.example",
        "/\n/evil.example",
        "//[",
        "/sign-in?next=/",
        "/sign-out",
        "/" + "x" * 5_000,
        "",
    ],
)
def test_nobody_is_sent_elsewhere_after_sign_in(wanted):
    """Whatever a link that somebody was given says."""
    assert inward(wanted) == "/"


def test_pages_of_this_site_are_come_back_to():
    """With their filters."""
    assert inward("/slices?slice=%7B%22a%22%3A%22b%22%7D") == "/slices?slice=%7B%22a%22%3A%22b%22%7D"
    assert urlsplit(inward("/incidents/sw-1")).netloc == ""
