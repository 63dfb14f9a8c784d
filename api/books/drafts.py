"""Drafts of rule books: begun, edited, withdrawn, listed. Every revision is kept; each person who made one is an author.

What is allowed in which state: `api.books.transitions`.
"""

import json
from collections.abc import Callable, Sequence
from typing import Any, Final

from sqlalchemy import ColumnElement, and_, or_, select

from api.access.new_ids import need_valid_cities
from api.access.requester import Requester, clean_text, need_cities
from api.books.draft_content import (
    DraftContent,
    begun_from,
    book_id_of,
    content_of,
    effective_us,
    empty_document,
    from_toml,
    is_route_word,
    local_book_id,
    with_parents,
)
from api.books.draft_rows import (
    Draft,
    DraftBrief,
    DraftState,
    brief_of,
    insert_draft,
    may_see,
    revision_content,
    revisions_of,
)
from api.books.in_force import rules_in_force, rules_in_force_or_none, stored_book
from api.books.places import BookPlace, Rules, judging, places_of
from api.books.planned_changes import plan_before, plan_of
from api.books.transitions import Attempt, DraftUpdate, Verb, apply
from api.db.cursors import CursorPage, cursor_at, read_cursor
from api.db.records import cut_page
from api.db.tables import drafts
from api.db.unit_of_work import ReadUnit, WriteUnit
from api.refusals import Refused
from api.words import city_words, translated
from rules.edits import MAX_EDITS, CellError, Edit, edited
from rules.events import RIDER_KINDS
from rules.text import text

TITLE_MAX: Final = 200


def bases_of(
    unit: ReadUnit | WriteUnit, document: dict[str, Any], targets: Sequence[BookPlace], now_us: int
) -> list[str | None]:
    """For each place the digest of the version that judges there when the document is to take effect, without it.

    Of the versions stored: what is only scheduled is departed from on purpose (`rebase`).
    """
    return _bases(plan_of(unit).present, document, targets, now_us)


def _bases(rules: Rules, document: dict[str, Any], targets: Sequence[BookPlace], now_us: int) -> list[str | None]:
    at_us = max(now_us, effective_us(document) or now_us)
    replaced = [judging(rules, place, at_us) for place in targets]
    return [None if book is None else book.digest for book in replaced]


def draft_from_version(
    unit: WriteUnit,
    who: Requester,
    digest: str,
    *,
    city: str | None = None,
    targets: Sequence[BookPlace] | None = None,
    book_id: str | None = None,
    title: str | None = None,
) -> Draft:
    """Begin a change with the content of a stored version, its dates moved ahead.

    Parameters
    ----------
    city
        Where the change is to be; by default wherever the book is in force.
    targets
        Places, where those of `city` are not meant.
    book_id
        Of the new version. By default that of the version; but a city that changes a book which others use, too,
        gets one of its own.
    """
    book = stored_book(unit, digest)
    rules = rules_in_force(unit)
    used = places_of(rules, book.id, unit.recorded_us)
    if targets is None:
        targets = [place for place in used if city in (None, place.city)]
        if not targets and city is not None:
            targets = [BookPlace(city, kind) for kind in book.model.rider_kinds]
    if book_id is None:
        shared = city is not None and not set(used) <= set(targets)
        book_id = local_book_id(book.id, city) if shared and city is not None else book.id
    replaced = [judging(rules, place, unit.recorded_us) for place in targets]
    notice_days = max(
        (replaced_book.model.notice_days for replaced_book in replaced if replaced_book is not None), default=0
    )
    document = begun_from(book, book_id, notice_days, unit.recorded_us)
    return _begin(unit, who, document, targets, title, city, digest)


def draft_from_place(unit: WriteUnit, who: Requester, city: str, rider_kind: str) -> Draft:
    """Begin a change with what is in force for riders of a kind in a city.

    Raises
    ------
    Refused
        `no_book_there`.
    """
    rules = rules_in_force_or_none(unit)
    book = None if rules is None else judging(rules, BookPlace(city, rider_kind), unit.recorded_us)
    if book is None:
        kind = translated(lambda lang: text(lang, f"word.{rider_kind}") if rider_kind in RIDER_KINDS else rider_kind)
        raise Refused("no_book_there", city=city_words(city), rider_kind=kind)
    return draft_from_version(unit, who, book.digest, city=city)


def draft_from_toml(
    unit: WriteUnit, who: Requester, toml: str, *, targets: Sequence[BookPlace], title: str | None = None
) -> Draft:
    """Begin a change with a document as a person writes it; `extends` is merged in.

    Raises
    ------
    BookError
        If it is no TOML, or what it extends is not there.
    """
    return draft_from_document(unit, who, from_toml(unit, toml), targets=targets, title=title)


