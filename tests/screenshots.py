"""Pictures of every page, for docs/: on a desk and on a phone.

`.venv/bin/python -m tests.screenshots` writes docs/screenshots anew; `--theme dark --to FOLDER` to look at the other colours.
They are to be looked at: no test can say that a page is pleasant.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
from collections.abc import Mapping
from contextlib import chdir
from io import BytesIO
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, sync_playwright

from rules.slices import Slice
from tests.dashboards.web.busy import build_busy
from tests.dashboards.web.conftest import Served, build_world, serving
from tests.dashboards.web.visits import Shown, name_of, settle

FOLDER = Path(__file__).resolve().parents[1] / "docs" / "screenshots"
WIDTHS = {"": 1280, "-phone": 390}
TALLEST = 1600
COLOURS = 128
"""Of a picture: as the eye sees it, in a third of the bytes."""
IPHONE = Slice.of({"device": "iphone"})


def main() -> None:
    """Build a place, serve it, and take the pictures."""
    wanted = argparse.ArgumentParser(description=__doc__)
    wanted.add_argument("--to", type=Path, default=FOLDER)
    wanted.add_argument("--theme", choices=("light", "dark"), default="light")
    given = wanted.parse_args()
    to = given.to.resolve()
    to.mkdir(parents=True, exist_ok=True)
    # Within the folder, so that pages show paths as whoever runs slicewatch beside its files sees them.
    with tempfile.TemporaryDirectory() as folder, chdir(folder):
        demo, busy, served = (Path(name) for name in ("demo", "busy", "watch"))
        busy.mkdir()
        served.mkdir()
        with serving(build_busy(build_world(demo), busy), served) as site:
            shown = Shown("playback_volume", site.incident, IPHONE)
            take(site, shown.visits(site.routes), to, given.theme)


def take(site: Served, visits: Mapping[str, str], folder: Path, theme: str) -> None:
    """A picture a page and width."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        for suffix, width in WIDTHS.items():
            for route, path in reversed(visits.items()):  # the overview knows most when all else was asked for
                shot = picture(browser, site.url + path, width, theme)
                (folder / f"{name_of(route)}{suffix}.png").write_bytes(small(shot))
        browser.close()


def picture(browser: Browser, url: str, width: int, theme: str) -> bytes:
    """A page as PNG, from its top to its end or as far as anybody scrolls."""
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=theme, locale="en-GB")
    page = context.new_page()
    page.goto(url)
    settle(page)
    height = min(page.evaluate("document.documentElement.scrollHeight"), TALLEST)
    page.set_viewport_size({"width": width, "height": height})
    shot = page.screenshot(clip={"x": 0, "y": 0, "width": width, "height": height})
    context.close()
    return shot


def small(shot: bytes) -> bytes:
    """The same in few colours."""
    out = BytesIO()
    whole = Image.open(BytesIO(shot)).convert("RGB")
    few = whole.quantize(COLOURS, Image.Quantize.MAXCOVERAGE, kmeans=2, dither=Image.Dither.NONE)
    few.save(out, "PNG", optimize=True)
    return out.getvalue()


if __name__ == "__main__":
    main()
