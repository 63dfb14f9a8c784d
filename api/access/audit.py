"""The audit trail: read page by page, the newest first, and taken along as CSV or NDJSON, the oldest first."""

import csv
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from sqlalchemy import Select, func, select

from api.access.requester import Requester, need_cities
from api.db.cursors import CursorPage
from api.db.identity import platform_of
from api.db.outbox import iso
from api.db.records import cut_page, record_of
from api.db.tables import audit
from api.db.unit_of_work import ReadUnit, WriteUnit
from api.refusals import Refused
from rules.formula_guard import escape_formula

COLUMNS: Final = ("audit_id", "recorded_at", "actor", "action", "subject", "city", "detail", "platform")
# Lines of one part of a download: some milliseconds of work, so that others do not wait longer for their turn.
ROWS_AT_ONCE: Final = 250
_MOST_ID: Final = 2**63


@dataclass(frozen=True, slots=True)
class AuditFilter:
    """Which lines: all that is given must hold. An action that ends in `*` is a beginning; times are [from, to)."""

    actor: str | None = None
    action: str | None = None
    subject: str | None = None
    city: str | None = None
    from_us: int | None = None
    to_us: int | None = None


@dataclass(frozen=True, slots=True)
class AuditLine:
    """Who did what to whom, when and where, on which platform."""

    audit_id: int
    recorded_us: int
    actor: str
    action: str
    subject: str
    city: str | None
    detail: dict[str, Any] = field(hash=False)
    platform: str


def audit_page(
    unit: ReadUnit | WriteUnit, who: Requester, audit_filter: AuditFilter, cursor: str | None = None, limit: int = 50
) -> CursorPage[AuditLine]:
    """A page of the lines that a person may read: who acts in some cities reads those of them.

    Raises
    ------
    Refused
        `city_unknown`, `cursor_invalid`.
    """
    query = _query(who, audit_filter).order_by(audit.c.audit_id.desc()).limit(limit + 1)
    if cursor is not None:
        if not (cursor.isascii() and cursor.isdigit() and int(cursor) < _MOST_ID):
            raise Refused("cursor_invalid")
        query = query.where(audit.c.audit_id < int(cursor))
    platform = platform_of(unit)
    lines = [_line(row, platform) for row in unit.connection.execute(query)]
    return cut_page(lines, limit, lambda last: str(last.audit_id))


def newest_id(unit: ReadUnit | WriteUnit) -> int:
    """The newest line's id; 0 where there is none."""
    return unit.connection.execute(select(func.max(audit.c.audit_id))).scalar() or 0


def audit_rows_between(
    unit: ReadUnit | WriteUnit, who: Requester, audit_filter: AuditFilter, after: int, until: int
) -> tuple[AuditLine, ...]:
    """The next lines that a person may read, oldest first: after one id, up to another; fewer than `ROWS_AT_ONCE` at the end."""
    query = _query(who, audit_filter).where(audit.c.audit_id > after, audit.c.audit_id <= until)
    platform = platform_of(unit)
    rows = unit.connection.execute(query.order_by(audit.c.audit_id).limit(ROWS_AT_ONCE))
    return tuple(_line(row, platform) for row in rows)


def need_filter_city(who: Requester, audit_filter: AuditFilter) -> None:
    """Refuse a filter by a city that is not theirs.

    Raises
    ------
    Refused
        `city_unknown`.
    """
    if audit_filter.city is not None:
        need_cities(who, {audit_filter.city})


def _query(who: Requester, audit_filter: AuditFilter) -> Select[Any]:
    need_filter_city(who, audit_filter)
    query = select(audit)
    if audit_filter.city is not None:
        query = query.where(audit.c.city == audit_filter.city)
    elif who.cities:
        query = query.where(audit.c.city.in_(who.cities))
    if audit_filter.action is not None and audit_filter.action.endswith("*"):
        query = query.where(audit.c.action.startswith(audit_filter.action.removesuffix("*"), autoescape=True))
    elif audit_filter.action is not None:
        query = query.where(audit.c.action == audit_filter.action)
    for column, value in ((audit.c.actor, audit_filter.actor), (audit.c.subject, audit_filter.subject)):
        if value is not None:
            query = query.where(column == value)
    if audit_filter.from_us is not None:
        query = query.where(audit.c.recorded_us >= audit_filter.from_us)
    if audit_filter.to_us is not None:
        query = query.where(audit.c.recorded_us < audit_filter.to_us)
    return query


def _line(row: Any, platform: str) -> AuditLine:
    return record_of(AuditLine, row, detail=json.loads(row.detail), platform=platform)


def as_csv(lines: Iterator[AuditLine]) -> Iterator[str]:
    """CSV (RFC 4180) with a header and a byte order mark, so that spreadsheets read Chinese; no cell is a formula."""
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    writer.writerow(COLUMNS)
    yield "\ufeff" + _taken(buffer)
    for line in lines:
        writer.writerow(escape_formula(value) for value in _cells(line))
        yield _taken(buffer)


def as_ndjson(lines: Iterator[AuditLine]) -> Iterator[str]:
    """One JSON object a line."""
    for line in lines:
        document = dict(zip(COLUMNS, _cells(line), strict=True)) | {"audit_id": line.audit_id, "detail": line.detail}
        yield json.dumps(document | {"city": line.city}, ensure_ascii=False) + "\n"


def _cells(line: AuditLine) -> tuple[str, ...]:
    detail = json.dumps(line.detail, ensure_ascii=False, sort_keys=True)
    at = iso(line.recorded_us)
    return str(line.audit_id), at, line.actor, line.action, line.subject, line.city or "", detail, line.platform


def _taken(buffer: io.StringIO) -> str:
    written = buffer.getvalue()
    buffer.seek(0)
    buffer.truncate()
    return written
