"""Work that may take only so long."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TypeVar

from alerts.about import carried

T = TypeVar("T")


def within(seconds: float, work: Callable[[], T]) -> T:
    """What `work` returns or raises; TimeoutError where it takes longer.

    Python cannot end a thread: work that never ends goes on beside, and with the process.
    """
    results: list[T] = []
    errors: list[BaseException] = []

    def run() -> None:
        try:
            results.append(work())
        except BaseException as error:  # noqa: BLE001  # it is raised where the work was asked for
            errors.append(error)

    worker = threading.Thread(target=carried(run), name="limited", daemon=True)
    worker.start()
    worker.join(seconds)
    if errors:
        raise errors[0]
    if not results:
        raise TimeoutError(f"took longer than {seconds:g} s")
    return results[0]
