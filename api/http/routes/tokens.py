"""API keys: made, listed, ended."""

from typing import Annotated

from fastapi import APIRouter, Depends
from pydantic import Field

from api.http.auth import require
from api.http.context import Actor, ServiceDep
from api.http.problems import Problem
from api.http.schemas import LIMIT_DEFAULT, Cursor, IdText, Limit, Model, Page
from api.store import keys
from api.store.keys import Role

router = APIRouter(prefix="/v1/tokens", tags=["tokens"])
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
        page = keys.list_keys(unit, cursor, limit)
    return TokenPage(items=[_shown(key) for key in page.keys], cursor=page.cursor)


@router.get("/{key_id}")
def get_token(key_id: IdText, actor: Manager, service: ServiceDep) -> Token:
    """One API key."""
    with service.reading() as unit:
        key = keys.key_by_id(unit, key_id)
    if key is None:
        raise Problem("key_unknown")
    return _shown(key)


def _shown(key: keys.Key) -> Token:
    return Token(
        key_id=key.key_id, role=key.role, subject=key.subject, cities=list(key.cities), created_by=key.created_by,
        created_us=key.created_us, expires_us=key.expires_us, last_used_us=key.last_used_us, revoked_us=key.revoked_us,
    )  # fmt: skip
