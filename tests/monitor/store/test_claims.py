"""Runs are claimed: one daemon at a time, until its lease is over."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text

from monitor.claims import Claims
from monitor.store import (
    Claim,
    Store,
    abandoned,
    claim_run,
    claims_held,
    end_claim,
    hand_back,
    record_run,
    renew_claims,
    sweep_claims,
)
from monitor.store.schema import metadata

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
LEASE = timedelta(seconds=30)
TICK = 1_772_452_800
RUN = Claim("playback", TICK)
SECOND = timedelta(seconds=1)


@pytest.fixture
def shared(postgres: str, open_store: Callable[..., Store]) -> str:
    """The URL of an empty store that daemons share."""
    with open_store(postgres).write() as tx:
        tx.connection.execute(text(f"TRUNCATE {', '.join(metadata.tables)} RESTART IDENTITY"))
    return postgres


def taken(store: Store, owner: str, at: datetime = NOW, run: Claim = RUN) -> bool:
    with store.write() as tx:
        return claim_run(tx, run, owner, at, LEASE)


def left(store: Store, at: datetime) -> list[Claim]:
    with store.read() as tx:
        return abandoned(tx, at, LEASE)


def test_a_run_is_one_daemons_until_its_lease_is_over(store: Store) -> None:
    """Others get other runs meanwhile, and this one to the second when the lease is over."""
    assert taken(store, "one")
    assert taken(store, "one"), "its own it has"
    assert not taken(store, "two", NOW + LEASE - SECOND)
    assert taken(store, "two", run=Claim("errors", TICK))
    assert left(store, NOW + LEASE - SECOND) == []
    assert left(store, NOW + LEASE) == [Claim("errors", TICK), RUN]
    assert taken(store, "two", NOW + LEASE)
    assert not taken(store, "one", NOW + LEASE)


def test_a_lease_that_is_renewed_goes_on(store: Store) -> None:
    """Whoever was too late hears that it is another's."""
    assert taken(store, "one")
    with store.write() as tx:
        assert renew_claims(tx, [RUN], "one", NOW + LEASE / 2, LEASE) == []
    assert not taken(store, "two", NOW + LEASE)
    assert taken(store, "two", NOW + 1.5 * LEASE)
    with store.write() as tx:
        assert renew_claims(tx, [RUN], "one", NOW + 2 * LEASE, LEASE) == [RUN]


def test_what_is_handed_back_is_free_at_once(store: Store) -> None:
    """And is known as begun and not ended; that of others stays theirs."""
    assert taken(store, "one")
    assert taken(store, "two", run=Claim("errors", TICK))
    with store.write() as tx:
        hand_back(tx, "one")
    assert left(store, NOW) == [RUN]
    with store.read() as tx:
        assert claims_held(tx, NOW) == {"two": 1}
    assert taken(store, "two")


def test_a_run_that_is_recorded_is_nobodys(store: Store) -> None:
    """Whoever looked before it was, and claims it after, has nothing to do: nor has who comes for an earlier one."""
    assert taken(store, "one")
    with store.write() as tx:
        record_run(tx, RUN.rule, TICK, "ok")
    with store.write() as tx:
        end_claim(tx, RUN, "one")
    assert not taken(store, "two")
    assert not taken(store, "two", run=Claim(RUN.rule, TICK - 3_600))
    assert taken(store, "two", run=Claim(RUN.rule, TICK + 3_600))
    with store.read() as tx:
        assert claims_held(tx, NOW) == {"two": 1}


def test_who_died_after_recording_leaves_nothing_to_do(store: Store) -> None:
    """The claim is swept away; one of a run that was never recorded is not, for as long as anybody might make it."""
    assert taken(store, "one")
    assert taken(store, "one", run=Claim("errors", TICK))
    with store.write() as tx:
        record_run(tx, RUN.rule, TICK, "ok")
    assert left(store, NOW + LEASE) == [Claim("errors", TICK)]
    with store.write() as tx:
        sweep_claims(tx, NOW + LEASE, LEASE)
    assert left(store, NOW + LEASE) == [Claim("errors", TICK)]
    with store.write() as tx:
        sweep_claims(tx, NOW + timedelta(days=30), LEASE)
    assert left(store, NOW + timedelta(days=30)) == []


