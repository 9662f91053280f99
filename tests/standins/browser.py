"""A real browser for tests: Debian's Chromium, driven by Playwright. What a page does wrong fails the test that opened it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest

LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})


@pytest.fixture(scope="session")
def chromium() -> Iterator[object]:
    """The browser; skips where none is installed, which with CI=true is a failure."""
    program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if program is None:
        if os.environ.get("CI") == "true":
            pytest.fail("no Chromium is installed: the pages are not tested")
        pytest.skip("no Chromium is installed: apt-get install chromium")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox", "--disable-gpu"])
        yield browser
        browser.close()


@pytest.fixture
def tab(chromium) -> Iterator[object]:
    """An empty tab, light and wide. At the end: no error on its console, no script that failed, nothing asked elsewhere."""
    context = chromium.new_context(viewport={"width": 1280, "height": 900}, timezone_id="Europe/Oslo", locale="en-GB")
    context.set_default_timeout(15_000)
    page = context.new_page()
    wrong: list[str] = []
    page.on("console", lambda message: wrong.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("request", lambda asked: wrong.append(f"asked {asked.url}") if is_elsewhere(asked.url) else None)
    page.wrong = wrong
    yield page
    context.close()
    assert wrong == []


def is_elsewhere(url: str) -> bool:
    """Whether a request leaves this machine."""
    parts = urlsplit(url)
    return parts.scheme not in ("data", "blob", "about") and parts.hostname not in LOOPBACK


def unusable(page: object) -> list[str]:
    """What axe-core finds seriously wrong for people with a screen reader, a keyboard alone or weak eyes."""
    from axe_playwright_python.sync_playwright import Axe

    found = Axe().run(page, options={"resultTypes": ["violations"]}).response["violations"]
    return [f"{v['id']}: {v['nodes'][0]['html'][:200]}" for v in found if v["impact"] in ("serious", "critical")]
