"""A place that has been watched for a while: something is wrong, something was, something cannot be asked."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from datetime import datetime, timedelta
from io import StringIO
from pathlib import Path

import numpy as np
import pandas as pd

from alerts.model import Actor, Feedback
from alerts.ports import Lane, Part
from alerts.silences import Scope
from dashboards.views.tokens import Wanted
from monitor import store
from monitor.acting import Desk
from monitor.app import App
from monitor.commands.demo import END
from monitor.presence import Presence
from monitor.token_desk import Tokens
from rules.model import Rule
from rules.slices import Slice
from tests.dashboards.web.conftest import HOURS_IN, World

KARI, OLA = Actor("slack", "U1", "Kari"), Actor("web", "ola@example.com", "Ola")
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
OUTAGE = END - 10 * HOUR
NOW = OUTAGE + HOURS_IN * HOUR
PLANS = {"free": 12.0, "trial": 7.0, "pro": 5.0, "team": 4.0}
COUNTRIES = {"US": 4.0, "DE": 2.5, "GB": 2.0, "NO": 1.5, "SE": 1.5, "JP": 1.0}

TOML = """
[sources.product]
kind = "duckdb"
tables.signups = "signups.parquet"
tables.ad_clicks = "/lake/ad_clicks/*.parquet"
tables.refunds = "refunds.parquet"

[receivers.growth-data]
kind = "console"
"""

GROWTH = """\
rules:
  - name: signups
    source: product.signups
    timestamp: event_time
    dimensions: [plan, country]
    severity: warning
    owner: growth
    notify: growth-data
  - name: ad_clicks
    source: product.ad_clicks
    timestamp: event_time
    dimensions: [campaign]
    owner: growth
    notify: growth-data
"""

Gap = tuple[dict[str, str], datetime, datetime, float]
"""Events of a slice within [from, until) of which only a share came."""

OVER: Sequence[tuple[Gap, Feedback | None]] = (
    (({"country": "SE"}, OUTAGE - 6 * DAY, OUTAGE - 6 * DAY + 5 * HOUR, 0.0), Feedback.LEAVE_OUT),
    (({"country": "SE"}, OUTAGE - 3 * DAY, OUTAGE - 3 * DAY + 5 * HOUR, 0.0), Feedback.LEAVE_OUT),
    (({}, OUTAGE - 2 * DAY, OUTAGE - 2 * DAY + 3 * HOUR, 0.3), None),
)
"""What was wrong once, and what somebody said of it."""
OPEN: Gap = ({"country": "NO"}, OUTAGE, END, 0.1)


def build_busy(world: World, folder: Path) -> World:
    """A demo's world with another owner's rules beside its own: one with a past, one whose table is not there."""
    for name in ("slicewatch.toml", "slicewatch.db"):
        shutil.copy(world.folder / name, folder / name)
    shutil.copytree(world.folder / "rules", folder / "rules")
    config = folder / "slicewatch.toml"
    config.write_text(config.read_text() + TOML)
    (folder / "rules" / "growth.yaml").write_text(GROWTH)
    signups([*(gap for gap, _ in OVER), OPEN]).to_parquet(folder / "signups.parquet")
    with App.open(config, {}, StringIO()) as app:
        rules = {rule.name: rule for rule in app.rules.rules}
        for gap, feedback in OVER:
            _watch_past(app, rules["signups"], gap, feedback)
        _watch_now(app, [rules["signups"], rules["ad_clicks"]])
        _people_did(app)
    return World(folder, NOW)


def signups(gaps: Sequence[Gap]) -> pd.DataFrame:
    """Five weeks of events, `gaps` left out of them."""
    starts = pd.date_range(END - 35 * DAY, END, freq="h", inclusive="left")
    frame = pd.DataFrame(
        [(at, plan, country) for at in starts for plan in PLANS for country in COUNTRIES],
        columns=["event_time", "plan", "country"],
    )
    by_hour = 1 + 0.6 * np.sin((frame["event_time"].dt.hour - 8) / 24 * 2 * np.pi)
    rate = frame["plan"].map(PLANS) * frame["country"].map(COUNTRIES) * by_hour / 2
    for terms, begins, ends, share in gaps:
        rows = (frame["event_time"] >= begins) & (frame["event_time"] < ends)
        for name, value in terms.items():
            rows &= frame[name] == value
        rate = rate.mask(rows, rate * share)
    counts = np.random.default_rng(1).poisson(rate)
    return frame.loc[frame.index.repeat(counts)]


def _watch_past(app: App, rule: Rule, gap: Gap, feedback: Feedback | None) -> None:
    """Evaluated from before it until it is over; somebody does something while it lasts, or says at its end what it was."""
    _, begins, ends, _ = gap
    desk, at = Desk(app), begins
    while at <= ends + 4 * HOUR:
        app.tick(rule, at)
        _deliver(app, at)
        for incident in _open(app, rule):
            if feedback is None and at == begins + 3 * HOUR:
                desk.acknowledge(incident, KARI, at + timedelta(minutes=11))
            elif feedback is not None and at == ends:
                desk.not_a_problem(incident, OLA, at + timedelta(minutes=40), feedback)
        _deliver(app, at + timedelta(minutes=41))
        at += HOUR


def _watch_now(app: App, rules: Sequence[Rule]) -> None:
    """The last hours, in which the team's channel is gone for a while."""
    for hour in range(-1, HOURS_IN + 1):
        at = OUTAGE + hour * HOUR
        for rule in rules:
            app.tick(rule, at)
        if hour == 1:
            _give_up(app, at)
        _deliver(app, at)


def _people_did(app: App) -> None:
    """An acknowledgement, a mark, a silence, tokens; and a daemon is there."""
    desk = Desk(app)
    desk.mark("app 8.5 released to all", OUTAGE - timedelta(minutes=40), Scope("playback_*"), KARI, OUTAGE)
    for incident in _open(app, app.chosen(["signups"])[0]):
        desk.acknowledge(incident, KARI, NOW - timedelta(minutes=35))
    _deliver(app, NOW - timedelta(minutes=35))
    sweden = Slice.of({"country": "SE"})
    desk.silence(Scope("signups", sweden), OLA, NOW - HOUR, NOW + 6 * HOUR, "the partner there moves its servers")
    Tokens(app.state).give(Wanted("deployments", "responder", ("marks",), NOW + 90 * DAY), OLA, NOW - 30 * DAY)
    Tokens(app.state).give(Wanted("grafana", "viewer", (), None), OLA, NOW - 60 * DAY)
    Presence("watcher-1", 4711, NOW - 9 * DAY).say(app.state, NOW - timedelta(seconds=20))


def _open(app: App, rule: Rule) -> list[str]:
    with app.state.read() as tx:
        return [incident.id for incident in store.open_incidents(tx, rule.name)]


def _deliver(app: App, at: datetime) -> None:
    app.deliver(lambda: at + timedelta(seconds=2), lambda _: None, at + timedelta(seconds=5), "watcher-1")


def _give_up(app: App, at: datetime) -> None:
    """What waits for the team's channel now."""
    outbox = store.SqlOutbox(app.state)
    delivery = outbox.claim(at, "watcher-1", 60, Lane("growth-data", Part.TEXT))
    if delivery is not None:
        outbox.dead(delivery, "channel_not_found: the channel is archived", at)
