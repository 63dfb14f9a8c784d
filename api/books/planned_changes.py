"""What will come into force, in which order, and what of it cannot: read once, for announcements and for activation.

The order of scheduled changes is that of their instants; at one instant a roll-back comes first, then what was put on
the schedule first, then what was approved first. Each is tried on what stands by then, as activation will do it.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from threading import Lock
from typing import Any, Final

from cachetools import LRUCache
from sqlalchemy import Row, func, select

from api.books.draft_content import DRAFT, sound, stored_document
from api.books.draft_rows import DraftBrief, brief_of
from api.books.in_force import deploy_faults, deploy_row, deployed, rules_in_force_or_none, rules_stamp
from api.books.places import BookPlace, judging, places, places_of, version_starts
from api.db.bulk import among
from api.db.tables import approvals, draft_revisions, drafts
from api.db.unit_of_work import ReadUnit, WriteUnit
from api.runs.plan import StartsByPlace, deployed_starts
from rules.book import Book
from rules.compile import start_us
from rules.deployment import Deploy
from rules.errors import Fault


@dataclass(frozen=True, slots=True)
class PlannedChange:
    """A scheduled change; `conflicts` says why it will not come into force, if it will not."""

    draft: DraftBrief
    book: Book | None
    conflicts: tuple[Fault, ...]

    @property
    def words(self) -> str:
        """How messages name it, in no language."""
        name = self.draft.book_id if self.book is None else f"{self.book.id}@{self.book.model.effective_from}"
        return f"{name} ({self.draft.draft_id})"


@dataclass(frozen=True, slots=True)
class RulesAhead:
    """The rules with all that will come into force; `brings` holds the drafts of versions to come, by digest."""

    books: tuple[Book, ...]
    starts: StartsByPlace
    rows: tuple[Deploy, ...]
    brings: Mapping[str, DraftBrief]


@dataclass(frozen=True, slots=True)
class ChangePlan:
    """All that is scheduled, in order; the rules in force now, and with what is scheduled."""

    steps: tuple[PlannedChange, ...]
    present: RulesAhead
    ahead: RulesAhead


@dataclass(frozen=True, slots=True)
class ComingVersion:
    """A version that will judge a place from an instant on.

    Parameters
    ----------
    before
        The version that it follows there: what riders are told is the step between the two, as it was approved.
    draft
        The scheduled change that brings it; None for a version that is stored already.
    """

    place: BookPlace
    from_us: int
    book: Book
    before: Book | None
    draft: DraftBrief | None


_PLANS: Final[LRUCache[tuple[str, frozenset[str]], ChangePlan]] = LRUCache(64)
_MEMORY: Final = Lock()


def plan_of(unit: ReadUnit | WriteUnit, without: frozenset[str] = frozenset()) -> ChangePlan:
    """What is scheduled, all of it or all but some drafts."""
    rows = _scheduled(unit)
    key = f"{rules_stamp(unit)}-{_stamp(rows)}", without
    with _MEMORY:
        plan = _PLANS.get(key)
    if plan is None:
        documents = _documents(unit, [row.draft_id for row in rows])
        changes = [(brief_of(row), documents[row.draft_id]) for row in rows if row.draft_id not in without]
        plan = _planned(_present(unit), changes)
        with _MEMORY:
            _PLANS[key] = plan
    return plan


def plan_before(unit: ReadUnit | WriteUnit, at_us: int) -> ChangePlan:
    """What is scheduled for instants before one."""
    return plan_of(unit, frozenset(row.draft_id for row in _scheduled(unit) if row.effective_us >= at_us))


def version_known(unit: ReadUnit | WriteUnit, digest: str) -> Book | None:
    """A version that is stored, or that a scheduled change will bring; None where that change is off the schedule."""
    return next((book for book in plan_of(unit).ahead.books if book.digest == digest), None)


def schedule_stamp(unit: ReadUnit | WriteUnit) -> str:
    """Another text whenever another change is scheduled, or one no longer is."""
    return _stamp(_scheduled(unit))


def _scheduled(unit: ReadUnit | WriteUnit) -> Sequence[Row[Any]]:
    """Scheduled drafts in the order in which they come into force."""
    last_approval = (
        select(func.max(approvals.c.approval_id)).where(approvals.c.draft_id == drafts.c.draft_id).scalar_subquery()
    )
    query = select(drafts).where(drafts.c.state == "scheduled")
    in_order = query.order_by(drafts.c.effective_us, drafts.c.rolls_back.is_(None), drafts.c.changed_us, last_approval)
    return unit.connection.execute(in_order).all()


def _stamp(rows: Iterable[Row[Any]]) -> str:
    """Everything of scheduled drafts that a plan is made from."""
    values = [
        [row.draft_id, row.content_digest, row.bases, row.rolls_back, row.effective_us, row.changed_us] for row in rows
    ]
    return hashlib.sha256(json.dumps(values).encode()).hexdigest()


def _documents(unit: ReadUnit | WriteUnit, draft_ids: Sequence[str]) -> dict[str, str]:
    """The documents of drafts as they stand."""
    if not draft_ids:
        return {}
    now = (draft_revisions.c.draft_id == drafts.c.draft_id) & (draft_revisions.c.revision == drafts.c.revision)
    query = select(drafts.c.draft_id, draft_revisions.c.document).join(draft_revisions, now)
    rows = unit.connection.execute(query.where(among(unit, drafts.c.draft_id, draft_ids)))
    return {row.draft_id: row.document for row in rows}


@lru_cache(256)
def _book_of(toml: str) -> Book | None:
    return sound(stored_document(toml))


def _present(unit: ReadUnit | WriteUnit) -> RulesAhead:
    rules = rules_in_force_or_none(unit)
    if rules is None:
        return RulesAhead((), {}, (), {})
    return RulesAhead(rules.books, rules.starts, tuple(deployed(unit)), {})


def _planned(present: RulesAhead, changes: Iterable[tuple[DraftBrief, str]]) -> ChangePlan:
    changes_in_order, ahead = [], present
    for draft, toml in changes:
        book = _book_of(toml)
        if book is None:
            changes_in_order.append(PlannedChange(draft, None, (Fault("book_unreadable", draft.draft_id),)))
            continue
        faults = conflicts(ahead, draft, book)
        changes_in_order.append(PlannedChange(draft, book, faults))
        if not faults:
            ahead = _with(ahead, draft, book)
    return ChangePlan(tuple(changes_in_order), present, ahead)


def _with(ahead: RulesAhead, draft: DraftBrief, book: Book) -> RulesAhead:
    """The rules after a change, as activation leaves them."""
    books = (*ahead.books, book)
    rows = tuple(sorted((*ahead.rows, *new_deployments(ahead, draft, book)), key=lambda row: row.from_))
    position = {each.digest: k for k, each in enumerate(books)}

    def versions_of(name: str) -> tuple[Book, ...]:
        return tuple(each for each in books if each.id == name)

    return RulesAhead(books, deployed_starts(rows, versions_of, position), rows, {**ahead.brings, book.digest: draft})


def new_deployments(ahead: RulesAhead, draft: DraftBrief, book: Book) -> tuple[Deploy, ...]:
    """Rows that a change adds; where its book judges already, the newest version follows by itself."""
    at_us = start_us(book.model)
    judged = ((place, judging(ahead, place, at_us)) for place in draft.places)
    return tuple(_deployed(place, draft, book) for place, current in judged if current is None or current.id != book.id)


def _deployed(place: BookPlace, draft: DraftBrief, book: Book) -> Deploy:
    source = f"draft {draft.draft_id}"
    return deploy_row(place.city, place.rider_kind, book.id, book.model.effective_from, source, "ours")


def conflicts(ahead: RulesAhead, draft: DraftBrief, book: Book) -> tuple[Fault, ...]:
    """Why a change that was sound when it was submitted cannot come into force on what stands by then."""
    faults = [*moved_bases(ahead, draft, book), *unnamed_places(ahead, draft.places, book)]
    newest = [each for each in ahead.books if each.id == book.id][-1:]
    if newest and newest[0].model.effective_from >= book.model.effective_from:
        before, date = (each.model.effective_from.isoformat() for each in (newest[0], book))
        faults.append(Fault("backwards", DRAFT, key="effective_from", given=date, allowed=before))
    if not faults:
        faults += deploy_faults(new_deployments(ahead, draft, book), (*ahead.books, book), ahead.rows)
    return tuple(faults)


def moved_bases(ahead: RulesAhead, draft: DraftBrief, book: Book) -> Iterator[Fault]:
    """Places whose version, when a draft is to take effect, is no longer the one that it is to replace."""
    at_us = start_us(book.model)
    for target in draft.targets:
        current = judging(ahead, target.place, at_us)
        if (None if current is None else current.digest) != target.replaces:
            given = "–" if current is None else f"{current.id}@{current.model.effective_from.isoformat()}"
            given += (
                f" ({ahead.brings[current.digest].draft_id})"
                if current is not None and current.digest in ahead.brings
                else ""
            )
            yield Fault("base_moved", DRAFT, key="targets", given=given, allowed=target.place.words)


def unnamed_places(ahead: RulesAhead, named: Sequence[BookPlace], book: Book) -> Iterator[Fault]:
    """A new version of a book judges wherever the book is in force: each of these places must be meant."""
    others = sorted(set(places_of(ahead, book.id, start_us(book.model))) - set(named))
    if others:
        given = ", ".join(place.words for place in others)
        yield Fault("targets_incomplete", DRAFT, key="targets", given=book.id, allowed=given)


def of_one_day(plan: ChangePlan, draft: DraftBrief, book: Book) -> tuple[PlannedChange, ...]:
    """Scheduled changes that cannot stand beside a draft: for the same day, in one of its places or of the same book.

    A roll-back stands aside for nothing: what would take effect before it, and move what it replaces, counts too.
    """
    at_us, day = start_us(book.model), book.model.effective_from
    rivals = []
    for planned in plan.steps:
        shares = not set(planned.draft.places).isdisjoint(draft.places) or planned.draft.book_id == book.id
        same = planned.draft.effective_us == at_us or (
            planned.book is not None and planned.book.model.effective_from == day
        )
        before = draft.rolls_back is not None and (planned.draft.effective_us or 0) <= at_us
        if planned.draft.draft_id != draft.draft_id and shares and (same or before):
            rivals.append(planned)
    return tuple(rivals)


def coming(ahead: RulesAhead, place: BookPlace, after_us: int) -> Iterator[ComingVersion]:
    """What will judge a place after an instant, in order."""
    before: Book | None = None
    for stretch in version_starts(ahead, place):
        if stretch.from_us > after_us:
            draft = ahead.brings.get(stretch.book.digest)
            yield ComingVersion(place, stretch.from_us, stretch.book, before, draft)
        before = stretch.book


def all_coming(ahead: RulesAhead, after_us: int) -> tuple[ComingVersion, ...]:
    """What will judge any place after an instant, by time."""
    versions = [version for place in places(ahead) for version in coming(ahead, place, after_us)]
    return tuple(sorted(versions, key=lambda version: (version.from_us, version.place)))
