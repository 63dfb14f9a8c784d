"""Studies: two books in a simulated city, asked for, watched, read, and shared by their address."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Final

from fastapi import Depends, Response
from starlette.datastructures import FormData

from api.books.catalogue import BookBrief, books_of
from api.db.unit_of_work import ReadUnit
from api.endpoints.common.downloads import attachment
from api.endpoints.common.form_once import submit_once
from api.endpoints.common.page_routing import page_router
from api.endpoints.common.page_sessions import Posted, field, visiting
from api.endpoints.common.pages import Visit
from api.endpoints.common.problems import DETAIL_MAX, ERRORS_MAX, STATUS, shortened
from api.endpoints.studies.routes import SETS_MAX, SWEEPS_MAX, report_response
from api.endpoints.studies.streams import stages
from api.files.errors import InputError
from api.refusals import Refused
from api.studies.design import DEFAULT_DAYS, SENSITIVITIES
from api.studies.jobs import Study, file_of, files_of, start_study, studies_of, study_of
from api.studies.queue_order import position_of
from api.studies.simulation import check_request
from rules.errors import BookError
from rules.text import Lang
from scoring.explain import titled
from simulations import scenario_files

router = page_router()
ReadVisit = Annotated[Visit, Depends(visiting("studies:read"))]
RunVisit = Annotated[Visit, Depends(visiting("studies:run"))]
SEEDS: Final = (3, 5, 10, 20, 40)
FIELDS: Final = ("scenario", "a", "b", "seeds", "days", "sets", "sensitivity", "sweeps")
# A study of the web is to be quick: what takes many times as long is asked for.
FIRST: Final = dict.fromkeys(FIELDS, "") | {"scenario": "ordinary-week", "seeds": "10", "sensitivity": "off"}
_TYPES: Final = {".csv": "text/csv; charset=utf-8", ".json": "application/json", ".svg": "image/svg+xml"}


@router.get("/console/studies")
def study_list(visit: ReadVisit, cursor: str = "") -> Response:
    """Studies, newest first, and the form for a new one."""
    return _list_page(visit, FIRST, cursor)


def _list_page(
    visit: Visit, given: Mapping[str, str], cursor: str = "", status: int = 200, faults: Sequence[str] = ()
) -> Response:
    with visit.service.reading() as unit:
        page = studies_of(
            unit, kinds=("study",), cities=visit.who.cities, actor=visit.who.name, cursor=cursor or None, limit=20
        )
        books = books_of(unit, visit.service.clock())
    versions = _versions(books, visit.lang)
    if not given["a"]:
        given = {**given, **_first_choice(books)}
    return visit.page(
        "studies.html",
        status,
        page=page,
        names=dict(versions),
        versions=versions,
        scenarios=[(name, scenario_title(name, visit.lang)) for name in scenario_files.shipped()],
        seeds=[(str(number), str(number)) for number in SEEDS],
        sensitivities=[(name, _sensitivity(visit, name)) for name in SENSITIVITIES],
        default_days=DEFAULT_DAYS,
        keys=scenario_files.keys(),
        given=given,
        faults=faults,
    )


def scenario_title(name: str, lang: Lang) -> str:
    """What a scenario is called."""
    zh, en = scenario_files.read(name).title
    return zh if lang == "zh" else en


def _sensitivity(visit: Visit, name: str) -> str:
    return visit.say(f"web_studies.sensitivity_{name.replace('-', '_')}")


def _versions(books: Sequence[BookBrief], lang: Lang) -> list[tuple[str, str]]:
    """Every stored version of every book, any against any other."""
    return [
        (version.digest, f"{titled(lang, version.title)} · {version.effective_from}")
        for book in books
        for version in book.versions
    ]


def _first_choice(books: Sequence[BookBrief]) -> dict[str, str]:
    """The question of the day: the fine against a book that is in force."""
    newest = [book.versions[0] for book in books]
    fines = [version.digest for version in newest if version.regime == "legacy"]
    in_force = [book.versions[0].digest for book in books if book.places]
    return {"a": fines[0] if fines else "", "b": in_force[0] if in_force else ""}


@router.post("/console/studies")
def start(visit: RunVisit, form: Posted) -> Response:
    """Ask for a study."""
    given = {name: field(form, name) for name in FIELDS}
    request = _request(form, visit.lang)
    lines = [*request["sets"], *request["sweeps"]]
    if len(request["sets"]) > SETS_MAX or len(request["sweeps"]) > SWEEPS_MAX or max(map(len, lines), default=0) > 200:
        told = visit.say("web_studies.too_many_sets", sets=SETS_MAX, sweeps=SWEEPS_MAX)
        return _list_page(visit, given, "", 422, [told])
    try:
        check_request(visit.service.store, request)
        return visit.goto(
            submit_once(visit, form, lambda unit: f"/console/studies/{start_study(unit, visit.who.name, request)}")
        )
    except (InputError, BookError) as error:
        faults = [shortened(fault.describe(visit.lang), DETAIL_MAX) for fault in error.faults[:ERRORS_MAX]]
        return _list_page(visit, given, "", 422, faults)
    except Refused as refused:
        return _list_page(visit, given, "", STATUS[refused.code], [refused.describe(visit.lang)])


def _request(form: FormData, lang: Lang) -> dict[str, Any]:
    """The form as the request of a study."""
    days = field(form, "days")
    return {
        "scenario": field(form, "scenario"),
        "books": [field(form, "a"), field(form, "b")],
        "seeds": _whole(field(form, "seeds")),
        "days": _whole(days) if days else None,
        "sets": _lines(field(form, "sets")),
        "sensitivity": field(form, "sensitivity") or FIRST["sensitivity"],
        "sweeps": _lines(field(form, "sweeps")),
        "lang": lang,
    }


def _lines(written: str) -> list[str]:
    return [line.strip() for line in written.splitlines() if line.strip()]


def _whole(written: str) -> int:
    # What is no number is out of range, which the study says of itself.
    return int(written) if written.isascii() and written.isdigit() and len(written) < 7 else 0


@router.get("/console/studies/{study_id}")
def study_page(visit: ReadVisit, study_id: str) -> Response:
    """One study: progress, report, failure."""
    with visit.service.reading() as unit:
        study = _study(unit, visit, study_id)
        files = files_of(unit, study_id) if study.state == "done" else ()
        place = position_of(unit, study_id, study.kind)
        names = dict(_versions(books_of(unit, visit.service.clock()), visit.lang))
    return visit.page(
        "study.html",
        place=place,
        study=study,
        shown=study,
        names=names,
        scenario=scenario_title(study.request["scenario"], visit.lang),
        sensitivity=_sensitivity(visit, study.request["sensitivity"]),
        files=[name for name in files if name.endswith(tuple(_TYPES))],
        has_report="report.html" in files,
        stages=stages(visit.lang),
    )


def _study(unit: ReadUnit, visit: Visit, study_id: str) -> Study:
    study = study_of(unit, study_id, visit.who.cities, visit.who.name)
    if study.kind != "study":
        raise Refused("unknown_study", study_id=study_id)
    return study


@router.get("/console/studies/{study_id}/report")
def report(visit: ReadVisit, study_id: str) -> Response:
    """The report, a document apart: it may run its own scripts and do nothing as whoever reads it."""
    response = report_response(visit.service, visit.who, study_id)
    response.headers["Content-Security-Policy"] += "; frame-ancestors 'self'"
    response.headers["X-Frame-Options"] = "SAMEORIGIN"
    return response


@router.get("/console/studies/{study_id}/files/{name}")
def study_file(visit: ReadVisit, study_id: str, name: str) -> Response:
    """One of the study's tables or charts."""
    with visit.service.reading() as unit:
        _study(unit, visit, study_id)
        content = file_of(unit, study_id, name)
    suffix = next((suffix for suffix in _TYPES if name.endswith(suffix)), None)
    if content is None or suffix is None:
        raise Refused("unknown_study", study_id=study_id)
    return Response(content, media_type=_TYPES[suffix], headers=attachment(name))
