"""The store's outbox keeps what every outbox promises."""

from collections.abc import Callable, Iterable
from datetime import datetime

import pytest

from alerts.model import Message
from alerts.ports import Part
from monitor.store import SqlOutbox, Store, enqueue
from tests.contracts.outbox_contract import CHECKS, Bench, Factory


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_the_contract_holds(store: Store, check: Callable[[Factory], None]) -> None:
    """On each engine."""

    def put(message: Message, receiver: str, parts: Iterable[Part], now: datetime) -> None:
        with store.write() as tx:
            enqueue(tx, message, receiver, parts, now)

    check(lambda: Bench(SqlOutbox(store), put))
