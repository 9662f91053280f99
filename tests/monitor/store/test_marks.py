"""Marks in the store."""

from datetime import timedelta

from alerts.marks import new_mark
from alerts.model import Actor
from alerts.silences import Scope
from monitor.store import Store, marks, put_mark, remove_mark
from tests.monitor.store.make import START

KARI = Actor("cli", "kari", "Kari")


def test_marks_come_back_in_order_and_can_be_taken_back(store: Store) -> None:
    """From a moment on, each once however often it is set; what is taken back is gone, and says so once."""
    later, first, old = (
        new_mark(text, START + timedelta(hours=h), Scope("play*", owner="recs"), KARI)
        for text, h in (("b", 2), ("a", 1), ("c", -50))
    )
    with store.write() as tx:
        for item in (later, first, old, first):
            put_mark(tx, item)
    with store.read() as tx:
        assert marks(tx, START) == [first, later]
    with store.write() as tx:
        assert [remove_mark(tx, first.id), remove_mark(tx, first.id)] == [True, False]
        assert marks(tx, START) == [later]
