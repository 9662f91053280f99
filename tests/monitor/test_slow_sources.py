"""A daemon among sources that hang, and rules that fail in themselves: the others are on time."""

from __future__ import annotations

import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

import pytest
import sqlalchemy as sa
from starlette.testclient import TestClient

from dashboards.web.access.doors import Loopback
from monitor import store
from monitor.app import App
from monitor.buckets import to_datetime, to_epoch
from monitor.fits import HEAD
from monitor.scheduler import Daemon
from monitor.serving.wiring import web_app
from tests.monitor.commands.place import END, HOUR, RULE, TOML, Place, events
from tests.monitor.test_reload import Clock, Sink

SLOW = 120.0
LOCAL = "http://127.0.0.1:8080"
HUNG = 12
"""Rules of the source that hangs: many more than it is asked by at once."""
AT_ONCE = 2


def wait_for(what: Callable[[], object]) -> None:
    until = time.monotonic() + SLOW
    while not what():
        assert time.monotonic() < until, "it did not happen in time"
        time.sleep(0.02)


@contextmanager
def watching(place: Place, clock: Clock, **env: str) -> Iterator[Daemon]:
    with App.open(place.config, env, out=Sink()) as app:
        daemon = Daemon(app, now=clock, watch_seconds=0.02)
        thread = threading.Thread(target=daemon.run)
        thread.start()
        try:
            yield daemon
        finally:
            app.stop_asking()
            daemon.stop()
            thread.join(SLOW)
            assert not thread.is_alive()


def runs(daemon: Daemon, rule: str) -> list[store.Run]:
    with daemon.app.state.read() as tx:
        return store.runs(tx, rule, limit=1_000)[::-1]


def newest(daemon: Daemon, rule: str) -> datetime | None:
    found = runs(daemon, rule)
    return to_datetime(found[-1].tick) if found else None


@pytest.fixture
def place(tmp_path) -> Place:
    made = Place(tmp_path / "place")
    made.write("slicewatch.toml", TOML)
    made.write("rules/playback.yaml", RULE)
    made.write_events(events(END))
    return made


@pytest.fixture
def locked(postgres_url: str) -> Iterator[sa.Engine]:
    """A table that nobody can read, since somebody holds a lock on it."""
    engine = sa.create_engine(postgres_url, poolclass=sa.NullPool)
    with engine.begin() as connection:
        connection.exec_driver_sql("DROP TABLE IF EXISTS public.stuck")
        connection.exec_driver_sql(
            "CREATE TABLE public.stuck (event_time timestamptz, device text, country text, events int)"
        )
    with engine.connect() as holder:
        holder.exec_driver_sql("LOCK TABLE public.stuck IN ACCESS EXCLUSIVE MODE")
        yield engine
    with engine.begin() as connection:
        connection.exec_driver_sql("DROP TABLE public.stuck")


def waiting(server: sa.Engine) -> int:
    """Queries that the server keeps waiting for the lock."""
    sql = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND state = 'active'"
    with server.connect() as connection:
        return int(connection.exec_driver_sql(sql).scalar_one())


def test_rules_of_a_source_that_hangs_hold_up_no_others(place, locked, postgres_url):
    """Twelve rules wait for a locked table, two at a time; those of the lake are evaluated at each of their ticks.

    When the program ends, what runs at the server ends, and the ticks that hung are left as if never begun.
    """
    warehouse = f'[sources.warehouse]\nkind = "sql"\nurl = {{env = "WAREHOUSE"}}\nconcurrency = {AT_ONCE}\n'
    place.write("slicewatch.toml", TOML + warehouse)
    for n in range(HUNG):
        text = RULE.replace("playback_volume", f"hung_{n}").replace("lake.playback", "warehouse.stuck")
        place.write(f"rules/hung_{n}.yaml", text)
    clock = Clock(END)
    with watching(place, clock, WAREHOUSE=postgres_url) as daemon:
        wait_for(lambda: waiting(locked) == AT_ONCE)
        for hour in range(1, 4):
            clock.at = END + hour * HOUR
            # A rule that was edited is looked at without waiting for the clock of this machine.
            place.write("rules/playback.yaml", RULE.replace("recs-data", f"team-{hour}"))
            wait_for(lambda: newest(daemon, "playback_volume") == clock.at)
            assert waiting(locked) == AT_ONCE
        hung = [run for n in range(HUNG) for run in runs(daemon, f"hung_{n}")]
        daemon.app.stop_asking()
        wait_for(lambda: waiting(locked) == 0)
        assert hung == []
        after = [run for n in range(HUNG) for run in runs(daemon, f"hung_{n}")]
    assert after == []


# --- rules that fail in themselves -----------------------------------------------------------------------------


OFTEN = RULE + "    schedule: 5m\n"
MINUTES = timedelta(minutes=5)


