"""`[web]` of slicewatch.toml: where the pages are served, and who gets in."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from ipaddress import ip_network
from typing import Annotated, Literal, Self, get_args
from urllib.parse import urlsplit

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainValidator, StringConstraints, model_validator

from dashboards.web.access.addresses import Network, is_loopback
from dashboards.web.access.roles import Roles
from monitor.setting_values import Reference, Secret, SecretRef, Word, as_wait
from rules.document import Path as KeyPath
from rules.explain import Doc, described, refusal
from rules.problem import Place, Span
from rules.vocabulary import did_you_mean, one_of
from rules.written import Locate

DEFAULT_LISTEN = "127.0.0.1:8080"
DEFAULT_SESSION = timedelta(hours=12)
LONGEST_SESSION = timedelta(days=30)

Access = Literal["none", "proxy", "oidc"]


# --- what it means ----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class ProxySettings:
    """A proxy that has signed people in, and says by headers who they are. Nobody outside of `networks` is believed."""

    networks: tuple[Network, ...]
    user_header: str
    groups_header: str
    name_header: str


@dataclass(frozen=True)
class OidcSettings:
    """An OpenID provider, and what its claims are called."""

    issuer: str
    client_id: str
    client_secret: Secret | None
    scopes: tuple[str, ...]
    groups_claim: str
    name_claim: str
    span: Span = field(default=Span(Place("")), repr=False, compare=False)


@dataclass(frozen=True)
class WebSettings:
    """`[web]` as it is meant."""

    asked: bool = False
    """Whether the file has the table: then the daemon serves the pages itself."""
    listen: str = DEFAULT_LISTEN
    public_url: str | None = None
    """Scheme and host by which browsers come, without a path; None where that is `listen` itself."""
    access: Access = "none"
    proxy: ProxySettings | None = None
    oidc: OidcSettings | None = None
    roles: Roles = field(default_factory=Roles)
    session_key: Secret | None = None
    """What signs sessions, for replicas that share them; None makes one at each start."""
    session_lasts: timedelta = DEFAULT_SESSION

    def secrets(self) -> tuple[Secret, ...]:
        """Every secret that it names."""
        found = (self.session_key, self.oidc.client_secret if self.oidc is not None else None)
        return tuple(secret for secret in found if secret is not None)


def split_address(listen: str) -> tuple[str, int]:
    """Host and port of an address to listen on; brackets around IPv6 are taken off."""
    host, _, port = listen.rpartition(":")
    return host.strip("[]"), int(port)


# --- how it is written ------------------------------------------------------------------------------------------

HEADER = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]*")


def as_listen(raw: object) -> str:
    """An address to listen on, its port a fixed one."""
    found = re.fullmatch(r"(.+):(\d{1,5})", raw) if isinstance(raw, str) else None
    if found is None or not 0 < int(found[2]) < 65_536:
        raise refusal("bad-value", f"{described(raw)} is no address to listen on", 'write "127.0.0.1:8080"')
    return found[0]


def _public_url(raw: object) -> str:
    try:
        parts = urlsplit(raw) if isinstance(raw, str) else urlsplit("")
        sound = parts.scheme in ("http", "https") and parts.hostname and "@" not in parts.netloc and parts.port != 0
    except ValueError:
        sound = False
    hint = 'write "https://slicewatch.example.com"'
    if not sound:
        raise refusal("bad-value", f"{described(raw)} is no web address", hint)
    if parts.path not in ("", "/") or parts.query or parts.fragment:
        raise refusal("bad-value", "the pages stand at the top of a host, not below a path", hint)
    return f"{parts.scheme}://{parts.netloc.lower()}"


def _issuer(raw: object) -> str:
    parts = urlsplit(raw) if isinstance(raw, str) else urlsplit("")
    secure = parts.scheme == "https" or (parts.scheme == "http" and is_loopback(parts.hostname or ""))
    if not secure or not parts.netloc or parts.query or parts.fragment:
        hint = 'write "https://login.example.com/realms/main", as the provider\'s own description calls it'
        raise refusal("bad-value", f"{described(raw)} is no issuer", hint)
    return str(raw)


def _network(raw: object) -> Network:
    hint = 'write networks = ["10.1.0.0/24"], the addresses from which the proxy itself comes'
    try:
        found = ip_network(raw) if isinstance(raw, str) else None
    except ValueError as error:
        raise refusal("bad-value", str(error), hint) from None
    if found is None:
        raise refusal("wrong-type", f"{described(raw)} is no network", hint)
    if found.prefixlen == 0:
        raise refusal("bad-value", f"{raw} is everybody: anybody could say who they are", hint)
    return found


def _header(raw: object) -> str:
    if not isinstance(raw, str) or not HEADER.fullmatch(raw):
        raise refusal("bad-value", f"{described(raw)} is no name of a header", 'write "X-Forwarded-User"')
    return raw.lower()


def _holder(raw: object) -> str:
    if not isinstance(raw, str) or not raw.strip() or raw == "user:":
        hint = 'write the name of a group, "user:kari@example.com", or "*" for whoever signs in'
        raise refusal("wrong-type", f"{described(raw)} is nobody", hint)
    return raw


def _session(raw: object) -> timedelta:
    found = as_wait(raw, 'write "12h"')
    if found > LONGEST_SESSION:
        raise refusal("bad-value", f"a session lasts at most {LONGEST_SESSION.days} days", 'write "12h"')
    return found


def _access(raw: object) -> object:
    known = get_args(Access)
    if raw not in known:
        hint = did_you_mean(raw, known) if isinstance(raw, str) else ""
        raise refusal("unknown-value", f"{described(raw)} is not {one_of(known)}", hint)
    return raw


Header = Annotated[str, BeforeValidator(_header)]
Holders = tuple[Annotated[str, PlainValidator(_holder)], ...]
Scope = Annotated[str, StringConstraints(pattern=r"^[\x21\x23-\x5B\x5D-\x7E]+$")]
"""A scope of OAuth (RFC 6749, 3.3)."""


class _ProxyShape(BaseModel):
    model_config = ConfigDict(extra="forbid", title="[web.proxy]")

    networks: Annotated[
        tuple[Annotated[Network, PlainValidator(_network)], ...],
        Field(min_length=1),
        Doc("list of networks", 'networks = ["10.1.0.0/24"], the addresses from which the proxy itself comes'),
    ]
    user_header: Header = "x-forwarded-user"
    groups_header: Header = "x-forwarded-groups"
    name_header: Header = "x-forwarded-preferred-username"


class _OidcShape(BaseModel):
    model_config = ConfigDict(extra="forbid", title="[web.oidc]")

    issuer: Annotated[str, BeforeValidator(_issuer), Doc("web address", 'issuer = "https://login.example.com"')]
    client_id: Annotated[Word, Doc("string", "client_id, as the provider gave it")]
    client_secret: SecretRef | None = None
    scopes: Annotated[tuple[Scope, ...], Field(min_length=1)] = ("openid", "profile", "email")
    groups_claim: Word = "groups"
    name_claim: Word = "name"

    @model_validator(mode="after")
    def _asks_who(self) -> Self:
        if "openid" not in self.scopes:
            message = "without the scope openid the provider does not say who somebody is"
            raise refusal("missing-key", message, 'add "openid"', at=("scopes",))
        return self


class _RolesShape(BaseModel):
    model_config = ConfigDict(extra="forbid", title="[web.roles]")

    viewer: Holders = ()
    responder: Holders = ()
    admin: Holders = ()

    def meant(self) -> Roles:
        """Whom each role belongs to."""
        return Roles(self.viewer, self.responder, self.admin)


class WebShape(BaseModel):
    """`[web]` as it is written."""

    model_config = ConfigDict(extra="forbid", title="[web]")

    listen: Annotated[str, BeforeValidator(as_listen)] = DEFAULT_LISTEN
    public_url: Annotated[str | None, BeforeValidator(_public_url)] = None
    access: Annotated[Access, PlainValidator(_access)] = "none"
    proxy: _ProxyShape | None = None
    oidc: Annotated[_OidcShape | None, Doc("table", "a table [web.oidc]")] = None
    roles: _RolesShape = _RolesShape()
    session_key: SecretRef | None = None
    session_lasts: Annotated[timedelta, BeforeValidator(_session), Doc("duration", 'session_lasts = "12h"')] = (
        DEFAULT_SESSION
    )

    @model_validator(mode="after")
    def _belongs_together(self) -> Self:
        self._has_its_table()
        self._says_who_may()
        if self.access == "none" and not is_loopback(split_address(self.listen)[0]):
            at: tuple[str, ...] = ("listen",)
            raise refusal("contradiction", open_to_all(self.listen), WAYS_IN, at=at)
        if self.access == "oidc" and self.public_url is None:
            hint = 'add public_url = "https://slicewatch.example.com", to which the provider sends people back'
            raise refusal("missing-key", "[web] needs 'public_url' for access = \"oidc\"", hint)
        return self

    def _has_its_table(self) -> None:
        for way in ("proxy", "oidc"):
            given = getattr(self, way) is not None
            if self.access == way and not given:
                raise refusal("missing-key", f"[web] needs a table [web.{way}]", f'add it, for access = "{way}"')
            if given and self.access != way:
                message = f'[web.{way}] means nothing with access = "{self.access}"'
                raise refusal("missing-key", message, f'write access = "{way}", or remove it', at=(way,), at_key=True)

    def _says_who_may(self) -> None:
        given = self.roles.meant()
        if self.access != "none" and not given:
            hint = 'add [web.roles] with viewer = ["*"] and responder = ["oncall"]'
            raise refusal("missing-key", "[web] needs 'roles': nobody would get in", hint)
        if self.access == "none" and given:
            message = '[web.roles] means nothing with access = "none": everybody on this machine is an admin'
            raise refusal("contradiction", message, "choose who gets in, or remove it", at=("roles",), at_key=True)


Value = Callable[[Reference, KeyPath], Secret]
"""Makes a secret of where one is to be read."""


def web_settings(shape: WebShape, value: Value, locate: Locate, *, asked: bool) -> WebSettings:
    """From how it is written to what it means; `asked` where the table is there at all."""
    return WebSettings(
        asked=asked,
        listen=shape.listen,
        public_url=shape.public_url,
        access=shape.access,
        proxy=None if shape.proxy is None else ProxySettings(**dict(shape.proxy)),
        oidc=None if shape.oidc is None else _oidc(shape.oidc, value, locate(("web", "oidc"), True)),
        roles=shape.roles.meant(),
        session_key=_secret(shape.session_key, ("web", "session_key"), value),
        session_lasts=shape.session_lasts,
    )


def _oidc(shape: _OidcShape, value: Value, span: Span) -> OidcSettings:
    secret = _secret(shape.client_secret, ("web", "oidc", "client_secret"), value)
    return OidcSettings(**{**dict(shape), "client_secret": secret}, span=span)


def _secret(given: Reference | None, path: KeyPath, value: Value) -> Secret | None:
    return None if given is None else value(given, path)


WAYS_IN = 'write access = "oidc" or "proxy" with its table, or listen on 127.0.0.1'


def open_to_all(listen: str) -> str:
    """Why pages without sign-in are not served at an address that others reach."""
    return f'with access = "none" whoever reaches {listen} could do everything'
