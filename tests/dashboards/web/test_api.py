"""The API as its description says: asked for what that allows and for what it does not, of a real server."""

from __future__ import annotations

from datetime import datetime

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, assume, given, settings
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.dashboards.web.guarded import PROXY, guarded

pytestmark = pytest.mark.xdist_group("web")

DESCRIPTION = "/api/v1/openapi.json"
CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
LONGEST = 8_000
EXAMPLES = 5
"""For each operation and each of right and wrong; what each costs is a request or a few."""


@pytest.fixture(scope="module")
def site(world, tmp_path_factory):
    """What is done to it is seen by this file alone."""
    with guarded(world, tmp_path_factory.mktemp("api"), PROXY) as made:
        yield made


def test_every_answer_is_as_described_and_none_is_a_server_error(site):
    """Right and wrong values for every operation: the status is one that is described, and the body has its shape."""
    schema = schemathesis.openapi.from_url(site.url + DESCRIPTION)
    bearer = {"Authorization": f"Bearer {site.token('admin').secret}"}
    asked: dict[str, set[int]] = {}
    for found in schema.get_all_operations():
        operation = found.ok()
        seen = asked.setdefault(f"{operation.method.upper()} {operation.path}", set())
        for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):
            _ask(operation, mode, bearer, seen)
    assert len(asked) > 10
    assert all(asked.values()), "an operation that nothing was asked of"
    assert all(200 in statuses for name, statuses in asked.items() if name == "GET /api/v1/overview")


def _ask(operation, mode, headers, seen) -> None:
    @given(case=operation.as_strategy(generation_mode=mode))
    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    def run(case) -> None:
        # Such an address is refused, or the connection closed: `test_doors` looks at that.
        assume(len(str(case.query)) < LONGEST)
        seen.add(case.call_and_validate(headers=headers, checks=CHECKS).status_code)

    run()


def test_failures_have_one_shape(site):
    """Whatever goes wrong: a sentence under `error`, as JSON, whichever way it is asked."""
    with site.as_("viewer") as browser, site.client() as stranger:
        for answer in (
            stranger.get("/api/v1/overview"),
            stranger.post("/-/reload"),
            browser.get("/api/v1/none"),
            browser.post("/api/v1/overview"),
            browser.post("/api/v1/tokens", json={"name": "x"}),
            browser.get("/api/v1/overview", params={"owner": "x" * 300}),
        ):
            assert list(answer.json()) == ["error"], answer.url
            assert answer.headers["content-type"] == "application/json"


def test_every_operation_is_told_in_words(site):
    """A summary, a description, who may, and the failures; names are unique and none is made of a path."""
    described = httpx.get(site.url + DESCRIPTION).json()
    operations = [told for ways in described["paths"].values() for told in ways.values()]
    for told in operations:
        assert told["summary"]
        assert "a token needs the scope" in told["description"]
        assert len(told["description"].split("\n\n")[0]) > 10, told["operationId"]
        assert {"401", "403", "422", "429"} <= set(told["responses"])
        assert told["tags"], told["operationId"]
        assert told["security"] == [{"token": []}]
    names = [told["operationId"] for told in operations]
    assert len(set(names)) == len(names)
    assert not [name for name in described["components"]["schemas"] if "__" in name or "-" in name]


def test_slices_times_and_words_are_plain_json(site):
    """A slice is an object of its dimensions, a moment has its zone, a state is a word."""
    with site.as_("viewer") as browser:
        (rule,) = browser.get("/api/v1/overview").json()["rules"]
    (incident,) = rule["open"]
    assert incident["cause"] == {"device": "iphone"}
    assert (incident["severity"], rule["health"]) == ("critical", "firing")
    assert datetime.fromisoformat(incident["since"]).tzinfo is not None
