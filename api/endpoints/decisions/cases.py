"""What the routes and pages of appeals and reviews share: lists, one case, and what happens when a decision is refused."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, Final, TypeVar

from fastapi import Depends, Query, Response

from api.access.requester import need_cities
from api.db.unit_of_work import ReadUnit, WriteUnit
from api.decisions.cases import CaseState, CaseStore, CaseT
from api.endpoints.common.case_file import chosen_cities, need_city, own_cities
from api.endpoints.common.pages import Visit
from api.endpoints.common.problems import Problem
from api.endpoints.common.schemas import LIMIT_DEFAULT, Cursor, Limit, ListPage, PlainText
from api.refusals import Refused
from api.service import Actor, Service
from rules.text import Lang

NUM_A_PAGE: Final = 40
ListT = TypeVar("ListT", bound=ListPage)


@dataclass(frozen=True, slots=True)
class CaseQuery:
    """Which cases a list holds."""

    state: CaseState = "open"
    city: Annotated[PlainText | None, Query(description="Of this city only.")] = None
    cursor: Cursor = None
    limit: Limit = LIMIT_DEFAULT


CaseQueryDep = Annotated[CaseQuery, Depends()]


def list_cases(
    shape: type[ListT], store: CaseStore[CaseT], service: Service, actor: Actor, query: CaseQuery, lang: Lang
) -> ListT:
    """A page of cases: riders see their own, others those of their cities.

    Raises
    ------
    Refused
        `city_unknown`, `cursor_invalid`.
    """
    if actor.role != "rider" and query.city is not None:
        need_cities(actor, {query.city})
    cities = actor.cities if query.city is None else (query.city,)
    with service.reading() as unit:
        if actor.role == "rider":
            page = store.page_of_rider(unit, actor.subject, query.state, query.cursor, query.limit)
        else:
            page = store.page(unit, query.state, cities, query.cursor, query.limit)
    return shape.of(page, lang)


def need_case(store: CaseStore[CaseT], unit: ReadUnit | WriteUnit, actor: Actor, case_id: str) -> CaseT:
    """A case that the actor may see; any other is not there.

    Raises
    ------
    Problem
        `appeal_unknown`, `review_unknown`.
    """
    case = store.find(unit, case_id)
    if case is None or not actor.may_see_rider(case.rider_id, case.city):
        params: dict[str, Any] = {store.kind: case_id}
        raise Problem(f"{store.kind}_unknown", **params)
    return case


def inbox_page(
    visit: Visit, store: CaseStore[CaseT], template: str, city: str, state: str, cursor: str | None
) -> Response:
    """The page with the cases that wait, or with those that were decided."""
    with visit.service.reading() as unit:
        which: CaseState = "decided" if state == "decided" else "open"
        page = store.page(unit, which, chosen_cities(visit, city), cursor, NUM_A_PAGE)
        cities = own_cities(visit, unit)
    return visit.page(
        template,
        page=page,
        cities=cities,
        city=city,
        state=state,
        now_us=visit.service.clock(),
        **visit.steps(page.cursor, cursor),
    )


def visible_case(store: CaseStore[CaseT], visit: Visit, unit: ReadUnit, case_id: str) -> CaseT:
    """A case of the visitor's cities.

    Raises
    ------
    Problem
        `not_found`.
    """
    case = store.find(unit, case_id)
    if case is None:
        raise Problem("not_found")
    need_city(visit, case.city)
    return case


def refused_page(
    visit: Visit, write: Callable[[WriteUnit], object], case_page: Callable[[ReadUnit, str], Response]
) -> Response | None:
    """Write a decision: None where it was written, else the case with the words of the refusal, as `case_page` shows it."""
    try:
        with visit.service.writing() as unit:
            write(unit)
    except Refused as refused:
        with visit.service.reading() as unit:
            return case_page(unit, refused.describe(visit.lang))
    return None
