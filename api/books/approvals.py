"""Submitted by one, approved or rejected by another: never by anybody who made a revision of the draft.

What is approved is one revision, by its content digest; the database refuses anything else by itself, too.
"""

from dataclasses import dataclass
from typing import Literal

from sqlalchemy import insert, select

from api.access.requester import Requester, clean_text
from api.books.draft_rows import Draft
from api.books.scheduling import put_on_schedule
from api.books.transitions import Attempt, DraftUpdate, apply
from api.db.records import record_of
from api.db.tables import approvals
from api.db.unit_of_work import ReadUnit, WriteUnit

Decision = Literal["approved", "rejected"]


@dataclass(frozen=True, slots=True)
class Approval:
    """What a second person said of one revision."""

    approval_id: int
    revision: int
    content_digest: str
    decision: Decision
    approver: str
    reason: str
    impact_id: str | None
    recorded_us: int


def submit(unit: WriteUnit, who: Requester, draft_id: str, etag: str | None) -> Draft:
    """Ask for approval of a draft as it stands.

    Raises
    ------
    NotReadyError
        Unless checks, standard, all examples, notice and places are in order.
    """

    def update(attempt: Attempt) -> DraftUpdate:
        digest = {"book_digest": attempt.book.digest}
        return DraftUpdate(columns=digest, audit=digest)

    return apply(unit, who, "submit", draft_id, etag, update)


def approve(
    unit: WriteUnit, who: Requester, draft_id: str, etag: str | None, *, content_digest: str, reason: str,
    impact_id: str | None = None,
) -> Draft:  # fmt: skip
    """Approve a submitted draft; a roll-back is put on the schedule with it.

    Parameters
    ----------
    content_digest
        Of what was read; an approval is about that and nothing else.
    impact_id
        A finished impact of the same content; needed where its places have riders with events.

    Raises
    ------
    Refused
        `author_approves`, `decides_own`, `not_the_content`, `draft_state`, `impact_needed`, `impact_of_another`,
        `impact_unfinished`; NotReadyError where the rules in force, or the time, have moved since it was submitted.
    """

    def update(attempt: Attempt) -> DraftUpdate:
        _insert_approval(attempt, "approved")
        return DraftUpdate(audit={"reason": clean_text(reason), "impact_id": impact_id})

    approved = apply(
        unit, who, "approve", draft_id, etag, update, content_digest=content_digest, reason=reason, impact_id=impact_id
    )
    return approved if approved.rolls_back is None else put_on_schedule(unit, who, approved)


def reject(
    unit: WriteUnit, who: Requester, draft_id: str, etag: str | None, *, content_digest: str, reason: str
) -> Draft:
    """Send a submitted draft back; its authors may change it and submit again."""

    def update(attempt: Attempt) -> DraftUpdate:
        _insert_approval(attempt, "rejected")
        return DraftUpdate(audit={"reason": clean_text(reason)})

    return apply(unit, who, "reject", draft_id, etag, update, content_digest=content_digest, reason=reason)


def _insert_approval(attempt: Attempt, decision: Decision) -> None:
    attempt.unit.connection.execute(
        insert(approvals),
        {
            "draft_id": attempt.draft.draft_id,
            "revision": attempt.draft.revision,
            "content_digest": attempt.draft.content_digest,
            "decision": decision,
            "approver": attempt.who.subject,
            "reason": clean_text(attempt.reason),
            "impact_id": attempt.impact_id,
            "recorded_us": attempt.unit.recorded_us,
        },
    )


def approvals_of(unit: ReadUnit | WriteUnit, draft_id: str) -> tuple[Approval, ...]:
    """All that was ever said of a draft by others, oldest first."""
    query = select(approvals).where(approvals.c.draft_id == draft_id).order_by(approvals.c.approval_id)
    return tuple(record_of(Approval, row) for row in unit.connection.execute(query))
