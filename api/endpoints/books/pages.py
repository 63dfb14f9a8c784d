"""Rule books: what is in force where, what is to come, every version with the law beside it, and going back to one."""

from dataclasses import dataclass
from functools import partial
from itertools import groupby

from fastapi import Response

from api.access.requester import need_cities
from api.books.catalogue import book_of_id, books_by_place, books_of, compare_versions, version_of
from api.books.in_force import rules_in_force
from api.books.places import places_of
from api.books.rollback import roll_back
from api.db.unit_of_work import WriteUnit
from api.endpoints.books.draft_view import titles_of
from api.endpoints.books.editor import line_in_book
from api.endpoints.books.sheet_writing import XLSX_TYPE, file_response, to_xlsx
from api.endpoints.books.tables import tables_of
from api.endpoints.books.visits import BookVisit, RollbackVisit
from api.endpoints.common.form_once import submit_once
from api.endpoints.common.formats import city_pairs
from api.endpoints.common.page_routing import page_router
from api.endpoints.common.page_sessions import Posted, field
from api.endpoints.common.pages import Visit
from api.refusals import Refused
from rules.book import Book, Rule, Tier
from rules.clauses import PartClause, clauses_for
from rules.diff import leaves_of
from rules.text import Lang, text
from scoring.book_words import (
    cap_words,
    conditions_words,
    kinds_words,
    outcome_words,
    public_text,
    report_words,
    threshold,
)
from scoring.explain import effects, titled

router = page_router()


@dataclass(frozen=True, slots=True)
class RuleInWords:
    """A rule as a person reads it, with the clauses that speak about it."""

    rule: Rule
    kinds: str
    conditions: tuple[str, ...]
    outcome: str
    clauses: tuple[PartClause, ...]


@router.get("/console/books")
def shelf(visit: BookVisit, city: str = "") -> Response:
    """What is in force by city and kind of rider."""
    now_us = visit.service.clock()
    need_cities(visit.who, (city,) if city else ())
    with visit.service.reading() as unit:
        places = books_by_place(unit, visit.who, now_us, city or None)
        books = books_of(unit, now_us)
        cities = sorted({place.city for place in (books_by_place(unit, visit.who, now_us) if city else places)})
        titles = titles_of(unit, [draft for place in places for draft in place.drafts], visit.lang)
    by_city = [(name, list(city_places)) for name, city_places in groupby(places, key=lambda place: place.city)]
    options = [("", visit.say("web_books.all_cities")), *city_pairs(cities, visit.lang)]
    return visit.page("books.html", titles=titles, by_city=by_city, books=books, city=city, city_options=options)


@router.get("/console/books/{book_id}")
def book_page(visit: BookVisit, book_id: str, version: str = "", before: str = "", into: str = "") -> Response:
    """One version of a book: rules with the law beside them, what changed, where it is in force.

    `into` is the book in force that going back to this version would change, where it is another one.
    """
    return _book_page(visit, book_id, version, before, into)


def _book_page(
    visit: Visit, book_id: str, version: str, before: str = "", into: str = "", status: int = 200, refused: str = ""
) -> Response:
    now_us = visit.service.clock()
    with visit.service.reading() as unit:
        brief = book_of_id(unit, book_id, now_us)
        known = [each.digest for each in brief.versions]
        shown = version_of(unit, version if version in known else known[0], now_us)
        earlier = before if before in known else shown.before
        changes = compare_versions(unit, earlier, shown.brief.digest) if earlier else ()
        present = places_of(rules_in_force(unit), into or book_id, now_us)
    book = shown.book
    return visit.page(
        "book.html",
        status,
        brief=brief,
        shown=shown,
        line_in_book=line_in_book,
        book=book,
        public_text=public_text(book, visit.lang),
        groups=_groups(book, visit.lang),
        tiers=_tiers(book, visit.lang),
        caps=[(cap, cap_words(cap, visit.lang)) for cap in book.model.cap],
        reports=[(report, report_words(report, visit.lang)) for report in book.model.report],
        own_clauses=[found for found in clauses_for(book.model) if not found.part],
        protections=_protections(book),
        changes=changes,
        earlier=earlier,
        earlier_date=next((str(each.effective_from) for each in brief.versions if each.digest == earlier), ""),
        others=[
            (each.digest, str(each.effective_from)) for each in brief.versions if each.digest != shown.brief.digest
        ],
        versions=[
            (visit.here(version=each.digest, before=None), str(each.effective_from), each.digest == shown.brief.digest)
            for each in brief.versions
        ],
        into=into or book_id,
        # It may be in force elsewhere, but not where it would come back.
        can_go_back=bool(present)
        and {(place.city, place.rider_kind) for place in shown.places}.isdisjoint(
            (place.city, place.rider_kind) for place in present
        )
        and shown.brief.since_us <= now_us,
        value_words=partial(value_words, visit.lang),
        refused=refused,
    )