def draft_from_document(
    unit: WriteUnit, who: Requester, document: dict[str, Any], *, targets: Sequence[BookPlace], title: str | None = None
) -> Draft:
    """Begin a change with a document of plain TOML values (`rules.json_form.from_json`); `extends` is merged in.

    Raises
    ------
    BookError
        If what it extends is not there.
    """
    return _begin(unit, who, with_parents(unit, document), targets, title, None, None)


def empty_draft(
    unit: WriteUnit, who: Requester, book_id: str, *, targets: Sequence[BookPlace], title: str | None = None
) -> Draft:
    """Begin a book from nothing."""
    return _begin(unit, who, empty_document(book_id, unit.recorded_us), targets, title, None, None)


def _begin(
    unit: WriteUnit, who: Requester, document: dict[str, Any], targets: Sequence[BookPlace], title: str | None,
    city: str | None, base_digest: str | None,
) -> Draft:  # fmt: skip
    content = content_of(document, targets)
    cities = {place.city for place in content.targets} | ({city} if city else set())
    need_cities(who, cities)
    need_valid_cities(unit, who, sorted(cities), "city", "targets" if targets else "city")
    if not cities and who.cities:
        raise Refused("city_unknown", city="*")
    bases = bases_of(unit, document, content.targets, unit.recorded_us)
    book_id = book_id_of(document) or "unnamed"
    if is_route_word(book_id):
        raise Refused("book_id_reserved", book_id=book_id)
    city_of_draft = city if city is not None else next(iter(cities)) if len(cities) == 1 else None
    return insert_draft(
        unit, who, content, base_digest=_departs_from(base_digest, bases), bases=bases, book_id=book_id,
        title=(clean_text(title or "") or _title(document, book_id))[:TITLE_MAX], city=city_of_draft,
    )  # fmt: skip


def _departs_from(source: str | None, bases: Sequence[str | None]) -> str | None:
    """What a change is compared with: the version it replaces if that is one and the same, else what it came from."""
    replaced = set(bases)
    return replaced.pop() or source if len(replaced) == 1 else source


def _title(document: dict[str, Any], book_id: str) -> str:
    title = document.get("title")
    words = title.get("zh") if isinstance(title, dict) else None
    return (clean_text(words) if isinstance(words, str) else "") or book_id


def write_content(
    unit: WriteUnit,
    who: Requester,
    verb: Verb,
    draft_id: str,
    etag: str | None,
    written: Callable[[Draft], DraftContent],
) -> Draft:
    """Give a draft another document, other targets, or both: every edit of a draft, in whichever form it came, is this one.

    Parameters
    ----------
    verb
        An edit of the table of transitions.
    written
        The new content, made from the draft once it is locked.
    """

    def update(attempt: Attempt) -> DraftUpdate | None:
        draft = attempt.draft
        content = written(draft)
        # An undo is a revision even where it changes nothing, so that the next one goes further back.
        if content.digest == draft.content_digest and draft.state == "open" and verb != "undo":
            return None
        # Places that stay keep the version that was looked at; only `rebase` looks again.
        known = {target.place: target.replaces for target in draft.targets}
        added = [place for place in content.targets if place not in known]
        known |= dict(zip(added, bases_of(unit, content.document, added, unit.recorded_us), strict=True))
        return DraftUpdate(content=content, bases=[known[place] for place in content.targets])

    return apply(unit, who, verb, draft_id, etag, update)


def save_document(unit: WriteUnit, who: Requester, draft_id: str, etag: str | None, document: dict[str, Any]) -> Draft:
    """Give a draft another document (plain TOML values), sound or not; `extends` is merged in.

    Raises
    ------
    BookError
        If what it extends is not there; nothing is saved then.
    """

    def written(draft: Draft) -> DraftContent:
        return content_of(with_parents(unit, document), draft.places)

    return write_content(unit, who, "save", draft_id, etag, written)


def save_toml(unit: WriteUnit, who: Requester, draft_id: str, etag: str | None, toml: str) -> Draft:
    """Give a draft another document, as a person writes it.

    Raises
    ------
    BookError
        If it is no TOML, or what it extends is not there; nothing is saved then.
    """
    return save_document(unit, who, draft_id, etag, from_toml(unit, toml))


def edit_cells(unit: WriteUnit, who: Requester, draft_id: str, etag: str | None, edits: Sequence[Edit]) -> Draft:
    """Change cells and rows of a draft's document, all or none.

    Raises
    ------
    Refused
        `edit_impossible`, naming the first edit that leads nowhere; `edits_too_many`.
    """
    if len(edits) > MAX_EDITS:
        raise Refused("edits_too_many", most=MAX_EDITS)

    def written(draft: Draft) -> DraftContent:
        try:
            return content_of(edited(draft.document, edits), draft.places)
        except CellError as error:
            raise Refused("edit_impossible", number=error.number, path=error.path, code=error.code) from None

    return write_content(unit, who, "edit", draft_id, etag, written)


