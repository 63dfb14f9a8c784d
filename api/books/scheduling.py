"""Approved changes on their way into force: scheduled, announced to riders, put in force at their instant.

`activate_due` runs in every unit that is about to post, before the law is read: an event is never judged by a law
that has ended, whoever was asleep at the instant. What comes, and in which order, is `planned`'s for all. A change that
cannot come into force any more is suspended as soon as that is known, and tells.
"""

import json
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import date

from sqlalchemy import select

from api.access.requester import Acting, need_reason
from api.books.checking import LEAD_US, check_draft
from api.books.draft_content import DRAFT
from api.books.draft_rows import Draft, change, held, need_state, tell
from api.books.in_force import RulesInForce, deploy, lock_rules, publish, rules_in_force
from api.books.planned_changes import (
    ComingVersion,
    PlannedChange,
    all_coming,
    new_deployments,
    of_one_day,
    plan_of,
)
from api.db.outbox import Message, emit, iso
from api.db.tables import drafts
from api.db.unit_of_work import ReadUnit, WriteUnit
from api.refusals import Refused
from api.words import translated
from rules.book import Bilingual, Book
from rules.compile import start_us
from rules.errors import BookError, Fault
from rules.text import Lang, text


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
    """Who acts where nobody does."""

    subject: str = "schedule"
    name: str = "service:schedule"
    cities: tuple[str, ...] = ()


def schedule(unit: WriteUnit, who: Acting, draft_id: str, etag: str | None, replaces: Collection[str] = ()) -> Draft:
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
    lock_rules(unit)
    draft = held(unit, who, draft_id, etag)
    need_state(draft, "approved")
    return put_on_schedule(unit, who, draft, replaces)


def put_on_schedule(unit: WriteUnit, who: Acting, draft: Draft, replaces: Collection[str] = ()) -> Draft:
    """Schedule a held draft that is approved; the caller holds the law.

    A roll-back suspends what stands on its day. Whoever is second otherwise has to say that theirs is to stand there.
    What cannot come into force after it is suspended.
    """
    checked = check_draft(unit, draft, unit.recorded_us)
    book = checked.book
    if book is None or not checked.can_submit:
        raise Refused("schedule_refused", faults=translated(lambda lang: _told(checked.errors, lang)))
    rivals = of_one_day(plan_of(unit), draft, book)
    _need_day(draft, book, rivals, replaces)
    at_us = start_us(book.model)
    changed = change(unit, draft, "scheduled", effective_us=at_us, book_digest=book.digest)
    code = "overruled" if draft.rolls_back is None else "overruled_by_rollback"
    for rival in rivals:
        own = ", ".join(place.words for place in rival.draft.places)
        given = f"{book.id}@{book.model.effective_from.isoformat()} ({draft.draft_id})"
        _suspend(unit, rival, (Fault(code, DRAFT, key="targets", given=given, allowed=own),))
    day = book.model.effective_from.isoformat()
    tell(unit, who, changed, "draft_scheduled", effective_from=day, restores=draft.rolls_back)
    emit(unit, _messages("book.scheduled", changed, book))
    suspend_impossible(unit, but=draft.draft_id)
    return changed


def _need_day(draft: Draft, book: Book, rivals: Sequence[PlannedChange], replaces: Collection[str]) -> None:
    """Refuse a day that another change has, unless the other is to give way."""
    if draft.rolls_back is not None:
        return
    day = book.model.effective_from.isoformat()
    for rival in rivals:
        if rival.draft.rolls_back is not None:
            raise Refused("day_of_rollback", day=day, other=rival.words)
    standing = {rival.draft.draft_id for rival in rivals}
    if not standing.issuperset(replaces):
        raise Refused("replaces_nothing", day=day, drafts=", ".join(sorted(set(replaces) - standing)))
    if not standing.issubset(replaces):
        unnamed = [rival.words for rival in rivals if rival.draft.draft_id not in replaces]
        raise Refused("day_taken", day=day, other=", ".join(unnamed))


def cancel(unit: WriteUnit, who: Acting, draft_id: str, etag: str | None, reason: str) -> Draft:
    """Take a scheduled draft off the schedule; it stays approved as long as nobody edits it.

    What departs from it is suspended.
    """
    lock_rules(unit)
    draft = held(unit, who, draft_id, etag)
    why = need_reason(reason)
    need_state(draft, "scheduled")
    changed = change(unit, draft, "approved", effective_us=None)
    tell(unit, who, changed, "draft_cancelled", reason=why)
    suspend_impossible(unit)
    return changed


