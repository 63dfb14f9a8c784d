"""API keys: made, listed, ended."""

from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Request
from pydantic import Field

from api.http.auth import Gate, require
from api.http.context import Actor, ServiceDep
from api.http.problems import Problem
from api.http.schemas import LIMIT_DEFAULT, Cursor, Limit, Model, Page, PlainText
from api.http.threads import Threaded
from api.store import keys
from api.store.keys import Role
from rules.units import US_PER_DAY

router = APIRouter(prefix="/v1/tokens", tags=["tokens"], route_class=Threaded)
Manager = Annotated[Actor, Depends(require("tokens:write"))]


class Token(Model):
    """An API key without its secret."""

    key_id: str = Field(examples=["3f9a1c5e7b2d4068"])
    role: Role
    subject: str
    cities: list[str]
    created_by: str
    created_us: int
    expires_us: int | None
    last_used_us: int | None
    revoked_us: int | None


class TokenPage(Page):
    """API keys by id."""

    items: list[Token]


@router.get("")
def list_tokens(actor: Manager, service: ServiceDep, cursor: Cursor = None, limit: Limit = LIMIT_DEFAULT) -> TokenPage:
    """API keys, ended ones included."""
    with service.reading() as unit:
        page = keys.list_keys(unit, actor.cities, cursor, limit)
    return TokenPage(items=[_shown(key) for key in page.keys], cursor=page.cursor)


class TokenWanted(Model):
    """A key to be made."""

    role: Literal["platform", "rider", "policy"] = Field(
        description="Keys of ops and approvers are made on the server (`riderscore token create`): whoever could make"
        " one here would be their own second person."
    )
    subject: PlainText = Field(description="A person or a platform's name; for riders their own rider id.")
    cities: list[PlainText] = Field(default=[], max_length=1_000, description="Where it is good; empty: everywhere.")
    expires_days: int | None = Field(default=None, ge=1, le=3_650)


class TokenMade(Token):
    """A key with its secret, shown this once."""

    token: str = Field(examples=["rs_3f9a1c5e7b2d4068_…"])


@router.post("", status_code=201)
def make_token(body: TokenWanted, actor: Manager, service: ServiceDep) -> TokenMade:
    """Make an API key. Its secret stands in this answer and nowhere else."""
    if actor.cities and not (body.cities and set(body.cities) <= set(actor.cities)):
        raise Problem("city_forbidden", city=", ".join(body.cities) or "*")
    with service.writing() as unit:
        days = body.expires_days
        expires_us = None if days is None else unit.recorded_us + days * US_PER_DAY
        key, token = keys.create_key(
            unit, body.role, body.subject, body.cities, expires_us=expires_us, actor=actor.name
        )
    return TokenMade(token=token, **_shown(key).model_dump())


@router.delete("/{key_id}", status_code=204)
def revoke_token(key_id: PlainText, request: Request, actor: Manager, service: ServiceDep) -> None:
    """End an API key; this server refuses it at once, others within seconds."""
    with service.writing() as unit:
        _own(keys.key_by_id(unit, key_id), actor)
        keys.revoke_key(unit, key_id, actor.name)
    gate: Gate = request.app.state.gate
    gate.forget()


@router.get("/{key_id}")
def get_token(key_id: PlainText, actor: Manager, service: ServiceDep) -> Token:
    """One API key."""
    with service.reading() as unit:
        return _shown(_own(keys.key_by_id(unit, key_id), actor))


def _own(key: keys.Key | None, actor: Actor) -> keys.Key:
    """A key that the actor may see: one of their cities."""
    if key is None or (actor.cities and not (key.cities and set(key.cities) <= set(actor.cities))):
        raise Problem("key_unknown")
    return key


def _shown(key: keys.Key) -> Token:
    return Token(
        key_id=key.key_id, role=key.role, subject=key.subject, cities=list(key.cities), created_by=key.created_by,
        created_us=key.created_us, expires_us=key.expires_us, last_used_us=key.last_used_us, revoked_us=key.revoked_us,
    )  # fmt: skip
