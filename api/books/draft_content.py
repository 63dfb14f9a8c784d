"""What a draft holds: a document, sound or not, and the places it is meant for. No SQL of drafts here.

A document is kept as TOML with all that it extends merged in, so that it says the same for ever.
"""

import copy
import datetime as dt
import json
import re
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from sqlalchemy import select

from api.books.places import BookPlace
from api.db.tables import books
from api.db.unit_of_work import ReadUnit, WriteUnit
from api.refusals import Refused
from api.words import coded
from rules.book import Book, BookDocument
from rules.calendar import FIRST_DATE, LAST_DATE, calendar
from rules.compile import start_us
from rules.errors import BookError, Fault
from rules.events import RIDER_KINDS
from rules.ids import digest
from rules.parse import MAX_BYTES, Source, book_of, read_toml, resolve
from rules.shelf import shipped_parent
from rules.text import LANGS, Lang, text
from rules.toml_text import toml_of

DRAFT: Final = "draft"
MAX_TARGETS: Final = 1_000
MAX_PARTS: Final = 500
MAX_EXAMPLES: Final = 2_000
_MAX_DEPTH: Final = 24
_CITY: Final = re.compile(r"[^\x00-\x1f\x7f\ud800-\udfff]{1,100}")
# Words that stand in addresses where a book's id may stand; a test compares them with the routes.
ROUTE_WORDS: Final = frozenset({"drafts"})
_BOOK_ID: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")
_SLUG: Final = re.compile(r"[a-z0-9-]{1,30}")
# How long a change that is begun now is expected to be read and approved before riders are told.
_READING_DAYS: Final = 1


@dataclass(frozen=True, slots=True)
class DraftContent:
    """A document and its places; `digest` covers both and is what an approval is about."""

    document: dict[str, Any]
    toml: str
    targets: tuple[BookPlace, ...]
    digest: str


def content_of(document: dict[str, Any], targets: Sequence[BookPlace]) -> DraftContent:
    """A document (plain TOML values) and places as they are stored.

    Raises
    ------
    Refused
        `document_too_large`, `document_too_deep`, `document_too_many`, `document_broken_text`, `targets_too_many`,
        `target_unknown_kind`.
    """
    wanted = tuple(sorted(set(targets)))
    if len(wanted) > MAX_TARGETS:
        raise Refused("targets_too_many", most=MAX_TARGETS)
    for place in wanted:
        if place.rider_kind not in RIDER_KINDS or not _CITY.fullmatch(place.city):
            raise Refused("target_unknown_kind", place=place.words, kinds=coded(RIDER_KINDS, _kind_words))
    _need_shallow(document, 0)
    _need_few(document)
    toml = toml_of(document)
    try:
        size = len(toml.encode())
    except UnicodeEncodeError:
        raise Refused("document_broken_text") from None
    if size > MAX_BYTES:
        raise Refused("document_too_large", size=size, most=MAX_BYTES)
    places = [{"city": place.city, "rider_kind": place.rider_kind} for place in wanted]
    return DraftContent(document, toml, wanted, digest({"document": document, "targets": places}))


def _need_few(document: dict[str, Any]) -> None:
    """Refuse a book with so many parts that checking them against each other takes long."""
    for name, part in document.items():
        if isinstance(part, list) and len(part) > MAX_PARTS:
            raise Refused("document_too_many", part=name, most=MAX_PARTS)
    rules = document.get("rule")
    owners = [rule for rule in rules if isinstance(rule, dict)] if isinstance(rules, list) else []
    examples = [rule["example"] for rule in owners if isinstance(rule.get("example"), list)]
    if sum(map(len, examples)) > MAX_EXAMPLES:
        raise Refused("document_too_many", part="example", most=MAX_EXAMPLES)
    slides = [rule["points_slide"] for rule in owners if isinstance(rule.get("points_slide"), list)]
    if sum(map(len, slides)) > MAX_EXAMPLES:
        raise Refused("document_too_many", part="points_slide", most=MAX_EXAMPLES)


def _need_shallow(value: object, depth: int) -> None:
    if depth > _MAX_DEPTH:
        raise Refused("document_too_deep", most=_MAX_DEPTH)
    if isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            _need_shallow(item, depth + 1)


def stored_document(toml: str) -> dict[str, Any]:
    """A document as it was stored."""
    return tomllib.loads(toml, parse_float=Decimal)


def places_json(targets: Sequence[BookPlace]) -> str:
    """Places as the tables hold them."""
    return json.dumps(
        [{"city": place.city, "rider_kind": place.rider_kind} for place in targets], ensure_ascii=False, sort_keys=True
    )


def read_places(stored: str) -> tuple[BookPlace, ...]:
    """Places of `places_json`."""
    return tuple(BookPlace(row["city"], row["rider_kind"]) for row in json.loads(stored))


def from_toml(unit: ReadUnit | WriteUnit, toml: str) -> dict[str, Any]:
    """A document as a person writes it, with what it extends (stored or shipped books) merged in.

    Raises
    ------
    BookError
        If it is no TOML, or what it extends is not there. Other faults stay in the document.
    """
    if len(toml) > MAX_BYTES:
        raise Refused("document_too_large", size=len(toml), most=MAX_BYTES)
    return _resolved(unit, read_toml(Source(toml, DRAFT)))


