"""Rows of drafts and their revisions: read, locked, inserted, updated. What is allowed in which state: `api.books.transitions`.

A draft is known by its ETag: revision, state and last change, so that neither an edit nor an answer to it is missed.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from sqlalchemy import Row, insert, select, update

from api.access.requester import Requester, may_act_in
from api.books.draft_content import DraftContent, places_json, read_places, stored_document
from api.books.places import BookPlace
from api.db.audit_notes import add_audit_note
from api.db.new_names import new_id
from api.db.records import record_of
from api.db.tables import draft_revisions, drafts
from api.db.unit_of_work import ReadUnit, WriteUnit
from api.refusals import Refused

DraftState = Literal["open", "submitted", "approved", "scheduled", "suspended", "in_force", "rejected", "withdrawn"]
DRAFT_STATES: Final[tuple[DraftState, ...]] = (
    "open", "submitted", "approved", "scheduled", "suspended", "in_force", "rejected", "withdrawn",
)  # fmt: skip
CLOSED: Final = ("in_force", "withdrawn")
Action = Literal["begun", "saved", "cells", "targets", "undo", "restored", "rebased", "rolled_back"]


@dataclass(frozen=True, slots=True)
class DraftTarget:
    """Where a draft is to be in force; `replaces` is the version that judges there then without it (None: none)."""

    city: str
    rider_kind: str
    replaces: str | None

    @property
    def place(self) -> BookPlace:
        """City and kind of riders."""
        return BookPlace(self.city, self.rider_kind)


@dataclass(frozen=True, slots=True)
class DraftBrief:
    """A draft in a list."""

    draft_id: str
    book_id: str
    title: str
    city: str | None
    state: DraftState
    revision: int
    content_digest: str
    base_digest: str | None
    targets: tuple[DraftTarget, ...]
    rolls_back: str | None
    effective_us: int | None
    book_digest: str | None
    detail: Mapping[str, Any] | None = field(hash=False)
    author: str
    recorded_us: int
    changed_us: int

    @property
    def etag(self) -> str:
        """What was read, for who wants to change just that."""
        return f"{self.revision}-{self.state}-{self.changed_us}"

    @property
    def cities(self) -> frozenset[str]:
        """Cities it is about: those of its places, or the one that it was begun for."""
        targeted = {target.city for target in self.targets}
        return frozenset(targeted or ({self.city} if self.city else set()))

    @property
    def places(self) -> tuple[BookPlace, ...]:
        """Where it is to be in force."""
        return tuple(target.place for target in self.targets)

    @property
    def only_city(self) -> str | None:
        """The city of its lines in the audit trail: none where it is about several."""
        return next(iter(self.cities)) if len(self.cities) == 1 else None


@dataclass(frozen=True, slots=True)
class Draft(DraftBrief):
    """A draft with its document (plain TOML values) and all who touched it."""

    toml: str
    authors: tuple[str, ...]

    @property
    def document(self) -> dict[str, Any]:
        """The document, made anew at each asking: nobody can change what is stored."""
        return stored_document(self.toml)


@dataclass(frozen=True, slots=True)
class Revision:
    """One content that a draft had, and who gave it to it."""

    revision: int
    author: str
    action: Action
    content_digest: str
    recorded_us: int


def insert_draft(
    unit: WriteUnit, who: Requester, content: DraftContent, *, base_digest: str | None, bases: Sequence[str | None],
    book_id: str, title: str, city: str | None, action: Action = "begun", rolls_back: str | None = None,
) -> Draft:  # fmt: skip
    """Store a new draft, open, at revision 1."""
    draft_id = new_id()
    row = {
        "draft_id": draft_id,
        "book_id": book_id,
        "base_digest": base_digest,
        "title": title,
        "author": who.subject,
        "city": city,
        "state": "open",
        "rolls_back": rolls_back,
        "recorded_us": unit.recorded_us,
        "changed_us": unit.recorded_us,
    }
    unit.connection.execute(insert(drafts), row | insert_revision(unit, who, draft_id, 1, content, bases, action))
    draft = draft_of(unit, draft_id)
    audit_draft(unit, who, draft, f"draft_{action}", book_id=book_id, base_digest=base_digest)
    return draft


def insert_revision(
    unit: WriteUnit, who: Requester, draft_id: str, revision: int, content: DraftContent, bases: Sequence[str | None],
    action: str,
) -> dict[str, Any]:  # fmt: skip
    """Store one more revision, and say what the draft's own row holds of it."""
    targets = places_json(content.targets)
    unit.connection.execute(
        insert(draft_revisions),
        {
            "draft_id": draft_id,
            "revision": revision,
            "document": content.toml,
            "targets": targets,
            "content_digest": content.digest,
            "author": who.subject,
            "action": action,
            "recorded_us": unit.recorded_us,
        },
    )
    return {
        "revision": revision,
        "content_digest": content.digest,
        "targets": targets,
        "bases": json.dumps(list(bases)),
    }


