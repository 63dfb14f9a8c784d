"""Approval by a second person, and when what is approved takes effect."""

from collections.abc import Callable
from functools import partial
from typing import Final

from fastapi import Response

from api.books.approvals import Approval, approve, reject
from api.books.draft_rows import Draft, DraftState
from api.books.drafts import drafts_page
from api.books.scheduling import cancel, schedule
from api.db.unit_of_work import ReadUnit
from api.endpoints.books.draft_pages import words_of
from api.endpoints.books.draft_view import DraftView, titles_of, view_of, why_suspended
from api.endpoints.books.impact_pages import result_in_words
from api.endpoints.books.visits import ApproveVisit, BookVisit, ScheduleVisit
from api.endpoints.common.page_routing import page_router
from api.endpoints.common.page_sessions import Posted, field
from api.endpoints.common.pages import Visit
from api.refusals import Refused
from api.studies.jobs import latest_impact

router = page_router()
WAITING: Final[tuple[DraftState, ...]] = ("submitted", "approved", "suspended", "scheduled")


@router.get("/console/approvals")
def approval_list(visit: BookVisit) -> Response:
    """Changes that wait: to be approved, to be scheduled, to take effect."""
    with visit.service.reading() as unit:
        by_state = [(state, drafts_page(unit, visit.who, state=state).items) for state in WAITING]
        titles = titles_of(unit, [draft for _, drafts in by_state for draft in drafts], visit.lang)
    return visit.page("approvals.html", by_state=by_state, titles=titles)


@router.get("/console/approvals/{draft_id}")
def approval_page(visit: BookVisit, draft_id: str) -> Response:
    """Everything a second person needs to decide."""
    return _approval_page(visit, draft_id)


def _approval_page(
    visit: Visit, draft_id: str, status: int = 200, refused: Refused | None = None, form: Posted | None = None
) -> Response:
    with visit.service.reading() as unit:
        view = view_of(unit, visit.who, draft_id, visit.service.clock(), visit.lang, may_write=False)
    first = None if refused is None or form is None else _first(view, visit, refused, form)
    is_author = visit.who.subject in view.draft.authors
    return visit.page(
        "approval.html",
        status,
        view=view,
        draft=view.draft,
        result=None
        if view.impact is None or view.impact.result is None
        else result_in_words(view.impact, view, visit.lang),
        is_approval=True,
        is_author=is_author,
        refused="" if refused is None else words_of(refused, visit),
        first=first,
        typed="" if form is None else field(form, "reason"),
        why_suspended=why_suspended(view.draft, visit.lang),
    )


def _first(view: DraftView, visit: Visit, refused: Refused, form: Posted) -> Approval | None:
    """What somebody else decided on what was on the page, where that is why the second decision is refused."""
    last = view.approvals[-1] if view.approvals else None
    if last is None or refused.code not in ("precondition_failed", "draft_state") or last.approver == visit.who.subject:
        return None
    return last if last.content_digest == field(form, "content_digest") else None


@router.post("/console/approvals/{draft_id}/approve")
def approve_draft(visit: ApproveVisit, draft_id: str, form: Posted) -> Response:
    """Approve exactly the content that was on the page."""
    with visit.service.reading() as unit:
        impact_id = _impact_id(unit, draft_id, field(form, "content_digest"))
    content_digest, reason = field(form, "content_digest"), field(form, "reason")
    verb = partial(approve, content_digest=content_digest, reason=reason, impact_id=impact_id)
    return _changed(visit, draft_id, form, "draft_approved", verb)


def _impact_id(unit: ReadUnit, draft_id: str, content_digest: str) -> str | None:
    impact = latest_impact(unit, draft_id, content_digest)
    return None if impact is None else impact.study_id


@router.post("/console/approvals/{draft_id}/reject")
def reject_draft(visit: ApproveVisit, draft_id: str, form: Posted) -> Response:
    """Send a draft back, with a reason."""
    verb = partial(reject, content_digest=field(form, "content_digest"), reason=field(form, "reason"))
    return _changed(visit, draft_id, form, "draft_rejected", verb)


@router.post("/console/approvals/{draft_id}/schedule")
def schedule_draft(visit: ScheduleVisit, draft_id: str, form: Posted) -> Response:
    """Let an approved draft take effect on its day, after the book's notice."""
    replaces = [name for name in field(form, "replaces").split(",") if name]
    return _changed(visit, draft_id, form, "draft_scheduled", partial(schedule, replaces=replaces))


@router.post("/console/approvals/{draft_id}/cancel")
def cancel_draft(visit: ScheduleVisit, draft_id: str, form: Posted) -> Response:
    """Take a scheduled change back before it takes effect."""
    return _changed(visit, draft_id, form, "schedule_cancelled", partial(cancel, reason=field(form, "reason")))


def _changed(visit: Visit, draft_id: str, form: Posted, notice: str, verb: Callable[..., Draft]) -> Response:
    try:
        with visit.service.writing() as unit:
            verb(unit, visit.who, draft_id, field(form, "etag"))
    except Refused as refused:
        return _approval_page(visit, draft_id, 409, refused, form)
    return visit.goto(f"/console/approvals/{draft_id}", notice)
