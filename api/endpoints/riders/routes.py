"""A rider's card, entries, forecast and export; and the personal fields behind the pseudonym."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import Field

from api.access.new_ids import need_valid_cities, need_valid_rider_id
from api.access.requester import need_cities
from api.books.in_force import rules_in_force
from api.db.rider_rows import home_of
from api.db.unit_of_work import ReadUnit, WriteUnit
from api.endpoints.common.auth import Authenticator, require
from api.endpoints.common.downloads import export_download
from api.endpoints.common.etags import WordsDep, is_unchanged
from api.endpoints.common.problems import Problem
from api.endpoints.common.schemas import LIMIT_DEFAULT, City, Cursor, IdText, IfNoneMatch, Limit, Model, PlainText
from api.endpoints.riders.card_cache import CardCache, PreparedResponse
from api.endpoints.riders.shapes import CardShown, EntryPage, Forecasts, ForecastShown
from api.riders import people
from api.riders.entries_explained import entries_page
from api.riders.forecast import DEFAULT_LATE_MIN, forecast_of
from api.riders.people import erase
from api.service import Actor, LangDep, ServiceDep

router = APIRouter(prefix="/v1/riders/{rider_id}", tags=["riders"])
Reader = Annotated[Actor, Depends(require("self:read", "riders:read"))]
Exporter = Annotated[Actor, Depends(require("self:export"))]
Introducer = Annotated[Actor, Depends(require("people:write"))]
Eraser = Annotated[Actor, Depends(require("self:erase", "people:erase"))]
_SEQ_MAX = 2**62
Minutes = Annotated[
    list[Annotated[int, Field(ge=0, le=1_440)]] | None,
    Query(
        min_length=1, max_length=12, description="Minutes late by the rider alone, repeatable; 0, 3 and 10 unless said."
    ),
]


class PersonGiven(Model):
    """Personal fields, kept apart from the ledger until they are erased."""

    name: PlainText | None = Field(None, examples=["张三"])
    phone: PlainText | None = Field(None, examples=["13800000000"])
    city: City | None = Field(
        None, description="The rider's city, where no event has said it; of itself that of a key for one city."
    )


class Erased(Model):
    """Whether anything was held."""

    held: bool


class Export(Model):
    """All that is held on a rider."""

    rider_id: str
    person: dict[str, Any] | None
    standing: dict[str, Any] | None
    moves: list[dict[str, Any]]
    events: list[dict[str, Any]]
    entries: list[dict[str, Any]]
    appeals: list[dict[str, Any]]
    reviews: list[dict[str, Any]]
    messages: list[dict[str, Any]]
    keys: list[dict[str, Any]]
    requests: list[dict[str, Any]]
    audit: list[dict[str, Any]]


def need_visible_rider(unit: ReadUnit | WriteUnit, actor: Actor, rider_id: str) -> None:
    """Refuse a rider who is not the actor's to see, as one who does not exist."""
    home = home_of(unit, rider_id)
    if home is None or not actor.may_see_rider(rider_id, home.city):
        raise Problem("rider_unknown")


@router.get("/card", response_model=CardShown, responses={304: {"description": "The card is the one you have."}})
async def get_card(
    rider_id: IdText, request: Request, actor: Reader, lang: LangDep, if_none_match: IfNoneMatch = None
) -> Response:
    """A rider's card: score, tier and all that it affects, today, what comes next."""
    desk: CardCache = request.app.state.cards
    kept = await desk.card(actor, rider_id, lang)
    if is_unchanged(if_none_match, kept.tag):
        return PreparedResponse(b"", kept.headers_unchanged, 304)
    return PreparedResponse(kept.body, kept.headers)


@router.get("/entries")
def list_entries(
    rider_id: IdText,
    actor: Reader,
    service: ServiceDep,
    lang: WordsDep,
    cursor: Cursor = None,
    limit: Limit = LIMIT_DEFAULT,
) -> EntryPage:
    """A rider's ledger, newest first, each entry with its sentence."""
    before = None if cursor is None else _seq(cursor)
    with service.reading() as unit:
        need_visible_rider(unit, actor, rider_id)
        page = entries_page(unit, rider_id, service.clock(), before, limit)
    return EntryPage.of(page, lang)


def _seq(cursor: str) -> int:
    if not cursor.isascii() or not cursor.isdigit() or int(cursor) > _SEQ_MAX:
        raise Problem("cursor_invalid")
    return int(cursor)


@router.get("/forecast")
def get_forecast(
    rider_id: IdText, actor: Reader, service: ServiceDep, lang: WordsDep, late_min: Minutes = None
) -> Forecasts:
    """What the next order would do if it is on time, or so many minutes late."""
    with service.reading() as unit:
        need_visible_rider(unit, actor, rider_id)
        forecasts = forecast_of(unit, rules_in_force(unit), rider_id, service.clock(), late_min or DEFAULT_LATE_MIN)
    if forecasts is None:
        raise Problem("rider_unknown")
    return Forecasts(rider_id=rider_id, items=tuple(ForecastShown.of(item, lang) for item in forecasts))


@router.get("/export", response_model=Export)
def get_export(rider_id: IdText, request: Request, actor: Exporter, service: ServiceDep) -> Response:
    """All that is held on a rider, for the rider alone."""
    if rider_id != actor.subject:
        raise Problem("rider_unknown")
    return export_download(service, rider_id, request.app.state.downloads, "riderscore-export.json")


@router.put("/person", status_code=204)
def put_person(rider_id: IdText, body: PersonGiven, actor: Introducer, service: ServiceDep) -> None:
    """Keep a rider's name and phone; only a key of the rider's city may. A rider without a city gets that of the key."""
    if body.city is not None:
        need_cities(actor, {body.city})
    with service.writing() as unit:
        need_valid_rider_id(unit, actor, rider_id)
        need_valid_cities(unit, actor, [body.city] if body.city is not None else [])
        home = home_of(unit, rider_id)
        city = body.city
        if home is None or home.city is None:
            if city is None and len(actor.cities) == 1:
                city = actor.cities[0]
            if city is None and actor.cities:
                raise Problem("rider_city_needed")
        elif not actor.may_see_rider(rider_id, home.city):
            raise Problem("rider_unknown")
        people.save_person(unit, people.Person(rider_id, body.name, body.phone), actor.name, city)


@router.delete("/person")
def delete_person(rider_id: IdText, request: Request, actor: Eraser, service: ServiceDep) -> Erased:
    """Erase a rider's personal fields and all words written by or about them; their keys end, and webhooks are told.

    The ledger stays, under the pseudonym.
    """
    with service.writing() as unit:
        home = home_of(unit, rider_id)
        if not actor.may_see_rider(rider_id, None if home is None else home.city):
            raise Problem("rider_unknown")
        erasure = erase(unit, rider_id, actor.name)
    service.store.scrub()
    authenticator: Authenticator = request.app.state.authenticator
    authenticator.forget()
    return Erased(held=erasure.found_any)
