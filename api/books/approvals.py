"""Submitted by one, approved or rejected by another: never by anybody who made a revision of the draft.

What is approved is one revision, by its content digest; the database refuses anything else by itself, too.
"""

from dataclasses import dataclass
from typing import Literal

from sqlalchemy import insert, select

from api.access.requester import Acting, need_reason, plain
from api.access.separation_of_duties import behind_authors, need_other_hand
from api.books.checking import Checked, check_draft
from api.books.draft_rows import Draft, change, held, need_state, tell
from api.books.in_force import lock_rules
from api.books.scheduling import put_on_schedule
from api.db.tables import approvals, rider_state, studies
from api.db.unit_of_work import ReadUnit, WriteUnit
from api.refusals import Refused
from api.words import work_words

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


class NotReadyError(Refused):
    """A draft with faults; `checked` says which."""

    def __init__(self, checked: Checked) -> None:
        self.checked = checked
        super().__init__("draft_not_ready", num=len(checked.errors))


def submit(unit: WriteUnit, who: Acting, draft_id: str, etag: str | None) -> Draft:
    """Ask for approval of a draft as it stands.

    Raises
    ------
    NotReadyError
        Unless checks, standard, all examples, notice and places are in order.
    """
    draft = held(unit, who, draft_id, etag)
    need_state(draft, "open")
    checked = check_draft(unit, draft, unit.recorded_us)
    if not checked.can_submit or checked.book is None:
        raise NotReadyError(checked)
    changed = change(unit, draft, "submitted", book_digest=checked.book.digest)
    tell(unit, who, changed, "draft_submitted", book_digest=checked.book.digest)
    return changed


def approve(
    unit: WriteUnit, who: Acting, draft_id: str, etag: str | None, *, content_digest: str, reason: str,
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
        `author_approves`, `decides_own`, `not_the_content`, `impact_needed`, `impact_of_another`, `draft_state`; NotReadyError where
        the law, or the time, has moved since it was submitted.
    """
    # A roll-back is scheduled with it: whoever changes the law holds it before any draft.
    lock_rules(unit)
    draft = _answerable(unit, who, draft_id, etag, content_digest)
    if impact_id is not None:
        _need_impact_of(unit, draft, impact_id)
    elif needs_impact(unit, draft):
        raise Refused("impact_needed")
    checked = check_draft(unit, draft, unit.recorded_us)
    if not checked.can_submit:
        raise NotReadyError(checked)
    _answer(unit, who, draft, "approved", reason, impact_id)
    changed = change(unit, draft, "approved")
    tell(unit, who, changed, "draft_approved", reason=plain(reason), impact_id=impact_id)
    return changed if changed.rolls_back is None else put_on_schedule(unit, who, changed)


def reject(unit: WriteUnit, who: Acting, draft_id: str, etag: str | None, *, content_digest: str, reason: str) -> Draft:
    """Send a submitted draft back; its authors may change it and submit again."""
    draft = _answerable(unit, who, draft_id, etag, content_digest)
    why = need_reason(reason)
    _answer(unit, who, draft, "rejected", why, None)
    changed = change(unit, draft, "rejected")
    tell(unit, who, changed, "draft_rejected", reason=why)
    return changed


def _answerable(unit: WriteUnit, who: Acting, draft_id: str, etag: str | None, content_digest: str) -> Draft:
    draft = held(unit, who, draft_id, etag)
    if who.subject in draft.authors:
        raise Refused("author_approves", subject=who.subject)
    need_other_hand(who.name, behind_authors(unit, draft.authors))
    if content_digest != draft.content_digest:
        raise Refused("not_the_content", content_digest=draft.content_digest[:12])
    need_state(draft, "submitted")
    return draft


def _answer(unit: WriteUnit, who: Acting, draft: Draft, decision: Decision, reason: str, impact_id: str | None) -> None:
    unit.connection.execute(
        insert(approvals),
        {
            "draft_id": draft.draft_id,
            "revision": draft.revision,
            "content_digest": draft.content_digest,
            "decision": decision,
            "approver": who.subject,
            "reason": plain(reason),
            "impact_id": impact_id,
            "recorded_us": unit.recorded_us,
        },
    )


def needs_impact(unit: ReadUnit | WriteUnit, draft: Draft) -> bool:
    """Whether a draft can only be approved with an impact: its cities have a history, and it restores nothing."""
    if draft.rolls_back is not None:
        return False
    of_these = rider_state.c.city.in_(sorted(draft.cities))
    some = select(rider_state.c.rider_id).where(of_these, rider_state.c.book_digest.is_not(None)).limit(1)
    return unit.connection.execute(some).first() is not None


def _need_impact_of(unit: ReadUnit | WriteUnit, draft: Draft, impact_id: str) -> None:
    row = unit.connection.execute(select(studies).where(studies.c.study_id == impact_id)).one_or_none()
    if row is None or (row.kind, row.draft_id, row.content_digest) != ("impact", draft.draft_id, draft.content_digest):
        raise Refused("impact_of_another", impact_id=impact_id)
    if row.state != "done":
        raise Refused("impact_unfinished", impact_id=impact_id, state=work_words(row.state))


def approvals_of(unit: ReadUnit | WriteUnit, draft_id: str) -> tuple[Approval, ...]:
    """All that was ever said of a draft by others, oldest first."""
    columns = [approvals.c[name] for name in Approval.__dataclass_fields__]
    query = select(*columns).where(approvals.c.draft_id == draft_id).order_by(approvals.c.approval_id)
    return tuple(Approval(*row) for row in unit.connection.execute(query))
