"""Whether the whole cycle works: rules are evaluated, news go out, the store takes and gives, every thread does its work. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from alerts.wording import counted, instant, lasting
from monitor.lateness import Late
from monitor.pulse import Silent


@dataclass(frozen=True)
class Signs:
    """What is to be seen of a daemon and its store at one moment."""

    late: tuple[Late, ...] = ()
    """Rules with evaluations that are due. One whose source cannot be asked was evaluated, and is told as blind."""
    silent: tuple[Silent, ...] = ()
    """Threads without a sign of life."""
    waiting: Mapping[str, datetime] | None = None
    """Since when something is due for a receiver, and nobody has taken it up."""
    store: str = ""
    """Why the store could not be written and read back."""
    canary: str = ""
    """Why the newest canary did not arrive."""


@dataclass(frozen=True)
class Fault:
    """One thing that does not work: a word for it, and a sentence."""

    what: str
    says: str


def faults(signs: Signs, now: datetime, slack: timedelta, oldest: timedelta) -> tuple[Fault, ...]:
    """What does not work; `slack` is how late a rule may be, `oldest` how long a message may wait to be taken up."""
    late = [item for item in signs.late if now - item.since > slack]
    waiting = {name: at for name, at in (signs.waiting or {}).items() if now - at > oldest}
    return (
        *([Fault("store", f"the store could not be written and read: {signs.store}")] if signs.store else []),
        *([Fault("rules", _late(late))] if late else []),
        *(
            Fault(f"thread {item.name}", f"{item.name}: no sign of life since {instant(item.since)}")
            for item in signs.silent
        ),
        *(
            Fault(f"outbox {name}", f"messages to {name} have been due for {lasting(now - at)}, and nobody sends them")
            for name, at in sorted(waiting.items())
        ),
        *([Fault("canary", f"the newest canary did not arrive: {signs.canary}")] if signs.canary else []),
    )


def _late(late: list[Late]) -> str:
    first = late[0]
    return f"{counted(len(late), 'rule')} not evaluated on time, {first.rule.name} since {instant(first.since)}"
