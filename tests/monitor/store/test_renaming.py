"""A rule that goes on under another name."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from alerts.model import Actor
from alerts.silences import Scope, new_silence
from monitor.store import (
    Store,
    dump,
    incidents,
    is_known,
    put_silence,
    record_run,
    rename_rule,
    silences,
    told,
    transitions,
)
from tests.monitor.store.make import write_tick

OLD, NEW = "playback", "playback_volume"


def rows(store: Store) -> dict[str, list]:
    with store.read() as tx:
        return dump(tx)


def rename(store: Store, old: str = OLD, new: str = NEW) -> bool:
    with store.write() as tx:
        return rename_rule(tx, old, new)


def rename_and_stop(store: Store) -> None:
    with store.write() as tx:
        assert rename_rule(tx, OLD, NEW)
        raise KeyboardInterrupt


def test_everything_that_is_kept_comes_along(store):
    """Pages, flags, runs, incidents with their steps and threads: row for row as if it had always been called so."""
    write_tick(store)
    write_tick(store)
    before = rows(store)
    assert rename(store)
    after = json.loads(json.dumps(rows(store), default=repr).replace(NEW, OLD))
    del before["slicewatch_outbox"], after["slicewatch_outbox"]
    assert after == json.loads(json.dumps(before, default=repr))
    with store.read() as tx:
        found = incidents(tx, rule=NEW)
        assert len(found) == len(told(tx, NEW)) == 2
        assert {step.incident.rule for item in found for step in transitions(tx, item.id)} == {NEW}
        assert (is_known(tx, NEW), is_known(tx, OLD)) == (True, False)


def test_silences_that_call_the_rule_by_its_name_come_along(memory):
    """Those of patterns stay as they are written, and so do others'."""
    write_tick(memory)
    by, at = Actor("cli", "kari", "Kari"), datetime(2026, 11, 23, tzinfo=UTC)
    with memory.write() as tx:
        for name in (OLD, "play*", "other"):
            put_silence(tx, new_silence(Scope(name), by, at, at, at + timedelta(hours=2), "app 7.3"))
    rename(memory)
    with memory.read() as tx:
        assert {item.scope.rules for item in silences(tx, at)} == {NEW, "play*", "other"}


def test_a_second_time_changes_nothing(memory):
    """The key may stay in the file: there is nothing left under the old name, and a new rule of it keeps its own."""
    write_tick(memory)
    rename(memory)
    before = rows(memory)
    assert not rename(memory)
    assert rows(memory) == before
    with memory.write() as tx:
        record_run(tx, OLD, 7_200, "ok")
    before = rows(memory)
    assert not rename(memory)
    assert rows(memory) == before


def test_what_has_a_past_of_its_own_keeps_it(memory):
    """Two pasts are not mixed: the old one stays where it is."""
    write_tick(memory)
    write_tick(memory, NEW)
    before = rows(memory)
    assert not rename(memory)
    assert rows(memory) == before


def test_a_rename_that_is_cut_off_changes_nothing(store):
    """It is one transaction: whatever ends it in the middle leaves every row as it was."""
    write_tick(store)
    before = rows(store)
    with pytest.raises(KeyboardInterrupt):
        rename_and_stop(store)
    assert rows(store) == before


def test_the_renamed_rule_goes_on_where_it_was(memory, open_store: Callable[..., Store]):
    """The next evaluation finds the leaves and runs of the last one, and numbers them on."""
    write_tick(memory)
    rename(memory)
    plain = open_store("sqlite://")
    write_tick(plain, NEW)
    assert write_tick(memory, NEW) == write_tick(plain, NEW)
