"""Asking for all rules at once says of each what asking for it alone does."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from random import Random

import numpy as np
import pytest

from alerts.model import Receipt, State
from alerts.ports import Lane, Part
from monitor import store as s
from monitor.store import Store, Tx
from monitor.store.moments import to_micros
from tests.monitor.store.make import HOUR, START, incident, message

RULES = tuple(f"rule-{n}" for n in range(6))
LAGS = ((3,), (0,), (0, 1), (0, 1, 3), (1, 3))
NOW = datetime(2026, 3, 1, tzinfo=UTC)


def fill(tx: Tx, rule: str, rng: Random) -> None:
    """Leaves, pages with and without events at some ages, runs of all outcomes, fits, what runs took, incidents."""
    leaves = rng.randint(1, 4)
    s.add_leaves(tx, rule, [(f"a{n}",) for n in range(leaves)], np.zeros(leaves, dtype=np.int64))
    for bucket in range(rng.randint(1, 12)):
        ids = np.arange(leaves if rng.random() < 0.6 else 0, dtype=np.int32)
        for lag in rng.choice(LAGS):
            s.put_pages(tx, rule, [s.Page(bucket * HOUR, lag, ids, np.ones((1, len(ids)), dtype=np.int64))])
    for tick in range(rng.randint(1, 30)):
        outcome = rng.choice(["ok", "ok", "blind", "late"])
        s.record_run(tx, rule, tick * HOUR, outcome, rng.choice(["", "something"]) if outcome == "ok" else "refused")
        s.put_effort(tx, rule, s.Effort(tick * HOUR, tick, rng.random(), rng.random(), tick))
    for day in range(rng.randint(0, 2)):
        s.put_fit(tx, rule, day * 24 * HOUR, b"fit")
    for n in range(rng.randint(0, 3)):
        state = rng.choice([State.FIRING, State.RESOLVED, State.UNKNOWN])
        s.save_incident(tx, replace(incident(f"{rule}-{n}"), rule=rule, state=state))


@pytest.mark.parametrize("seed", range(6))
def test_each_stands_as_it_does_alone(store: Store, seed: int) -> None:
    """Newest evaluations, histories, open incidents, notices, failures, efforts, fits; a rule without any included."""
    rng = Random(seed)
    with store.write() as tx:
        for rule in RULES[:-1]:
            fill(tx, rule, rng)
    with store.read() as tx:
        for rule, found in s.rule_statuses(tx, RULES, 2 * HOUR).items():
            runs = s.runs(tx, rule)
            assert found.newest_run == (runs[0] if runs else None)
            assert found.open_incidents == tuple(s.open_incidents(tx, rule))
            assert found.history.first == s.first_events(tx, rule)
            assert found.history.last == s.newest_bucket(tx, rule)
            assert found.history.leaves == len(s.leaves(tx, rule).terms)
            assert found.history.read_again == s.read_again(tx, rule, 2 * HOUR, 2**40)
            said = [run for run in runs if run.tick > HOUR and run.outcome == "ok" and run.detail]
            assert s.notices_of(tx, RULES, HOUR).get(rule, []) == said[:3]
            failed = [run for run in runs if run.tick > HOUR and run.outcome != "ok"]
            assert [run for name, run in s.failed_runs(tx, RULES, HOUR, 1_000) if name == rule] == failed
            assert s.newest_goods(tx, RULES).get(rule) == s.newest_good(tx, rule, 2**40)
            assert s.newest_fit_times(tx, RULES).get(rule) == s.newest_fit_time(tx, rule)
            every = s.efforts(tx, rule)
            assert [effort.tick for effort in every] == [run.tick for run in runs]
            assert s.efforts_of(tx, RULES, 5).get(rule, []) == every[:5]


def test_what_is_rare_among_evaluations_is_looked_up_by_an_index(engine: str, store: Store) -> None:
    """Notices and failures are found without reading all evaluations of all rules."""
    if engine != "sqlite":
        pytest.skip("PostgreSQL decides by how many rows there are")
    from monitor.store import run_table

    with store.read() as tx:
        for condition in (run_table._SAYS, run_table._FAILED):
            query = s.schema.run.select().where(s.schema.run.c.tick > 5, condition, s.schema.run.c.rule == 1)
            text = str(query.compile(tx.connection, compile_kwargs={"literal_binds": True}))
            plan = " ".join(str(row) for row in tx.connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {text}"))
            assert "slicewatch_run_" in plan, plan


def test_counts_add_up_whoever_counts(store: Store) -> None:
    """What is added is added to what is there; a value that is put replaces it; old ones of a name can be dropped."""
    later = NOW + timedelta(hours=1)
    with store.write() as tx:
        s.add_tallies(tx, [s.Tally("runs", "b", "ok", 2), s.Tally("runs", "a", "ok", 1.5)], NOW)
        s.put_tally(tx, s.Tally("beat", "me", "", 7), NOW)
    with store.write() as tx:
        s.add_tallies(tx, [s.Tally("runs", "a", "ok", 1), s.Tally("runs", "a", "blind", 1)], later)
        s.put_tally(tx, s.Tally("beat", "me", "", 3), NOW)
        s.put_tally(tx, s.Tally("beat", "other", "", 3), later)
    with store.read() as tx:
        assert s.tallies(tx, ["runs"]) == [
            s.Tallied("runs", "a", "blind", 1, later),
            s.Tallied("runs", "a", "ok", 2.5, later),
            s.Tallied("runs", "b", "ok", 2, NOW),
        ]
        assert len(s.tallies(tx)) == 5
    with store.write() as tx:
        s.forget_tallies(tx, "beat", later)
        assert [item.subject for item in s.tallies(tx, ["beat"])] == ["other"]


def test_old_canaries_go_but_what_is_known_of_them_stays(store: Store) -> None:
    """The newest one, which may be lost, and the newest one that arrived."""
    ages = {1: "nobody noticed", 2: "", 3: "", 4: "nobody noticed"}
    with store.write() as tx:
        for days, problem in ages.items():
            due = NOW - timedelta(days=days)
            assert s.begin_canary(tx, s.Canary(due, "me", due), due)
            s.keep_canary(tx, s.ended(s.Canary(due, "me", due), due, problem))
        assert s.drop_canaries(tx, to_micros(NOW)) == 2
        assert [NOW - item.due for item in s.canaries(tx, 9)] == [timedelta(days=1), timedelta(days=2)]


def test_a_canary_is_begun_by_one(store: Store) -> None:
    """Another daemon takes it only where the first gave it up unjudged; what is over stays as it is."""
    mine = s.Canary(NOW, "me", NOW)
    theirs = replace(mine, owner="them", begun=NOW + timedelta(minutes=1))
    with store.write() as tx:
        assert s.begin_canary(tx, mine, NOW)
        assert not s.begin_canary(tx, theirs, NOW)
        assert s.begin_canary(tx, theirs, NOW + timedelta(seconds=1))
        assert s.keep_canary(tx, replace(theirs, incident="i-1"))
        assert not s.begin_canary(tx, mine, NOW + timedelta(hours=1))
        assert s.canaries(tx, over=True) == []
        over = s.ended(replace(theirs, incident="i-1"), NOW + timedelta(minutes=2))
        assert s.keep_canary(tx, over)
        assert not s.keep_canary(tx, mine)
        assert s.canaries(tx, arrived=True) == [over]
        lost = s.Canary(NOW + timedelta(days=1), "me", NOW + timedelta(days=1))
        assert s.begin_canary(tx, lost, NOW)
        assert s.keep_canary(tx, s.ended(lost, NOW + timedelta(days=1, minutes=9), "nobody took it"))
        assert [item.problem for item in s.canaries(tx, 5, over=True)] == ["nobody took it", ""]
        assert s.canaries(tx, arrived=True) == [over]


def test_what_could_be_sent_and_is_not_is_told_apart_from_what_waits(store: Store) -> None:
    """Due, in turn and in nobody's hands: since then it waits for somebody to take it up."""
    at, minute = START + timedelta(hours=1), timedelta(minutes=1)
    outbox = s.SqlOutbox(store)
    with store.write() as tx:
        for key, seq, receiver, minutes in (
            ("i-1", 1, "oncall", 30),
            ("i-1", 2, "oncall", 29),
            ("i-2", 1, "oncall", 10),
            ("i-3", 1, "team", 50),
            ("i-4", 1, "later", 40),
        ):
            s.enqueue(tx, replace(message(key), seq=seq), receiver, [Part.TEXT], at - minutes * minute)

    def waits() -> dict[str, timedelta]:
        with store.read() as tx:
            return {name: at - since for name, since in s.waiting_since(tx, at).items()}

    assert waits() == {"oncall": 30 * minute, "team": 50 * minute, "later": 40 * minute}
    taken = outbox.claim(at, "me", 60.0, Lane("team", Part.TEXT))
    assert taken is not None
    assert waits() == {"oncall": 30 * minute, "later": 40 * minute}, "it is being sent"
    first = outbox.claim(at, "me", 60.0, Lane("later", Part.TEXT))
    assert first is not None
    outbox.retry(first, at + minute, "refused", counts=True)
    assert waits() == {"oncall": 30 * minute}, "it is tried again later"
    claimed = outbox.claim(at, "me", 60.0, Lane("oncall", Part.TEXT))
    assert claimed is not None
    outbox.retry(claimed, at + minute, "refused", counts=True)
    assert waits() == {"oncall": 10 * minute}, "what comes after it in its thread waits for it"
    with store.read() as tx:
        assert s.arrived(tx, "i-3", "team") is None
        assert s.quiet_since(tx, "i-3", at - 50 * minute)
        assert not s.quiet_since(tx, "i-3", at - 51 * minute)
        assert s.quiet_since(tx, "nothing", START)
    outbox.done(taken, Receipt(), at + minute)
    with store.read() as tx:
        assert s.arrived(tx, "i-3", "team") == at + minute
        assert s.arrived(tx, "i-3", "oncall") is None
