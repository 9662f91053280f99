"""One daemon through what happens to PostgreSQL and to clocks."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from monitor.buckets import to_datetime
from tests.replicas.place import Running, Shared, daemon
from tests.replicas.server import Server

pytestmark = pytest.mark.xdist_group("postgres of the replicas")
AHEAD = 300


@dataclass(frozen=True)
class Story:
    """What came of a daemon whose clock is five minutes ahead, begun before its PostgreSQL."""

    waiting: str
    """Its log before PostgreSQL was there."""
    caught_up: list[datetime]
    """Ticks evaluated once it was."""
    looked_at: datetime
    """When that was seen, by a clock that is right."""
    status: dict[str, Any]
    on_terminal: str
    after_trouble: list[datetime]
    """Ticks once PostgreSQL was restarted, and all its connections were ended."""
    code: int
    log: str
    left: tuple[list[Any], list[Any]]
    """Claims, and daemons that are there, once it had ended."""


@pytest.fixture(scope="module")
def story(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Story:
    """A rule that is evaluated every minute; ten of these behind."""
    shared = Shared.make(tmp_path_factory.mktemp("life"), server, "life", schedule="1m")
    now = datetime.now(UTC).replace(second=0, microsecond=0)
    shared.evaluated(now - timedelta(minutes=10))
    server.stop()
    try:
        with daemon(shared, "life", "--ahead", str(AHEAD), "--lease", "3") as process:
            process.wait_to_say("waiting for the store")
            waiting = process.log
            server.start()
            return _live(shared, server, process, waiting, now)
    finally:
        server.start()


def _live(shared: Shared, server: Server, process: Running, waiting: str, now: datetime) -> Story:
    def ticks() -> list[datetime]:
        return [to_datetime(run.tick) for run in shared.runs()]

    process.wait_for(lambda: ticks()[-1] >= now)
    caught_up, looked_at = ticks(), datetime.now(UTC)
    # It says that it is there as soon as it begins.
    status = json.loads(shared.place.run("status", "--json").output)
    on_terminal = shared.place.run("status").output
    known, restarted = len(caught_up), _seen(server)
    server.restart()
    # It is back, by a connection that is made anew.
    process.wait_for(lambda: _seen(server) > restarted)
    server.terminate_all()
    process.wait_for(lambda: len(ticks()) > known)
    after_trouble = ticks()
    code = process.end()
    left = shared.claims(), server.ask("SELECT id FROM slicewatch_replica", database="life_store")
    return Story(
        waiting,
        caught_up,
        looked_at,
        status,
        on_terminal,
        after_trouble,
        code,
        process.log,
        left,
    )


def _seen(server: Server) -> int:
    """When it last said that it is there."""
    return int(server.ask("SELECT seen_at FROM slicewatch_replica", database="life_store")[0][0])


def test_a_daemon_that_starts_before_its_store_waits_for_it(story: Story) -> None:
    """It says so, in one line for all its attempts, and then watches."""
    assert story.waiting.count("waiting for the store") == 1
    assert "cannot be reached at present" in story.waiting
    assert "watching 1 rule" in story.log


def test_a_daemon_whose_clock_is_ahead_evaluates_nothing_too_early(story: Story) -> None:
    """Every tick that was due is made, none that is to come, and none is left out."""
    assert story.caught_up[-1] <= story.looked_at
    for before, after in zip(story.after_trouble, story.after_trouble[1:], strict=False):
        assert after - before == timedelta(minutes=1)


def test_people_see_whose_clock_is_off(story: Story) -> None:
    """In the log, as data and on the terminal."""
    assert "this machine's clock is 300 s ahead of the store's" in story.log
    (seen,) = story.status["daemons"]
    assert seen["alive"]
    assert round(seen["clock_ahead_seconds"]) == AHEAD
    assert "its machine's clock is 300 s ahead" in story.on_terminal


def test_a_restart_of_postgresql_and_the_end_of_its_connections_are_outlived(story: Story) -> None:
    """Evaluations go on; the log has a line for each thing that waits, and no traceback."""
    assert len(story.after_trouble) > len(story.caught_up)
    assert "Traceback" not in story.log


def test_who_ends_leaves_nothing_behind(story: Story) -> None:
    """No claim that others would wait for, and no daemon that is missed."""
    assert story.code == 0
    assert story.left == ([], [])


def test_a_daemon_that_waits_can_be_asked_to_end(server: Server, tmp_path_factory: pytest.TempPathFactory) -> None:
    """As when a deployment is taken back."""
    shared = Shared.make(tmp_path_factory.mktemp("waits"), server, "waits")
    server.stop()
    try:
        with daemon(shared, "waits") as process:
            process.wait_to_say("waiting for the store")
            assert process.end() == 0
            assert "stopped" in process.log
    finally:
        server.start()
