"""Riders who move to another city: proposed by the old one, accepted by the new one."""

from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Response
from pydantic import Field

from api.books.scheduling import rules_for_posting
from api.endpoints.common.auth import require
from api.endpoints.common.schemas import LIMIT_DEFAULT, City, Cursor, IdText, Limit, ListPage, Model
from api.endpoints.common.threads import ThreadedRoute
from api.riders import moves
from api.service import Actor, ServiceDep

router = APIRouter(prefix="/v1", tags=["riders"], route_class=ThreadedRoute)
Mover = Annotated[Actor, Depends(require("riders:move"))]


class MoveAsked(Model):
    """Where a rider is to move."""

    city: City = Field(description="The new city.", examples=["shanghai"])


class MoveShown(Model):
    """A move: proposed by the old city, or done."""

    rider_id: str
    from_city: str
    to_city: str
    state: Literal["proposed", "moved"]
    proposed_by: str = Field(examples=["platform:dispatch-1"])
    accepted_by: str | None
    at_us: int = Field(description="When it was proposed, or done: from then on the rider's events name the new city.")


class MoveList(ListPage):
    """Moves that wait, newest first."""

    items: tuple[MoveShown, ...]


@router.post(
    "/riders/{rider_id}/move",
    responses={202: {"model": MoveShown, "description": "Proposed: it waits for a key of the new city."}},
)
def post_move(rider_id: IdText, body: MoveAsked, actor: Mover, service: ServiceDep, response: Response) -> MoveShown:
    """Move a rider to another city.

    A key of the old city proposes it (202); one of the new city accepts it by the same request (200); one that is good
    in both does it at once (200). The same again gives the same answer.
    """
    with service.writing() as unit:
        made = moves.move_rider(unit, rules_for_posting(unit), actor, rider_id, body.city)
    response.status_code = 202 if made.state == "proposed" else 200
    return MoveShown.of(made)


@router.get("/riders/{rider_id}/move")
def get_move(rider_id: IdText, actor: Mover, service: ServiceDep) -> MoveShown:
    """The move of a rider that waits, or else the last one; for keys of either city."""
    with service.reading() as unit:
        return MoveShown.of(moves.move_of(unit, actor, rider_id))


@router.delete("/riders/{rider_id}/move", status_code=204)
def delete_move(rider_id: IdText, actor: Mover, service: ServiceDep) -> None:
    """End a move that waits: a key of the old city withdraws it, one of the new city refuses it."""
    with service.writing() as unit:
        moves.end_move(unit, actor, rider_id)


@router.get("/moves")
def list_moves(actor: Mover, service: ServiceDep, cursor: Cursor = None, limit: Limit = LIMIT_DEFAULT) -> MoveList:
    """Moves that wait, out of or into the cities of the key."""
    with service.reading() as unit:
        page = moves.open_moves_of(unit, actor, cursor, limit)
    return MoveList.of(page)
