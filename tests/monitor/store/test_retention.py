"""What is dropped, what its sums say afterwards, and what status tells."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.model import Receipt, State
from alerts.ports import Part
from monitor.keeping import Retention
from monitor.retention import STRIDE, Tidying, tidy
from monitor.store import (
    LAG_FINAL,
    Membership,
    Run,
    SqlOutbox,
    Store,
    add_leaves,
    add_transition,
    coverage,
    daily_sums,
    dropped_leaves,
    dump,
    enqueue,
    flags,
    join_digest,
    leaves,
    membership,
    newest_good,
    newest_thread,
    pages,
    put_fit,
    put_flags,
    put_membership,
    put_page,
    record_run,
    rule_status,
    runs,
    save_incident,
)
from monitor.store import (
    incident as incident_of,
)
from monitor.store.status import History
from monitor.watched import Watched
from rules.model import Rule, SourceRef, Timestamp
from rules.problem import Place
from rules.slices import FOLDED, Slice
from tests.contracts.outbox_contract import claim
from tests.monitor.store.make import HOUR, incident, message, transition, write_tick

DAY = 86_400
NOW = 20_000 * DAY
ONE = np.array([0], dtype=np.int32)
KEEP = Retention()


def moment(day: float = 0) -> datetime:
    """So many days before NOW."""
    return datetime.fromtimestamp(NOW - day * DAY, UTC)


def rule(bucket: timedelta = timedelta(hours=1), **fields) -> Watched:
    """A rule "r" of one dimension."""
    base = {"source": SourceRef("lake", ("t",)), "timestamp": Timestamp("at"), "dimensions": ("device",)}
    return Watched.of(Rule(name="r", place=Place("r.yaml"), time_bucket=bucket, **(base | fields)))


def retain(store: Store, *rules: Watched, keep: Retention = KEEP, days: float = 0):
    """One round as of so many days after NOW; what went."""
    return Tidying(store, keep, moment(-days)).run(rules or (rule(),)).counts


def put(store: Store, day: int, *lags: int) -> None:
    """A page and a flag of the bucket `day` days before NOW at each of the lag classes."""
    with store.write() as tx:
        for lag in lags:
            put_page(tx, "r", NOW - day * DAY, ONE, np.array([[lag + 1]]), lag=lag)
        put_flags(tx, "r", NOW - day * DAY, ONE)
        record_run(tx, "r", NOW - day * DAY, "ok")


def test_old_pages_go_as_their_class_says(store: Store) -> None:
    """Ripening classes after 35 days, buckets after 400; one that never became final stays as it is."""
    for day in (34, 36, 399, 401):
        put(store, day, 0, 1, LAG_FINAL)
    put(store, 50, 0, 1)
    retain(store)
    with store.read() as tx:
        kept = [((NOW - row[1]) // DAY, row[2]) for row in dump(tx)["slicewatch_page"]]
        assert sorted(kept) == [(34, 0), (34, 1), (34, 3), (36, 3), (50, 0), (50, 1), (399, 3)]
        assert coverage(tx, "r", 0, NOW) == {
            NOW - 399 * DAY: 3,
            NOW - 50 * DAY: 1,
            NOW - 36 * DAY: 3,
            NOW - 34 * DAY: 3,
        }
        assert flags(tx, "r", [NOW - 401 * DAY, NOW - 399 * DAY], 1).tolist() == [[False, True]]


def test_a_round_again_changes_nothing(store: Store) -> None:
    """And a rule that no file names any more is looked after as well."""
    put(store, 401, 0)
    assert Tidying(store, KEEP, moment()).run([]).counts["buckets summed"] == 1
    with store.read() as tx:
        before = dump(tx)
    assert retain(store) == {}
    with store.read() as tx:
        assert dump(tx) == before


def test_first_newest_and_newest_good_runs_stay(store: Store) -> None:
    """However old: what is due next follows from the newest, what is new from the first."""
    with store.write() as tx:
        for day, outcome in ((900, "ok"), (800, "ok"), (700, "ok"), (600, "blind"), (500, "blind")):
            record_run(tx, "r", NOW - day * DAY, outcome)
    assert retain(store) == {"runs": 2}
    with store.read() as tx:
        assert [(NOW - run.tick) // DAY for run in runs(tx, "r")] == [500, 700, 900]


# --- sums -------------------------------------------------------------------------------------------------------


def fill(store: Store, watched: Watched, first: int, stop: int, leaf_count: int = 3) -> np.ndarray:
    """Noise in all buckets of the local days [first, stop) before NOW's, values [S, T]; and one of today."""
    grid = watched.grid
    begin, end = (grid.midnight(NOW - day * DAY) for day in (first, stop))
    starts = grid.starts(grid.floor(begin), end)
    values = np.random.default_rng(1).integers(0, 50, (leaf_count, len(starts)))
    with store.write() as tx:
        names = [(f"leaf {n}",) for n in range(leaf_count)]
        ids = add_leaves(tx, "r", names, np.full(leaf_count, starts[0]))
        for column, start in enumerate(starts.tolist()):
            there = np.flatnonzero(values[:, column])
            put_page(tx, "r", start, ids[there], values[None, there, column], lag=LAG_FINAL)
        put_page(tx, "r", NOW, ids, values[None, :, 0] + 1, lag=LAG_FINAL)
    return values


