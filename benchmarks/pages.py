"""Cold loads of every page in a real browser, beside a minimal Dash page of the same heatmap and band, in the same run.

A store of 10,000 leaves (over 11,000 slices) and 28 days is served on loopback, and so is the Dash page, made from the same
numbers. Each is opened in a fresh browser context, in turn: from the navigation until its last chart is drawn, and the bytes
that came over the wire, scripts included. Server time is of the page alone: at its first request after an evaluation, and
the middle one of those after it.

    pip install dash    # the peer; nothing else needs it
    python benchmarks/pages.py [--quick] [--runs N] [--json]
"""

# ruff: noqa: E402  # the number of threads must be set before numpy is loaded

from __future__ import annotations

import os

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_name, "1")

import argparse
import json
import logging
import shutil
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from io import StringIO
from pathlib import Path
from statistics import median
from typing import Any

import httpx

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.evaluation import table
from benchmarks.rows import Row
from benchmarks.web_store import LEAVES, RULE, filled
from dashboards.web.access.doors import Loopback
from monitor import store
from monitor.app import App
from monitor.serving.server import WebServer
from monitor.serving.wiring import Asking, web_app
from monitor.views.curves import curve_of
from monitor.views.panorama import Panoramas

MOST_BYTES = 600_000
MOST_OVERVIEW = 0.3
DRAWN = "() => document.readyState === 'complete' && [...document.querySelectorAll('[data-figure]')].every(e => e.dataset.ready)"
DASH_DRAWN = "() => document.querySelectorAll('.js-plotly-plot .main-svg').length >= 4"
ROWS = 200


@dataclass
class Load:
    """Seconds until drawn and bytes over the wire, of each cold load."""

    seconds: list[float] = field(default_factory=list)
    sent: list[int] = field(default_factory=list)


