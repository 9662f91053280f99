"""A world whose values come from somebody who means harm: markup, quotes, 10,000 characters, text that runs backwards."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path

import numpy as np
import pandas as pd

from alerts.marks import new_mark
from alerts.model import Actor
from alerts.silences import Scope
from dashboards.views.tokens import Wanted
from monitor import store
from monitor.acting import Desk
from monitor.app import App
from monitor.token_desk import Tokens
from rules.slices import Slice
from tests.dashboards.web.conftest import World

SCRIPT = "<script>window.harmed = 1</script>"
HARMFUL = (
    SCRIPT,
    '"><img src="x" onerror="window.harmed = 1">',
    "' onmouseover='window.harmed = 1' x='",
    "</script><svg onload=window.harmed=1>",
    "</title></textarea><iframe srcdoc='<script>parent.harmed=1</script>'>",
    "javascript:window.harmed=1//\u202e\u05e9\u05dc\u05d5\u05dd\u202c",
    "{{ 7 * 7 }} {% raw %} ${7*7}",
    "long" * 2_500,
)
NAMES = ("device", '"><b onclick=window.harmed=1>os')
"""Dimensions: the second is as harmful."""
SYSTEMS = ("a", "=cmd|'/c calc'!A1", "\u2066\u2067<i>\n\t")
END = datetime(2026, 3, 4, 12, tzinfo=UTC)
DAYS, EACH_HOUR, HOURS_SILENT = 35, 8, 3
EVIL = Actor("web", "<b>evil</b>", '<img src=x onerror="window.harmed=1">')


def build_hostile(folder: Path) -> World:
    """Five weeks of events, of which one harmful value's stopped some hours ago; it is watched and told."""
    start = END - timedelta(days=DAYS)
    silent = pd.Timestamp(END - timedelta(hours=HOURS_SILENT))
    hours = pd.date_range(start, END, freq="h", inclusive="left")
    rows = [
        {"event_time": hour, NAMES[0]: value, NAMES[1]: system}
        for hour in hours
        for value in HARMFUL
        for system in SYSTEMS
        if not (value == SCRIPT and hour >= silent)
    ]
    counts = np.random.default_rng(0).poisson(EACH_HOUR, len(rows))
    events = pd.DataFrame(rows).loc[lambda f: f.index.repeat(counts)]
    (folder / "rules").mkdir(parents=True)
    events.to_parquet(folder / "events.parquet")
    config = folder / "slicewatch.toml"
    config.write_text(
        'rules = ["rules/*.yaml"]\n[sources.lake]\nkind = "duckdb"\ntables.events = "events.parquet"\n'
        '[receivers.console]\nkind = "console"\n'
    )
    rule = {
        "name": "hostile_events",
        "description": SCRIPT,
        "source": "lake.events",
        "timestamp": "event_time",
        "dimensions": list(NAMES),
        "severity": "critical",
        "owner": "<img src=x onerror=window.harmed=1>",
        "notify": "console",
    }
    (folder / "rules" / "hostile.yaml").write_text(json.dumps({"rules": [rule]}))
    (folder / "rules" / "broken.yaml").write_text(json.dumps({"rules": [{"name": SCRIPT, SCRIPT: SCRIPT}]}))
    with App.open(config, {}, StringIO()) as app:
        (watched,) = app.rules.rules
        for hour in range(-1, HOURS_SILENT):
            tick = END - timedelta(hours=HOURS_SILENT - 1 - hour)
            app.tick(watched, tick)
            app.deliver(lambda at=tick: at, lambda _: None, tick + timedelta(seconds=1), "world")
        _people_say(app)
    return World(folder, END)


def _people_say(app: App) -> None:
    """A mark, a silence, an acknowledgement and a token, by somebody with a harmful name."""
    covered = Slice.of({NAMES[0]: HARMFUL[1]})
    Desk(app).silence(Scope("hostile_events", covered), EVIL, END, END + timedelta(hours=1), SCRIPT)
    Tokens(app.state).give(Wanted(SCRIPT, "viewer", (), None), EVIL, END)
    with app.state.write() as tx:
        store.put_mark(tx, new_mark(SCRIPT, END - timedelta(hours=HOURS_SILENT), Scope("*"), EVIL))
        found = [item.id for item in store.open_incidents(tx, "hostile_events")]
    for incident in found:
        Desk(app).acknowledge(incident, EVIL, END)
