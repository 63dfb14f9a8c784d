"""API keys: a platform makes sessions for its riders; keys are listed, and ended."""

from typing import Annotated, Final

from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import Field

from api.access import key_rights, keys
from api.access.keys import Role
from api.endpoints.common.auth import Authenticator, require
from api.endpoints.common.problems import Problem
from api.endpoints.common.schemas import LIMIT_DEFAULT, Cursor, Limit, ListPage, Model, PlainText
from api.endpoints.common.threads import ThreadedRoute
from api.service import Actor, ServiceDep

router = APIRouter(prefix="/v1/tokens", tags=["tokens"], route_class=ThreadedRoute)
Maker = Annotated[Actor, Depends(require("tokens:make"))]
Reader = Annotated[Actor, Depends(require("tokens:read"))]
NUM_LEFT: Final = "Riderscore-Keys-Left"


class Token(Model):
    """An API key without its secret."""

    key_id: str = Field(examples=["3f9a1c5e7b2d4068"])
    role: Role
    subject: str
    cities: tuple[str, ...]
    created_by: str = Field(description="The person who made it, or `cli:token` for the command on the server.")
    parent: str | None = Field(description="The key that it was made with.")
    created_us: int
    expires_us: int | None = Field(description="Null for keys from before keys had to end.")
    last_used_us: int | None
    revoked_us: int | None


class TokenPage(ListPage):
    """API keys by id."""

    items: tuple[Token, ...]


@router.get("")
def list_tokens(actor: Reader, service: ServiceDep, cursor: Cursor = None, limit: Limit = LIMIT_DEFAULT) -> TokenPage:
    """API keys, ended ones included: a platform's own riders', or for ops all of their cities."""
    with service.reading() as unit:
        page = keys.list_keys(unit, actor.cities, cursor, limit, made_by=_only(actor))
    return TokenPage.of(page)


class TokenWanted(Model):
    """A rider's session to be begun."""

    role: Role = Field(
        description="`rider`. Keys of every other role are made on the server (`riderscore token create`): nobody makes"
        " one for themself, or a second person of their own."
    )
    subject: PlainText = Field(description="The rider's id; a rider of your cities.")
    cities: list[PlainText] = Field(
        default=[], max_length=1_000, description="The rider's city, or nothing: it is good there."
    )
    expires_days: int | None = Field(
        default=None, ge=1, le=3_650,
        description=f"At most {key_rights.RIDER_DAYS_MAX}, which null stands for; never longer than your own key.",
    )  # fmt: skip


class TokenMade(Token):
    """A key with its secret, shown this once."""

    token: str = Field(examples=["rs_3f9a1c5e7b2d4068_…"])


@router.post("", status_code=201)
def make_token(body: TokenWanted, actor: Maker, service: ServiceDep) -> TokenMade:
    """Begin a session for a rider. The key's secret stands in this answer and nowhere else."""
    with service.writing() as unit:
        key, token = key_rights.make_key(unit, actor, body.role, body.subject, body.cities, body.expires_days)
    return TokenMade(token=token, **Token.of(key).model_dump())


@router.delete(
    "/{key_id}",
    status_code=204,
    responses={
        204: {
            "headers": {
                NUM_LEFT: {
                    "description": "Keys made with it that are still good.",
                    "schema": {"type": "integer", "format": "int32"},
                }
            }
        }
    },
)
def revoke_token(
    key_id: PlainText,
    request: Request,
    response: Response,
    actor: Reader,
    service: ServiceDep,
    with_children: Annotated[bool, Query(description="End the keys that it made, too.")] = False,
) -> None:
    """End an API key, its sessions and its open streams; this server refuses it at once, others within seconds."""
    with service.guarding() as unit:
        keys.need_valid_key(unit, actor.key_id)
        _own(keys.key_by_id(unit, key_id), actor)
        revoked = keys.revoke_key(unit, key_id, actor.name, with_children=with_children)
    response.headers[NUM_LEFT] = str(revoked.num_left)
    authenticator: Authenticator = request.app.state.authenticator
    authenticator.forget()


@router.get("/{key_id}")
def get_token(key_id: PlainText, actor: Reader, service: ServiceDep) -> Token:
    """One API key."""
    with service.reading() as unit:
        return Token.of(_own(keys.key_by_id(unit, key_id), actor))


def _only(actor: Actor) -> str | None:
    """Platforms see the keys alone that they made."""
    return None if actor.role == "ops" else actor.name


def _own(key: keys.Key | None, actor: Actor) -> keys.Key:
    """A key that the actor may see: one of their cities, and for platforms of their making."""
    if (
        key is None
        or (actor.cities and not (key.cities and set(key.cities) <= set(actor.cities)))
        or _only(actor) not in (None, key.created_by)
    ):
        raise Problem("key_unknown")
    return key
