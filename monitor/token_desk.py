"""API tokens given, taken back, and recognised."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Collection
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from alerts.actions import RefusedError, name_of
from alerts.model import Actor
from alerts.wording import clean, instant
from dashboards.views.tokens import NewToken, TokenRow, TokensPage, TokenStanding, Wanted, order
from dashboards.web.access.people import PREFIX, WHOLE, Person, Role, TokenScope, Via
from dashboards.web.errors import StrangerError
from monitor import store
from monitor.store import Store, Token, Used

RANDOM_BYTES = 32
LONGEST_NAME = 80
USE_KEPT = timedelta(minutes=1)
"""How exactly it is kept when a token was last used: not every request is to write."""


@dataclass(frozen=True)
class Tokens:
    """The tokens of a store. Answers `dashboards.views.tokens.TokenDesk`."""

    state: Store

    def tokens(self, now: datetime) -> TokensPage:
        """All of them."""
        with self.state.read() as tx:
            found = store.tokens(tx)
        return TokensPage(now, order([row_of(item, now) for item in found]))

    def give(self, wanted: Wanted, by: Actor, at: datetime) -> NewToken:
        """A new token. Raises `RefusedError` where it could do nothing, or more than its role."""
        role, scopes = role_of(wanted.role), scopes_of(wanted.role, wanted.scopes)
        name = clean(wanted.name.strip(), LONGEST_NAME)
        if not name:
            raise RefusedError("a token needs a name: what it is for")
        if wanted.expires is not None and wanted.expires <= at:
            raise RefusedError(f"{instant(wanted.expires)} is over: a token ends later than it begins")
        secret = PREFIX + secrets.token_urlsafe(RANDOM_BYTES)
        made = Token(f"tk-{secrets.token_hex(5)}", name, role.word, tuple(scopes), by, at, wanted.expires)
        with self.state.write() as tx:
            store.add_token(tx, made, secret)
            until = "for good" if made.expires is None else f"until {instant(made.expires)}"
            detail = f"{name}: a {role.word}'s, for {', '.join(scopes)}, {until}"
            store.add_action(tx, store.Acted("give token", made.id, by, at, detail))
        return NewToken(row_of(Used(made, None), at), secret)

    def revoke(self, token: str, by: Actor, at: datetime) -> TokenRow:
        """Take a token back; it opens nothing from the next request on."""
        with self.state.write() as tx:
            known = store.token(tx, token)
            if known is None:
                raise RefusedError(f"no token is called '{token}': `slicewatch token list` shows them")
            if known.token.revoked_at is not None:
                raise RefusedError(f"{token} was revoked at {instant(known.token.revoked_at)}")
            gone = replace(known.token, revoked_at=at)
            store.change_token(tx, gone)
            store.add_action(tx, store.Acted("revoke token", token, by, at, f"{gone.name}: by {name_of(by)}"))
        return row_of(replace(known, token=gone), at)


@dataclass(frozen=True)
class Holders:
    """Who holds a token. Answers `dashboards.web.access.tokens.Holders`."""

    state: Store
    clock: Callable[[], datetime]
    _seen: dict[str, datetime] = field(default_factory=dict)

    def holder(self, secret: str) -> Person:
        """Raises `StrangerError` for a token that is none, or none any more."""
        now = self.clock()
        with self.state.read() as tx:
            known = store.token_of(tx, secret)
        if known is None:
            raise StrangerError("this token is none: it was never given here")
        standing = standing_of(known.token, now)
        if standing is not TokenStanding.GOOD:
            raise StrangerError(f"this token is {standing}: ask an admin for another")
        self._remember(known, now)
        item = known.token
        return Person(item.id, item.name, Role[item.role.upper()], Via.TOKEN, frozenset(map(TokenScope, item.scopes)))

    def _remember(self, known: Used, now: datetime) -> None:
        """Keep that it was used, at most once a minute; a store that is busy is no reason to refuse."""
        item = known.token.id
        last = max((at for at in (known.used_at, self._seen.get(item)) if at is not None), default=None)
        if last is not None and now - last < USE_KEPT:
            return
        self._seen[item] = now
        try:
            with self.state.write() as tx:
                store.token_used(tx, item, now)
        except store.StoreError:
            return


def role_of(word: str) -> Role:
    """Raises `RefusedError` for a word that is no role."""
    found = {role.word: role for role in Role}.get(word)
    if found is None:
        raise RefusedError(f"'{clean(word)}' is no role: write {', '.join(role.word for role in Role)}")
    return found


def scopes_of(role: str, words: Collection[str]) -> list[TokenScope]:
    """The scopes of a new token: those named, else all of the role. Raises `RefusedError`."""
    own = role_of(role)
    known = {scope.value: scope for scope in TokenScope}
    for word in words:
        if word not in known:
            raise RefusedError(f"'{clean(word)}' is no scope: write {', '.join(known)}")
        if LEAST[known[word]] > own:
            raise RefusedError(f"the scope {word} needs the role {LEAST[known[word]].word}; this token's is {own.word}")
    wanted = {known[word] for word in words} or {scope for held, scope in WHOLE.items() if held <= own}
    return [scope for scope in TokenScope if scope in wanted]


LEAST = {scope: role for role, scope in WHOLE.items()} | {
    TokenScope.MARKS: Role.RESPONDER,
    TokenScope.RELOAD: Role.ADMIN,
    TokenScope.METRICS: Role.VIEWER,
}
"""The role without which a scope means nothing."""


def standing_of(item: Token, now: datetime) -> TokenStanding:
    """Whether it opens anything."""
    if item.revoked_at is not None:
        return TokenStanding.REVOKED
    return TokenStanding.EXPIRED if item.expires is not None and item.expires <= now else TokenStanding.GOOD


def row_of(used: Used, now: datetime) -> TokenRow:
    """A token as pages and commands show it."""
    item = used.token
    return TokenRow(
        id=item.id,
        name=item.name,
        role=item.role,
        scopes=item.scopes,
        standing=standing_of(item, now),
        by=name_of(item.by),
        made_at=item.made_at,
        expires=item.expires,
        revoked_at=item.revoked_at,
        used_at=used.used_at,
    )
