"""`slicewatch token`: what programs need to use the API."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import click

from dashboards.views.tokens import NewToken, TokenRow, TokenStanding, Wanted
from dashboards.web.access.people import Role, TokenScope
from monitor.commands import HELP
from monitor.commands.common import Length, config_option, json_option
from monitor.commands.people import as_option, desk
from monitor.replay import stamp
from monitor.token_desk import Tokens

DEFAULT_LENGTH = timedelta(days=90)


@click.command("token", context_settings=HELP)
@click.argument("do", type=click.Choice(["add", "list", "revoke"]))
@click.argument("target", nargs=-1)
@click.option(
    "--role",
    type=click.Choice([role.word for role in Role]),
    default=Role.VIEWER.word,
    show_default=True,
    help="What it may do at most.",
)
@click.option(
    "--scope",
    "scopes",
    type=click.Choice([scope.value for scope in TokenScope]),
    multiple=True,
    help="What it may be used for; all that its role may by default.",
)
@click.option("--for", "lasting", type=Length(), help="How long it is good, such as 365d; 90d by default.")
@click.option("--forever", is_flag=True, help="It is good until it is revoked.")
@as_option
@config_option
@json_option
def token(
    do: str,
    target: tuple[str, ...],
    role: str,
    scopes: tuple[str, ...],
    lasting: timedelta | None,
    name: str | None,
    config: Path,
    *,
    forever: bool,
    as_json: bool,
) -> None:
    r"""Tokens by which programs use the API: give, list and take them back.

    \b
    token add NAME [--role ROLE] [--scope SCOPE] [--for 365d]
    token list
    token revoke TOKEN

    NAME says what it is for. The token is printed once, and kept nowhere; a program sends it as
    `Authorization: Bearer swt_...`. TOKEN is its id, as `list` shows it.
    """
    now = datetime.now(UTC)
    if lasting is not None and forever:
        raise click.UsageError("--for says when it ends, --forever that it does not: choose one")
    with desk(config, name) as (people, who):
        tokens = Tokens(people.app.state)
        if do == "add":
            expires = None if forever else now + (lasting or DEFAULT_LENGTH)
            made = tokens.give(
                Wanted(_only(target, "say what it is for: token add NAME"), role, scopes, expires), who, now
            )
            _show_new(made, as_json=as_json)
        elif do == "revoke":
            _show(
                [tokens.revoke(_only(target, "name the token: `slicewatch token list` shows them"), who, now)], as_json
            )
        else:
            _show(tokens.tokens(now).tokens, as_json)


def _only(target: Sequence[str], hint: str) -> str:
    if len(target) != 1:
        raise click.UsageError(hint)
    return target[0]


def _show_new(made: NewToken, *, as_json: bool) -> None:
    """The secret alone on standard output, for scripts; what is known of it beside it."""
    if as_json:
        click.echo(json.dumps(token_to_json(made.token) | {"secret": made.secret}, ensure_ascii=False))
        return
    click.echo(f"{_line(made.token)}\nKeep it now, it is not shown again:", err=True)
    click.echo(made.secret)


def _show(rows: Sequence[TokenRow], as_json: bool) -> None:
    for row in rows:
        click.echo(json.dumps(token_to_json(row), ensure_ascii=False) if as_json else _line(row))
    if not rows and not as_json:
        click.echo("No token was given yet.")


def _line(row: TokenRow) -> str:
    ends = "for good" if row.expires is None else f"until {stamp(row.expires)}"
    if row.standing is TokenStanding.REVOKED and row.revoked_at is not None:
        ends = f"revoked {stamp(row.revoked_at)}"
    elif row.standing is TokenStanding.EXPIRED and row.expires is not None:
        ends = f"expired {stamp(row.expires)}"
    used = "never used" if row.used_at is None else f"last used {stamp(row.used_at)}"
    return f"{row.id}  {row.name}: {row.role} ({', '.join(row.scopes)}), {ends}, {used}, by {row.by}"


def token_to_json(row: TokenRow) -> dict[str, object]:
    """A token as one object, without its secret."""
    return {
        "id": row.id,
        "name": row.name,
        "role": row.role,
        "scopes": list(row.scopes),
        "standing": row.standing.value,
        "by": row.by,
        "made_at": stamp(row.made_at),
        "expires": _moment(row.expires),
        "revoked_at": _moment(row.revoked_at),
        "used_at": _moment(row.used_at),
    }


def _moment(at: datetime | None) -> str | None:
    return None if at is None else stamp(at)
