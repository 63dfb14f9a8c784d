"""Back to an earlier version, as a new version: its content again, from the start of the next local day.

Riders get no notice of a step back, and are told so. It is submitted at once, approved by a second person like any
change, and goes on the schedule with the approval.
"""

import datetime as dt

from sqlalchemy import select

from api.access.requester import Requester, need_cities, need_reason
from api.books.approvals import submit
from api.books.checking import MARGIN_US
from api.books.draft_content import content_of, restored_from, today_of
from api.books.draft_rows import Draft, audit_draft, insert_draft
from api.books.drafts import bases_of
from api.books.in_force import rules_in_force, stored_book
from api.books.places import BookPlace, judging, places_of, version_starts
from api.db.tables import drafts
from api.db.unit_of_work import WriteUnit
from api.refusals import Refused
from rules.book import Book
from rules.calendar import calendar


def roll_back(unit: WriteUnit, who: Requester, book_id: str, digest: str, reason: str) -> Draft:
    """Ask for the content of an earlier version again, wherever a book is in force.

    Parameters
    ----------
    book_id
        The book in force; the new version is one of it.
    digest
        A version that was in force in one of its places before the present one.

    Raises
    ------
    Refused
        `book_not_in_force`, `version_unknown`, `version_never_in_force`, `version_in_force`, `rollback_waits`;
        NotReadyError where the earlier content no longer passes the checks.
    """
    words = need_reason(reason)
    rules = rules_in_force(unit)
    places = places_of(rules, book_id, unit.recorded_us)
    if not places:
        raise Refused("book_not_in_force", book_id=book_id)
    need_cities(who, {place.city for place in places})
    wanted = stored_book(unit, digest)
    current = judging(rules, places[0], unit.recorded_us)
    if current is None or current.digest == digest:
        raise Refused("version_in_force", digest=digest[:12])
    before = {
        start.book.digest for place in places for start in version_starts(rules, place) if start.from_us <= unit.recorded_us
    }  # fmt: skip
    if digest not in before:
        raise Refused("version_never_in_force", digest=digest[:12])
    _need_no_other(unit, book_id)
    document = restored_from(
        wanted, book_id, _next_day(current, unit.recorded_us), today_of(current.model, unit.recorded_us)
    )
    content = content_of(document, places)
    title = wanted.model.title.zh
    draft = insert_draft(
        unit, who, content, base_digest=current.digest, bases=bases_of(unit, document, content.targets, unit.recorded_us),
        book_id=book_id, title=title, city=_one_city(places), action="rolled_back", rolls_back=digest,
    )  # fmt: skip
    audit_draft(unit, who, draft, "rollback_asked", restores=digest, replaces=current.digest, reason=words)
    return submit(unit, who, draft.draft_id, draft.etag)


def _need_no_other(unit: WriteUnit, book_id: str) -> None:
    """One step back at a time: a second one would find the first in its place."""
    waiting = ("open", "submitted", "approved", "scheduled")
    rollbacks = select(drafts.c.draft_id).where(
        drafts.c.book_id == book_id, drafts.c.rolls_back.is_not(None), drafts.c.state.in_(waiting)
    )
    other = unit.connection.execute(rollbacks.limit(1)).scalar()
    if other is not None:
        raise Refused("rollback_waits", draft_id=other)


def _next_day(current: Book, at_us: int) -> dt.date:
    """The next local day that can still be scheduled, and is after the day the present version began."""
    days = calendar(current.model.time_zone, current.model.day_starts)
    first = max(days.date_of(at_us), current.model.effective_from) + dt.timedelta(days=1)
    return first if days.start_of(first) > at_us + MARGIN_US else first + dt.timedelta(days=1)


def _one_city(places: tuple[BookPlace, ...]) -> str | None:
    cities = {place.city for place in places}
    return cities.pop() if len(cities) == 1 else None
