"""Anonymous, viewer, responder and admin at every route there is: the table is made from the routes themselves."""

from __future__ import annotations

import re

import pytest

from dashboards.web.access.guard import SAFE
from dashboards.web.access.people import Role
from dashboards.web.app import PUBLIC
from tests.dashboards.web.guarded import PROXY, empty_world, guarded

pytestmark = pytest.mark.xdist_group("web")

ROLES = {role.word: role for role in Role}
FOR_EVERYBODY = {"/static/{digest}/{name:path}", "/api/v1/openapi.json", "/healthz", "/readyz"}
"""Written out here as well: a path that becomes public has to be meant to."""
REFUSED = frozenset({401, 403})


@pytest.fixture(scope="module")
def empty(tmp_path_factory):
    """Nothing is watched: this is about who gets in."""
    return empty_world(tmp_path_factory.mktemp("empty") / "world")


@pytest.fixture(scope="module")
def site(empty, tmp_path_factory):
    """Behind a proxy; what admins do to all of its routes is seen by this file alone."""
    with guarded(empty, tmp_path_factory.mktemp("matrix"), PROXY) as made:
        yield made


def asked(site):
    """Every route with each of its methods, and an address of it."""
    for entry in site.routes:
        for method in sorted(entry.methods - {"HEAD"}):
            yield entry, method, re.sub(r"\{[^}]*\}", "x", entry.path)


def test_what_is_public_is_written_out(site):
    """And every other route names a role."""
    assert PUBLIC == FOR_EVERYBODY
    assert {entry.path for entry in site.routes if entry.guard is None} == FOR_EVERYBODY
    assert len(site.routes) > 10


def test_each_role_gets_what_it_may_and_nothing_more(site):
    """Strangers 401, a role that is too small 403, whoever may never either; a form's token is always brought."""
    wrong = []
    for role in (None, *ROLES):
        with site.client() if role is None else site.as_(role) as browser:
            form = csrf_of(browser)
            for entry, method, path in asked(site):
                answer = browser.request(method, path, headers={"X-CSRF-Token": form}, follow_redirects=False)
                if entry.guard is None:
                    expected = "open"
                elif role is None:
                    expected = 401
                else:
                    expected = "open" if ROLES[role] >= entry.guard.role else 403
                found = "open" if answer.status_code not in REFUSED else answer.status_code
                if found != expected or answer.status_code >= 500:
                    wrong.append((role, method, path, answer.status_code, expected))
    assert wrong == []


def test_no_route_that_changes_something_can_be_had_from_another_site(site):
    """Without a form's token, with a wrong one, with somebody else's, and from elsewhere with a right one: 403."""
    wrong = []
    with site.as_("admin") as browser, site.as_("responder") as other:
        mine, theirs = csrf_of(browser), csrf_of(other)
        cookie = {"Cookie": "; ".join(f"{name}={value}" for name, value in other.cookies.items())}
        tries = {
            "none": {},
            "wrong": {"X-CSRF-Token": mine[::-1]},
            "of another": {"X-CSRF-Token": theirs},
            "planted": {"X-CSRF-Token": theirs} | cookie,
            "from elsewhere": {"X-CSRF-Token": mine, "Origin": "https://evil.example"},
            "from nowhere": {"X-CSRF-Token": mine, "Origin": "null"},
            "over http": {"X-CSRF-Token": mine, "Origin": site.url.replace("http:", "https:")},
            "cross-site": {"X-CSRF-Token": mine, "Sec-Fetch-Site": "cross-site"},
            "same-site": {"X-CSRF-Token": mine, "Sec-Fetch-Site": "same-site"},
        }
        unsafe = [(method, path) for _, method, path in asked(site) if method not in SAFE]
        for method, path in unsafe:
            for what, headers in tries.items():
                status = browser.request(method, path, headers=headers).status_code
                if status != 403:
                    wrong.append((what, method, path, status))
    assert len(unsafe) > 3
    assert wrong == []


def test_a_viewers_token_acts_nowhere_and_no_token_needs_a_form(site):
    """Every unsafe route refuses a viewer's; an admin's is let through without what browsers have to show."""
    viewer, admin = (site.token(role).secret for role in ("viewer", "admin"))
    unsafe = [(method, path) for _, method, path in asked(site) if method not in SAFE]
    with site.client(Authorization=f"Bearer {viewer}") as script:
        assert {path for method, path in unsafe if script.request(method, path).status_code != 403} == set()
    with site.client(Authorization=f"Bearer {admin}") as script:
        refused = {path for method, path in unsafe if script.request(method, path).status_code in REFUSED}
        # Nor does what was taken back live on in what it had made.
        assert refused <= {"/api/v1/tokens", "/tokens"}


def csrf_of(browser) -> str:
    """What forms of a page bring back, as the page of an overview, or of a refusal, says it."""
    found = re.search(r'name="csrf" content="([^"]+)"', browser.get("/").text)
    assert found is not None
    return found[1]


def test_everybody_may_ask_whether_it_is_well(site):
    """Without a sign-in, and without a word about what is watched."""
    with site.client() as stranger:
        for path in ("/healthz", "/readyz"):
            answer = stranger.get(path)
            assert (answer.status_code, answer.json()) == (200, {"status": "ok", "reasons": []})
            assert answer.headers["cache-control"] == "no-store"
            assert "set-cookie" not in answer.headers