def _groups(book: Book, lang: Lang) -> list[tuple[str, str, list[RuleInWords]]]:
    """Rules by group: its title, how it is read, its rules in order."""
    beside: dict[str, list[PartClause]] = {}
    for clause in clauses_for(book.model):
        if clause.part == "rule":
            beside.setdefault(clause.name, []).append(clause)
    groups = []
    for group in book.model.group:
        group_rules = [rule for rule in book.model.rule if rule.group == group.id]
        title = titled(lang, group.title) if group.title else group.id
        in_words = [_rule(rule, book, tuple(beside.get(rule.id, ())), lang) for rule in group_rules]
        groups.append((title, text(lang, f"word.{group.hit}"), in_words))
    return groups


def _rule(rule: Rule, book: Book, clauses: tuple[PartClause, ...], lang: Lang) -> RuleInWords:
    return RuleInWords(
        rule=rule,
        kinds=kinds_words(rule, lang),
        conditions=conditions_words(rule, book.model, lang),
        outcome=outcome_words(rule, lang),
        clauses=clauses,
    )


def _tiers(book: Book, lang: Lang) -> list[tuple[Tier, str, str]]:
    """Tiers from the highest: threshold and effects in words."""
    return [(tier, threshold(tier, lang), effects(tier, lang)) for tier in reversed(book.model.tier)]


def value_words(lang: Lang, key: str, value: object) -> str:
    """A single value of a book in words."""
    if isinstance(value, list):
        return text(lang, "web_books.between").join(text(lang, f"word.{each}") for each in value)
    if isinstance(value, str):
        return text(lang, f"word.{value}") if key in ("every", "on_timeout", "decided_by") else value
    return str(value)


_PROTECTIONS = ("cost_limit", "newcomer", "fading", "reset", "training", "appeal", "suspension", "offers", "hours")


def _protections(book: Book) -> list[tuple[str, list[tuple[str, object]]]]:
    """The single values of a book, table by table."""
    protections = []
    for name in _PROTECTIONS:
        part = getattr(book.model, name)
        if part is not None:
            leaves = leaves_of(part, skip=("source", "confidence", "note"))
            protections.append((name, list(leaves.items())))
    return protections


@router.get("/console/books/{book_id}/{digest}.toml")
def version_toml(visit: BookVisit, book_id: str, digest: str) -> Response:
    """A version as TOML, standing alone."""
    with visit.service.reading() as unit:
        version = version_of(unit, digest, visit.service.clock())
    return file_response(version.toml.encode(), "application/toml; charset=utf-8", f"{book_id}.toml")


@router.get("/console/books/{book_id}/{digest}.xlsx")
def version_workbook(visit: BookVisit, book_id: str, digest: str) -> Response:
    """A version's tables as an Excel workbook."""
    with visit.service.reading() as unit:
        version = version_of(unit, digest, visit.service.clock())
    return file_response(to_xlsx(tables_of(version.document), visit.lang), XLSX_TYPE, f"{book_id}.xlsx")


@router.post("/console/books/{book_id}/back")
def go_back(visit: RollbackVisit, book_id: str, form: Posted) -> Response:
    """One click: an earlier version becomes a new one, for a second person to approve."""
    digest = field(form, "digest")

    def make(unit: WriteUnit) -> str:
        draft = roll_back(unit, visit.who, field(form, "into"), digest, field(form, "reason"))
        return f"/console/approvals/{draft.draft_id}"

    try:
        path = submit_once(visit, form, make)
    except Refused as refused:
        return _book_page(
            visit, book_id, digest, into=field(form, "into"), status=409, refused=refused.describe(visit.lang)
        )
    return visit.goto(path, "rolled_back")
