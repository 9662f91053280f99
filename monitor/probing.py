"""Whether this process is well, and whether it is ready: `dashboards.views.probes.Probes` of a daemon, or of pages alone."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from dashboards.views.probes import Probe, Probes
from monitor.app import App
from monitor.store import Store, StoreError
from monitor.vitals import Vitals

log = logging.getLogger("slicewatch")

ANSWER_SECONDS = 3.0
"""What the store may take to answer: those who probe wait for some seconds only."""
FRESH_SECONDS = 1.0
"""So long an answer of the store is good: everybody may probe, and no crowd of them should weigh on it."""
SILENT = "the store does not answer"


@dataclass
class StoreProbe:
    """Asks the store, for any number at once, in one thread at a time: one that hangs holds no other up."""

    state: Store
    seconds: float = ANSWER_SECONDS
    clock: Callable[[], float] = time.monotonic
    _asking: threading.Thread | None = None
    _said: str = ""
    """What is wrong by the newest answer."""
    _at: float | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def amiss(self) -> str:
        """What is wrong with it; nothing where it answers as it should."""
        with self._lock:
            asking = self._asking
            if asking is None or not asking.is_alive():
                if self._at is not None and self.clock() - self._at < FRESH_SECONDS:
                    return self._said
                asking = self._asking = threading.Thread(target=self._ask, name="probe", daemon=True)
                asking.start()
        asking.join(self.seconds)
        return SILENT if asking.is_alive() else self._said

    def _ask(self) -> None:
        try:
            self.state.check()
            said = ""
        except StoreError as error:
            # The text names the store, which is nobody's business but the log's.
            said = "the store cannot be used; the log says why"
            if said != self._said:
                log.error("not ready: %s", error)
        except Exception:
            said = "the store could not be asked; the log says why"
            log.exception("not ready")
        self._said, self._at = said, self.clock()


@dataclass
class Probing(Probes):
    """Of one process. `phase` is why it is not at work, such as that it ends; nothing while it is."""

    app: App
    vitals: Vitals
    phase: Callable[[], str]
    _store: StoreProbe = field(init=False)

    def __post_init__(self) -> None:
        self._store = StoreProbe(self.app.state)

    def alive(self) -> Probe:
        """By what its own loops say."""
        return Probe(self.vitals.amiss())

    def ready(self) -> Probe:
        """At work, with its rules and its store."""
        reasons = (self.phase(), self._rules(), self._store.amiss())
        return Probe(tuple(filter(None, reasons)))

    def _rules(self) -> str:
        """Files of which not one rule can be read are a mistake; no files at all are a beginning."""
        found = self.app.rules
        broken = any(problem.severity == "error" for problem in found.problems)
        return "no rule can be read; the log says why" if broken and not found.rules else ""
