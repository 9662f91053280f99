"""From what a proxy or a provider says of somebody to their role here. Pure."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from dashboards.web.access.people import Role

EVERYBODY = "*"
USER = "user:"


@dataclass(frozen=True)
class Roles:
    """Whom each role belongs to: names of groups, `user:` and an id or a mail address, or `*` for whoever signs in."""

    viewer: tuple[str, ...] = ()
    responder: tuple[str, ...] = ()
    admin: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.viewer or self.responder or self.admin)

    def role(self, names: Collection[str], groups: Collection[str]) -> Role | None:
        """The highest role of whoever is called `names` (id, mail) and belongs to `groups`; None for none.

        Case matters, and a group can neither be called `*` nor pass for a person: only what the operators wrote as one is one.
        """
        own = {EVERYBODY, *(f"{USER}{name}" for name in names), *(group for group in groups if _is_plain(group))}
        held = ((Role.ADMIN, self.admin), (Role.RESPONDER, self.responder), (Role.VIEWER, self.viewer))
        return next((role for role, holders in held if own & set(holders)), None)

    def known(self, groups: Collection[str]) -> tuple[str, ...]:
        """Those of the groups that make a difference, sorted."""
        return tuple(sorted(set(groups) & {*self.viewer, *self.responder, *self.admin}))


def _is_plain(group: str) -> bool:
    return group != EVERYBODY and not group.startswith(USER)
