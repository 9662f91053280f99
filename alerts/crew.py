"""Workers that deliver side by side, a thread for each lane: a receiver that is slow or dead delays nobody else."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from alerts.deliver import Courier, Outcome, deliver_once, next_step
from alerts.ports import Delivery, Lane, Outbox

LOOK_SECONDS = 1.0
"""Between two looks of a worker that waits: news that come meanwhile are sent no later."""


@dataclass
class Crew:
    """A worker for each lane in which something is due. `wait(seconds)` may return early; all is thread-safe."""

    outbox: Outbox
    courier: Courier
    clock: Callable[[], datetime]
    wait: Callable[[float], None]
    report: Callable[[Outcome], None]
    """Told of everything that was sent or failed, from any thread."""
    stopped: Callable[[], bool] = lambda: False
    """Once it is so nothing more is sent; what is being sent is settled by the true time."""
    _workers: dict[Lane, threading.Thread] = field(default_factory=dict)
    _errors: list[Exception] = field(default_factory=list)

    def start(self, until: datetime) -> int:
        """A worker for each lane that has something due before `until` and none yet; how many there are now.

        Raises what workers came upon since (an error of the outbox), the first for all: they are gone, the others go on.
        """
        if self._errors:
            # Those of all lanes are one where the outbox is away: one is told, and all lanes are looked at again.
            error = self._errors[0]
            self._errors.clear()
            raise error
        now = self.clock()
        self._workers = {lane: worker for lane, worker in self._workers.items() if worker.is_alive()}
        for lane in self.outbox.lanes() if now < until and not self.stopped() else ():
            if lane not in self._workers and self._is_due(lane, now, until):
                worker = threading.Thread(target=self._work, args=[lane, until], name=f"deliver {lane.receiver}")
                self._workers[lane] = worker
                worker.start()
        return len(self._workers)

    def sending(self) -> tuple[Delivery, ...]:
        """What is being sent at this moment."""
        return tuple(self.courier.sending.copy().values())

    def finish(self) -> None:
        """Wait for all workers to end; each does once its time is up."""
        for worker in self._workers.values():
            worker.join()

    def forget_pace(self) -> None:
        """The clock went back: what was sent at a time that is still to come holds up nothing."""
        self.courier.lanes.clear()

    def _is_due(self, lane: Lane, now: datetime, until: datetime) -> bool:
        step = next_step(self.outbox, lane, self.courier, now)
        return step is not None and step < until

    def _work(self, lane: Lane, until: datetime) -> None:
        try:
            while not self.stopped() and (now := self.clock()) < until:
                outcome = deliver_once(self.outbox, lane, self.courier, self.clock)
                if outcome is not None:
                    self.report(outcome)
                    continue
                step = next_step(self.outbox, lane, self.courier, now)
                if step is None or step >= until:
                    return
                self.wait(min(max((step - now).total_seconds(), 0.01), LOOK_SECONDS))
        except Exception as error:  # noqa: BLE001  # it leaves in the thread that starts workers
            self._errors.append(error)