@pytest.fixture
def spoilt(place: Place) -> Iterator[Daemon]:
    """Two rules that have run; what one of them has learned cannot be made sense of any more."""
    place.write("rules/playback.yaml", OFTEN)
    place.write("rules/other.yaml", OFTEN.replace("playback_volume", "other"))
    assert place.run("once", "--at", (END - HOUR).isoformat()).exit_code == 0
    with App.open(place.config, {}, out=Sink()) as app:
        spoil(app, "playback_volume")
        yield Daemon(app, now=Clock(END - MINUTES))


def spoil(app: App, rule: str) -> None:
    """As by a mistake of ours: what was learned was written well, and is nothing that could be read."""
    with app.state.write() as tx:
        as_of, body = store.newest_fit(tx, rule, to_epoch(END))
        store.put_fit(tx, rule, as_of, body[: HEAD.size] + struct.pack("<I", 8) + b"no learn" + struct.pack("<I", 0))


def forget(app: App, rule: str) -> None:
    """What makes no sense is gone; it is learned from the source again."""
    with app.state.write() as tx:
        store.reset_history(tx, rule, store.definition(tx, rule) or "")


def advance(daemon: Daemon, ticks: int) -> None:
    """Let ticks of five minutes pass, both rules woken at each."""
    for _ in range(ticks):
        daemon.now.at += MINUTES
        for name in ("playback_volume", "other"):
            daemon._wake(name)


def test_a_rule_that_fails_in_itself_is_tried_with_growing_pauses(spoilt, caplog):
    """In three hours ten attempts and no storm of tracebacks; each tick is on record as not judged; the other rule is."""
    advance(spoilt, 40)
    assert caplog.text.count("could not be judged") == 10
    assert {run.outcome for run in runs(spoilt, "other")} == {"ok"}
    assert newest(spoilt, "other") == END + 39 * MINUTES
    # Before there is a bucket to judge nothing of the past is read.
    mine = [run for run in runs(spoilt, "playback_volume") if to_datetime(run.tick) >= END]
    assert [run.outcome for run in mine] == ["blind"] * 40
    assert mine[0].detail.startswith("slicewatch failed to judge it: ")
    assert "parked until" in mine[-1].detail
    assert "slicewatch failed to judge it 10 times in a row" in mine[-1].detail


def test_its_owner_is_told_once(spoilt):
    """One incident, one message, whatever the reason says at each tick."""
    advance(spoilt, 20)
    with spoilt.app.state.read() as tx:
        incidents = [item for item in store.incidents(tx, rule="playback_volume") if item.kind.value == "blind"]
        sent = store.deliveries(tx, incidents[0].id)
    assert len(incidents) == 1
    assert [item.seq for item in sent] == [1]


def test_a_parked_rule_is_still_parked_for_the_next_daemon(spoilt, caplog):
    """What it knows stands in the store: a daemon that is started again, or another one, does not begin anew."""
    advance(spoilt, 12)
    before = caplog.text.count("could not be judged")
    spoilt = Daemon(spoilt.app, now=spoilt.now)
    advance(spoilt, 1)
    assert caplog.text.count("could not be judged") == before
    assert "parked until" in runs(spoilt, "playback_volume")[-1].detail


@pytest.mark.parametrize("how", ["edit", "reload"])
def test_an_edit_or_a_reload_gives_it_a_new_chance(spoilt, place, how):
    """It is tried at the next tick, and where it works its incident is over and nothing is left of its failures."""
    advance(spoilt, 12)
    forget(spoilt.app, "playback_volume")
    advance(spoilt, 1)
    assert "parked until" in runs(spoilt, "playback_volume")[-1].detail, "it rests still"
    if how == "edit":
        place.write("rules/playback.yaml", OFTEN.replace("recs-data", "another-team"))
        spoilt.app.reload()
    else:
        spoilt._parking.release()
    advance(spoilt, 1)
    assert runs(spoilt, "playback_volume")[-1].outcome == "ok"
    with spoilt.app.state.read() as tx:
        assert store.failing(tx, "playback_volume") is None
        assert not [item for item in store.open_incidents(tx, "playback_volume") if item.kind.value == "blind"]


def test_a_parked_rule_is_seen_where_people_look(spoilt, place):
    """On the pages of health and of rules, in the metrics, in the API and in `status`, each with the reason."""
    advance(spoilt, 12)
    now = spoilt.now()
    with (
        web_app(spoilt.app, Loopback(), lambda: now, b"k" * 32) as web,
        TestClient(web, LOCAL, client=("127.0.0.1", 9)) as client,
    ):
        health, rules = client.get("/health").text, client.get("/rules").text
        answer = client.get("/api/v1/health").json()
        metrics = client.get("/metrics").text
    assert "Parked rules" in health
    assert "parked</span>" in rules
    (line,) = answer["parked"]
    assert (line["rule"], line["failures"]) == ("playback_volume", 8)
    assert "ZstdError" in line["error"]
    assert 'slicewatch_rule_parked_failures{rule="playback_volume"} 8.0' in metrics
    assert 'rule="other"} ' not in metrics.partition("slicewatch_rule_parked_failures{")[2].split("\n")[0]
    (mine,) = [rule for rule in place.lines("status")[0]["rules"] if rule["rule"] == "playback_volume"]
    assert mine["last_error"].startswith("parked until ")
