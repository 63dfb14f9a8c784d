"""Approved changes on their way into force: scheduled, announced to riders, put in force at their instant.

`activate_due` runs in every unit that is about to post, before the rules are read: an event is never judged
by rules that have ended, even if no background task ran at the instant. What comes, and in which order:
`api.books.planned_changes`. A change that cannot come into force any more is suspended as soon as that is known, and
announced as such.
"""

import json
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import date

from sqlalchemy import select

from api.access.requester import Requester, clean_text
from api.books.checking import LEAD_US, faults_in_one_line
from api.books.draft_content import DRAFT
from api.books.draft_rows import Draft
from api.books.in_force import RulesInForce, deploy, lock_rules, publish, rules_in_force
from api.books.planned_changes import (
    ComingVersion,
    PlannedChange,
    all_coming,
    new_deployments,
    plan_of,
)
from api.books.transitions import Attempt, DraftUpdate, apply, apply_to_locked
from api.db.outbox import Message, emit, iso
from api.db.tables import drafts
from api.db.unit_of_work import ReadUnit, WriteUnit
from api.refusals import Refused
from api.words import translated
from rules.book import Bilingual, Book
from rules.compile import start_us
from rules.errors import BookError, Fault


@dataclass(frozen=True, slots=True)
class Activated:
    """What became of a change whose time had come; `conflicts` says why it was suspended, if it was."""

    draft_id: str
    digest: str
    conflicts: tuple[Fault, ...]


@dataclass(frozen=True, slots=True)
class ScheduledChange:
    """The next change for riders of a kind in a city.

    Parameters
    ----------
    draft_id
        The change; None for a version that is in the store already.
    restores
        For a roll-back, the version whose content it brings back; its notice is waived.
    """

    city: str
    rider_kind: str
    book_id: str
    digest: str
    title: Bilingual
    effective_us: int
    effective_from: date
    draft_id: str | None
    restores: str | None

    @property
    def notice_waived(self) -> bool:
        """Whether riders were promised more notice than they get."""
        return self.restores is not None


@dataclass(frozen=True, slots=True)
class _Clock:
    """Who acts when a change comes into force, or is suspended, by itself."""

    subject: str = "schedule"
    name: str = "service:schedule"
    cities: tuple[str, ...] = ()


def schedule(unit: WriteUnit, who: Requester, draft_id: str, etag: str | None, replaces: Collection[str] = ()) -> Draft:
    """Let an approved draft take effect on the day that its document names.

    Parameters
    ----------
    replaces
        Scheduled drafts for the same day that give way to this one; exactly those that stand there, so that nobody
        replaces what they have not seen.

    Raises
    ------
    Refused
        `draft_state`; `schedule_refused` (notice has run out meanwhile, the base has moved or will, …); `day_taken`,
        `day_of_rollback`, `replaces_nothing`.
    """
    changed = apply(unit, who, "schedule", draft_id, etag, _put_on_schedule, replaces=replaces)
    suspend_impossible(unit, but=changed.draft_id)
    return changed


def put_on_schedule(unit: WriteUnit, who: Requester, draft: Draft) -> Draft:
    """Schedule a roll-back with its approval; the caller has locked the rules and the draft."""
    changed = apply_to_locked(unit, who, "schedule", draft, _put_on_schedule)
    suspend_impossible(unit, but=changed.draft_id)
    return changed


def _put_on_schedule(attempt: Attempt) -> DraftUpdate:
    """Suspend the changes that give way (to a roll-back all of its day do), and announce this one."""
    draft, book = attempt.draft, attempt.book
    code = "overruled" if draft.rolls_back is None else "overruled_by_rollback"
    day = book.model.effective_from.isoformat()
    for rival in attempt.rivals:
        places = ", ".join(place.words for place in rival.draft.places)
        given = f"{book.id}@{day} ({draft.draft_id})"
        _suspend(attempt.unit, rival, (Fault(code, DRAFT, key="targets", given=given, allowed=places),))
    emit(attempt.unit, _messages("book.scheduled", draft, book))
    return DraftUpdate(
        columns={"effective_us": start_us(book.model), "book_digest": book.digest},
        audit={"effective_from": day, "restores": draft.rolls_back},
    )


def cancel(unit: WriteUnit, who: Requester, draft_id: str, etag: str | None, reason: str) -> Draft:
    """Take a scheduled draft off the schedule; it stays approved as long as nobody edits it.

    What departs from it is suspended.
    """

    def update(_: Attempt) -> DraftUpdate:
        return DraftUpdate(columns={"effective_us": None}, audit={"reason": clean_text(reason)})

    changed = apply(unit, who, "cancel", draft_id, etag, update, reason=reason)
    suspend_impossible(unit)
    return changed


