"""Drafts of rule books: begun, edited, checked, tried, submitted, decided on, scheduled."""

import json
from collections.abc import Callable, Coroutine, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Request, Response

from api.access.requester import need_cities
from api.books import approvals, drafts, scheduling
from api.books.approvals import NotReadyError
from api.books.checking import Checked, check_draft, try_event
from api.books.draft_rows import Draft, DraftState, draft_of, revisions_of
from api.db.unit_of_work import ReadUnit, WriteUnit
from api.endpoints.books.answers import checked_shown, draft_line, draft_shown, trial_shown
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
from api.endpoints.books.shapes import CheckedShown, DraftPage, DraftSaved, DraftShown, TrialShown
from api.endpoints.common.auth import require
from api.endpoints.common.etags import etag_of, in_words, is_unchanged, need_match
from api.endpoints.common.field_errors import FieldPlace
from api.endpoints.common.problems import MEDIA_TYPE, FieldError, Problem
from api.endpoints.common.schemas import LIMIT_DEFAULT, City, Cursor, IdText, IfMatch, IfNoneMatch, Limit, Started
from api.endpoints.common.threads import ConcurrencyLimit, ThreadedRoute
from api.service import Actor, LangDep, Service, ServiceDep
from api.studies import jobs
from rules.json_form import exact_number, from_json
from rules.text import Lang


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
Reader = Annotated[Actor, Depends(require("books:read"))]
Writer = Annotated[Actor, Depends(require("drafts:write"))]
Approver = Annotated[Actor, Depends(require("drafts:approve"))]
Scheduler = Annotated[Actor, Depends(require("books:schedule"))]
Asker = Annotated[Actor, Depends(require("impacts:run"))]
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
    actor: Reader,
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
    return DraftPage(items=[draft_line(draft) for draft in page.drafts], cursor=page.cursor)


@router.post("", status_code=201, responses=_NAMED)
def post_draft(
    body: DraftAsked, request: Request, actor: Writer, service: ServiceDep, lang: LangDep, response: Response
) -> DraftSaved:
    """Begin a change: with a version, with what is in force somewhere, with a document, or with nothing."""
    with _turn(request, body):
        with service.writing() as unit:
            draft = _begun(unit, actor, body)
        response.headers["Location"] = f"{router.prefix}/{draft.draft_id}"
        return _saved(service, draft, lang, response)


def _turn(request: Request, body: DraftAsked | DraftChange) -> AbstractContextManager[None]:
    """One of the few turns for reading whole documents; anything else needs none."""
    uploads: ConcurrencyLimit = request.app.state.uploads
    return uploads.taken() if isinstance(body, FromToml | FromDocument | PutToml | PutDocument) else nullcontext()


def _begun(unit: WriteUnit, actor: Actor, body: DraftAsked) -> Draft:
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
    draft_id: IdText, actor: Reader, service: ServiceDep, lang: LangDep, if_none_match: IfNoneMatch = None
) -> Response:
    """A draft with its document, who wrote what, and what was said of it."""
    with service.reading() as unit:
        draft = draft_of(unit, draft_id, actor)
        shown = _shown(unit, draft, lang)
    headers = in_words(lang) | {"ETag": etag_of(draft.etag)}
    if is_unchanged(if_none_match, headers["ETag"]):
        return Response(status_code=304, headers=headers)
    return Response(shown.model_dump_json(), headers=headers, media_type="application/json")


def _shown(unit: ReadUnit | WriteUnit, draft: Draft, lang: Lang) -> DraftShown:
    said = approvals.approvals_of(unit, draft.draft_id)
    return draft_shown(draft, revisions_of(unit, draft.draft_id), said, approvals.needs_impact(unit, draft), lang)


def _saved(service: Service, draft: Draft, lang: Lang, response: Response) -> DraftSaved:
    """A draft that is committed, checked: nobody waits for the checks of another's draft."""
    response.headers.update(in_words(lang) | {"ETag": etag_of(draft.etag)})
    with service.reading() as unit:
        checked = check_draft(unit, draft, service.clock())
        return DraftSaved(draft=_shown(unit, draft, lang), checked=checked_shown(checked, lang))


