"""Long work: impacts of a rule book on what happened, studies of what would happen; requested, followed, cancelled, read."""

from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Depends, Header, Query, Response
from pydantic import Field
from sse_starlette import EventSourceResponse

from api.access.requester import need_cities
from api.endpoints.common.auth import require
from api.endpoints.common.field_errors import FieldPlace
from api.endpoints.common.problems import FieldError, Problem
from api.endpoints.common.schemas import LIMIT_DEFAULT, Cursor, IdText, InLanguage, Limit, ListPage, Model, Started
from api.endpoints.common.threads import ThreadedRoute
from api.endpoints.studies.streams import WAIT_S_MAX, last_event, progress_stream
from api.files.errors import InputError
from api.refusals import Refused
from api.service import Actor, LangDep, Service, ServiceDep
from api.studies import jobs
from api.studies.design import DEFAULT_DAYS, Sensitivity
from api.studies.jobs import DAYS_MAX, Study
from api.studies.queue_order import position_of
from api.studies.simulation import check_request
from rules.text import Lang

router = APIRouter(prefix="/v1", tags=["studies"], route_class=ThreadedRoute)
Student = Annotated[Actor, Depends(require("studies:run"))]
Asker = Annotated[Actor, Depends(require("impacts:run"))]
Watcher = Annotated[Actor, Depends(require("studies:read", "impacts:run"))]
Runner = Annotated[Actor, Depends(require("studies:run", "impacts:run"))]
Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Setting = Annotated[str, Field(min_length=3, max_length=200, pattern=r"^[^\x00-\x1f\x7f=]+=[^\x00-\x1f\x7f]*$")]
# A report runs scripts of its own and nothing else; it is a document apart, which cannot act as whoever reads it.
_REPORT_POLICY: Final = (
    "sandbox allow-scripts allow-downloads; default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; "
    "img-src data:; font-src data:"
)


SETS_MAX: Final = 50
SWEEPS_MAX: Final = 3


class StudyAsked(Model):
    """A simulated city under two books."""

    scenario: str = Field(max_length=100, pattern=r"^[a-z0-9-]+$", examples=["ordinary-week"])
    books: Annotated[
        list[Annotated[str, Field(max_length=200, pattern=r"^[A-Za-z0-9@._-]+$")]], Field(min_length=2, max_length=2)
    ] = Field(
        description="Old and new: a shipped id, `id@2025-12-03`, or the digest of a stored version.",
        examples=[["legacy-fine", "taobao-crowdsourced"]],
    )
    seeds: int = Field(default=20, ge=1, le=200)
    days: int | None = Field(default=None, ge=1, le=92, description=f"Days after the switch; {DEFAULT_DAYS} if null.")
    sets: list[Setting] = Field(
        default=[], max_length=SETS_MAX, description="`key=value` of the scenario; `a:` and `b:` before it change a book.",
        examples=[["riders=40", "orders_per_day=800"]],
    )  # fmt: skip
    sensitivity: Sensitivity = Field(
        default="off",
        description="Vary the assumptions on a small city, one at a time, together (Morris), or both: hundreds of runs more.",
    )
    sweeps: list[Setting] = Field(
        default=[], max_length=SWEEPS_MAX, description="`key=value,value,…`: repeat the study at each value, or each combination.",
        examples=[["b:tier.reward.bonus_fen=0,50,100"]],
    )  # fmt: skip


class ImpactAsked(Model):
    """Stored events of a city under two laws."""

    city: str = Field(min_length=1, max_length=100, pattern=r"^[^\x00-\x1f\x7f]+$", examples=["hangzhou"])
    days: int = Field(default=28, ge=1, le=DAYS_MAX)
    a: Digest | None = Field(default=None, description="A stored version; null for what is in force there.")
    b: Digest | None = Field(default=None, description="Likewise.")
    rider_kind: Literal["crowdsourced", "dedicated"] | None = None


class FailureShown(Model):
    """Why nothing came of it."""

    code: str
    detail: InLanguage
    faults: tuple[InLanguage, ...] = Field(validation_alias="fault_words")


class StudyShown(Model):
    """Long work, and what came of it."""

    study_id: str
    kind: Literal["impact", "study"]
    state: Literal["waiting", "running", "done", "failed", "cancelled"]
    progress_permille: int
    stage: str
    stage_words: InLanguage
    request: dict[str, Any]
    requested_by: str = Field(examples=["policy:wang"])
    city: str | None
    draft_id: str | None
    content_digest: str | None = Field(description="Of the draft when this was asked for.")
    result: dict[str, Any] | None
    result_digest: str | None
    files: tuple[str, ...]
    failure: FailureShown | None
    created_us: int
    started_us: int | None
    finished_us: int | None
    position: int | None = Field(description="Place in the queue of its kind, from 1, while it waits.")


class StudyLine(Model):
    """Long work in a list."""

    study_id: str
    kind: Literal["impact", "study"]
    state: Literal["waiting", "running", "done", "failed", "cancelled"]
    progress_permille: int
    requested_by: str
    city: str | None
    draft_id: str | None
    created_us: int
    finished_us: int | None


class StudyLines(ListPage):
    """Long work, newest first."""

    items: tuple[StudyLine, ...]


@router.post("/studies", status_code=202)
def start_study(body: StudyAsked, actor: Student, service: ServiceDep, response: Response, lang: LangDep) -> Started:
    """Ask for a simulation of a city under two books; it is done in the background."""
    request = body.model_dump() | {"lang": lang}
    try:
        check_request(service.store, request)
    except InputError as error:
        errors = [FieldError(FieldPlace(place=fault.file), fault.code, fault.describe) for fault in error.faults]
        raise Problem("study_faulty", errors=errors) from None
    with service.writing() as unit:
        study_id = jobs.start_study(unit, actor.name, request)
    response.headers["Location"] = f"/v1/studies/{study_id}"
    return Started(study_id=study_id)


