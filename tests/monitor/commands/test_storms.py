"""Many slices at once, through `slicewatch once` on a generated lake: one message for one cause, one digest for fifty."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest

from alerts.model import Reason
from monitor import store
from tests.monitor.commands.place import TOML, Place

pytestmark = pytest.mark.xdist_group("commands")

DAYS = 30
END = datetime(2026, 3, 4, tzinfo=UTC)
RULE = """\
rules:
  - name: daily_events
    source: lake.playback
    timestamp: event_time
    time_bucket: 1d
    metrics: [{sum: events}]
    dimensions: [DIMENSIONS]
    keep_firing_for: 1
"""


def lake(place: Place, rows: list[dict[str, str]], means: np.ndarray, factors: dict[int, np.ndarray]) -> None:
    """One row a day for each of `rows`, about `means` of events; on some days (counted from END) times a factor."""
    rng = np.random.default_rng(4)
    days = pd.date_range(END - timedelta(days=DAYS), END + timedelta(days=3), freq="D", inclusive="left").tz_localize(
        None
    )
    scale = np.ones((len(days), len(rows)))
    for day, factor in factors.items():
        scale[DAYS + day] = factor
    counts = rng.poisson(scale * means)
    frame = pd.DataFrame([row for _ in days for row in rows])
    frame.insert(0, "event_time", np.repeat(days, len(rows)))
    frame["events"] = counts.ravel()
    place.write_events(frame[frame["events"] > 0])


def evaluated(place: Place, day: int) -> tuple[list[dict], dict]:
    """The messages of `once` at the midnight after a day, and the store."""
    (line,) = place.lines("once", "--at", (END + timedelta(days=day + 1)).isoformat())
    return line["messages"], line


def store_of(place: Place) -> store.Store:
    return store.Store.open(f"sqlite:///{place.folder / 'slicewatch.db'}")


@pytest.fixture
def place(tmp_path) -> Place:
    made = Place(tmp_path / "place")
    made.write("slicewatch.toml", TOML)
    return made


def test_a_thousand_slices_of_one_device_are_one_message(place):
    """A device is lost in a thousand regions, each of them alarmed: it is told once, as the device."""
    place.write("rules/daily.yaml", RULE.replace("DIMENSIONS", "device, region"))
    rows = [{"device": device, "region": f"r{n:04}"} for device in ("ios", "web", "tv") for n in range(1_000)]
    gone = np.array([0.0 if row["device"] == "ios" else 1.0 for row in rows])
    lake(place, rows, np.full(len(rows), 60.0), {0: gone})
    (message,), _ = evaluated(place, 0)
    assert "device=ios" in message["push"]
    state = store_of(place)
    with state.read() as tx:
        (incident,) = store.incidents(tx)
    state.close()
    assert incident.evidence.children_count >= 1_000


def test_a_storm_of_fifty_causes_is_one_digest_and_ends_in_its_thread(place):
    """Fifty apps are lost, and others have what they had: one message, fifty incidents; their end is one message too."""
    place.write("rules/daily.yaml", RULE.replace("DIMENSIONS", "app"))
    rows = [{"app": f"app-{n:03}"} for n in range(150)]
    means = np.linspace(400.0, 900.0, len(rows))
    factor = np.ones(len(rows))
    factor[::3] = 0.0
    factor[1::3] = 2.0
    lake(place, rows, means, {0: factor, 1: np.ones(len(rows))})
    (message,), line = evaluated(place, 0)
    assert len(line["transitions"]) == 50
    assert message["push"].startswith("WARNING 50 new incidents at once. Worst: daily_events: app=app-147")
    state = store_of(place)
    with state.read() as tx:
        incidents = store.incidents(tx)
        reasons = [d.reason for i in incidents for d in store.decisions(tx, i.id)]
        (digest,) = {key for i in incidents for key in store.lately(tx, "terminal", [i.id], END).through.values()}
        told = {i.id for i in store.digested(tx, digest)}
    assert reasons == [Reason.DIGESTED] * 50
    assert told == {i.id for i in incidents}
    (over,), _ = evaluated(place, 1)
    assert over["push"] == "RESOLVED all 50 incidents told together are over."
    with state.read() as tx:
        sent = store.deliveries(tx, digest)
    assert [(part.seq, part.state) for part in sent] == [(1, "done"), (2, "done")]
    state.close()
