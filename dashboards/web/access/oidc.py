"""Sign-in through an OpenID provider: authorization code with PKCE (RFC 7636), spoken by Authlib."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from authlib.common.errors import AuthlibBaseError
from authlib.integrations.starlette_client import OAuth
from fastapi import Request
from httpx2 import HTTPError
from joserfc.errors import JoseError
from starlette.responses import Response

from dashboards.web.access.people import Person, Via
from dashboards.web.access.proxy import LONGEST, no_role
from dashboards.web.access.roles import Roles
from dashboards.web.access.sessions import Session, Sessions
from dashboards.web.errors import ForbiddenError
from dashboards.web.templating import link

SIGN_IN = "/sign-in"
BACK = "/sign-in/back"
WAIT_SECONDS = 10.0
SIGNED = ("RS256", "RS384", "RS512", "ES256", "ES384", "ES512", "PS256", "PS384", "PS512", "EdDSA")
"""Signatures that only the provider can make: not `none`, and none by a secret that this site knows as well."""


class SignInError(Exception):
    """The provider could not be asked, or what came back from it is not to be trusted; the text is for the log."""


@dataclass(frozen=True)
class Claims:
    """Who somebody is, as the provider says. `mail` is one that it has checked."""

    id: str
    name: str
    mail: str
    groups: tuple[str, ...]


@dataclass(frozen=True)
class Provider:
    """An OpenID provider that is found by its issuer (OpenID Connect Discovery 1.0) when it is first needed."""

    issuer: str
    client_id: str
    client_secret: str | None = field(repr=False)
    scopes: tuple[str, ...] = ("openid", "profile", "email")
    groups_claim: str = "groups"
    name_claim: str = "name"

    async def redirect(self, request: Request, back: str, state: str) -> Response:
        """To the provider. What has to come back, nonce and verifier are left in `request.session`; raises `SignInError`."""
        try:
            await self._discover()
            answer: Response = await self._client.authorize_redirect(request, back, state=state)
        except (AuthlibBaseError, HTTPError, ValueError, KeyError, RuntimeError) as error:
            raise SignInError(f"{self.issuer} could not be asked: {error}") from error
        return answer

    async def claims(self, request: Request) -> Claims:
        """Who came back from the provider; raises `SignInError` for whoever did not come from there."""
        try:
            await self._discover()
            options = {
                "iss": {"essential": True, "value": self.issuer},
                "aud": {"essential": True, "value": self.client_id},
            }
            token = await self._client.authorize_access_token(request, claims_options=options)
            found = dict(token.get("userinfo") or {})
            if found and self._named(found, self.groups_claim) is None:
                found = await self._completed(found, token)
        except (AuthlibBaseError, JoseError, HTTPError, ValueError, KeyError, RuntimeError) as error:
            raise SignInError(f"{type(error).__name__}: {error}") from error
        return self._read(found)

    async def _completed(self, found: dict[str, Any], token: Mapping[str, Any]) -> dict[str, Any]:
        """With what the provider tells only when asked again; that must be of the same person (OIDC Core, 5.3.2)."""
        if not self._client.server_metadata.get("userinfo_endpoint"):
            return found
        more = dict(await self._client.userinfo(token=token))
        if more.get("sub") != found.get("sub"):
            raise SignInError("the provider's userinfo is of somebody else")
        return more | found

    def _read(self, found: Mapping[str, Any]) -> Claims:
        who = found.get("sub")
        if not isinstance(who, str) or not 1 <= len(who) <= LONGEST:
            raise SignInError("the provider's answer does not say who it is")
        mail = found.get("email") if found.get("email_verified") is True else ""
        names = (self._named(found, self.name_claim), found.get("preferred_username"), found.get("email"), who)
        name = next(item for item in names if isinstance(item, str) and item.strip())
        groups = self._named(found, self.groups_claim)
        listed = groups if isinstance(groups, list) else [groups]
        return Claims(who, name[:LONGEST], str(mail or ""), tuple(item for item in listed if isinstance(item, str)))

    @staticmethod
    def _named(found: Mapping[str, Any], claim: str) -> Any:
        """A claim of this name; else the one that lies there, such as `realm_access.roles`."""
        if claim in found:
            return found[claim]
        inner: Any = found
        for part in claim.split("."):
            inner = inner.get(part) if isinstance(inner, Mapping) else None
        return inner

    async def _discover(self) -> None:
        """The provider's own description: it must be of the issuer that the operators trust."""
        known = await self._client.load_server_metadata()
        if known.get("issuer") != self.issuer:
            raise SignInError(f"{self.issuer} says that it is {known.get('issuer')}: write it as issuer")
        offered = known.get("id_token_signing_alg_values_supported") or ["RS256"]
        known["id_token_signing_alg_values_supported"] = [name for name in offered if name in SIGNED] or ["RS256"]

    @cached_property
    def _client(self) -> Any:
        return OAuth().register(
            "provider",
            client_id=self.client_id,
            client_secret=self.client_secret,
            server_metadata_url=f"{self.issuer.rstrip('/')}/.well-known/openid-configuration",
            client_kwargs={
                "scope": " ".join(self.scopes),
                "code_challenge_method": "S256",
                "timeout": WAIT_SECONDS,
                # Without a secret the verifier alone proves who asks.
                **({} if self.client_secret else {"token_endpoint_auth_method": "none"}),
            },
        )


@dataclass(frozen=True)
class Oidc:
    """Whoever has signed in and not out again. Roles are those that the operators give now."""

    provider: Provider
    sessions: Sessions
    roles: Roles

    def person(self, request: Request) -> Person | None:
        """Raises `ForbiddenError` for somebody who has no role any more."""
        found = self.sessions.read(request)
        return None if found is None else self.admitted(found)

    def admitted(self, who: Session) -> Person:
        """Who somebody is here. Raises `ForbiddenError` for somebody who has no role."""
        role = self.roles.role([name for name in (who.id, who.mail) if name], who.groups)
        if role is None:
            raise ForbiddenError(no_role(who.name))
        return Person(who.id, who.name, role, Via.OIDC)

    def sign_in_url(self, request: Request) -> str | None:
        """Back to what was asked for, where that can be asked for again."""
        wanted = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        return link(SIGN_IN, next=wanted if request.method == "GET" else "")
