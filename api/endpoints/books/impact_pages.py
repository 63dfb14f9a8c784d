"""Long work as people see it: the impact of a draft on the last days of a city, its progress, and stopping it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from fastapi import Response

from api.access.requester import need_cities
from api.books.draft_rows import draft_of
from api.db.unit_of_work import WriteUnit
from api.endpoints.books.draft_view import DraftView, view_of
from api.endpoints.books.visits import ImpactVisit, WatchVisit
from api.endpoints.common.form_once import submit_once
from api.endpoints.common.formats import city_pairs
from api.endpoints.common.page_routing import page_router
from api.endpoints.common.page_sessions import Posted, field
from api.endpoints.common.pages import Visit
from api.endpoints.common.problems import STATUS
from api.endpoints.studies.routes import need_kind
from api.endpoints.studies.streams import last_event, progress_stream, stages
from api.refusals import Refused
from api.studies.jobs import Study, cancel, start_impact, studies_of, study_of
from api.studies.queue_order import position_of
from rules.text import Lang
from scoring.explain import titled

router = page_router()
DAYS: Final = (7, 14, 28, 56, 92)
# A watcher who stays longer asks anew; the browser does so by itself.
WATCH_S: Final = 600


@dataclass(frozen=True, slots=True)
class Matrix:
    """Riders by tier before (rows) and after (columns); a cell knows whether it is up, down or the same."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, tuple[tuple[int, str], ...]], ...]


@router.get("/console/drafts/{draft_id}/impact")
def impact_page(visit: WatchVisit, draft_id: str, study: str = "") -> Response:
    """Who would have moved, on the last days of a city."""
    return _impact_page(visit, draft_id, study)


def _impact_page(visit: Visit, draft_id: str, study: str = "", status: int = 200, refused: str = "") -> Response:
    with visit.service.reading() as unit:
        view = view_of(unit, visit.who, draft_id, visit.service.clock(), visit.lang, may_write=False)
        impacts = studies_of(unit, kinds=("impact",), draft_id=draft_id, limit=20).items
        shown = next((each for each in impacts if each.study_id == study), impacts[0] if impacts else None)
        place = None if shown is None else position_of(unit, shown.study_id, shown.kind)
    cities = sorted({target.city for target in view.draft.targets})
    return visit.page(
        "impact.html",
        status,
        view=view,
        draft=view.draft,
        shown=shown,
        place=place,
        others=impacts,
        cities=city_pairs(cities, visit.lang),
        days=[(str(days), visit.say("web_books.days", number=days)) for days in DAYS],
        refused=refused,
        stages=stages(visit.lang),
        is_present=shown is not None and shown.content_digest == view.draft.content_digest,
        result=None if shown is None or shown.result is None else result_in_words(shown, view, visit.lang),
    )


@router.post("/console/drafts/{draft_id}/impact")
def start(visit: ImpactVisit, draft_id: str, form: Posted) -> Response:
    """Ask for the impact of a draft as it stands."""
    days = field(form, "days")

    def make(unit: WriteUnit) -> str:
        draft_of(unit, draft_id, visit.who)
        need_cities(visit.who, {field(form, "city")})
        study_id = start_impact(
            unit,
            visit.who.name,
            city=field(form, "city"),
            days=int(days) if days.isascii() and days.isdigit() and len(days) < 7 else 0,
            draft_id=draft_id,
        )
        return f"/console/drafts/{draft_id}/impact?study={study_id}"

    try:
        return visit.goto(submit_once(visit, form, make))
    except Refused as refused:
        return _impact_page(visit, draft_id, status=STATUS[refused.code], refused=refused.describe(visit.lang))


@router.post("/console/studies/{study_id}/cancel")
def stop(visit: ImpactVisit, study_id: str, form: Posted) -> Response:
    """Stop long work."""
    with visit.service.writing() as unit:
        need_kind(study_of(unit, study_id, visit.who.cities, visit.who.name), visit.who)
        study = cancel(unit, visit.who.name, study_id, visit.who.cities)
    return visit.goto(place_of(study), "work_stopped")


def place_of(study: Study) -> str:
    """The page on which a piece of long work is shown."""
    if study.draft_id is not None:
        return f"/console/drafts/{study.draft_id}/impact?study={study.study_id}"
    return f"/console/studies/{study.study_id}"


@router.get("/console/studies/{study_id}/events")
def watch(visit: WatchVisit, study_id: str) -> Response:
    """Progress as server-sent events."""
    with visit.service.reading() as unit:
        need_kind(study_of(unit, study_id, visit.who.cities, visit.who.name), visit.who)
    return progress_stream(visit.service, study_id, last_event(visit.request.headers.get("last-event-id")), WATCH_S)


def result_in_words(study: Study, view: DraftView | None, lang: Lang) -> dict[str, Any]:
    """The result of an impact with what a page needs beside it: the matrix, titles of tiers, sums that are shown."""
    result: dict[str, Any] = study.result or {}
    titles = _tier_titles(view, lang)
    return {
        "raw": result,
        "matrix": matrix(result, titles),
        "titles": titles,
        "bands": [{**band, "title": titles.get(band["tier"], band["tier"])} for band in result.get("bands", ())],
        "totals": [(name, result["totals"][name]) for name in SHOWN_TOTALS if name in result.get("totals", {})],
        "movers": [(way, result.get("movers", {}).get(way, [])) for way in ("up", "down")],
    }


SHOWN_TOTALS: Final = (
    "num_on_time", "num_late", "num_exempt", "points_awarded_mp", "points_deducted_mp", "fines_fen", "bonus_fen",
    "income_fen",
)  # fmt: skip


def _tier_titles(view: DraftView | None, lang: Lang) -> dict[str, str]:
    if view is None or view.checked.book is None:
        return {}
    return {tier.id: titled(lang, tier.title) for tier in view.checked.book.model.tier}


def matrix(result: Mapping[str, Any], titles: Mapping[str, str]) -> Matrix:
    """Riders by tier before and after, both from the lowest."""
    pairs = {(cell["a"], cell["b"]): int(cell["num_riders"]) for cell in result.get("tiers", ())}
    known = list(titles)
    others = [tier for pair in pairs for tier in pair if tier not in known]
    order = [*known, *dict.fromkeys(others)]
    before = [tier for tier in order if any(tier == a for a, _ in pairs)]
    after = [tier for tier in order if any(tier == b for _, b in pairs)]
    rows = tuple(
        (titles.get(a, a), tuple((pairs.get((a, b), 0), _way(a, b, order, titles)) for b in after)) for a in before
    )
    return Matrix(tuple(titles.get(tier, tier) for tier in after), rows)


def _way(a: str, b: str, order: list[str], titles: Mapping[str, str]) -> str:
    if a == b:
        return "same"
    if a not in titles or b not in titles:
        return ""
    return "rose" if order.index(b) > order.index(a) else "fell"
