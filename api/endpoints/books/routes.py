"""Rule books: what is in force where, what is to come, every version in full, and the way back."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Response

from api.access.requester import need_cities
from api.books.catalogue import book_of_id, books_by_place, books_of, compare_versions, version_of
from api.books.checking import NotReadyError
from api.books.draft_rows import revisions_of
from api.books.rollback import roll_back
from api.endpoints.books.answers import draft_shown, version_shown
from api.endpoints.books.bodies import BookDigest, BookIdText, RollbackAsked
from api.endpoints.books.draft_step import BookReader, draft_headers, problem_of_checked
from api.endpoints.books.shapes import BookLine, BooksPage, DraftShown, PlaceBooks, VersionShown
from api.endpoints.common.auth import require
from api.endpoints.common.etags import WordsDep
from api.endpoints.common.problems import Problem
from api.endpoints.common.schemas import LIMIT_DEFAULT, City, Cursor, Limit
from api.endpoints.common.threads import ThreadedRoute
from api.service import Actor, LangDep, ServiceDep

router = APIRouter(prefix="/v1/books", tags=["books"], route_class=ThreadedRoute)
Restorer = Annotated[Actor, Depends(require("books:rollback"))]
Since = Annotated[
    BookDigest | None, Query(description="Tell changes from this version; the one before it where left out.")
]


@router.get("")
def list_books(
    actor: BookReader,
    service: ServiceDep,
    city: City | None = None,
    cursor: Cursor = None,
    limit: Limit = LIMIT_DEFAULT,
) -> BooksPage:
    """By city and kind of riders: what is in force, scheduled, being changed, and was in force before."""
    now_us = service.clock()
    need_cities(actor, () if city is None else (city,))
    with service.reading() as unit:
        shelves = books_by_place(unit, actor, now_us, city)
        books = books_of(unit, now_us) if cursor is None else ()
    after = [shelf for shelf in shelves if cursor is None or f"{shelf.city}/{shelf.rider_kind}" > cursor]
    page = after[:limit]
    last = f"{page[-1].city}/{page[-1].rider_kind}" if len(after) > limit else None
    return BooksPage(
        items=tuple(map(PlaceBooks.of, page)),
        books=tuple(map(BookLine.of, books)),
        cursor=last,
    )


@router.get("/{book_id}")
def get_book(book_id: BookIdText, actor: BookReader, service: ServiceDep) -> BookLine:
    """One book: its versions, newest first, and where it is in force."""
    with service.reading() as unit:
        return BookLine.of(book_of_id(unit, book_id, service.clock()))


@router.get("/{book_id}/versions/{digest}")
def get_version(
    book_id: BookIdText,
    digest: BookDigest,
    actor: BookReader,
    service: ServiceDep,
    lang: WordsDep,
    since: Since = None,
) -> VersionShown:
    """A version in full, which never changes: its document, the law beside each rule, what the checks say of it."""
    with service.reading() as unit:
        version = version_of(unit, digest, service.clock())
        if version.brief.book_id != book_id:
            raise Problem("version_unknown", digest=digest)
        before = since or version.before
        changes = () if before is None else compare_versions(unit, before, digest)
    return version_shown(version, before, changes, lang)


@router.post("/{book_id}/rollback", status_code=201)
def post_rollback(
    book_id: BookIdText, body: RollbackAsked, actor: Restorer, service: ServiceDep, lang: LangDep, response: Response
) -> DraftShown:
    """Ask for the content of an earlier version again, as a new version from the next local day; a second person approves it."""
    try:
        with service.writing() as unit:
            draft = roll_back(unit, actor, book_id, body.digest, body.reason)
            shown = draft_shown(draft, revisions_of(unit, draft.draft_id), (), False, lang)
    except NotReadyError as error:
        raise problem_of_checked(error.checked) from None
    response.headers.update(draft_headers(draft, lang) | {"Location": f"{router.prefix}/drafts/{draft.draft_id}"})
    return shown