def cold_load(browser: Any, url: str, drawn: str, into: Load) -> None:
    """Open a page in a browser that has never been there."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    page = context.new_page()
    wire = context.new_cdp_session(page)
    wire.send("Network.enable")
    got: list[int] = []
    wire.on("Network.loadingFinished", lambda event: got.append(int(event["encodedDataLength"])))
    page.goto(url, wait_until="commit")
    page.wait_for_function(drawn, timeout=60_000)
    into.seconds.append(page.evaluate("() => performance.now()") / 1000)
    page.wait_for_timeout(100)
    into.sent.append(sum(got))
    context.close()


@contextmanager
def dash_page(slices: list[str], z: list[list[float | None]], x: list[str], curve: Any) -> Iterator[str]:
    """The peer: two charts on a page, as one writes it in Dash."""
    import dash
    import plotly.graph_objects as go
    from werkzeug.serving import make_server

    heatmap = go.Figure(go.Heatmap(z=z, x=x, y=slices, zmid=0))
    band = go.Figure(
        [
            go.Scatter(x=x, y=curve.low, name="low"),
            go.Scatter(x=x, y=curve.high, name="high", fill="tonexty"),
            go.Scatter(x=x, y=curve.expected, name="expected"),
            go.Scatter(x=x, y=curve.observed, name="observed"),
        ]
    )
    peer = dash.Dash(__name__, serve_locally=True)
    peer.layout = dash.html.Div([dash.dcc.Graph(figure=heatmap), dash.dcc.Graph(figure=band)])
    logging.getLogger("werkzeug").setLevel(logging.WARNING)
    server = make_server("127.0.0.1", 0, peer.server, threaded=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/"
    finally:
        server.shutdown()
        thread.join()


def heat(app: App) -> tuple[list[str], list[list[float | None]], list[str], Any]:
    """The numbers of the heaviest slices, as the peer draws them."""
    import numpy as np

    (found, *_) = Panoramas(app.state, Asking(app)).of(app.rules.rules[0])
    rows = np.argsort(-found.fit.volume)[:ROWS]
    seen, mu = found.observed_of(rows), found.expected_of(rows)
    z = np.where(mu > 0, (seen - mu) / np.sqrt(np.maximum(mu, 1.0)), 0.0).round(2)
    names = [found.lattice.slice_of(int(row)).label() for row in rows]
    curve = curve_of(found, np.zeros(1, dtype=np.int64), band=True)
    return names, z.tolist(), [f"{at:%Y-%m-%d %H:%M}" for at in curve.starts], curve


def pages_of(app: App) -> dict[str, str]:
    """Every page by its name, and its address."""
    with app.state.read() as tx:
        (incident, *_) = store.incidents(tx, rule=RULE.name)
    one = '{"device":"device-01"}'
    return {
        "overview": "/",
        "slice heatmap": f"/slices?rule={RULE.name}",
        "slice": f"/slices/one?rule={RULE.name}&slice={one}",
        "incidents": "/incidents",
        "incident": f"/incidents/{incident.id}",
        "rules": "/rules",
        "rule": f"/rules/{RULE.name}",
        "blind spots": f"/blind-spots?rule={RULE.name}",
        "noise review": "/noise",
        "deliveries": "/deliveries",
        "health": "/health",
        "audit": "/audit",
    }


def server_seconds(url: str, repeats: int) -> tuple[float, float]:
    """Of the first request, and the middle one of those after it."""
    took = []
    with httpx.Client(timeout=120) as client:
        for _ in range(repeats + 1):
            began = time.perf_counter()
            client.get(url).raise_for_status()
            took.append(time.perf_counter() - began)
    return took[0], median(took[1:])


def measure(leaves: int, runs: int) -> Iterator[Row]:
    """One row for each page and figure."""
    from playwright.sync_api import sync_playwright

    program = shutil.which("chromium") or shutil.which("google-chrome")
    if program is None:
        raise SystemExit("no Chromium is installed: apt-get install chromium")
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        made = stack.enter_context(filled(folder, leaves))
        app = stack.enter_context(App.open(made.config, {}, StringIO()))
        web = stack.enter_context(web_app(app, Loopback(), lambda: made.now, b"k" * 32))
        server = WebServer(web, "127.0.0.1", 0)
        stack.callback(server.close)
        server.start()
        peer = stack.enter_context(dash_page(*heat(app)))
        browser = stack.enter_context(sync_playwright()).chromium.launch(executable_path=program, args=["--no-sandbox"])
        stack.callback(browser.close)
        paths = pages_of(app)
        while httpx.get(f"{server.address}/api/v1/blind-spots", timeout=120).json()["working"]:
            time.sleep(0.5)
        first, warm = server_seconds(server.address, 9)
        yield Row("overview: server time, first after an evaluation", first, "s", f"at most {MOST_OVERVIEW:g}")
        yield Row("overview: server time, after that", warm, "s", f"at most {MOST_OVERVIEW:g}")
        for name, path in list(paths.items())[1:]:
            yield Row(f"{name}: server time", server_seconds(server.address + path, 5)[1], "s")
        loads = {name: Load() for name in (*paths, "dash")}
        for _ in range(runs):
            for name, path in paths.items():
                cold_load(browser, server.address + path, DRAWN, loads[name])
            cold_load(browser, peer, DASH_DRAWN, loads["dash"])
        dash = loads.pop("dash")
        yield Row("Dash, heatmap and band: cold load", median(dash.seconds), "s")
        yield Row("Dash, heatmap and band: sent", median(dash.sent) / 1000, "KB")
        for name, load in loads.items():
            yield Row(f"{name}: cold load", median(load.seconds), "s", f"less than Dash: {median(dash.seconds):.2f}")
            yield Row(f"{name}: of Dash's", median(load.seconds) / median(dash.seconds), "x", "below 1")
            yield Row(f"{name}: sent", median(load.sent) / 1000, "KB", f"at most {MOST_BYTES // 1000}")


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="A tenth of the slices, two loads.")
    parser.add_argument("--runs", type=int, default=7, help="Cold loads of each page.")
    parser.add_argument("--json", action="store_true", dest="as_json")
    given = parser.parse_args()
    leaves, runs = (LEAVES // 10, 2) if given.quick else (LEAVES, given.runs)
    rows = list(measure(leaves, runs))
    print(json.dumps([asdict(row) for row in rows]) if given.as_json else table(rows))


if __name__ == "__main__":
    main()
