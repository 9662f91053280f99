"""From `[web]` of the settings to the door of the pages."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

from alerts.model import Actor
from dashboards.web.access.addresses import is_loopback
from dashboards.web.access.doors import Door, Loopback
from dashboards.web.access.gate import Gate
from dashboards.web.access.origin import Origin
from dashboards.web.access.proxy import Proxy
from dashboards.web.access.tokens import Tokens
from monitor import store
from monitor.setting_values import Secret, SettingsError
from monitor.settings import Settings
from monitor.store import Store
from monitor.token_desk import Holders
from monitor.web_settings import WAYS_IN, OidcSettings, WebSettings, open_to_all, split_address
from rules.problem import Problem

SHORTEST_KEY = 32
"""Characters of a session key: fewer could be guessed."""


class OpenToAllError(Exception):
    """The pages would be everybody's; the text is a line for a person."""


@dataclass(frozen=True)
class Access:
    """Who gets in: the door, what stands around it, and what signs sessions and forms."""

    door: Door
    gate: Gate
    key: bytes


@dataclass(frozen=True)
class JournalOfStore:
    """The log of actions of a store."""

    state: Store

    def note(self, action: str, subject: str, by: Actor, at: datetime, detail: str) -> None:
        """Keep one action."""
        with self.state.write() as tx:
            store.add_action(tx, store.Acted(action, subject, by, at, detail))


def open_access(settings: Settings, state: Store, listen: str, clock: Callable[[], datetime]) -> Access:
    """Whom the settings let in; `listen` is where the pages are served, `clock` the real one.

    Raises `OpenToAllError` where nobody need sign in and not this machine alone would be served, `SettingsError` for a
    secret that is missing or too short, or a library that is.
    """
    web = settings.web
    if web.access == "none" and not is_loopback(split_address(listen)[0]):
        raise OpenToAllError(f"not served: {open_to_all(listen)} - {WAYS_IN}")
    key = _key(web)
    gate = Gate(JournalOfStore(state), clock, Origin(web.public_url))
    door, gate = _door(web, key, gate)
    return Access(Tokens(Holders(state, clock), door), gate, key)


def _door(web: WebSettings, key: bytes, gate: Gate) -> tuple[Door, Gate]:
    if web.proxy is not None:
        known = web.proxy
        return Proxy(known.networks, known.user_header, known.groups_header, known.name_header, web.roles), gate
    if web.oidc is not None:
        return _through_provider(web, web.oidc, key, gate)
    return Loopback(), gate


def _through_provider(web: WebSettings, known: OidcSettings, key: bytes, gate: Gate) -> tuple[Door, Gate]:
    try:
        # Only who signs people in through a provider needs the library for it.
        from dashboards.web.access.oidc import Oidc, Provider  # noqa: PLC0415
        from dashboards.web.access.sessions import Sessions  # noqa: PLC0415
        from dashboards.web.access.sign_in import PUBLIC, SignIn  # noqa: PLC0415
    except ModuleNotFoundError as error:
        message = f'access = "oidc" needs {error.name}, which is not installed'
        hint = "pip install 'slicewatch[oidc]'"
        raise SettingsError((known.span.problem("unknown-kind", message, hint),)) from None
    secret = None if known.client_secret is None else known.client_secret.reveal()
    provider = Provider(known.issuer, known.client_id, secret, known.scopes, known.groups_claim, known.name_claim)
    door = Oidc(provider, Sessions(key, web.session_lasts, gate.origin, gate.clock), web.roles)
    return door, replace(gate, routers=(SignIn(door).router,), public=PUBLIC)


def _key(web: WebSettings) -> bytes:
    """What the operators gave, or a new one: then sessions end with the process."""
    if web.session_key is None:
        return secrets.token_bytes(32)
    key = web.session_key.reveal()
    if len(key) < SHORTEST_KEY:
        raise SettingsError((_too_short(web.session_key),))
    return key.encode()


def _too_short(key: Secret) -> Problem:
    message = f"{key.key} is shorter than {SHORTEST_KEY} characters: somebody could guess it"
    return key.span.problem("bad-value", message, "take 32 random bytes: `openssl rand -base64 32`")