@router.post("/impacts", status_code=202)
def start_impact(body: ImpactAsked, actor: Asker, service: ServiceDep, response: Response) -> Started:
    """Ask who would have moved if the last days of a city had been judged under another law."""
    need_cities(actor, {body.city})
    with service.writing() as unit:
        study_id = jobs.start_impact(
            unit, actor.name, city=body.city, days=body.days, a=body.a, b=body.b, rider_kind=body.rider_kind
        )
    response.headers["Location"] = f"/v1/studies/{study_id}"
    return Started(study_id=study_id)


@router.get("/studies")
def list_studies(
    actor: Watcher,
    service: ServiceDep,
    kind: Annotated[Literal["impact", "study"] | None, Query()] = None,
    city: Annotated[str | None, Query(max_length=100, pattern=r"^[^\x00-\x1f\x7f]+$")] = None,
    draft_id: Annotated[str | None, Query(max_length=200, pattern=r"^[^\x00-\x1f\x7f]+$")] = None,
    cursor: Cursor = None,
    limit: Limit = LIMIT_DEFAULT,
) -> StudyLines:
    """Impacts and studies, newest first."""
    kinds = [seen for seen in _kinds(actor) if kind in (None, seen)]
    need_cities(actor, () if city is None else (city,))
    with service.reading() as unit:
        page = jobs.studies_of(
            unit, kinds=kinds, city=city, draft_id=draft_id, cities=actor.cities, actor=actor.name, cursor=cursor, limit=limit,
        )  # fmt: skip
    return StudyLines.of(page)


@router.get("/studies/{study_id}")
def get_study(study_id: IdText, actor: Watcher, service: ServiceDep, lang: LangDep, response: Response) -> StudyShown:
    """One of them, with its result."""
    with service.reading() as unit:
        study = need_kind(jobs.study_of(unit, study_id, actor.cities, actor.name), actor)
        files = jobs.files_of(unit, study_id) if study.state == "done" else ()
        position = position_of(unit, study_id, study.kind) if study.state == "waiting" else None
    response.headers["Content-Language"], response.headers["Vary"] = lang, "Accept-Language"
    return _shown(study, files, lang, position)


@router.get(
    "/studies/{study_id}/events",
    response_class=EventSourceResponse,
    responses={
        200: {"content": {"text/event-stream": {}}, "description": "Steps by number."},
        204: {"description": "The work has ended and its last step is known: there is nothing to ask again for."},
    },
)
def watch_study(
    study_id: IdText,
    actor: Watcher,
    service: ServiceDep,
    last_event_id: Annotated[str | None, Header(alias="Last-Event-ID", max_length=100)] = None,
    wait_s: Annotated[int, Query(ge=0, le=WAIT_S_MAX, description="Ends after so many seconds at the latest.")] = 900,
) -> Response:
    """Progress as server-sent events, to the end; `Last-Event-ID` goes on after a step."""
    with service.reading() as unit:
        need_kind(jobs.study_of(unit, study_id, actor.cities, actor.name), actor)
    return progress_stream(service, study_id, last_event(last_event_id), wait_s)


@router.post("/studies/{study_id}/cancel")
def cancel_study(study_id: IdText, actor: Runner, service: ServiceDep, lang: LangDep) -> StudyShown:
    """Stop it; what it did so far is thrown away."""
    with service.writing() as unit:
        need_kind(jobs.study_of(unit, study_id, actor.cities, actor.name), actor)
        study = jobs.cancel(unit, actor.name, study_id, actor.cities)
    return _shown(study, (), lang)


@router.get(
    "/studies/{study_id}/report",
    operation_id="get_report",
    response_class=Response,
    responses={
        200: {"content": {"text/html": {"schema": {"type": "string"}}}, "description": "A page that stands alone."}
    },
)
def read_report(study_id: IdText, actor: Watcher, service: ServiceDep) -> Response:
    """The report of a study that is done: one HTML page with all it needs."""
    return report_response(service, actor, study_id)


def report_response(service: Service, actor: Actor, study_id: str) -> Response:
    """The report, as an answer that cannot act as whoever reads it."""
    with service.reading() as unit:
        study = need_kind(jobs.study_of(unit, study_id, actor.cities, actor.name), actor)
        report = jobs.file_of(unit, study_id, "report.html") if study.state == "done" else None
    if report is None:
        raise Problem("no_report")
    return Response(report, media_type="text/html; charset=utf-8", headers={"Content-Security-Policy": _REPORT_POLICY})


def _kinds(actor: Actor) -> list[jobs.Kind]:
    """What a role may see: impacts, studies or both."""
    return [kind for kind, scope in (("impact", "impacts:run"), ("study", "studies:read")) if actor.may(scope)]  # type: ignore[arg-type, misc]


def need_kind(study: Study, actor: Actor) -> Study:
    """A piece of long work of a kind that the role may see; any other is not there."""
    if study.kind not in _kinds(actor):
        raise Refused("unknown_study", study_id=study.study_id)
    return study


def _shown(study: Study, files: tuple[str, ...], lang: Lang, position: int | None = None) -> StudyShown:
    values = {name: getattr(study, name) for name in Study.__slots__}
    return StudyShown.of(values | {"stage_words": study.stage_words, "files": files, "position": position}, lang)
