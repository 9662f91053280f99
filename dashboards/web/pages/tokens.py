"""API tokens: give, list and take back. For admins."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Literal

from fastapi import APIRouter, Form, Request
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field
from starlette.responses import RedirectResponse, Response

from dashboards.views import tokens as views
from dashboards.views.tokens import NewToken, TokenRow, TokensPage, Wanted
from dashboards.web.access.gate import gate_of
from dashboards.web.access.guard import Admin
from dashboards.web.access.people import Person, Role, TokenScope
from dashboards.web.errors import ForbiddenError
from dashboards.web.export import as_csv
from dashboards.web.site import Here

router = APIRouter(include_in_schema=False)
api = APIRouter(tags=["tokens"])

ROLES = [role.word for role in Role]
LASTING = {"7": "a week", "90": "90 days", "365": "a year", "": "for good"}
"""Days that the form offers."""
RoleName = Literal["viewer", "responder", "admin"]


class TokenWish(BaseModel):
    """What a new token is to be."""

    model_config = ConfigDict(extra="forbid")

    name: Annotated[str, Field(min_length=1, max_length=80, description="What it is for.", examples=["deployments"])]
    role: RoleName = "viewer"
    scopes: Annotated[
        list[TokenScope],
        Field(max_length=len(TokenScope), description="What it may be used for; none is all that its role may."),
    ] = []
    expires: Annotated[AwareDatetime | None, Field(description="When it ends; null for never.")] = None


@router.get("/tokens")
def page(request: Request, person: Admin, here: Here) -> Response:
    """All tokens, and a form for a new one."""
    return _page(request, person, here)


@router.post("/tokens")
def give_by_form(
    request: Request,
    person: Admin,
    here: Here,
    name: Annotated[str, Form(max_length=80)],
    role: Annotated[RoleName, Form()] = "viewer",
    scopes: Annotated[list[TokenScope] | None, Form()] = None,
    days: Annotated[Literal["7", "90", "365", ""], Form()] = "90",
) -> Response:
    """A new token: its secret is on the page that answers, and on none after it. So it answers by no redirect."""
    at = gate_of(request).clock()
    expires = at + timedelta(days=int(days)) if days else None
    made = _give(here, person, Wanted(name, role, tuple(scopes or ()), expires), request)
    return _page(request, person, here, made)


@router.post("/tokens/{token}/revoke")
def revoke_by_form(request: Request, token: str, person: Admin, here: Here) -> Response:
    """It opens nothing any more."""
    here.ports.tokens.revoke(token, person.actor, gate_of(request).clock())
    return RedirectResponse("/tokens", status_code=303)


@router.get("/tokens.csv")
def csv(request: Request, _: Admin, here: Here) -> Response:
    """One row a token, without what is secret."""
    return as_csv(views.table(here.ports.tokens.tokens(gate_of(request).clock())), "tokens")


@api.get("/tokens")
def tokens(request: Request, _: Admin, here: Here) -> TokensPage:
    """All API tokens, without what is secret of them."""
    return here.ports.tokens.tokens(gate_of(request).clock())


@api.post("/tokens", status_code=201)
def give(request: Request, wish: TokenWish, person: Admin, here: Here) -> NewToken:
    """A new API token. Its secret is in this answer and nowhere else."""
    wanted = Wanted(wish.name, wish.role, tuple(wish.scopes), wish.expires)
    return _give(here, person, wanted, request)


@api.delete("/tokens/{token}")
def revoke(request: Request, token: str, person: Admin, here: Here) -> TokenRow:
    """Take an API token back: it opens nothing from now on."""
    return here.ports.tokens.revoke(token, person.actor, gate_of(request).clock())


def _give(here: Here, person: Person, wanted: Wanted, request: Request) -> NewToken:
    if person.scopes is not None:
        # What was taken back would live on in what it had made.
        raise ForbiddenError("a token gives no tokens: a person does, on the page or by `slicewatch token add`")
    return here.ports.tokens.give(wanted, person.actor, gate_of(request).clock())


def _page(request: Request, person: Person, here: Here, made: NewToken | None = None) -> Response:
    shown = here.ports.tokens.tokens(gate_of(request).clock())
    return here.page(
        request, "tokens.html", person, view=shown, made=made, roles=ROLES, scopes=list(TokenScope), lasting=LASTING
    )
