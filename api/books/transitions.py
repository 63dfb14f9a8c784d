"""Which verb takes a draft from which states to which: one table, and the one function that applies it.

open ─submit▶ submitted ─approve▶ approved ─schedule▶ scheduled ─activate▶ in_force

Nothing else writes the state of a draft. Every edit of a draft opens it again: an approval is of one content. Each
transition names its guards in the order in which they are asked; the first that refuses says why.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType
from typing import Any, Final, Literal

from api.access.requester import Requester, need_reason
from api.access.scopes import Scope
from api.access.separation_of_duties import behind_authors, need_other_decider
from api.books.checking import Checked, NotReadyError, check_draft, faults_in_one_line, need_impact
from api.books.draft_content import DraftContent, book_id_of
from api.books.draft_rows import CLOSED, Draft, DraftState, audit_draft, insert_revision, lock_draft, update_draft
from api.books.in_force import lock_rules
from api.books.planned_changes import PlannedChange, of_one_day, plan_of
from api.db.unit_of_work import WriteUnit
from api.refusals import Refused
from api.words import state_words, translated
from rules.book import Book

Verb = Literal[
    "save", "edit", "set_targets", "undo", "restore", "rebase", "submit", "withdraw", "approve", "reject", "schedule",
    "cancel", "suspend", "activate",
]  # fmt: skip
GuardName = Literal[
    "not_scheduled", "not_closed", "not_a_rollback", "state", "reason", "not_an_author", "other_hand", "same_content",
    "impact", "ready", "still_ready", "day_free",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Transition:
    """One row of the table.

    Parameters
    ----------
    sources
        States in which the verb is allowed.
    target
        The state after it.
    guards
        What is asked before it, in this order.
    scope
        What a person needs to be allowed; None for what happens by itself when its time comes.
    action
        What a revision and the audit trail (`draft_<action>`) call it.
    locks_rules
        Whether it changes the schedule or the rules in force. These are locked before the draft: whoever changes both
        takes them in this order.
    """

    verb: Verb
    sources: tuple[DraftState, ...]
    target: DraftState
    guards: tuple[GuardName, ...]
    scope: Scope | None
    action: str
    locks_rules: bool = False


EDITABLE: Final[tuple[DraftState, ...]] = ("open", "submitted", "approved", "suspended", "rejected")
_EDIT: Final[tuple[GuardName, ...]] = ("not_scheduled", "not_closed", "not_a_rollback")
_ANSWER: Final[tuple[GuardName, ...]] = ("not_an_author", "other_hand", "same_content", "state")
_TABLE: Final = (
    Transition("save", EDITABLE, "open", _EDIT, "drafts:write", "saved"),
    Transition("edit", EDITABLE, "open", _EDIT, "drafts:write", "cells"),
    Transition("set_targets", EDITABLE, "open", _EDIT, "drafts:write", "targets"),
    Transition("undo", EDITABLE, "open", _EDIT, "drafts:write", "undo"),
    Transition("restore", EDITABLE, "open", _EDIT, "drafts:write", "restored"),
    Transition("rebase", EDITABLE, "open", ("state",), "drafts:write", "rebased"),
    Transition("submit", ("open",), "submitted", ("state", "ready"), "drafts:write", "submitted"),
    Transition("withdraw", EDITABLE, "withdrawn", ("reason", "not_scheduled", "state"), "drafts:write", "withdrawn"),
    Transition(
        "approve", ("submitted",), "approved", (*_ANSWER, "impact", "ready"), "drafts:approve", "approved",
        # A roll-back is put on the schedule with its approval.
        locks_rules=True,
    ),
    Transition("reject", ("submitted",), "rejected", (*_ANSWER, "reason"), "drafts:approve", "rejected"),
    Transition(
        "schedule", ("approved",), "scheduled", ("state", "still_ready", "day_free"), "books:schedule",
        "scheduled", locks_rules=True,
    ),
    Transition(
        "cancel", ("scheduled",), "approved", ("reason", "state"), "books:schedule", "cancelled", locks_rules=True
    ),
    Transition("suspend", ("scheduled",), "suspended", ("state",), None, "suspended", locks_rules=True),
    Transition("activate", ("scheduled",), "in_force", ("state",), None, "in_force", locks_rules=True),
)  # fmt: skip
TRANSITIONS: Final[Mapping[Verb, Transition]] = MappingProxyType({row.verb: row for row in _TABLE})

# Columns that speak of the content before: the row of a new revision has none of them.
_CLEARED: Final[Mapping[str, None]] = {"effective_us": None, "book_digest": None, "detail": None}


@dataclass(frozen=True)
class Attempt:
    """A request to apply a verb to a locked draft, with all that guards look at.

    Parameters
    ----------
    content_digest
        Of the content that an approver has read.
    impact_id
        The study that an approver has read.
    replaces
        Scheduled drafts that are to give way.
    """

    unit: WriteUnit
    who: Requester
    draft: Draft
    transition: Transition
    reason: str = ""
    content_digest: str = ""
    impact_id: str | None = None
    replaces: Collection[str] = ()

    @cached_property
    def checked(self) -> Checked:
        """What the checks say of the draft."""
        return check_draft(self.unit, self.draft, self.unit.recorded_us)

    @property
    def book(self) -> Book:
        """The book that a sound draft makes.

        Raises
        ------
        NotReadyError
            If its document has faults.
        """
        if self.checked.book is None:
            raise NotReadyError(self.checked)
        return self.checked.book

    @cached_property
    def rivals(self) -> tuple[PlannedChange, ...]:
        """Scheduled changes that cannot stand beside the draft."""
        return of_one_day(plan_of(self.unit), self.draft, self.book)


@dataclass(frozen=True, slots=True)
class DraftUpdate:
    """What a verb writes beside the state: columns of the draft, details of its audit line, a new revision.

    Parameters
    ----------
    content
        Of the new revision; None where the content stays.
    bases
        For each target of `content` the digest of the version that it replaces.
    """

    columns: Mapping[str, Any] = field(default_factory=dict)
    audit: Mapping[str, Any] = field(default_factory=dict)
    content: DraftContent | None = None
    bases: Sequence[str | None] = ()


def apply(
    unit: WriteUnit,
    who: Requester,
    verb: Verb,
    draft_id: str,
    etag: str | None,
    update: Callable[[Attempt], DraftUpdate | None],
    **asked: Any,
) -> Draft:
    """Lock a draft, ask the guards of a verb, and write what it does.

    Parameters
    ----------
    effect
        Says what is written, once all guards agree; None where nothing changes.
    asked
        Fields of `Attempt` that the verb's guards look at.

    Returns
    -------
    Draft
        As it stands afterwards.

    Raises
    ------
    Refused
        `draft_unknown`, `precondition_failed`, or what a guard says.
    """
    if TRANSITIONS[verb].locks_rules:
        lock_rules(unit)
    return apply_to_locked(unit, who, verb, lock_draft(unit, who, draft_id, etag), update, **asked)


def apply_to_locked(
    unit: WriteUnit,
    who: Requester,
    verb: Verb,
    draft: Draft,
    update: Callable[[Attempt], DraftUpdate | None],
    **asked: Any,
) -> Draft:
    """As `apply`, where the caller has locked the draft, and the rules if the verb needs them."""
    transition = TRANSITIONS[verb]
    attempt = Attempt(unit, who, draft, transition, **asked)
    for guard in transition.guards:
        GUARDS[guard](attempt)
    written = update(attempt)
    if written is None:
        return draft
    columns, audit = dict(written.columns), dict(written.audit)
    if written.content is not None:
        content, revision = written.content, draft.revision + 1
        stored = insert_revision(unit, who, draft.draft_id, revision, content, written.bases, transition.action)
        columns = {**_CLEARED, **stored, "book_id": book_id_of(content.document) or draft.book_id, **columns}
        audit |= {} if draft.state == "open" else {"voids": draft.state}
    changed = update_draft(unit, draft, transition.target, **columns)
    audit_draft(unit, who, changed, f"draft_{transition.action}", **audit)
    return changed


def _not_scheduled(attempt: Attempt) -> None:
    if attempt.draft.state == "scheduled":
        raise Refused("draft_scheduled")


def _not_closed(attempt: Attempt) -> None:
    if attempt.draft.state in CLOSED:
        raise Refused("draft_closed", state=state_words(attempt.draft.state))


def _not_a_rollback(attempt: Attempt) -> None:
    """A roll-back says what an earlier version said, to the letter."""
    if attempt.draft.rolls_back is not None:
        raise Refused("rollback_fixed")


def _state(attempt: Attempt) -> None:
    wanted = attempt.transition.sources
    if attempt.draft.state not in wanted:
        raise Refused("draft_state", state=state_words(attempt.draft.state), wanted=state_words(*wanted))


def _reason(attempt: Attempt) -> None:
    need_reason(attempt.reason)


def _not_an_author(attempt: Attempt) -> None:
    if attempt.who.subject in attempt.draft.authors:
        raise Refused("author_approves", subject=attempt.who.subject)


def _other_hand(attempt: Attempt) -> None:
    """Nobody approves what was written with a key of their making."""
    need_other_decider(attempt.who.name, behind_authors(attempt.unit, attempt.draft.authors))


def _same_content(attempt: Attempt) -> None:
    if attempt.content_digest != attempt.draft.content_digest:
        raise Refused("not_the_content", content_digest=attempt.draft.content_digest[:12])


def _impact(attempt: Attempt) -> None:
    need_impact(attempt.unit, attempt.draft, attempt.impact_id)


def _ready(attempt: Attempt) -> None:
    if not attempt.checked.can_submit:
        raise NotReadyError(attempt.checked)


def _still_ready(attempt: Attempt) -> None:
    """Between approval and schedule the notice may have run out, or the base may have moved."""
    checked = attempt.checked
    if not checked.can_submit:
        raise Refused("schedule_refused", faults=translated(lambda lang: faults_in_one_line(checked.errors, lang)))


def _day_free(attempt: Attempt) -> None:
    """A day that another change has is free only where exactly that change is to give way; to a roll-back all do."""
    if attempt.draft.rolls_back is not None:
        return
    day = attempt.book.model.effective_from.isoformat()
    for rival in attempt.rivals:
        if rival.draft.rolls_back is not None:
            raise Refused("day_of_rollback", day=day, other=rival.words)
    scheduled = {rival.draft.draft_id for rival in attempt.rivals}
    if not scheduled.issuperset(attempt.replaces):
        missing = sorted(set(attempt.replaces) - scheduled)
        raise Refused("replaces_nothing", day=day, drafts=", ".join(missing))
    if not scheduled.issubset(attempt.replaces):
        unnamed = [rival.words for rival in attempt.rivals if rival.draft.draft_id not in attempt.replaces]
        raise Refused("day_taken", day=day, other=", ".join(unnamed))


GUARDS: Final[Mapping[GuardName, Callable[[Attempt], None]]] = {
    "not_scheduled": _not_scheduled,
    "not_closed": _not_closed,
    "not_a_rollback": _not_a_rollback,
    "state": _state,
    "reason": _reason,
    "not_an_author": _not_an_author,
    "other_hand": _other_hand,
    "same_content": _same_content,
    "impact": _impact,
    "ready": _ready,
    "still_ready": _still_ready,
    "day_free": _day_free,
}
