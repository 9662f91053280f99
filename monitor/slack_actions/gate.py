"""Who may act: everybody in a receiver's channel, or those whom its `actors` name; on what was told there.

Whoever `actors` name for a receiver that was told of an incident may act on it from the channel of any other, too.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from monitor.settings import ReceiverSettings
from monitor.slack_actions.requests import Command, Person, Press, acted_on

log = logging.getLogger("slicewatch")

KEPT_SECONDS = 300.0
"""How long the members of a user group are believed."""

Members = Callable[[ReceiverSettings, str], frozenset[str]]
"""The ids of a user group's members, as Slack has them; raises where it cannot be asked."""

Told = Callable[[str], frozenset[str] | None]
"""The receivers that were told of an incident, by its id; None where there is no such incident."""


@dataclass
class Gate:
    """What is asked before anything is done. `clock` counts seconds."""

    receivers: Mapping[str, ReceiverSettings]
    """Those of kind slack that take answers, by name."""
    members: Members
    told: Told
    clock: Callable[[], float] = time.monotonic
    _known: dict[tuple[str, str], tuple[float, frozenset[str]]] = field(default_factory=dict)

    def refusal(self, act: Press | Command) -> str | None:
        """Why it is not done, in a sentence for whoever tried; None where it may be."""
        doors = self._doors(act)
        if not doors:
            return "This channel is no receiver of slicewatch: try it in the channel of the alerts."
        passed = frozenset(door.name for door in doors if self._may(door, act.by))
        if not passed:
            names = ", ".join(door.name for door in doors)
            return (
                f"You may not do this here: those who may stand in 'actors' of the receiver {names} in slicewatch.toml."
            )
        incident = acted_on(act)
        told = None if incident is None else self.told(incident)
        if told is None or passed & told or any(self._named(name, act.by) for name in told):
            return None
        return (
            f"{incident} was not told in this channel: act on it where it was told. "
            "Who stands in 'actors' of a receiver that was told of it may do so from here."
        )

    def _named(self, receiver: str, person: Person) -> bool:
        """Whether a receiver's `actors` name somebody, which being in its channel does not."""
        door = self.receivers.get(receiver)
        return door is not None and bool(door.actors) and self._may(door, person)

    def _doors(self, act: Press | Command) -> list[ReceiverSettings]:
        if isinstance(act, Press):
            found = self.receivers.get(act.pressed.receiver)
            return [] if found is None else [found]
        here = {act.channel_id, f"#{act.channel_name}", act.channel_name}
        return [door for door in self.receivers.values() if door.channel in here]

    def _may(self, door: ReceiverSettings, person: Person) -> bool:
        if not door.actors:
            return not person.guest
        groups = [name for name in door.actors if name.startswith("S")]
        return person.id in door.actors or any(person.id in self._members(door, group) for group in groups)

    def _members(self, door: ReceiverSettings, group: str) -> frozenset[str]:
        """Who is in a group; nobody where that cannot be found out."""
        asked, found = self._known.get((door.name, group), (float("-inf"), frozenset()))
        if self.clock() - asked < KEPT_SECONDS:
            return found
        try:
            found = self.members(door, group)
        except Exception as error:  # noqa: BLE001  # whatever the library raises: who is not known to be in it is not
            log.error("%s: who is in the user group %s could not be asked: %s", door.name, group, error)
            return frozenset()
        self._known[door.name, group] = (self.clock(), found)
        return found