def suspend_impossible(unit: WriteUnit, but: str | None = None) -> tuple[Activated, ...]:
    """Suspend what can no longer come into force; the caller has locked the rules.

    Parameters
    ----------
    but
        A draft that is being scheduled: it is refused rather than suspended.

    Raises
    ------
    Refused
        `schedule_refused`.
    """
    impossible = [planned for planned in plan_of(unit).steps if planned.conflicts]
    faults = [fault for planned in impossible if planned.draft.draft_id == but for fault in planned.conflicts]
    if faults:
        raise Refused("schedule_refused", faults=translated(lambda lang: faults_in_one_line(faults, lang)))
    return tuple(_suspend(unit, planned, planned.conflicts) for planned in impossible)


def suspend_overtaken(unit: WriteUnit) -> int:
    """Suspend what was overtaken by changes of the rules outside the schedule; cheap when there is nothing.

    Returns
    -------
    int
        How many changes were suspended.
    """
    if not any(planned.conflicts for planned in plan_of(unit).steps):
        return 0
    lock_rules(unit)
    return len(suspend_impossible(unit))


def _messages(kind: str, draft: Draft, book: Book, **more: object) -> Iterable[Message]:
    """One message a city, for the webhooks that listen to it."""
    for city in sorted(draft.cities):
        data = {
            "draft_id": draft.draft_id,
            "book_id": book.id,
            "book_digest": book.digest,
            "city": city,
            "rider_kinds": [place.rider_kind for place in draft.places if place.city == city],
            "effective_at": iso(start_us(book.model)),
        }
        yield Message(kind, data | more, city=city)  # type: ignore[arg-type]


def activate_due(unit: WriteUnit) -> tuple[Activated, ...]:
    """Put in force what is due, a little before its instant; cheap when nothing is.

    Runs before the rules are read and before riders are locked. Two that find the same change due take turns.

    Returns
    -------
    tuple of Activated
        What came into force and what was suspended instead; empty where nothing was due.
    """
    due = select(drafts.c.draft_id).where(
        drafts.c.state == "scheduled", drafts.c.effective_us <= unit.recorded_us + LEAD_US
    )
    if unit.connection.execute(due.limit(1)).first() is None:
        return ()
    lock_rules(unit)
    # Nobody cancels what is being put in force.
    scheduled = select(drafts.c.draft_id).where(drafts.c.state == "scheduled").with_for_update()
    unit.connection.execute(scheduled).all()
    until_us = unit.recorded_us + LEAD_US
    steps = plan_of(unit).steps
    activated = [_activate(unit, planned) for planned in steps if (planned.draft.effective_us or 0) <= until_us]
    return (*activated, *suspend_impossible(unit))


def rules_for_posting(unit: WriteUnit) -> RulesInForce:
    """The rules that a post is scored by: what is due is put in force first.

    Returns
    -------
    RulesInForce
        As of the unit's clock.

    Raises
    ------
    BookError
        If no book is stored.
    """
    activate_due(unit)
    return rules_in_force(unit)


def _activate(unit: WriteUnit, planned: PlannedChange) -> Activated:
    if planned.book is None or planned.conflicts:
        return _suspend(unit, planned, planned.conflicts)
    book = planned.book
    try:
        with unit.connection.begin_nested():
            rows = new_deployments(plan_of(unit).present, planned.draft, book)
            publish(unit, [book])
            deploy(unit, rows)
    except BookError as error:
        return _suspend(unit, planned, error.faults)

    def update(attempt: Attempt) -> DraftUpdate:
        digest = {"book_digest": book.digest}
        return DraftUpdate(columns=digest, audit=digest | {"restores": attempt.draft.rolls_back})

    changed = apply(unit, _Clock(), "activate", planned.draft.draft_id, None, update)
    return Activated(changed.draft_id, book.digest, ())


def _suspend(unit: WriteUnit, planned: PlannedChange, conflicts: tuple[Fault, ...]) -> Activated:
    """Keep a change out of force, with the reason where people look."""
    reasons = [{"code": fault.code, "given": fault.given, "allowed": fault.allowed} for fault in conflicts]

    def update(_: Attempt) -> DraftUpdate:
        detail = json.dumps({"conflicts": reasons}, ensure_ascii=False)
        return DraftUpdate(columns={"effective_us": None, "detail": detail}, audit={"conflicts": reasons})

    changed = apply(unit, _Clock(), "suspend", planned.draft.draft_id, None, update)
    if planned.book is not None:
        emit(unit, _messages("book.suspended", changed, planned.book, conflicts=reasons))
    return Activated(changed.draft_id, changed.book_digest or "", conflicts)


def scheduled_for(unit: ReadUnit | WriteUnit, after_us: int) -> tuple[ScheduledChange, ...]:
    """Every change to come, by time.

    Parameters
    ----------
    after_us
        In microseconds UTC.
    """
    return tuple(_scheduled_change(version) for version in all_coming(plan_of(unit).ahead, after_us))


def _scheduled_change(version: ComingVersion) -> ScheduledChange:
    model = version.book.model
    return ScheduledChange(
        city=version.place.city,
        rider_kind=version.place.rider_kind,
        book_id=version.book.id,
        digest=version.book.digest,
        title=model.title,
        effective_us=version.from_us,
        effective_from=model.effective_from,
        draft_id=None if version.draft is None else version.draft.draft_id,
        restores=None if version.draft is None else version.draft.rolls_back,
    )