@router.put("/{draft_id}", responses=_TAGGED_200)
def put_draft(
    draft_id: IdText,
    body: DraftChange,
    request: Request,
    actor: Writer,
    service: ServiceDep,
    lang: LangDep,
    response: Response,
    if_match: IfMatch = None,
) -> DraftSaved:
    """Change the document, cells of it, or the places. It is kept however faulty, and every fault is told with its cell."""
    with _turn(request, body):
        with service.writing() as unit:
            key = (unit, actor, draft_id, _read(unit, actor, draft_id, if_match))
            if isinstance(body, PutDocument):
                draft = drafts.save_document(*key, from_json(body.document))
            elif isinstance(body, PutToml):
                draft = drafts.save_toml(*key, body.toml)
            elif isinstance(body, PutEdits):
                draft = drafts.edit_cells(*key, body.edits)
            else:
                draft = drafts.set_targets(*key, places_of(body.targets))
        return _saved(service, draft, lang, response)


def _read(unit: ReadUnit | WriteUnit, actor: Actor, draft_id: str, if_match: str | None) -> str:
    """The state of a draft that the client has read, if it still stands."""
    draft = draft_of(unit, draft_id, actor)
    need_match(if_match, etag_of(draft.etag))
    return draft.etag


@router.post("/{draft_id}/check")
def post_check(draft_id: IdText, actor: Reader, service: ServiceDep, lang: LangDep, response: Response) -> CheckedShown:
    """All that is to be said of a draft: faults, the standard, examples, dates and places, what it changes."""
    with service.reading() as unit:
        checked = check_draft(unit, draft_of(unit, draft_id, actor), service.clock())
    response.headers.update(in_words(lang))
    return checked_shown(checked, lang)


@router.post("/{draft_id}/try")
def post_try(
    draft_id: IdText, body: EventTried, actor: Reader, service: ServiceDep, lang: LangDep, response: Response
) -> TrialShown:
    """One event under the draft: which rows match, the points, and why."""
    with service.reading() as unit:
        draft = draft_of(unit, draft_id, actor)
    response.headers.update(in_words(lang))
    return trial_shown(try_event(draft, body.kind, body.facts.given()), lang)


Verb = Callable[[WriteUnit, Actor, str, str], Draft]


def _done(
    verb: Verb, draft_id: str, actor: Actor, service: ServiceDep, lang: Lang, response: Response, if_match: str | None
) -> DraftShown:
    """A step of a draft as its client has read it, and the draft after it."""
    with service.writing() as unit, _told(lang):
        draft = verb(unit, actor, draft_id, _read(unit, actor, draft_id, if_match))
        response.headers.update(in_words(lang) | {"ETag": etag_of(draft.etag)})
        return _shown(unit, draft, lang)


@contextmanager
def _told(_lang: Lang) -> Iterator[None]:
    """Name each fault that stands in the way."""
    try:
        yield
    except NotReadyError as error:
        raise problem_of_checked(error.checked) from None


def problem_of_checked(checked: Checked) -> Problem:
    """What stands in the way of a draft, each fault with its cell in the document."""
    errors = [
        FieldError(FieldPlace(place=f"/document{checked.pointer(fault)}"), fault.code, fault.describe)
        for fault in checked.errors
    ]
    return Problem("draft_not_ready", errors=errors, num=len(errors))


@router.post("/{draft_id}/undo", responses=_TAGGED_200)
def post_undo(
    draft_id: IdText, actor: Writer, service: ServiceDep, lang: LangDep, response: Response, if_match: IfMatch = None
) -> DraftShown:
    """Take back the last edit that stands; again and again goes further back."""
    return _done(drafts.undo, draft_id, actor, service, lang, response, if_match)


