"""Whether the service lives and can work, what it counts, and what its problems mean. Open to all."""

from typing import Annotated, Final, Literal

from fastapi import APIRouter, Path, Request, Response
from pydantic import Field

from api.books.deployment import COMMAND, num_in_force
from api.db.clock_guard import REMEDY, ClockState
from api.db.store import UnreachableError
from api.endpoints.common.metrics import CONTENT_TYPE, Metrics
from api.endpoints.common.problems import STATUS, Problem, template_of
from api.endpoints.common.schemas import Model
from api.ledger.backlog import readiness
from api.service import LangDep, Service, ServiceDep
from rules.text import Lang, text

NO_BOOK_IN_FORCE: Final = "no_book_in_force"
router = APIRouter(tags=["system"])
STARTING_S: Final = 3
OPEN: Final = frozenset({"/healthz", "/readyz", "/metrics", "/problems", "/problems/{code}"})


class Health(Model):
    """The process answers."""

    status: Literal["ok"]


class Warned(Model):
    """Something that a person must see to."""

    code: str = Field(examples=["clock_held"])
    detail: str


class Readiness(Model):
    """Whether the service can work: each check by name."""

    ready: bool
    checks: dict[str, bool] = Field(examples=[{"database": True, "migrations": True, "books": True, "clock": True}])
    warnings: list[Warned] = Field(description="What waits for a person although requests are answered.")


class ProblemType(Model):
    """What a kind of problem means."""

    type: str
    code: str
    status: int
    title: str
    detail: str = Field(description="The words of the problem; {…} are filled in each case.")


class ProblemTypes(Model):
    """Every kind of problem of this service."""

    items: list[ProblemType]


@router.get("/healthz", operation_id="get_health")
async def health() -> Health:
    """Whether the process answers."""
    return Health(status="ok")


@router.get("/readyz", operation_id="get_readiness", responses={503: {"model": Readiness, "description": "Not ready."}})
def ready(service: ServiceDep, response: Response, lang: LangDep) -> Readiness:
    """Whether this process can work: database, migrations, books, its clock beside the database's, and compiled code.

    A clock that is not believed, and a database in which no book is in force anywhere, leave the service ready, since
    reads go on; they stand in `warnings`.
    """
    clock = ClockState("believed") if service.clock_guard is None else service.clock_guard.state
    # With compiled code on the disk this takes a second or two after the start; a probe need not come twice for it.
    is_compiled = service.compiled.wait(STARTING_S)
    checks = {**_checks(service), "clock": clock.status != "apart", "compiled": is_compiled}
    if not all(checks.values()):
        response.status_code = 503
    warned = _warnings(clock, lang)
    if checks["migrations"] and not _is_in_force(service):
        warned.append(Warned(code=NO_BOOK_IN_FORCE, detail=text(lang, f"warning.{NO_BOOK_IN_FORCE}", command=COMMAND)))
    return Readiness(ready=all(checks.values()), checks=checks, warnings=warned)


def _warnings(clock: ClockState, lang: Lang) -> list[Warned]:
    if clock.status not in ("held", "apart"):
        return []
    code = f"clock_{clock.status}"
    return [Warned(code=code, detail=text(lang, f"refused.{code}", command=REMEDY, seconds=abs(clock.off_s)))]


def _checks(service: Service) -> dict[str, bool]:
    try:
        with service.reading() as unit:
            return {"database": True, **readiness(unit)}
    except UnreachableError:
        return {"database": False, "migrations": False, "books": False}


def _is_in_force(service: Service) -> bool:
    """Whether a book judges anybody now; a database that is gone says nothing of that."""
    try:
        with service.reading() as unit:
            return num_in_force(unit, service.clock()) > 0
    except UnreachableError:
        return True


@router.get(
    "/metrics",
    operation_id="get_metrics",
    response_class=Response,
    responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}, "description": "Prometheus text."}},
)
def metrics(request: Request) -> Response:
    """Requests, events and what waits, for Prometheus."""
    metrics: Metrics = request.app.state.metrics
    return Response(metrics.text(), headers={"Content-Type": CONTENT_TYPE})


@router.get("/problems", operation_id="list_problems")
def problem_types(lang: LangDep, response: Response) -> ProblemTypes:
    """Every kind of problem of this service."""
    _in_language(response, lang)
    return ProblemTypes(items=[_shown(code, lang) for code in sorted(STATUS)])


@router.get("/problems/{code}", operation_id="get_problem")
def problem_type(
    code: Annotated[str, Path(pattern=r"^[a-z0-9_]{1,60}$", examples=["token_expired"])],
    lang: LangDep,
    response: Response,
) -> ProblemType:
    """What a kind of problem means; the `type` of problem documents leads here."""
    if code not in STATUS:
        raise Problem("not_found")
    _in_language(response, lang)
    return _shown(code, lang)


def _shown(code: str, lang: Lang) -> ProblemType:
    return ProblemType(
        type=f"/problems/{code}",
        code=code,
        status=STATUS[code],
        title=text(lang, f"problem.title_{STATUS[code]}"),
        detail=template_of(code, lang),
    )


def _in_language(response: Response, lang: Lang) -> None:
    response.headers["Content-Language"] = lang
    response.headers["Vary"] = "Accept-Language"
