"""Two daemons on one PostgreSQL: they share the work, and what one of them dies in the other finishes."""

from __future__ import annotations

import pytest

from benchmarks.takeover import RUN
from monitor import store
from monitor.buckets import to_epoch
from monitor.claims import LEASE
from tests.replicas.place import Shared, daemon, hours_ago
from tests.replicas.server import Server

pytestmark = pytest.mark.xdist_group("postgres of the replicas")


@pytest.fixture(scope="module")
def shared(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Shared:
    """Watched until three hours ago, by one daemon; a device is gone since two."""
    made = Shared.make(tmp_path_factory.mktemp("takeover"), server, "takeover")
    made.evaluated(hours_ago(3))
    return made


def test_a_run_whose_daemon_is_killed_is_finished_by_the_other(shared: Shared) -> None:
    """In the middle of a run: the other leaves it alone until the lease is over, and then makes it and all after it, once."""
    shared.take_time(600)
    with daemon(shared, "first") as first:
        first.wait_for(shared.claims)
        ((rule, tick, owner),) = shared.claims()
        assert f"/{first.process.pid}/" in owner
        before = shared.runs()
        with daemon(shared, "second") as second:
            second.wait_to_say("watching 1 rule")
            second.wait_for(lambda: len(_daemons(shared)) == 2)
            assert shared.claims() == [(rule, tick, owner)]
            shared.take_time(0)
            first.kill()
            second.wait_for(lambda: shared.runs()[-1].tick >= to_epoch(hours_ago(0)))
            second.wait_for(lambda: not shared.claims() and not _queued(shared))
            assert second.end() == 0
    made = [run.tick for run in shared.runs()[len(before) :]]
    assert made == sorted(set(made))
    assert made[0] == tick == before[-1].tick + 3_600
    assert {run.outcome for run in shared.runs()} == {store.OK}
    assert all(f"{rule} at {_text(at)}" in second.log for at in made)
    assert "judged" not in first.log
    assert "Traceback" not in second.log
    with shared.opened() as state, state.read() as tx:
        (found,) = store.open_incidents(tx, rule)
        assert found.raised_at is not None
        told = [item for item in store.deliveries(tx, found.id) if item.part == "text"]
        assert store.outbox_counts(tx).dead == 0
    assert [item.seq for item in told] == sorted({item.seq for item in told})
    assert [item.pid for item in _daemons(shared)] == [first.process.pid], "who ended by itself said so"


def _queued(shared: Shared) -> int:
    with shared.opened() as state, state.read() as tx:
        return store.outbox_counts(tx).queued


def _daemons(shared: Shared) -> list[store.Replica]:
    with shared.opened() as state, state.read() as tx:
        return store.replicas(tx)


def _text(tick: int) -> str:
    return str(hours_ago(0).fromtimestamp(tick, hours_ago(0).tzinfo))


def test_two_daemons_share_the_work(server: Server, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Both are at it, every rule is evaluated, and nothing is done twice."""
    shared = Shared.make(tmp_path_factory.mktemp("shares"), server, "shares", rules=8)
    shared.take_time(0.1)
    with daemon(shared, "one") as one, daemon(shared, "two") as two:
        one.wait_for(lambda: all(shared.runs(number) for number in range(8)))
        assert (one.end(), two.end()) == (0, 0)
    made = [set(RUN.findall(item.log)) for item in (one, two)]
    assert all(made)
    assert not made[0] & made[1]
    assert {rule for rules in made for rule, _ in rules} == {shared.rule(number) for number in range(8)}


def test_a_daemon_that_ends_hands_over_what_is_due(server: Server, tmp_path_factory: pytest.TempPathFactory) -> None:
    """It comes to the end of the run it is at; the next one is seen by others as begun and left, without waiting for a lease."""
    shared = Shared.make(tmp_path_factory.mktemp("ends"), server, "ends")
    shared.evaluated(hours_ago(3))
    shared.take_time(1.0)
    with daemon(shared, "ends") as running:
        running.wait_for(shared.claims)
        ((rule, tick, _),) = shared.claims()
        assert running.end() == 0
    assert shared.runs()[-1].tick >= tick
    with shared.opened() as state, state.read() as tx:
        assert store.abandoned(tx, hours_ago(0), LEASE) == [store.Claim(rule, shared.runs()[-1].tick + 3_600)]
        assert store.replicas(tx) == []
