"""What people did, silences, and who was told of what within a digest."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from alerts.model import Actor
from alerts.ports import Part
from alerts.silences import Scope, Silence
from monitor.store import (
    Acted,
    Store,
    action,
    actions,
    add_action,
    digest_thread,
    digested,
    dump,
    enqueue,
    join_digest,
    lately,
    put_silence,
    save_incident,
    silence,
    silences,
    told,
)
from rules.slices import Slice
from tests.monitor.store import make

KARI = Actor("slack", "U1", "Kari")
NOW = make.START
MINUTES = timedelta(minutes=1)


def test_an_action_is_logged_once(store: Store) -> None:
    """The same person, moment and subject is the same action; the log is in the order of what happened."""
    first = Acted("snooze", "i-1", KARI, NOW, "until noon")
    with store.write() as tx:
        assert add_action(tx, first)
        before = dump(tx)
        assert not add_action(tx, replace(first, detail="something else"))
        assert dump(tx) == before
        later = replace(first, at=NOW + MINUTES)
        assert add_action(tx, later)
        assert add_action(tx, replace(first, subject="i-2"))
    with store.read() as tx:
        assert actions(tx, "i-1") == [first, later]
        assert action(tx, first.id) == first
        assert action(tx, "none") is None


def test_a_name_that_no_database_takes_is_kept_in_words(store: Store) -> None:
    """NUL and half a surrogate: what a channel sends must not stop the action."""
    with store.write() as tx:
        assert add_action(tx, Acted("snooze", "i-1", Actor("slack", "U1", "Kari \x00 \ud800"), NOW, "a\x00b"))
        (found,) = actions(tx, "i-1")
    assert (found.by.name, found.detail) == ("Kari \\x00 \\ud800", "a\\x00b")


def test_a_silence_comes_back_as_it_is_now(store: Store) -> None:
    """With NULL and odd values in its slice; ended sooner, it is no longer among those that hold."""
    scope = Scope("play*", Slice((("device", None), ("os", ""))), "recs", (("tier", "1"),))
    item = Silence("sl-1", scope, NOW, NOW + 60 * MINUTES, KARI, "rolled back")
    with store.write() as tx:
        put_silence(tx, item)
        put_silence(tx, replace(item, id="sl-2", ends=NOW + 30 * MINUTES))
    with store.read() as tx:
        assert silence(tx, "sl-1") == item
        assert [found.id for found in silences(tx, NOW)] == ["sl-2", "sl-1"]
    with store.write() as tx:
        put_silence(tx, replace(item, ends=NOW + MINUTES))
        assert [found.id for found in silences(tx, NOW + 2 * MINUTES)] == ["sl-2"]


def test_what_was_new_to_a_receiver_lately_counts_alone_and_in_digests(store: Store) -> None:
    """Within ten minutes; a later message about what it knew is not new; another receiver's are not its own."""
    with store.write() as tx:
        for number in ("i-1", "i-2", "i-3", "i-4"):
            save_incident(tx, make.incident(number))
        for key, receiver, seq, minutes in (
            ("i-1", "team", 1, -30),
            ("i-1", "team", 2, 5),
            ("i-2", "team", 1, 1),
            ("i-2", "ops", 1, 1),
        ):
            enqueue(tx, make.message(key=key, seq=seq), receiver, [Part.TEXT], NOW + minutes * MINUTES)
        join_digest(tx, "digest-1", "team", ["i-3", "i-4"], NOW + 2 * MINUTES)
        join_digest(tx, "digest-1", "team", ["i-3"], NOW + 9 * MINUTES)
    with store.read() as tx:
        found = lately(tx, "team", {"i-1", "i-3", "i-5"}, NOW + 6 * MINUTES)
        assert (found.fresh, found.digest) == (3, "digest-1")
        assert (found.alone, found.through) == (frozenset({"i-1"}), {"i-3": "digest-1"})
        later = lately(tx, "team", set(), NOW + 60 * MINUTES)
        assert (later.fresh, later.digest) == (0, "")
        assert [item.id for item in digested(tx, "digest-1")] == ["i-3", "i-4"]


def test_who_knows_an_incident_from_a_digest_knows_it(store: Store) -> None:
    """Ends go to them as to those who were told of it alone; the digest's thread has its own numbers."""
    with store.write() as tx:
        item = make.incident("i-1")
        save_incident(tx, item)
        enqueue(tx, make.message(key="i-1", seq=1), "pager", [Part.TEXT], NOW)
        join_digest(tx, "digest-1", "team", ["i-1"], NOW)
        assert told(tx, item.rule) == {"i-1": ("pager", "team")}
        assert digest_thread(tx, "digest-1") == (0, ())
        enqueue(tx, make.message(key="digest-1", seq=1), "team", [Part.TEXT], NOW)
        enqueue(tx, make.message(key="digest-1", seq=2), "ops", [Part.TEXT], NOW)
        assert digest_thread(tx, "digest-1") == (2, ("ops", "team"))
