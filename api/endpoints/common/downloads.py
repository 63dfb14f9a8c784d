"""Downloads: read from the store part by part, so that no connection is held while the client does not read.

Between two parts no connection and no thread is held; a reader who takes next to nothing is let go
(`api.endpoints.common.connections`).
"""

import json
import re
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any, Final

from anyio import CapacityLimiter
from anyio.to_thread import run_sync
from starlette.responses import StreamingResponse

from api.access.audit import (
    ROWS_AT_ONCE,
    AuditFilter,
    AuditLine,
    as_csv,
    as_ndjson,
    audit_rows_between,
    need_filter_city,
    newest_id,
)
from api.riders.exports import export_of
from api.service import Actor, Service

# As for `PART`: what is worth sending, and soon made.
_CHARS_AT_ONCE: Final = 8 * 1024
_WRITERS: Final[dict[str, tuple[Callable[[Iterator[AuditLine]], Iterator[str]], str]]] = {
    "csv": (as_csv, "text/csv; charset=utf-8"),
    "ndjson": (as_ndjson, "application/x-ndjson"),
}


def audit_download(
    service: Service, actor: Actor, wanted: AuditFilter, kind: str, turns: CapacityLimiter
) -> StreamingResponse:
    """All lines that were there when it was asked for, as `csv` or `ndjson`; refused before the first of them."""
    need_filter_city(actor, wanted)
    write, media_type = _WRITERS[kind]
    with service.reading() as unit:
        until = newest_id(unit)
    lines = write(_audit_lines(service, actor, wanted, until))
    return _streamed(lines, turns, f"audit.{kind}", media_type)


def export_download(service: Service, rider_id: str, turns: CapacityLimiter, name: str) -> StreamingResponse:
    """All that is held on a rider, as one JSON document."""
    return _streamed(_as_json(export_of(service.reading, rider_id)), turns, name, "application/json")


def _streamed(texts: Iterator[str], turns: CapacityLimiter, name: str, media_type: str) -> StreamingResponse:
    named = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"}
    return StreamingResponse(_in_turn(in_parts(texts), turns), headers=named, media_type=media_type)


def _as_json(members: Iterator[tuple[str, Any]]) -> Iterator[str]:
    """An object, a member a line; of members that are rows, a row a line."""
    before = "{"
    for name, value in members:
        yield f"{before}{json.dumps(name)}: "
        before = ",\n"
        if isinstance(value, Iterator):
            yield from _listed(value)
        else:
            yield json.dumps(value, ensure_ascii=False)
    yield "}\n"


def _listed(rows: Iterator[Any]) -> Iterator[str]:
    before = "["
    for row in rows:
        yield f"{before}\n {json.dumps(row, ensure_ascii=False)}"
        before = ","
    yield "[]" if before == "[" else "]"


def _audit_lines(service: Service, actor: Actor, wanted: AuditFilter, until: int) -> Iterator[AuditLine]:
    after = 0
    while True:
        with service.reading() as unit:
            some = audit_rows_between(unit, actor, wanted, after, until)
        yield from some
        if len(some) < ROWS_AT_ONCE:
            return
        after = some[-1].audit_id


async def _in_turn(parts: Iterator[str], turns: CapacityLimiter) -> AsyncIterator[str]:
    """Parts, each made in its turn: a hundred downloads at once take no more of the processor than one."""
    while True:
        part = await run_sync(next, parts, None, limiter=turns)
        if part is None:
            return
        yield part


def in_parts(texts: Iterator[str]) -> Iterator[str]:
    """Texts put together, so that each part is worth sending."""
    buffered: list[str] = []
    num_chars = 0
    for text in texts:
        buffered.append(text)
        num_chars += len(text)
        if num_chars >= _CHARS_AT_ONCE:
            yield "".join(buffered)
            buffered, num_chars = [], 0
    if buffered:
        yield "".join(buffered)


def attachment(name: str) -> dict[str, str]:
    """The header of a file to save; a name may be whatever a draft calls itself."""
    plain = re.sub(r"[^A-Za-z0-9._-]+", "_", name)[-120:]
    return {"Content-Disposition": f'attachment; filename="{plain}"'}
