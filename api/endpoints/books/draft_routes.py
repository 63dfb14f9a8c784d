"""Drafts of rule books: begun, edited, checked, tried, submitted, decided on, scheduled."""

import json
from collections.abc import Callable, Coroutine
from contextlib import AbstractContextManager, nullcontext
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Request, Response

from api.access.requester import need_cities
from api.books import approvals, drafts, scheduling
from api.books.checking import check_draft, try_event
from api.books.draft_rows import Draft, DraftState, draft_of
from api.db.unit_of_work import WriteUnit
from api.endpoints.books.answers import checked_shown, trial_shown
from api.endpoints.books.bodies import (
    ApprovalAsked,
    DraftAsked,
    DraftChange,
    EventTried,
    FromDocument,
    FromPlace,
    FromToml,
    FromVersion,
    ImpactOfDraft,
    PutDocument,
    PutEdits,
    PutToml,
    ReasonAsked,
    RejectionAsked,
    RestoreAsked,
    ScheduleAsked,
    places_of,
)
from api.endpoints.books.draft_step import BookReader, DraftStep, DraftWriter, draft_headers, saved, shown, step_of
from api.endpoints.books.shapes import CheckedShown, DraftPage, DraftSaved, DraftShown, TrialShown
from api.endpoints.common.auth import require
from api.endpoints.common.etags import WordsDep, is_unchanged
from api.endpoints.common.problems import MEDIA_TYPE, Problem
from api.endpoints.common.schemas import LIMIT_DEFAULT, City, Cursor, IdText, IfNoneMatch, Limit, Started
from api.endpoints.common.threads import ConcurrencyLimit, ThreadedRoute
from api.service import Actor, LangDep, ServiceDep
from api.studies import jobs
from rules.json_form import exact_number, from_json


class _ExactRequest(Request):
    """A request whose JSON numbers are those that were sent: 0.2 is a fifth, not the float nearest to it."""

    async def json(self) -> Any:
        """The parsed body."""
        if not hasattr(self, "_json"):
            self._json = json.loads(await self.body(), parse_float=exact_number)
        return self._json


class _ExactNumbers(ThreadedRoute):
    """Routes that take rule books as JSON."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Handle each request as an `_ExactRequest`."""
        handle = super().get_route_handler()

        async def handle_exactly(request: Request) -> Response:
            return await handle(_ExactRequest(request.scope, request.receive))

        return handle_exactly


router = APIRouter(prefix="/v1/books/drafts", tags=["drafts"], route_class=_ExactNumbers)
ImpactRunner = Annotated[Actor, Depends(require("impacts:run"))]
_TAGGED: Final[dict[str, Any]] = {
    "headers": {"ETag": {"schema": {"type": "string"}, "description": "For If-Match: this and nothing else is meant."}}
}
# What a body names and is not there; for paths the document says so by itself.
_NAMED: Final[dict[int | str, dict[str, Any]]] = {
    201: _TAGGED,
    404: {
        "description": "What the body names is not there.",
        "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
    },
}
_TAGGED_200: Final[dict[int | str, dict[str, Any]]] = {200: _TAGGED}


@router.get("")
def list_drafts(
    actor: BookReader,
    service: ServiceDep,
    city: City | None = None,
    state: DraftState | None = None,
    book_id: IdText | None = None,
    cursor: Cursor = None,
    limit: Limit = LIMIT_DEFAULT,
) -> DraftPage:
    """Drafts, the last begun first: of a city, in a state, of a book."""
    with service.reading() as unit:
        page = drafts.drafts_page(
            unit, actor, city=city, state=state, book_id=book_id, cursor=cursor, limit=limit
        )  # fmt: skip
    return DraftPage.of(page)