def set_targets(
    unit: WriteUnit, who: Requester, draft_id: str, etag: str | None, targets: Sequence[BookPlace]
) -> Draft:
    """Say where a draft is to be in force."""

    def written(draft: Draft) -> DraftContent:
        cities = {place.city for place in targets}
        need_cities(who, cities)
        need_valid_cities(unit, who, cities - {target.city for target in draft.targets}, "city", "targets")
        return content_of(draft.document, targets)

    return write_content(unit, who, "set_targets", draft_id, etag, written)


def undo(unit: WriteUnit, who: Requester, draft_id: str, etag: str | None) -> Draft:
    """Take back the last edit that stands; again and again goes further back. A new revision with the older content.

    Raises
    ------
    Refused
        `nothing_to_undo`.
    """

    def written(_: Draft) -> DraftContent:
        standing: list[int] = []
        for each in revisions_of(unit, draft_id):
            if each.action == "undo":
                standing.pop()
            elif each.action != "rebased":
                standing.append(each.revision)
        # The content now, and the one before it.
        if len(standing) < 2:
            raise Refused("nothing_to_undo")
        return content_of(*revision_content(unit, draft_id, standing[-2]))

    return write_content(unit, who, "undo", draft_id, etag, written)


def restore(unit: WriteUnit, who: Requester, draft_id: str, etag: str | None, revision: int) -> Draft:
    """Give a draft the content of one of its revisions again."""

    def written(_: Draft) -> DraftContent:
        document, targets = revision_content(unit, draft_id, revision)
        need_cities(who, {place.city for place in targets})
        return content_of(document, targets)

    return write_content(unit, who, "restore", draft_id, etag, written)


def rebase(unit: WriteUnit, who: Requester, draft_id: str, etag: str | None) -> Draft:
    """Take note of what the draft replaces, open again to be read against it: versions in force or scheduled before."""

    def update(attempt: Attempt) -> DraftUpdate:
        draft = attempt.draft
        content = content_of(draft.document, draft.places)
        before = plan_before(unit, effective_us(content.document) or unit.recorded_us)
        bases = _bases(before.ahead, content.document, draft.places, unit.recorded_us)
        base_digest = _departs_from(draft.base_digest, bases)
        return DraftUpdate(content=content, bases=bases, columns={"base_digest": base_digest})

    return apply(unit, who, "rebase", draft_id, etag, update)


def withdraw(unit: WriteUnit, who: Requester, draft_id: str, etag: str | None, reason: str) -> Draft:
    """End a draft for good. A scheduled one is cancelled first."""

    def update(_: Attempt) -> DraftUpdate:
        return DraftUpdate(audit={"reason": clean_text(reason)})

    return apply(unit, who, "withdraw", draft_id, etag, update, reason=reason)


def drafts_page(
    unit: ReadUnit | WriteUnit,
    who: Requester,
    *,
    city: str | None = None,
    state: DraftState | None = None,
    book_id: str | None = None,
    cursor: str | None = None,
    limit: int = 50,
) -> CursorPage[DraftBrief]:
    """A page of drafts, the last begun first.

    Parameters
    ----------
    city
        Those that are about this city, too. Who may act in some cities sees drafts about no others, so that a page may
        be shorter than asked.
    """
    query = select(drafts).order_by(drafts.c.recorded_us.desc(), drafts.c.draft_id.desc()).limit(limit + 1)
    if city is not None:
        need_cities(who, {city})
        query = query.where(_about(city))
    elif who.cities:
        query = query.where(or_(*map(_about, who.cities)))
    if state is not None:
        query = query.where(drafts.c.state == state)
    if book_id is not None:
        query = query.where(drafts.c.book_id == book_id)
    if cursor is not None:
        at_us, name = read_cursor(cursor)
        older = and_(drafts.c.recorded_us == at_us, drafts.c.draft_id < name)
        query = query.where(or_(drafts.c.recorded_us < at_us, older))
    rows = [brief_of(row) for row in unit.connection.execute(query)]
    page = cut_page(rows, limit, lambda last: cursor_at(last.recorded_us, last.draft_id))
    return CursorPage(tuple(draft for draft in page.items if may_see(who, draft)), page.cursor)


def _about(city: str) -> ColumnElement[bool]:
    """That a draft is about a city."""
    named = json.dumps({"city": city}, ensure_ascii=False)[1:-1]
    return or_(drafts.c.city == city, drafts.c.targets.contains(named, autoescape=True))