@router.post("/{draft_id}/restore", responses=_TAGGED_200)
def post_restore(
    draft_id: IdText,
    body: RestoreAsked,
    actor: Writer,
    service: ServiceDep,
    lang: LangDep,
    response: Response,
    if_match: IfMatch = None,
) -> DraftShown:
    """The content of one of its revisions again."""
    return _done(partial(drafts.restore, revision=body.revision), draft_id, actor, service, lang, response, if_match)


@router.post("/{draft_id}/rebase", responses=_TAGGED_200)
def post_rebase(
    draft_id: IdText, actor: Writer, service: ServiceDep, lang: LangDep, response: Response, if_match: IfMatch = None
) -> DraftShown:
    """Take note of the versions now in force as what the draft replaces."""
    return _done(drafts.rebase, draft_id, actor, service, lang, response, if_match)


@router.post("/{draft_id}/submit", responses=_TAGGED_200)
def post_submit(
    draft_id: IdText, actor: Writer, service: ServiceDep, lang: LangDep, response: Response, if_match: IfMatch = None
) -> DraftShown:
    """Ask for approval: refused unless checks, standard, all examples, notice and places are in order."""
    return _done(approvals.submit, draft_id, actor, service, lang, response, if_match)


@router.post("/{draft_id}/withdraw", responses=_TAGGED_200)
def post_withdraw(
    draft_id: IdText,
    body: ReasonAsked,
    actor: Writer,
    service: ServiceDep,
    lang: LangDep,
    response: Response,
    if_match: IfMatch = None,
) -> DraftShown:
    """End a draft for good."""
    return _done(partial(drafts.withdraw, reason=body.reason), draft_id, actor, service, lang, response, if_match)


@router.post("/{draft_id}/approve", responses=_TAGGED_200)
def post_approve(
    draft_id: IdText,
    body: ApprovalAsked,
    actor: Approver,
    service: ServiceDep,
    lang: LangDep,
    response: Response,
    if_match: IfMatch = None,
) -> DraftShown:
    """Approve what was read, with its impact; never by anybody who wrote any of it."""
    verb = partial(approvals.approve, content_digest=body.content_digest, reason=body.reason, impact_id=body.impact_id)
    return _done(verb, draft_id, actor, service, lang, response, if_match)


@router.post("/{draft_id}/reject", responses=_TAGGED_200)
def post_reject(
    draft_id: IdText,
    body: RejectionAsked,
    actor: Approver,
    service: ServiceDep,
    lang: LangDep,
    response: Response,
    if_match: IfMatch = None,
) -> DraftShown:
    """Send it back, with the reason; its authors may change it and submit again."""
    return _done(
        partial(approvals.reject, content_digest=body.content_digest, reason=body.reason),
        draft_id,
        actor,
        service,
        lang,
        response,
        if_match,
    )


@router.post("/{draft_id}/schedule", responses=_TAGGED_200)
def post_schedule(
    draft_id: IdText,
    actor: Scheduler,
    service: ServiceDep,
    lang: LangDep,
    response: Response,
    body: ScheduleAsked | None = None,
    if_match: IfMatch = None,
) -> DraftShown:
    """Let an approved draft take effect on its day; riders are told from now on.

    Where another change has that day already, `day_taken` names it: send its id in `replaces`, or choose another day.
    """
    verb = partial(scheduling.schedule, replaces=() if body is None else body.replaces)
    return _done(verb, draft_id, actor, service, lang, response, if_match)


@router.post("/{draft_id}/cancel", responses=_TAGGED_200)
def post_cancel(
    draft_id: IdText,
    body: ReasonAsked,
    actor: Scheduler,
    service: ServiceDep,
    lang: LangDep,
    response: Response,
    if_match: IfMatch = None,
) -> DraftShown:
    """Take it off the schedule; it stays approved as long as nobody edits it."""
    return _done(partial(scheduling.cancel, reason=body.reason), draft_id, actor, service, lang, response, if_match)


@router.post("/{draft_id}/impact", status_code=202)
def post_impact(
    draft_id: IdText, body: ImpactOfDraft, actor: Asker, service: ServiceDep, response: Response
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
