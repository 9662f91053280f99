"""Values from outside do no harm on any page: nothing of them runs, and none breaks the layout."""

from __future__ import annotations

import re
from contextlib import suppress
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import TimeoutError as TooSlow

from dashboards.web.templating import link, slice_key
from rules.slices import Slice
from tests.dashboards.web.conftest import serving
from tests.dashboards.web.hostile import HARMFUL, NAMES, SCRIPT, build_hostile

pytestmark = pytest.mark.xdist_group("web")

MOST_OF_A_KIND = 2
"""Pages that are opened of each kind: two incidents are shown alike."""
MOST = 60
WIDER = "document.documentElement.scrollWidth - document.documentElement.clientWidth"


@pytest.fixture(scope="module")
def hostile(tmp_path_factory):
    """Served as to whoever is on this machine."""
    made = build_hostile(tmp_path_factory.mktemp("hostile"))
    with serving(made, tmp_path_factory.mktemp("hostile-copy")) as site:
        yield site


def test_nothing_of_a_value_runs_on_any_page(hostile, tab):
    """Every page that a link leads to, wide and narrow; the browser's console and its policy's complaints stay silent."""
    tab.on("dialog", lambda dialog: tab.wrong.append(dialog.message))
    queue, seen, kinds, dead = ["/", *map(slice_page, HARMFUL[-2:])], set(), {}, []
    while queue and len(seen) < MOST:
        path = queue.pop(0)
        if path in seen or kinds.get(kind(path), 0) >= MOST_OF_A_KIND:
            continue
        seen.add(path)
        kinds[kind(path)] = kinds.get(kind(path), 0) + 1
        if hostile.get(path).status_code == 404:
            dead.append(path)
            continue
        queue += look_at(tab, hostile.url, path)
    assert {"/", "/tokens", "/rules", "/audit", "/deliveries"} <= set(kinds)
    assert dead == []


def slice_page(value: str) -> str:
    """The page of all that has a value, of 10,000 characters if need be."""
    return link("/slices/one", rule="hostile_events", metric="count", slice=slice_key(Slice.of({NAMES[0]: value})))


def look_at(tab, url: str, path: str) -> list[str]:
    """Open a page, move over it, measure it; the pages it links to. What is wrong with it fails the test."""
    tab.set_viewport_size({"width": 1280, "height": 900})
    answer = tab.goto(url + path)
    assert answer.status < 500, path
    assert tab.evaluate("() => window.harmed === undefined"), path
    assert tab.locator("main script:not([type='application/json']), iframe, main img").count() == 0, path
    assert tab.evaluate(
        "() => ![...document.querySelectorAll('*')].some(e => e.hasAttribute('onerror') || e.hasAttribute('onclick'))"
    ), path
    for width in (1280, 390):
        tab.set_viewport_size({"width": width, "height": 900})
        # Charts follow a moment after the window.
        with suppress(TooSlow):
            tab.wait_for_function(f"() => {WIDER} <= 1", timeout=3_000)
        assert tab.evaluate(f"() => {WIDER}") <= 1, f"{path} is too wide at {width}"
    links = tab.eval_on_selector_all("a[href]", "found => found.map(one => one.getAttribute('href'))")
    return [link for link in links if link.startswith("/") and not is_file(link)]


def kind(path: str) -> str:
    """Pages that are made alike: the path without names and ids, and whether anything is filtered."""
    parts = urlsplit(path)
    plain = re.sub(r"/(sw-|sl-|[^/]*%|hostile)[^/]*", "/*", parts.path)
    return plain + ("?" if parts.query else "")


def is_file(link: str) -> bool:
    """What a browser downloads, or shows as JSON."""
    path = urlsplit(link).path
    return path.startswith(("/api/", "/static/")) or path.endswith((".csv", ".json", ".md", ".yaml"))


def test_values_are_shown_as_they_are(hostile, tab):
    """As text, and not lost: the incident's cause names the value that went silent."""
    tab.goto(hostile.url)
    assert SCRIPT in tab.locator("table.incidents tbody").inner_text()
    assert tab.locator("table.rules").inner_text().count("<img src=x onerror=window.harmed=1>") == 1


def test_a_spreadsheet_runs_nothing(hostile):
    """No cell of any CSV begins as a formula does."""
    import csv
    from io import StringIO

    for path in ("/overview.csv", "/tokens.csv", "/audit.csv", "/deliveries.csv"):
        answer = hostile.get(path)
        assert answer.status_code == 200, path
        cells = [cell for row in csv.reader(StringIO(answer.text)) for cell in row]
        assert not [cell for cell in cells if cell.startswith(("=", "@", "\t", "\r"))], path
        assert answer.headers["content-disposition"].startswith("attachment")
