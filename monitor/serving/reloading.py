"""Rules read again for the pages that show them."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from alerts.model import Actor
from dashboards.views.reload import Reloaded
from monitor import store
from monitor.app import App
from monitor.rulebook import Rulebook, Swap
from rules.load import RuleSet


@dataclass(frozen=True)
class ViewReloader:
    """Of a process that serves pages and evaluates nothing: what it shows is read again, the store is left to the daemon.

    Answers `dashboards.views.reload.Reloader`.
    """

    app: App
    _one_at_a_time: threading.Lock = field(default_factory=threading.Lock)

    def reload(self, by: Actor, at: datetime) -> Reloaded:
        """Read the rule files now."""
        with self._one_at_a_time:
            fresh = self.app.book.read()
            swap = Swap.between(self.app.rules, fresh)
            self.app.rules = fresh
        note_reload(self.app, by, at, swap.text())
        return reloaded(swap.text(), fresh)


@dataclass(frozen=True)
class DaemonReloader:
    """Of a daemon: it is asked, and reads its rules by itself within seconds. What is wrong with the files is said at once.

    Answers `dashboards.views.reload.Reloader`.
    """

    app: App
    ask: Callable[[], None]

    def reload(self, by: Actor, at: datetime) -> Reloaded:
        """Have the rule files read."""
        # Read beside the daemon's own book, of which its watching thread alone keeps the last good versions.
        found = Rulebook(self.app.settings).read()
        note_reload(self.app, by, at, ASKED)
        self.ask()
        return reloaded(ASKED, found)


ASKED = "the daemon reads its rules within seconds; its log says what changed"


def reloaded(text: str, rules: RuleSet) -> Reloaded:
    """What became of it."""
    errors = tuple(problem.render() for problem in rules.problems if problem.severity == "error")
    return Reloaded(text, len(rules.rules), errors)


def note_reload(app: App, by: Actor, at: datetime, detail: str) -> None:
    """Keep who asked."""
    with app.state.write() as tx:
        store.add_action(tx, store.Acted("reload", "rules", by, at, detail))