def audit_draft(unit: WriteUnit, who: Requester, draft: DraftBrief, action: str, **detail: Any) -> None:
    """Write a line about a draft into the audit trail."""
    content = {"revision": draft.revision, "content_digest": draft.content_digest}
    add_audit_note(unit, who.name, action, draft.draft_id, city=draft.only_city, **(content | detail))


def update_draft(unit: WriteUnit, draft: DraftBrief, state: DraftState, **columns: Any) -> Draft:
    """Write a locked draft's new state, with whatever other columns change."""
    values = {"state": state, "changed_us": unit.recorded_us, **columns}
    unit.connection.execute(update(drafts).where(drafts.c.draft_id == draft.draft_id).values(**values))
    return draft_of(unit, draft.draft_id)


def lock_draft(unit: WriteUnit, who: Requester, draft_id: str, etag: str | None) -> Draft:
    """A draft, locked against other writers until the unit ends.

    Parameters
    ----------
    etag
        What its client has read; None to take it as it stands.

    Raises
    ------
    Refused
        `draft_unknown`, or `precondition_failed` where it has changed since it was read.
    """
    unit.connection.execute(select(drafts.c.draft_id).where(drafts.c.draft_id == draft_id).with_for_update())
    draft = draft_of(unit, draft_id, who)
    if etag is not None and etag != draft.etag:
        raise Refused("precondition_failed", current=draft.etag)
    return draft


def draft_of(unit: ReadUnit | WriteUnit, draft_id: str, who: Requester | None = None) -> Draft:
    """A draft as it stands.

    Raises
    ------
    Refused
        `draft_unknown`, also for one that is about another city.
    """
    joined = drafts.join(
        draft_revisions,
        (draft_revisions.c.draft_id == drafts.c.draft_id) & (draft_revisions.c.revision == drafts.c.revision),
    )
    query = select(drafts, draft_revisions.c.document).select_from(joined).where(drafts.c.draft_id == draft_id)
    row = unit.connection.execute(query).one_or_none()
    if row is None or (who is not None and not may_see(who, brief_of(row))):
        raise Refused("draft_unknown", draft_id=draft_id)
    touched = select(draft_revisions.c.author).where(draft_revisions.c.draft_id == draft_id)
    authors = unit.connection.scalars(touched.order_by(draft_revisions.c.revision))
    return record_of(Draft, row, **_read(row), toml=row.document, authors=tuple(dict.fromkeys(authors)))


def may_see(who: Requester, draft: DraftBrief) -> bool:
    """Whether all cities of a draft are cities of the requester; a draft without cities is for those who may act in all."""
    return not who.cities or (bool(draft.cities) and all(may_act_in(who, city) for city in draft.cities))


def brief_of(row: Row[Any]) -> DraftBrief:
    """A row of `drafts` for a list."""
    return record_of(DraftBrief, row, **_read(row))


def _read(row: Row[Any]) -> dict[str, Any]:
    """Columns that hold JSON, read."""
    targets = zip(read_places(row.targets), json.loads(row.bases), strict=True)
    return {
        "targets": tuple(DraftTarget(place.city, place.rider_kind, base) for place, base in targets),
        "detail": None if row.detail is None else json.loads(row.detail),
    }


def revisions_of(unit: ReadUnit | WriteUnit, draft_id: str) -> tuple[Revision, ...]:
    """All revisions of a draft, oldest first."""
    query = select(draft_revisions).where(draft_revisions.c.draft_id == draft_id).order_by(draft_revisions.c.revision)
    return tuple(record_of(Revision, row) for row in unit.connection.execute(query))


def revision_content(
    unit: ReadUnit | WriteUnit, draft_id: str, revision: int
) -> tuple[dict[str, Any], tuple[BookPlace, ...]]:
    """Document and places of one revision.

    Raises
    ------
    Refused
        `revision_unknown`.
    """
    row = unit.connection.execute(
        select(draft_revisions.c.document, draft_revisions.c.targets).where(
            draft_revisions.c.draft_id == draft_id, draft_revisions.c.revision == revision
        )
    ).one_or_none()
    if row is None:
        raise Refused("revision_unknown", revision=revision)
    return stored_document(row.document), read_places(row.targets)
