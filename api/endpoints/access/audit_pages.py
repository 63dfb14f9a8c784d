"""The audit trail: who did what to whom, with filters, to take along as a file."""

import datetime as dt
from typing import Annotated, Final

from fastapi import Depends, Response

from api.access.audit import AuditFilter, audit_page
from api.endpoints.common.case_file import own_cities
from api.endpoints.common.downloads import audit_download
from api.endpoints.common.formats import DAY_US, ZONE
from api.endpoints.common.page_routing import page_router
from api.endpoints.common.page_sessions import Named, visiting
from api.endpoints.common.pages import Visit
from rules.calendar import calendar

router = page_router()
AuditVisit = Annotated[Visit, Depends(visiting("audit:read"))]
NUM_A_PAGE: Final = 20
NAMES: Final = ("actor", "action", "subject", "city", "from_day", "to_day")


def audit_filter_of(visit: Visit) -> tuple[dict[str, str], AuditFilter]:
    """The filter in the address, as written and as meant; the last day is included."""
    query = visit.request.query_params
    typed = {name: "".join(filter(str.isprintable, query.get(name, ""))).strip() for name in NAMES}
    until_us = _start_us(typed["to_day"])
    return typed, AuditFilter(
        actor=typed["actor"] or None,
        action=typed["action"] or None,
        subject=typed["subject"] or None,
        city=typed["city"] or None,
        from_us=_start_us(typed["from_day"]),
        to_us=None if until_us is None else until_us + DAY_US,
    )


def _start_us(day: str) -> int | None:
    try:
        return calendar(ZONE, dt.time()).start_of(dt.date.fromisoformat(day))
    except (ValueError, IndexError):
        return None


@router.get("/console/audit")
def trail(visit: AuditVisit, cursor: Named | None = None) -> Response:
    """The newest lines that match."""
    typed, audit_filter = audit_filter_of(visit)
    with visit.service.reading() as unit:
        page = audit_page(unit, visit.who, audit_filter, cursor, NUM_A_PAGE)
        cities = own_cities(visit, unit)
    return visit.page(
        "audit.html",
        page=page,
        given=typed,
        cities=cities,
        **visit.steps(page.cursor, cursor),
    )


@router.get("/console/audit.csv")
def export(visit: AuditVisit) -> Response:
    """All lines that match, oldest first."""
    _, audit_filter = audit_filter_of(visit)
    return audit_download(visit.service, visit.who, audit_filter, "csv", visit.request.app.state.downloads)
