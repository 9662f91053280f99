"""Every page, as its routes say which there are: it opens, its charts draw, and anybody can use it, whatever the screen."""

from __future__ import annotations

from contextlib import suppress

import pytest
from playwright.sync_api import TimeoutError as TooSlow

from alerts.model import State
from monitor import store
from rules.slices import Slice
from tests.dashboards.web.busy import build_busy
from tests.dashboards.web.conftest import serving
from tests.dashboards.web.visits import PLAIN, Shown, name_of, settle
from tests.screenshots import FOLDER, WIDTHS
from tests.standins.browser import unusable

pytestmark = pytest.mark.xdist_group("web")

DESK, PHONE = {"width": 1280, "height": 900}, {"width": 390, "height": 844}
FITS = "() => document.documentElement.scrollWidth <= document.documentElement.clientWidth + 1"
CHARTED = {"/slices/one": 2, "/incidents/{name}": 2}
"""Pages with charts, and how many there are at least."""
MOST_TABS = 40


@pytest.fixture(scope="module")
def busy(world, tmp_path_factory):
    """A place with two owners, where something is wrong, something was, and something cannot be asked."""
    made = build_busy(world, tmp_path_factory.mktemp("busy"))
    with serving(made, tmp_path_factory.mktemp("busy-copy")) as site:
        yield site


@pytest.fixture(scope="module")
def visits(busy):
    """Addresses of all pages, by route; of the smaller rule, where a page is of one."""
    with busy.app.state.read() as tx:
        (incident,) = [item.id for item in store.open_incidents(tx, "signups")]
    return Shown("signups", incident, Slice.of({"country": "NO"})).visits(busy.routes)


def test_every_page_is_one_click_away(busy, visits, tab):
    """The bar at the top leads to each page that has no name in its address, and says where one is."""
    tab.goto(busy.url)
    bar = tab.get_by_role("navigation", name="Pages")
    targets = [link.get_attribute("href") for link in bar.get_by_role("link").all()]
    for target in targets:
        bar.locator(f"a[href='{target}']").click()
        tab.wait_for_url(busy.url + target)
        settle(tab)
        assert bar.locator("[aria-current=page]").get_attribute("href") == target
        assert tab.locator("h1").count() == 1, target
    tab.get_by_role("link", name="Tokens").click()
    tab.wait_for_url("**/tokens")
    inner = {route for route in visits if route.count("/") > 1}
    assert {*targets, "/tokens"} == visits.keys() - inner


def test_docs_show_every_page(visits):
    """On a desk and on a phone, as `python -m tests.screenshots` made them; no picture is of a page that is gone."""
    wanted = {f"{name_of(route)}{suffix}.png" for route in visits for suffix in WIDTHS}
    assert {path.name for path in FOLDER.iterdir()} == wanted


def test_every_page_is_fit_to_use(busy, visits, tab):
    """On a desk and on a phone, light and dark: charts are drawn, nothing is cut off, no button sends one away, axe is content."""
    wrong = []
    for route, path in visits.items():
        tab.set_viewport_size(DESK)
        assert tab.goto(busy.url + path).status == 200, path
        wrong += [f"{route}: {what}" for what in looked_at(tab, route)]
        # The next page begins in the colours that this one ends in: each is seen in both.
        tab.set_viewport_size(PHONE)
        tab.get_by_role("button", name="Light or dark").click()
        wrong += [f"{route} on a phone: {what}" for what in looked_at(tab, route)]
    assert wrong == []


def looked_at(tab, route: str) -> list[str]:
    """What is wrong with a page as it is shown now."""
    settle(tab)
    found = unusable(tab)
    with suppress(TooSlow):
        tab.wait_for_function(FITS, timeout=3_000)  # charts follow a moment after the window
    if not tab.evaluate(FITS):
        found.append("it is wider than its window")
    if not tab.evaluate(PLAIN) or tab.get_by_text("Share chart").count():
        found.append("it has a button of plotly.js")
    drawn = tab.locator(".chart[data-ready] .main-svg").count()
    if drawn < CHARTED.get(route, 0):
        found.append(f"{drawn} charts are drawn")
    return found


def test_a_phone_shows_all_of_a_row(busy, tab):
    """Each cell of a table stands under its head, within the window: nobody pushes a table to and fro at night."""
    tab.set_viewport_size(PHONE)
    tab.goto(busy.url)
    row = tab.locator("table.incidents tbody tr", has_text="device=iphone")
    assert [cell.get_attribute("data-head") for cell in row.locator("td").all()][:2] == ["Severity", "Cause"]
    ends = [box["x"] + box["width"] for box in (cell.bounding_box() for cell in row.locator("td").all()) if box]
    assert len(ends) == 7
    assert max(ends) <= PHONE["width"]
    assert row.get_by_role("cell").count() == 7


def test_an_incident_is_acknowledged_without_a_mouse(site, tab):
    """By Tab and Enter from the top of the overview; wherever one is can be seen."""
    tab.goto(site.url)
    tab.keyboard.press("Tab")
    assert focused(tab) == "Skip to the content"
    tab.keyboard.press("Enter")
    tab_to(tab, "device=iphone")
    tab.keyboard.press("Enter")
    tab.wait_for_url("**/incidents/sw-*")
    tab_to(tab, "Acknowledge")
    tab.keyboard.press("Enter")
    tab.locator("[data-told]").wait_for()
    with site.app.state.read() as tx:
        assert store.incident(tx, site.incident).state is State.ACKNOWLEDGED


def focused(tab) -> str:
    """The words of what has the focus."""
    return tab.evaluate("() => document.activeElement.textContent.trim()")


def tab_to(tab, words: str) -> None:
    """Press Tab until something with these words has the focus; everything on the way shows that it has it."""
    for _ in range(MOST_TABS):
        tab.keyboard.press("Tab")
        assert tab.evaluate("() => getComputedStyle(document.activeElement).outlineStyle") != "none", focused(tab)
        if focused(tab) == words:
            return
    pytest.fail(f"{words} is not reached by {MOST_TABS} tabs")
