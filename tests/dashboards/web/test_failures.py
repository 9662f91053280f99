"""What goes wrong in slicewatch itself."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from dashboards.web.security import HEADERS
from monitor.views.coverage import Coverages
from rules.load import RuleSet
from rules.model import Metric

pytestmark = pytest.mark.xdist_group("web")


def test_a_failure_nobody_foresaw_is_answered_like_any_page(site):
    """With all headers that keep a browser from harm, kept by no cache, and with nothing of what failed."""
    site.app.rules = None
    answer = site.get("/")
    assert answer.status_code == 500
    assert {name: answer.headers.get(name) for name in HEADERS} == HEADERS
    assert answer.headers["Cache-Control"] == "no-store"
    assert "NoneType" not in answer.text


@pytest.mark.parametrize("path", ["/deliveries?receiver=%00", "/audit?who=%00"])
def test_what_no_store_can_hold_is_not_understood(site, path):
    """PostgreSQL takes no NUL: it is refused before it is asked."""
    assert site.get(path).status_code == 422


def test_no_delivery_has_such_a_name(site):
    """Nothing is logged of what names nothing."""
    assert site.send("POST", f"/api/v1/deliveries/{'x' * 65}/retry").status_code in (403, 422)


def test_what_was_known_of_a_rule_is_not_shown_of_a_changed_one(site):
    """It may have other metrics and dimensions by now: until that is worked out, nothing is known."""
    (rule,) = site.app.rules.rules
    coverages = Coverages(site.app.state)
    assert coverages.now(rule)
    assert coverages.of(replace(rule, metrics=(*rule.metrics, Metric("other")))) is None
    coverages.close()


def test_every_list_stands_where_no_rule_is_watched(site):
    """On the first day, or with all files broken: each page of the menu says so, and none is an error."""
    site.app.rules = RuleSet()
    for path in re.findall(r'<a href="(/[a-z-]*)"', site.get("/").text.partition("</nav>")[0]):
        assert site.get(path).status_code == 200, path
    assert "nothing at all would be noticed" in site.get("/blind-spots").text
