"""What is dropped, and what status tells."""

import numpy as np

from monitor.store import (
    LAG_FINAL,
    Run,
    Store,
    coverage,
    dump,
    flags,
    newest_good,
    prune,
    put_flags,
    put_page,
    record_run,
    rule_status,
    runs,
)
from monitor.store.status import History
from tests.monitor.store.make import HOUR, incident, write_tick

DAY = 86_400
NOW = 1_000 * DAY
ONE = np.array([0], dtype=np.int32)


def put(store: Store, day: int, *lags: int) -> None:
    """A page and a flag of the bucket `day` days before NOW at each of the lag classes."""
    with store.write() as tx:
        for lag in lags:
            put_page(tx, "r", NOW - day * DAY, ONE, np.array([[lag]]), lag=lag)
        put_flags(tx, "r", NOW - day * DAY, ONE)
        record_run(tx, "r", NOW - day * DAY, "ok")


def test_old_pages_go_as_their_class_says(store: Store) -> None:
    """Ripening classes after 35 days, buckets after 400; one that never became final stays as it is."""
    for day in (34, 36, 399, 401):
        put(store, day, 0, 1, LAG_FINAL)
    put(store, 50, 0, 1)
    with store.write() as tx:
        prune(tx, "r", NOW)
        kept = [((NOW - row[1]) // DAY, row[2]) for row in dump(tx)["slicewatch_page"]]
        assert sorted(kept) == [(34, 0), (34, 1), (34, 3), (36, 3), (50, 0), (50, 1), (399, 3)]
        assert coverage(tx, "r", 0, NOW) == {
            NOW - 399 * DAY: 3,
            NOW - 50 * DAY: 1,
            NOW - 36 * DAY: 3,
            NOW - 34 * DAY: 3,
        }
        assert flags(tx, "r", [NOW - 401 * DAY, NOW - 399 * DAY], 1).tolist() == [[False, True]]
        assert len(runs(tx, "r")) == 4


def test_pruning_again_and_other_rules_change_nothing(store: Store) -> None:
    """Only the rule that is named, and a rule nobody knows is no error."""
    put(store, 401, 0)
    with store.write() as tx:
        before = dump(tx)
        prune(tx, "another", NOW)
        assert dump(tx) == before
        prune(tx, "r", NOW)
        before = dump(tx)
        prune(tx, "r", NOW)
        assert dump(tx) == before


def test_the_newest_good_run_is_found_behind_any_number_of_blind_ones(store: Store) -> None:
    """A source silent for days on end; the tick asked about does not count, nor does another rule's."""
    with store.write() as tx:
        record_run(tx, "r", NOW, "ok")
        for n in range(1, 1_100):
            record_run(tx, "r", NOW + 300 * n, "blind", "refused")
        record_run(tx, "other", NOW + 300, "ok")
        assert newest_good(tx, "r", NOW + DAY * 30) == NOW
        assert newest_good(tx, "r", NOW) is None


def test_status_tells_how_a_rule_stands(store: Store) -> None:
    """Newest run, extent of history, open incidents."""
    for _ in range(2):
        write_tick(store)
    with store.read() as tx:
        status = rule_status(tx, "playback")
        unknown = rule_status(tx, "sessions")
    assert status.newest_run == Run(2 * HOUR, "ok", "3 leaves")
    assert status.history == History(first=HOUR, last=2 * HOUR, leaves=3)
    assert status.open_incidents == (incident("playback-1"), incident("playback-2"))
    assert (unknown.newest_run, unknown.history, unknown.open_incidents) == (None, History(), ())
