"""The heatmap: which slices are off, since when, in a page that is small and says the same without colours."""

from __future__ import annotations

import csv
from io import StringIO

import pytest

from tests.standins.browser import unusable

pytestmark = pytest.mark.xdist_group("web")

COLOUR = """canvas => [...canvas.getContext("2d").getImageData(canvas.width - 4, 8, 1, 1).data]"""


def test_the_slice_that_went_dark_stands_first_and_is_red_where_it_is_dark(site, tab):
    """Its newest cells are coloured, pointing at one tells its numbers, arrows move to others, and filters narrow down."""
    tab.goto(site.url + "/slices")
    first = tab.locator("table.heat tbody tr").first
    assert "device=iphone" in first.inner_text()
    assert first.locator(".alarmed").count() == 1
    red, _, blue, opacity = first.locator("canvas").evaluate(COLOUR)
    assert (red > 2 * blue, opacity) == (True, 255)
    box = first.locator("canvas").bounding_box()
    tab.mouse.move(box["x"] + box["width"] - 3, box["y"] + 5)
    assert tab.locator("#cell").inner_text() == "2026-03-04 10:00 UTC: 0, 97.3 expected (-100 %)"
    first.locator("canvas").focus()
    tab.keyboard.press("ArrowLeft")
    assert tab.locator("#cell").inner_text().startswith("2026-03-04 09:00 UTC: 0, ")
    tab.keyboard.press("ArrowDown")
    assert tab.evaluate("document.activeElement.dataset.row") == "1"
    assert unusable(tab) == []

    tab.get_by_label("Dimension").select_option("country")
    tab.wait_for_url("**dimension=country**")
    assert all(name.startswith("country=") for name in tab.locator("table.heat tbody th").all_inner_texts())
    tab.get_by_label("Dimension").select_option("")
    tab.wait_for_url("**dimension=&**")
    tab.get_by_label("Holding").fill("IPHONE country=no")
    tab.get_by_role("button", name="Show").click()
    assert tab.locator("table.heat tbody th").all_inner_texts() == ["device=iphone, country=NO"]


def test_what_stands_first_is_what_is_asked_for(site):
    """The least likely by chance, the largest, what misses most, what has most too many."""

    def first(sort):
        page = site.get(f"/api/v1/slices?dimension=device&sort={sort}").json()
        return page["rows"][0]["name"]

    assert first("worst") == first("loss") == first("volume") == "device=iphone"
    assert first("growth") == "device=android_phone"
    total = site.get("/api/v1/slices?sort=volume").json()["rows"][0]
    assert total["name"] == "every event"


def test_pages_of_rows_hold_each_slice_once(site):
    """Two hundred at a time, and no more than there are."""
    names = []
    for page in range(20):
        shown = site.get(f"/api/v1/slices?page={page}").json()
        names += [row["name"] for row in shown["rows"]]
        if not shown["more"]:
            break
    assert len(names) == len(set(names)) == shown["found"] == shown["slices"]


def test_csv_holds_a_column_a_bucket_in_standard_deviations(site):
    """Below zero is less than expected."""
    rows = list(csv.DictReader(StringIO(site.get("/slices.csv?dimension=device").text)))
    assert rows[0]["slice"] == "device=iphone"
    assert float(rows[0]["2026-03-04T10:00Z"]) < -5
    assert len(rows[0]) == 6 + 72


def test_a_page_of_slices_is_small(site):
    """Two hundred slices by 72 buckets stay below 150 KB on the wire."""
    answer = site.get("/slices", headers={"Accept-Encoding": "gzip"})
    assert answer.text.count('canvas class="cells"') == 200
    assert answer.num_bytes_downloaded < 150_000


def test_what_is_not_there_is_said_so(site):
    """A rule, a metric or a dimension of no such name is 404; a sort of no such name is not understood."""
    for query in ("rule=nothing", "metric=sum(ms)", "dimension=planet"):
        assert site.get(f"/slices?{query}").status_code == 404
    assert site.get("/slices?sort=luck").status_code == 422
    assert site.get("/slices?text=nothing+like+it").status_code == 200
    site.app.rules = site.app.rules.__class__()
    assert "No rule is watched" in site.get("/slices").text