def with_parents(unit: ReadUnit | WriteUnit, document: dict[str, Any]) -> dict[str, Any]:
    """A document of plain TOML values with what it extends merged in; one that extends nothing stays as it is.

    Raises
    ------
    BookError
        If what it extends is not there. Other faults stay in the document.
    """
    return _resolved(unit, document) if "extends" in document else document


def _resolved(unit: ReadUnit | WriteUnit, document: dict[str, Any]) -> dict[str, Any]:
    def find_parent(reference: str, file: str, on: dt.date | None) -> Source | None:
        return _stored_parent(unit, reference, on) or shipped_parent(reference, file, on)

    return resolve(document, DRAFT, find_parent)


def _stored_parent(unit: ReadUnit | WriteUnit, reference: str, on: dt.date | None) -> Source | None:
    """The version of a stored book that is in force on a day, or on the day that the reference names."""
    book_id, _, day = reference.partition("@")
    query = select(books.c.effective_from, books.c.document).where(books.c.book_id == book_id)
    rows = unit.connection.execute(query.order_by(books.c.effective_from)).all()
    until = day or (on.isoformat() if on else "")
    begun = [row for row in rows if not until or row.effective_from.isoformat() <= until]
    if not begun:
        return None
    return Source(begun[-1].document, f"{book_id}@{begun[-1].effective_from}")


def book_id_of(document: dict[str, Any]) -> str | None:
    """The id that a document names, if it is one."""
    book_id = document.get("id")
    return book_id if isinstance(book_id, str) and _BOOK_ID.fullmatch(book_id) else None


def is_route_word(book_id: str) -> bool:
    """Whether a book of this id could not be asked for: its address is another one's."""
    return book_id.casefold() in ROUTE_WORDS


def sound(document: dict[str, Any]) -> Book | None:
    """The book a document makes, or None if it has faults."""
    try:
        return book_of(document, DRAFT)
    except BookError:
        return None


def faults_of(document: dict[str, Any], file: str = DRAFT) -> tuple[Fault, ...]:
    """Faults of a document by itself, all at once."""
    try:
        book_of(document, file)
    except BookError as error:
        return error.faults
    return ()


def effective_us(document: dict[str, Any]) -> int | None:
    """When a document is to take effect, as far as it can be told from one that may be faulty."""
    date, zone, starts = (document.get(key) for key in ("effective_from", "time_zone", "day_starts"))
    if type(date) is not dt.date or not FIRST_DATE <= date <= LAST_DATE:
        return None
    book = sound(document)
    if book is not None:
        return start_us(book.model)
    try:
        zone = zone if isinstance(zone, str) else BookDocument.model_fields["time_zone"].default
        starts = starts if type(starts) is dt.time else BookDocument.model_fields["day_starts"].default
        return calendar(zone, starts).start_of(date)
    except (ValueError, KeyError, OSError):
        return None


def today_of(model: BookDocument, at_us: int) -> dt.date:
    """The local day of a book at an instant."""
    return calendar(model.time_zone, model.day_starts).date_of(at_us)


def begun_from(book: Book, book_id: str, notice_days: int, at_us: int) -> dict[str, Any]:
    """A version's document as the start of a change: told tomorrow, in effect when the notice is over."""
    announced = today_of(book.model, at_us) + dt.timedelta(days=_READING_DAYS)
    effective = announced + dt.timedelta(days=max(notice_days, book.model.notice_days))
    dates = {"id": book_id, "effective_from": effective, "announced": announced}
    return _first(copy.deepcopy(book.document), dates)


def restored_from(book: Book, book_id: str, effective_from: dt.date, today: dt.date) -> dict[str, Any]:
    """A version's document as a new version that says the same from a day on."""
    dates = {"id": book_id, "effective_from": effective_from, "announced": today}
    return _first(copy.deepcopy(book.document), dates)


def _first(document: dict[str, Any], dates: dict[str, Any]) -> dict[str, Any]:
    return dates | {key: value for key, value in document.items() if key not in dates}


def says_the_same(book: Book, other: dict[str, Any]) -> bool:
    """Whether two documents differ in name and dates at most."""
    ignored = {"id", "effective_from", "announced"}
    left, right = ({k: v for k, v in each.items() if k not in ignored} for each in (book.document, other))
    return digest(left) == digest(right)


def empty_document(book_id: str, at_us: int) -> dict[str, Any]:
    """A book with a scale, one group and one tier, and nothing that it could be judged by."""
    announced = calendar("Asia/Shanghai", dt.time(4)).date_of(at_us) + dt.timedelta(days=_READING_DAYS)

    def titled(key: str) -> dict[str, str]:
        return {lang: text(lang, key) for lang in LANGS}

    return {
        "id": book_id,
        "effective_from": announced + dt.timedelta(days=BookDocument.model_fields["notice_days"].default),
        "announced": announced,
        "title": dict.fromkeys(LANGS, book_id),
        "score": {"base": 70, "floor": 0, "ceiling": 100},
        "group": [{"id": "lateness", "title": titled("begun.lateness"), "hit": "first"}],
        "rule": [],
        "tier": [{"id": "normal", "title": titled("begun.normal")}],
    }


def local_book_id(book_id: str, city: str) -> str:
    """The id of a city's own version of a book that others use too."""
    suffix = city if _SLUG.fullmatch(city) else digest({"city": city})[:6]
    return f"{book_id[: 63 - len(suffix)]}-{suffix}"


def _kind_words(lang: Lang, rider_kind: str) -> str:
    return text(lang, f"word.{rider_kind}")
