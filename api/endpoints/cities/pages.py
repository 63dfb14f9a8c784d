"""The city dashboard, where the console begins."""

from typing import Annotated, Final

from fastapi import Depends, Response

from api.books.in_force import rules_in_force
from api.cities.daily_figures import NUM_DAYS
from api.cities.dashboard import dashboard_of
from api.cities.figures import CityFigures
from api.endpoints.cities.charts import fills_of, on_time_chart, tier_rates
from api.endpoints.common.case_file import moments_of, need_city, own_cities
from api.endpoints.common.event_items import day_of, items_of
from api.endpoints.common.formats import money
from api.endpoints.common.page_routing import page_router
from api.endpoints.common.page_sessions import Named, visiting
from api.endpoints.common.pages import Visit
from api.endpoints.common.problems import Problem
from api.ledger.entries import rider_row
from api.ledger.shared_orders import shared_page
from api.ledger.stored_events import event_of
from api.riders.entries_explained import entries_of_event

router = page_router()
ReaderVisit = Annotated[Visit, Depends(visiting("dashboard:read"))]
OrderVisit = Annotated[Visit, Depends(visiting("orders:read"))]
SPANS: Final = (1, 7, 14, 28)
# The newest of them; the API lists all.
NUM_SHARED: Final = 20


@router.get("/console")
def city_page(visit: ReaderVisit, city: Named = "", days: int = 7) -> Response:
    """One city's last days; the first of the visitor's cities unless another is chosen."""
    days = min(max(days, 1), NUM_DAYS)
    with visit.service.reading() as unit:
        cities = own_cities(visit, unit)
        chosen = city or (cities[0] if cities else "")
        if not cities:
            return visit.page("dashboard_empty.html")
        if chosen not in cities:
            raise Problem("not_found")
        dashboard = dashboard_of(unit, rules_in_force(unit), chosen, days, visit.service.clock())
        shared = shared_page(unit, visit.who, chosen, limit=NUM_SHARED).items if visit.may("orders:read") else ()
    if dashboard is None:
        return visit.page("dashboard_empty.html")
    return visit.page(
        "dashboard.html",
        dashboard=dashboard,
        figures=dashboard.figures,
        causes=dashboard.figures.causes_by_time,
        watch=tier_rates(dashboard),
        line=on_time_chart(dashboard),
        tier_fills=fills_of(dashboard),
        tier_parts=[
            (tier.num_riders / dashboard.num_riders, fills_of(dashboard)[tier.tier], getattr(tier.title, visit.lang))
            for tier in dashboard.tiers
        ],
        fine_parts=_fine_parts(visit, dashboard.figures),
        cities=cities,
        shared=shared,
        days=days,
        span_tabs=[(visit.here(days=num), visit.say("city.days", number=num), num == days) for num in SPANS],
    )


@router.get("/console/delivery")
def delivery_page(visit: OrderVisit, rider: Named = "", event: Named = "") -> Response:
    """One event of a rider of the visitor's cities: its times and what it did."""
    with visit.service.reading() as unit:
        standing = rider_row(unit, rider)
        need_city(visit, None if standing is None else standing.city)
        delivery = event_of(unit, rider, event)
        if delivery is None:
            raise Problem("not_found")
        entries = entries_of_event(unit, rider, event, visit.service.clock())
    return visit.page("delivery.html", event=delivery, moments=moments_of(delivery), history=day_of(items_of(entries)))


def _fine_parts(visit: Visit, figures: CityFigures) -> list[tuple[float, str, str]]:
    """The fine by whose lateness it was for."""
    if not figures.fines_fen:
        return []
    spared = figures.fines_not_liable_fen
    return [
        (spared / figures.fines_fen, "fill-bad", visit.say("city.fines_not_liable", money=money(spared))),
        (
            (figures.fines_fen - spared) / figures.fines_fen,
            "fill-mute",
            visit.say("city.fines_liable", money=money(figures.fines_fen - spared)),
        ),
    ]
