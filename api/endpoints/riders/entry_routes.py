"""One entry of a ledger: why it stands, and the rider's appeal against it."""

from typing import Annotated

from fastapi import APIRouter, Depends, Response

from api.decisions.appeals import file_appeal
from api.endpoints.common.auth import require
from api.endpoints.common.etags import WordsDep
from api.endpoints.common.problems import Problem
from api.endpoints.common.schemas import IdText
from api.endpoints.common.threads import ThreadedRoute
from api.endpoints.decisions.shapes import AppealAsked, AppealShown
from api.endpoints.riders.shapes import EntryExplained, explained_entry
from api.riders.entries_explained import entry_of, owner_of_entry
from api.service import Actor, ServiceDep

router = APIRouter(prefix="/v1/entries/{entry_id}", tags=["entries"], route_class=ThreadedRoute)
Reader = Annotated[Actor, Depends(require("self:read", "riders:read"))]
Appellant = Annotated[Actor, Depends(require("self:appeal"))]


@router.get("")
def get_entry(entry_id: IdText, actor: Reader, service: ServiceDep, lang: WordsDep) -> EntryExplained:
    """Why an entry stands: its because-tree, its rule and book version, and whether it can be appealed."""
    with service.reading() as unit:
        # Whose it is comes first: explaining another's entry would take longer than finding none.
        owner = owner_of_entry(unit, entry_id)
        is_seen = owner is not None and actor.may_see_rider(owner.rider_id, owner.city)
        entry = entry_of(unit, entry_id, service.clock()) if is_seen else None
    if entry is None:
        raise Problem("entry_unknown", entry=entry_id)
    return explained_entry(entry, lang)


@router.post("/appeal", status_code=201, responses={200: {"model": AppealShown, "description": "Filed before."}})
def post_appeal(
    entry_id: IdText, body: AppealAsked, actor: Appellant, service: ServiceDep, lang: WordsDep, response: Response
) -> AppealShown:
    """Appeal a deduction of one's own; without an answer by the deadline it is decided for the rider."""
    with service.writing() as unit:
        filed, is_new = file_appeal(
            unit, actor.subject, entry_id, body.reason_code, body.reason, body.evidence_ref, actor.name,
            key_id=actor.key_id,
        )  # fmt: skip
    response.status_code = 201 if is_new else 200
    response.headers["Location"] = f"/v1/appeals/{filed.appeal_id}"
    return AppealShown.of(filed, lang)