@pytest.mark.parametrize("zone", ["UTC", "Europe/Oslo", "Asia/Kolkata"])
@pytest.mark.parametrize("bucket", [timedelta(minutes=15), timedelta(hours=1), timedelta(days=1)])
def test_a_day_is_the_same_before_and_after(store: Store, zone: str, bucket: timedelta) -> None:
    """Leaf by leaf and to the last event, whether it is kept by bucket, by hour or by day; DST changes included."""
    watched = rule(bucket, timezone=zone)
    grid, keep = watched.grid, Retention(fine=timedelta(days=200))
    fill(store, watched, 403, 397)
    days = [grid.midnight(NOW - day * DAY + DAY // 2) for day in range(403, 397, -1)]

    def sums():
        with store.read() as tx:
            found = daily_sums(tx, "r", days, grid.midnight(NOW - 397 * DAY + DAY // 2), n_leaves=3, measures=1)
        return found.values.tolist(), found.gone.tolist(), found.buckets.tolist()

    before = sums()
    assert set(before[2]) <= {n * grid.per_day // 24 for n in (23, 24, 25)} | {1}
    retain(store, watched, keep=keep)
    with store.read() as tx:
        oldest = min(coverage(tx, "r", 0, NOW + DAY))
        spans = {row[1] for row in dump(tx)["slicewatch_sum"]}
    assert oldest >= grid.midnight(NOW - 400 * DAY)
    assert spans == ({3600, DAY} if bucket < timedelta(hours=1) else {DAY})
    assert sums() == before
    retain(store, watched, keep=keep, days=10)
    with store.read() as tx:
        assert {row[1] for row in dump(tx)["slicewatch_sum"]} == {DAY}
        assert coverage(tx, "r", 0, NOW - DAY) == {}
    assert sums() == before


def test_history_that_is_read_again_is_not_counted_twice(store: Store) -> None:
    """A longer lookback brings buckets back that had been summed: what knows more of a day counts."""
    watched = rule()
    values = fill(store, watched, 405, 404)
    retain(store, watched)
    days, end = [NOW - 405 * DAY], NOW - 404 * DAY

    def total():
        with store.read() as tx:
            found = daily_sums(tx, "r", days, end, n_leaves=3, measures=1)
        return found.values[0, :, 0].tolist(), int(found.buckets[0])

    summed = total()
    assert summed == (values.sum(axis=1).tolist(), 24)
    with store.write() as tx:
        put_page(tx, "r", days[0], ONE, np.array([[1_000]]), lag=LAG_FINAL)
    assert total() == summed
    fill(store, watched, 405, 404)
    assert total() == summed
    retain(store, watched)
    assert total() == summed


def test_a_day_without_events_is_not_an_unknown_one(store: Store) -> None:
    """Zero where the source was asked, NaN where it was not."""
    with store.write() as tx:
        add_leaves(tx, "r", [("a",)], np.array([NOW - 405 * DAY]))
        put_page(tx, "r", NOW - 405 * DAY, ONE[:0], np.zeros((1, 0), dtype=np.int64), lag=LAG_FINAL)
    retain(store)
    with store.read() as tx:
        found = daily_sums(tx, "r", [NOW - 405 * DAY, NOW - 404 * DAY], NOW - 403 * DAY, n_leaves=1, measures=1)
    assert found.values[0, 0].tolist() == pytest.approx([0.0, np.nan], nan_ok=True)
    assert found.buckets.tolist() == [1, 0]


def test_a_baseline_keeps_what_it_needs(store: Store) -> None:
    """A lookback of two years is longer than buckets are kept: they stay as long as it, and a month more."""
    watched = rule(lookback=timedelta(days=730))
    fill(store, watched, 800, 700, leaf_count=1)
    assert retain(store, watched) == {"buckets summed": 24 * (800 - 765)}


# --- leaves -----------------------------------------------------------------------------------------------------


def page_of(store: Store, day: int, *ids: int) -> None:
    """A bucket that names some places, each with its place + 1 events."""
    with store.write() as tx:
        put_page(tx, "r", NOW - day * DAY, np.array(ids, np.int32), np.array([ids]) + 1, lag=LAG_FINAL)


def with_leaves(store: Store, *names: str, seen: int = 500) -> list[int]:
    with store.write() as tx:
        found = add_leaves(tx, "r", [(n,) for n in names], np.full(len(names), NOW - seen * DAY))
    return found.tolist()


def test_leaves_in_no_bucket_are_dropped_and_the_others_close_ranks(store: Store) -> None:
    """Pages, flags and the membership mean the same leaves as before; what was learned is gone."""
    assert with_leaves(store, "a", "b", "c", "d") == [0, 1, 2, 3]
    page_of(store, 450, 0, 1, 2, 3)
    page_of(store, 300, 1, 3)
    page_of(store, 1, 3)
    with store.write() as tx:
        put_flags(tx, "r", NOW - DAY, np.array([1, 2, 3], np.int32))
        put_membership(tx, "r", Membership(NOW, 0, np.array([0])))
        put_fit(tx, "r", NOW, b"for four places")
    assert retain(store)["leaves"] == 1
    with store.read() as tx:
        assert leaves(tx, "r").terms == [("a",), ("b",), ("d",)]
        assert leaves(tx, "r", 2).terms == [("d",)]
        assert leaves(tx, "r").ids.tolist() == [0, 1, 2]
        block = pages(tx, "r", [NOW - 300 * DAY, NOW - DAY], n_leaves=3, measures=1)
        assert block.values[0].tolist() == [[0, 0], [2, 0], [4, 4]]
        assert pages(tx, "r", [NOW - DAY], n_leaves=2, measures=1).values[0].tolist() == [[0], [0]]
        assert flags(tx, "r", [NOW - DAY], 3).tolist() == [[False], [True], [True]]
        assert membership(tx, "r").folded.tolist() == [0]
        assert dump(tx)["slicewatch_fit"] == []
        assert dropped_leaves(tx, "r") == 1


def test_an_id_is_never_given_to_another_leaf(store: Store) -> None:
    """Not even that of the last one, and not to the same values when they come back; its day is still part of the whole."""
    with_leaves(store, "a", "b")
    page_of(store, 450, 0, 1)
    page_of(store, 1, 0)
    assert retain(store)["leaves"] == 1
    assert with_leaves(store, "c", "b", "a", seen=0) == [1, 2, 0]
    with store.write() as tx:
        put_page(tx, "r", NOW, np.array([2, 0], np.int32), np.array([[20, 5]]), lag=0)
    with store.read() as tx:
        assert [row[1] for row in dump(tx)["slicewatch_leaf"]] == [0, 2, 3]
        assert pages(tx, "r", [NOW], n_leaves=3, measures=1).values[0].tolist() == [[5], [0], [20]]
        day = daily_sums(tx, "r", [NOW - 450 * DAY], NOW - 449 * DAY, n_leaves=3, measures=1)
    assert day.values[0, :, 0].tolist() == [1, 0, 0]
    assert day.gone.tolist() == [[2]]


def test_a_leaf_that_is_needed_stays(store: Store) -> None:
    """The folded rest, those that are folded, those of an open incident, and any where fewer than a tenth are gone."""
    with store.write() as tx:
        add_leaves(tx, "r", [("a",), (FOLDED,), ("held",), ("out",)], np.full(4, NOW - 500 * DAY))
        put_membership(tx, "r", Membership(NOW, 1, np.array([3])))
        save_incident(tx, incident("i", rule="r", cause=Slice.of({"device": "held"})))
    page_of(store, 1, 0)
    assert "leaves" not in retain(store)
    with store.write() as tx:
        save_incident(tx, incident("i", rule="r", cause=Slice.of({"device": "held"}), state=State.RESOLVED, seq=2))
        add_leaves(tx, "r", [(f"many {n}",) for n in range(20)], np.full(20, NOW - DAY))
    assert "leaves" not in retain(store)


def test_leaves_named_by_sums_of_hours_stay(store: Store) -> None:
    """Of short buckets the hours are what is kept for a year."""
    watched = rule(timedelta(minutes=5))
    with_leaves(store, "a", "b")
    page_of(store, 200, 1)
    page_of(store, 1, 0)
    assert "leaves" not in retain(store, watched)
    retain(store, watched, days=250)
    with store.read() as tx:
        assert leaves(tx, "r").terms == [("a",)]


OPERATIONS = st.lists(
    st.one_of(
        st.tuples(st.just("page"), st.sets(st.sampled_from("abcdefgh"), min_size=1, max_size=4)),
        st.tuples(st.just("wait"), st.integers(min_value=100, max_value=300)),
    ),
    max_size=14,
)


@given(OPERATIONS)
def test_whatever_goes_counts_are_those_of_their_names(operations) -> None:
    """Leaves come, go and come back: every bucket that is kept, and every day, holds what was put there by name."""
    store, day, wanted, whole = Store.open("sqlite://"), -3_000.0, {}, {}
    for kind, what in operations:
        if kind == "wait":
            day += what
            retain(store, keep=Retention(buckets=timedelta(days=100), fine=timedelta(days=100)), days=day)
            continue
        day += 1
        counts = {name: ord(name) for name in what}
        at = int(NOW + day * DAY)
        with store.write() as tx:
            found = add_leaves(tx, "r", [(name,) for name in counts], np.full(len(counts), at))
            put_page(tx, "r", at, found, np.array([list(counts.values())]), lag=LAG_FINAL)
        wanted[at], whole[at] = counts, sum(counts.values())
    with store.read() as tx:
        names = [term for (term,) in leaves(tx, "r").terms]
        for at in coverage(tx, "r", 0, 10**12):
            block = pages(tx, "r", [at], n_leaves=len(names), measures=1).values[0, :, 0]
            assert {n: v for n, v in zip(names, block.tolist(), strict=True) if v} == wanted[at]
        for at in wanted:
            found = daily_sums(tx, "r", [at], at + DAY, n_leaves=len(names), measures=1)
            assert found.values.sum() + found.gone.sum() == whole[at]
    store.close()


# --- messages and incidents -------------------------------------------------------------------------------------


def told(store: Store, key: str, day: float, *, dead: bool = False, seq: int = 1) -> None:
    """A message of a thread, sent, or given up, so many days before NOW."""
    box, at = SqlOutbox(store), moment(day)
    with store.write() as tx:
        enqueue(tx, message(key, seq), "oncall", [Part.TEXT], at)
    item = claim(box, at, "worker")
    assert item is not None
    if dead:
        box.dead(item, "no", at)
    else:
        box.done(item, Receipt("C1", f"ts of {key}"), at)


def opened(store: Store, key: str, state: State, day: float) -> None:
    at = moment(day)
    item = incident(key, rule="r", state=state, since=at, tick=at)
    with store.write() as tx:
        save_incident(tx, item)
        add_transition(tx, transition(item))


def threads(store: Store) -> set[str]:
    with store.read() as tx:
        return {row[1] for row in dump(tx)["slicewatch_outbox"]}


def test_threads_that_are_over_go_as_a_whole(store: Store) -> None:
    """After 90 days, after 180 with a dead letter; those of open incidents and of what waits stay, whatever their age."""
    for key, state in (("open", State.FIRING), ("old", State.RESOLVED), ("dead", State.RESOLVED)):
        opened(store, key, state, 200)
    told(store, "open", 150)
    told(store, "old", 150)
    told(store, "new", 10)
    told(store, "again", 150)
    told(store, "again", 10, seq=2)
    told(store, "dead", 150, dead=True)
    told(store, "dead", 149, seq=2)
    with store.write() as tx:
        enqueue(tx, message("waits", 1), "oncall", [Part.TEXT], moment(300))
    assert retain(store)["messages"] == 1
    assert threads(store) == {"open", "new", "again", "dead", "waits"}
    retain(store, days=40)
    assert threads(store) == {"open", "new", "again", "waits"}


def test_a_digest_of_open_incidents_stays(store: Store) -> None:
    """Their ends are told in its thread."""
    opened(store, "open", State.FIRING, 200)
    told(store, "digest-a", 150)
    told(store, "digest-b", 150)
    with store.write() as tx:
        join_digest(tx, "digest-a", "oncall", ["open"], moment(150))
    retain(store)
    assert threads(store) == {"digest-a"}


def test_the_newest_numbered_thread_stays(store: Store) -> None:
    """The next one gets a number that no message ever had."""
    for number in (1, 2, 3):
        told(store, f"file-ab-{number:06d}", 150)
    retain(store)
    assert threads(store) == {"file-ab-000003"}
    with store.read() as tx:
        newest = newest_thread(tx, "file-ab-")
    assert newest is not None
    assert newest.number == 3


def test_incidents_go_with_all_that_is_about_them(store: Store) -> None:
    """Three years after the last that happened to them; open ones never."""
    for key, state, day in (
        ("old", State.RESOLVED, 1_200),
        ("open", State.FIRING, 1_200),
        ("new", State.RESOLVED, 900),
    ):
        opened(store, key, state, day)
        told(store, key, day)
    assert retain(store)["incidents"] == 1
    with store.read() as tx:
        assert incident_of(tx, "old") is None
        assert incident_of(tx, "open") is not None
        assert incident_of(tx, "new") is not None
        rows = dump(tx)
    assert {row[0] for row in rows["slicewatch_transition"]} == {"open", "new"}


# --- the round --------------------------------------------------------------------------------------------------


def test_it_is_done_once_a_day_and_a_clock_far_ahead_takes_little(store: Store) -> None:
    """A clock that is wrong by ten years takes two days of history, not all of it."""
    watched = rule()
    fill(store, watched, 405, 390, leaf_count=1)
    assert "buckets summed" in tidy(store, KEEP, [watched], moment())
    with store.read() as tx:
        kept = len(coverage(tx, "r", 0, NOW))
    assert tidy(store, KEEP, [watched], moment(-0.5)) == ""
    tidy(store, KEEP, [watched], moment(-3_650))
    with store.read() as tx:
        assert len(coverage(tx, "r", 0, NOW)) == kept - 24 * STRIDE.days


def test_it_stops_where_it_is_told_and_goes_on_later(store: Store) -> None:
    """Between two steps; what is done then is done, and the day is not ticked off."""
    watched = rule()
    fill(store, watched, 406, 390, leaf_count=1)
    steps = iter([False] * 5)
    tidy(store, KEEP, [watched], moment(), lambda: next(steps, True))
    with store.read() as tx:
        left = len(coverage(tx, "r", 0, NOW - 400 * DAY))
        assert dump(tx)["slicewatch_sum"]
    assert 0 < left < 6 * 24
    tidy(store, KEEP, [watched], moment())
    with store.read() as tx:
        assert coverage(tx, "r", 0, NOW - 400 * DAY) == {}


# --- status -----------------------------------------------------------------------------------------------------


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