def suspend_impossible(unit: WriteUnit, but: str | None = None) -> tuple[Activated, ...]:
    """Suspend what can no longer come into force; the caller holds the law.

    Parameters
    ----------
    but
        A draft that is being scheduled: it is refused rather than suspended.

    Raises
    ------
    Refused
        `schedule_refused`.
    """
    doomed = [step for step in plan_of(unit).steps if step.conflicts]
    own = [fault for step in doomed if step.draft.draft_id == but for fault in step.conflicts]
    if own:
        raise Refused("schedule_refused", faults=translated(lambda lang: _told(own, lang)))
    return tuple(_suspend(unit, step, step.conflicts) for step in doomed)


def suspend_overtaken(unit: WriteUnit) -> int:
    """Suspend what the law, changed by other ways than the schedule, has overtaken; cheap when there is nothing."""
    if not any(step.conflicts for step in plan_of(unit).steps):
        return 0
    lock_rules(unit)
    return len(suspend_impossible(unit))


def _messages(kind: str, draft: Draft, book: Book, **more: object) -> Iterable[Message]:
    """One message a city, for whoever listens to it."""
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

    Runs before the law is read and before riders are locked. Two that find the same change due take turns.
    """
    due = select(drafts.c.draft_id).where(
        drafts.c.state == "scheduled", drafts.c.effective_us <= unit.recorded_us + LEAD_US
    )
    if unit.connection.execute(due.limit(1)).first() is None:
        return ()
    lock_rules(unit)
    # Nobody cancels what is being put in force.
    waiting = select(drafts.c.draft_id).where(drafts.c.state == "scheduled").with_for_update()
    unit.connection.execute(waiting).all()
    until_us = unit.recorded_us + LEAD_US
    steps = plan_of(unit).steps
    found = [_activate(unit, step) for step in steps if (step.draft.effective_us or 0) <= until_us]
    return (*found, *suspend_impossible(unit))


def rules_for_posting(unit: WriteUnit) -> RulesInForce:
    """The law for whoever is about to post: what is due is put in force first.

    Raises
    ------
    BookError
        If no book is stored.
    """
    activate_due(unit)
    return rules_in_force(unit)


def _activate(unit: WriteUnit, step: PlannedChange) -> Activated:
    if step.book is None or step.conflicts:
        return _suspend(unit, step, step.conflicts)
    book = step.book
    try:
        with unit.connection.begin_nested():
            new = new_deployments(plan_of(unit).present, step.draft, book)
            publish(unit, [book])
            deploy(unit, new)
    except BookError as error:
        return _suspend(unit, step, error.faults)
    changed = change(unit, step.draft, "in_force", book_digest=book.digest)
    tell(unit, _Clock(), changed, "draft_in_force", book_digest=book.digest, restores=changed.rolls_back)
    return Activated(changed.draft_id, book.digest, ())


def _suspend(unit: WriteUnit, step: PlannedChange, found: tuple[Fault, ...]) -> Activated:
    """Keep a change out of force, with the reason where people look."""
    reasons = [{"code": fault.code, "given": fault.given, "allowed": fault.allowed} for fault in found]
    detail = json.dumps({"conflicts": reasons}, ensure_ascii=False)
    changed = change(unit, step.draft, "suspended", effective_us=None, detail=detail)
    tell(unit, _Clock(), changed, "draft_suspended", conflicts=reasons)
    if step.book is not None:
        emit(unit, _messages("book.suspended", changed, step.book, conflicts=reasons))
    return Activated(changed.draft_id, changed.book_digest or "", found)


def scheduled_for(unit: ReadUnit | WriteUnit, after_us: int) -> tuple[ScheduledChange, ...]:
    """Every change to come, by time."""
    return tuple(_scheduled_change(one) for one in all_coming(plan_of(unit).ahead, after_us))


def _scheduled_change(one: ComingVersion) -> ScheduledChange:
    model = one.book.model
    return ScheduledChange(
        city=one.place.city,
        rider_kind=one.place.rider_kind,
        book_id=one.book.id,
        digest=one.book.digest,
        title=model.title,
        effective_us=one.from_us,
        effective_from=model.effective_from,
        draft_id=None if one.draft is None else one.draft.draft_id,
        restores=None if one.draft is None else one.draft.rolls_back,
    )


def _told(faults: Iterable[Fault], lang: Lang) -> str:
    """What stands in the way, each thing once."""
    said = dict.fromkeys(fault.in_words(lang)[0].rstrip("；;。. ") for fault in faults)
    return text(lang, "refused.or").join(said)