@router.post("", status_code=201, responses=_NAMED)
def post_draft(
    body: DraftAsked, request: Request, actor: DraftWriter, service: ServiceDep, lang: LangDep, response: Response
) -> DraftSaved:
    """Begin a change: with a version, with what is in force somewhere, with a document, or with nothing."""
    with _turn(request, body):
        with service.writing() as unit:
            draft = _begin(unit, actor, body)
        response.headers["Location"] = f"{router.prefix}/{draft.draft_id}"
        return saved(service, draft, lang, response)


def _turn(request: Request, body: DraftAsked | DraftChange) -> AbstractContextManager[None]:
    """One of the few turns for reading whole documents; anything else needs none."""
    uploads: ConcurrencyLimit = request.app.state.uploads
    return uploads.taken() if isinstance(body, FromToml | FromDocument | PutToml | PutDocument) else nullcontext()


def _begin(unit: WriteUnit, actor: Actor, body: DraftAsked) -> Draft:
    if isinstance(body, FromVersion):
        targets = None if body.targets is None else places_of(body.targets)
        return drafts.draft_from_version(
            unit, actor, body.digest, city=body.city, targets=targets, book_id=body.book_id, title=body.title
        )
    if isinstance(body, FromPlace):
        return drafts.draft_from_place(unit, actor, body.city, body.rider_kind)
    targets = places_of(body.targets)
    if isinstance(body, FromToml):
        return drafts.draft_from_toml(unit, actor, body.toml, targets=targets, title=body.title)
    if isinstance(body, FromDocument):
        document = from_json(body.document)
        return drafts.draft_from_document(unit, actor, document, targets=targets, title=body.title)
    return drafts.empty_draft(unit, actor, body.empty_book_id, targets=targets, title=body.title)


@router.get("/{draft_id}", response_model=DraftShown, responses=_TAGGED_200)
def get_draft(
    draft_id: IdText, actor: BookReader, service: ServiceDep, lang: LangDep, if_none_match: IfNoneMatch = None
) -> Response:
    """A draft with its document, who wrote what, and what was said of it."""
    with service.reading() as unit:
        draft = draft_of(unit, draft_id, actor)
        answer = shown(unit, draft, lang)
    headers = draft_headers(draft, lang)
    if is_unchanged(if_none_match, headers["ETag"]):
        return Response(status_code=304, headers=headers)
    return Response(answer.model_dump_json(), headers=headers, media_type="application/json")


@router.put("/{draft_id}", responses=_TAGGED_200)
def put_draft(body: DraftChange, request: Request, step: Annotated[DraftStep, step_of("save")]) -> DraftSaved:
    """Change the document, cells of it, or the places. It is kept however faulty, and every fault is told with its cell."""
    with _turn(request, body):
        return step.save(_write, body=body)


def _write(unit: WriteUnit, actor: Actor, draft_id: str, etag: str, body: DraftChange) -> Draft:
    if isinstance(body, PutDocument):
        return drafts.save_document(unit, actor, draft_id, etag, from_json(body.document))
    if isinstance(body, PutToml):
        return drafts.save_toml(unit, actor, draft_id, etag, body.toml)
    if isinstance(body, PutEdits):
        return drafts.edit_cells(unit, actor, draft_id, etag, body.edits)
    return drafts.set_targets(unit, actor, draft_id, etag, places_of(body.targets))


@router.post("/{draft_id}/check", operation_id="check_draft")
def post_check(draft_id: IdText, actor: BookReader, service: ServiceDep, lang: WordsDep) -> CheckedShown:
    """All that is to be said of a draft: faults, the standard, examples, dates and places, what it changes."""
    with service.reading() as unit:
        checked = check_draft(unit, draft_of(unit, draft_id, actor), service.clock())
    return checked_shown(checked, lang)


@router.post("/{draft_id}/try", operation_id="try_draft")
def post_try(draft_id: IdText, body: EventTried, actor: BookReader, service: ServiceDep, lang: WordsDep) -> TrialShown:
    """One event under the draft: which rows match, the points, and why."""
    with service.reading() as unit:
        draft = draft_of(unit, draft_id, actor)
    return trial_shown(try_event(draft, body.kind, body.facts.given()), lang)


