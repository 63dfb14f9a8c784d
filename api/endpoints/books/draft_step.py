"""One step of a draft over HTTP: what every route that changes a draft reads, does and answers."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Depends, Response

from api.books.approvals import approvals_of
from api.books.checking import Checked, NotReadyError, check_draft, needs_impact
from api.books.draft_rows import Draft, draft_of, revisions_of
from api.books.transitions import TRANSITIONS, Verb
from api.db.unit_of_work import ReadUnit, WriteUnit
from api.endpoints.books.answers import checked_shown, draft_shown
from api.endpoints.books.shapes import DraftSaved, DraftShown
from api.endpoints.common.auth import require
from api.endpoints.common.etags import etag_of, in_words, need_match
from api.endpoints.common.field_errors import FieldPlace
from api.endpoints.common.problems import FieldError, Problem
from api.endpoints.common.schemas import IdText, IfMatch
from api.service import Actor, LangDep, Service, ServiceDep
from rules.text import Lang

# Whoever reads books and drafts, and whoever writes drafts.
BookReader = Annotated[Actor, Depends(require("books:read"))]
DraftWriter = Annotated[Actor, Depends(require("drafts:write"))]


@dataclass(frozen=True, slots=True)
class DraftStep:
    """A change of one draft as its client has read it, and the answer: the draft after it, with its ETag."""

    draft_id: str
    actor: Actor
    service: Service
    lang: Lang
    response: Response
    if_match: str | None

    def take(self, verb: Callable[..., Draft], **asked: Any) -> DraftShown:
        """Do a verb of the store, and show the draft after it.

        Raises
        ------
        Problem
            428 or 412 of `If-Match`; `draft_not_ready`, with each fault that stands in the way.
        """
        with self.service.writing() as unit:
            draft = self._done(unit, verb, **asked)
            return shown(unit, draft, self.lang)

    def save(self, verb: Callable[..., Draft], **asked: Any) -> DraftSaved:
        """Do an edit, commit it, and show the draft with what the checks say: nobody waits for the checks of another's draft."""
        with self.service.writing() as unit:
            draft = self._done(unit, verb, **asked)
        return saved(self.service, draft, self.lang, self.response)

    def _done(self, unit: WriteUnit, verb: Callable[..., Draft], **asked: Any) -> Draft:
        read = draft_of(unit, self.draft_id, self.actor)
        need_match(self.if_match, etag_of(read.etag))
        try:
            draft = verb(unit, self.actor, self.draft_id, read.etag, **asked)
        except NotReadyError as error:
            raise problem_of_checked(error.checked) from None
        self.response.headers.update(draft_headers(draft, self.lang))
        return draft


def step_of(verb: Verb) -> Any:
    """What a route of a verb depends on; who calls it needs the scope that the table of transitions names."""
    scope = TRANSITIONS[verb].scope
    if scope is None:
        raise ValueError(verb)

    # A coroutine: a plain function would be handed to a thread.
    async def step(
        draft_id: IdText,
        actor: Annotated[Actor, Depends(require(scope))],
        service: ServiceDep,
        lang: LangDep,
        response: Response,
        if_match: IfMatch = None,
    ) -> DraftStep:
        return DraftStep(draft_id, actor, service, lang, response, if_match)

    return Depends(step)


def draft_headers(draft: Draft, lang: Lang) -> dict[str, str]:
    """Headers of an answer that shows a draft."""
    return in_words(lang) | {"ETag": etag_of(draft.etag)}


def shown(unit: ReadUnit | WriteUnit, draft: Draft, lang: Lang) -> DraftShown:
    """A draft with its document and its history."""
    revisions, answers = revisions_of(unit, draft.draft_id), approvals_of(unit, draft.draft_id)
    return draft_shown(draft, revisions, answers, needs_impact(unit, draft), lang)


def saved(service: Service, draft: Draft, lang: Lang, response: Response) -> DraftSaved:
    """A draft that is committed, with what the checks say."""
    response.headers.update(draft_headers(draft, lang))
    with service.reading() as unit:
        checked = check_draft(unit, draft, service.clock())
        return DraftSaved(draft=shown(unit, draft, lang), checked=checked_shown(checked, lang))


def problem_of_checked(checked: Checked) -> Problem:
    """What stands in the way of a draft, each fault with its cell in the document."""
    errors = [
        FieldError(FieldPlace(place=f"/document{checked.pointer(fault)}"), fault.code, fault.describe)
        for fault in checked.errors
    ]
    return Problem("draft_not_ready", errors=errors, num=len(errors))
