"""The audit trail: page by page, or all of it to take along."""

from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Depends, Query, Request
from pydantic import Field
from starlette.responses import Response

from api.access.audit import AuditFilter, audit_page
from api.endpoints.common.auth import require
from api.endpoints.common.downloads import audit_download
from api.endpoints.common.schemas import LIMIT_DEFAULT, City, Cursor, Limit, ListPage, Model
from api.service import Actor, ServiceDep

router = APIRouter(prefix="/v1/audit", tags=["audit"])
Reader = Annotated[Actor, Depends(require("audit:read"))]
Wanted = Annotated[str | None, Query(max_length=200, pattern=r"^[^\x00-\x1f\x7f]+$")]
Instant = Annotated[int | None, Query(ge=0, le=2**62, description="Microseconds UTC.")]
_TAKEN: Final[dict[int | str, dict[str, Any]]] = {
    200: {
        "content": {"text/csv": {"schema": {"type": "string"}}, "application/x-ndjson": {"schema": {"type": "string"}}}
    }
}


class AuditShown(Model):
    """Who did what to whom, when and where."""

    audit_id: int
    recorded_us: int
    actor: str = Field(examples=["ops:li.na"])
    action: str = Field(examples=["draft_submitted"])
    subject: str
    city: str | None
    detail: dict[str, Any]
    platform: str


class AuditLines(ListPage):
    """Lines, newest first."""

    items: tuple[AuditShown, ...]


@router.get("", response_model=AuditLines, responses=_TAKEN)
def list_audit(
    request: Request,
    actor: Reader,
    service: ServiceDep,
    by: Annotated[Wanted, Query(description="Who: `ops:li.na`.")] = None,
    action: Annotated[Wanted, Query(description="What; `draft_*` for all that begins so.")] = None,
    subject: Annotated[Wanted, Query(description="To whom or what.")] = None,
    city: City | None = None,
    from_us: Instant = None,
    to_us: Instant = None,
    cursor: Cursor = None,
    limit: Limit = LIMIT_DEFAULT,
    format: Annotated[
        Literal["json", "csv", "ndjson"], Query(description="csv and ndjson hold all lines, oldest first.")
    ] = "json",
) -> Response | AuditLines:
    """The audit trail: who acts in some cities reads the lines of these."""
    audit_filter = AuditFilter(actor=by, action=action, subject=subject, city=city, from_us=from_us, to_us=to_us)
    with service.reading() as unit:
        page = audit_page(unit, actor, audit_filter, cursor, limit)
    if format != "json":
        return audit_download(service, actor, audit_filter, format, request.app.state.downloads)
    return AuditLines.of(page)
