"""Rules that were called something else: their history and incidents come along."""

from __future__ import annotations

import logging
from collections.abc import Iterable

from monitor import store
from rules.model import Rule

log = logging.getLogger("slicewatch")


def adopt_renamed(state: store.Store, rules: Iterable[Rule]) -> None:
    """Give each rule that says what it `was` what is kept under that name; a second time there is nothing to give."""
    for rule in rules:
        if rule.was is None:
            continue
        with state.read() as tx:
            left, own = store.is_known(tx, rule.was), store.is_known(tx, rule.name)
        if left and own:
            log.warning("%s has a history of its own: that of %s, which it was, stays behind", rule.name, rule.was)
        elif left:
            _adopt(state, rule.was, rule.name)


def _adopt(state: store.Store, old: str, new: str) -> None:
    with state.write() as tx:
        adopted = store.rename_rule(tx, old, new)
    if adopted:
        log.info("%s was %s: its history and incidents came along", new, old)