def test_a_lease_by_a_clock_that_was_an_hour_ahead_holds_nobody_up(store: Store) -> None:
    """No lease reaches beyond its length, and what a few seconds between clocks make is none of that."""
    assert taken(store, "one", NOW + timedelta(hours=1))
    assert taken(store, "two")
    assert not taken(store, "three", NOW - timedelta(seconds=10))


def test_of_many_that_claim_at_once_one_has_it(url: str, open_store: Callable[..., Store]) -> None:
    """However they meet."""
    stores = [open_store(url) for _ in range(4)]
    for number in range(10):
        found: list[str] = []
        ready = threading.Barrier(4)

        def claim(store: Store, owner: str, run: Claim, ready: threading.Barrier, found: list[str]) -> None:
            ready.wait()
            if taken(store, owner, run=run):
                found.append(owner)

        run = Claim("playback", TICK + number)
        threads = [
            threading.Thread(target=claim, args=(store, str(n), run, ready, found)) for n, store in enumerate(stores)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(found) == 1


def test_a_claim_waits_for_nobody_who_records_a_run(shared: str, open_store: Callable[..., Store]) -> None:
    """A transaction that has the rule's row, and takes its time, keeps others from no claim."""
    one, two = open_store(shared), open_store(shared, busy_timeout=0.2)
    with one.write() as tx:
        record_run(tx, "slow", TICK - 3_600, "ok")
    with one.write() as tx:
        record_run(tx, "slow", TICK, "ok")
        assert taken(two, "two", run=Claim("slow", TICK + 3_600))


def test_a_daemon_keeps_and_hands_back_what_it_is_at(shared: str, open_store: Callable[..., Store]) -> None:
    """It renews what it has, lets go what came to nothing, and takes over what another did not end."""
    clock = [NOW]
    one, two = (Claims(open_store(shared), name, lambda: clock[0]) for name in ("one", "two"))
    tick = datetime.fromtimestamp(TICK, UTC)
    assert one.take("a", tick)
    assert one.take("b", tick)
    assert not two.take("a", tick)
    one.leave_be("b", tick)
    clock[0] += one.lease / 2
    one.renew()
    clock[0] += one.lease / 2
    assert two.abandoned() == ["b"], "what came to nothing was not renewed"
    assert two.take("b", tick)
    two.end("b", tick)
    one.leave()
    assert two.abandoned() == ["a"]
    assert two.take("a", tick)


def test_who_lost_its_lease_hears_of_it_once(
    shared: str, open_store: Callable[..., Store], caplog: pytest.LogCaptureFixture
) -> None:
    """A process that slept through its lease finds its run with another one."""
    clock = [NOW + timedelta(days=1)]
    one, two = (Claims(open_store(shared), name, lambda: clock[0]) for name in ("one", "two"))
    tick = datetime.fromtimestamp(TICK, UTC)
    assert one.take("slept", tick)
    clock[0] += 2 * one.lease
    assert two.take("slept", tick)
    one.renew()
    one.renew()
    assert caplog.text.count("another daemon is at it") == 1


def test_a_daemon_that_has_its_store_to_itself_claims_nothing(
    sqlite_url: str, open_store: Callable[..., Store]
) -> None:
    """Not a row is written."""
    state = open_store(sqlite_url)
    claims = Claims(state, "only", lambda: NOW)
    tick = datetime.fromtimestamp(TICK, UTC)
    assert claims.take("a", tick)
    assert claims.take("a", tick)
    claims.renew()
    claims.end("a", tick)
    claims.leave()
    with state.read() as tx:
        assert claims_held(tx, NOW) == {}