@router.post("/{draft_id}/undo", operation_id="undo_draft", responses=_TAGGED_200)
def post_undo(step: Annotated[DraftStep, step_of("undo")]) -> DraftShown:
    """Take back the last edit that stands; again and again goes further back."""
    return step.take(drafts.undo)


@router.post("/{draft_id}/restore", operation_id="restore_draft", responses=_TAGGED_200)
def post_restore(body: RestoreAsked, step: Annotated[DraftStep, step_of("restore")]) -> DraftShown:
    """The content of one of its revisions again."""
    return step.take(drafts.restore, **dict(body))


@router.post("/{draft_id}/rebase", operation_id="rebase_draft", responses=_TAGGED_200)
def post_rebase(step: Annotated[DraftStep, step_of("rebase")]) -> DraftShown:
    """Take note of the versions now in force as what the draft replaces."""
    return step.take(drafts.rebase)


@router.post("/{draft_id}/submit", operation_id="submit_draft", responses=_TAGGED_200)
def post_submit(step: Annotated[DraftStep, step_of("submit")]) -> DraftShown:
    """Ask for approval: refused unless checks, standard, all examples, notice and places are in order."""
    return step.take(approvals.submit)


@router.post("/{draft_id}/withdraw", operation_id="withdraw_draft", responses=_TAGGED_200)
def post_withdraw(body: ReasonAsked, step: Annotated[DraftStep, step_of("withdraw")]) -> DraftShown:
    """End a draft for good."""
    return step.take(drafts.withdraw, **dict(body))


@router.post("/{draft_id}/approve", operation_id="approve_draft", responses=_TAGGED_200)
def post_approve(body: ApprovalAsked, step: Annotated[DraftStep, step_of("approve")]) -> DraftShown:
    """Approve what was read, with its impact; never by anybody who wrote any of it."""
    return step.take(approvals.approve, **dict(body))


@router.post("/{draft_id}/reject", operation_id="reject_draft", responses=_TAGGED_200)
def post_reject(body: RejectionAsked, step: Annotated[DraftStep, step_of("reject")]) -> DraftShown:
    """Send it back, with the reason; its authors may change it and submit again."""
    return step.take(approvals.reject, **dict(body))


@router.post("/{draft_id}/schedule", operation_id="schedule_draft", responses=_TAGGED_200)
def post_schedule(step: Annotated[DraftStep, step_of("schedule")], body: ScheduleAsked | None = None) -> DraftShown:
    """Let an approved draft take effect on its day; riders are told from now on.

    Where another change has that day already, `day_taken` names it: send its id in `replaces`, or choose another day.
    """
    return step.take(scheduling.schedule, **dict(body or ScheduleAsked()))


@router.post("/{draft_id}/cancel", operation_id="cancel_draft", responses=_TAGGED_200)
def post_cancel(body: ReasonAsked, step: Annotated[DraftStep, step_of("cancel")]) -> DraftShown:
    """Take it off the schedule; it stays approved as long as nobody edits it."""
    return step.take(scheduling.cancel, **dict(body))


@router.post("/{draft_id}/impact", operation_id="start_draft_impact", status_code=202)
def post_impact(
    draft_id: IdText, body: ImpactOfDraft, actor: ImpactRunner, service: ServiceDep, response: Response
) -> Started:
    """Judge the last days of a city by the draft, beside what is in force; the answer says where to watch."""
    with service.writing() as unit:
        draft = draft_of(unit, draft_id, actor)
        city = body.city or draft.only_city
        if city is None:
            raise Problem("city_needed")
        need_cities(actor, {city})
        study_id = jobs.start_impact(
            unit, actor.name, city=city, days=body.days, draft_id=draft_id, rider_kind=body.rider_kind
        )
    response.headers["Location"] = f"/v1/studies/{study_id}"
    return Started(study_id=study_id)
