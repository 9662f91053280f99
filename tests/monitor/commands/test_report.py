"""`slicewatch report --html`: one file that holds all it shows."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest

pytestmark = pytest.mark.xdist_group("commands")


class Loads(HTMLParser):
    """What a document would fetch or run."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, str]] = []

    def handle_starttag(self, tag, attrs):
        self.found += [(tag, f"{name}={value}") for name, value in attrs if name in ("src", "href", "srcset", "data")]
        self.found += [(tag, "")] if tag in ("script", "link", "iframe", "object") else []


def test_it_holds_the_open_incident_and_fetches_nothing(told):
    """The cause, its curve, every rule; and neither script nor link."""
    file = told.folder / "report.html"
    run = told.run("report", "--html", str(file))
    assert (run.exit_code, run.stdout) == (0, f"{file}: 1 rule, 1 open incident\n")
    text = file.read_text(encoding="utf-8")
    loads = Loads()
    loads.feed(text)
    assert loads.found == []
    assert re.search(r"url\(|@import", text) is None
    assert "device=ios" in text
    assert text.count('<svg class="area"') == 2
    assert "playback_volume" in text


def test_where_nothing_ran_it_says_so(fresh):
    """No rule evaluated: never run, and nothing open."""
    file = fresh.folder / "report.html"
    assert fresh.run("report", "--html", str(file)).exit_code == 0
    text = file.read_text(encoding="utf-8")
    assert "never run" in text
    assert "None is open" in text
