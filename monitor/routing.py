"""The receivers of a rule, under the names that `slicewatch.toml` gives them."""

from __future__ import annotations

import logging
from dataclasses import replace

from monitor.settings import Settings
from rules.model import Rule

log = logging.getLogger("slicewatch")


def routed(rule: Rule, settings: Settings, *, aloud: bool = True) -> Rule:
    """The rule with receivers under the names of `slicewatch.toml`; an unknown one falls to the fallback, and is logged."""
    found = {word: settings.receiver(word) for _, words in rule.notify for word in words}
    for word in (word for word, receiver in found.items() if receiver is None and aloud):
        log.error("%s: no receiver is called %r; its alerts go to the fallback", rule.name, word)
    routes = [
        (severity, tuple(receiver.name for word in words if (receiver := found[word]) is not None))
        for severity, words in rule.notify
    ]
    return replace(rule, notify=tuple(routes))
