"""Events in: one or a batch, scored in one transaction, an answer for each."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from fastapi import APIRouter, Depends, Request, Response
from pydantic import Field

from api.batch.posted import NotEventsError, PostedRows, read_posted
from api.batch.rejects import Reject, cut, rejects_of_rows
from api.http.auth import require
from api.http.context import Actor, LangDep, ServiceDep
from api.http.intake import JSON, NDJSON, content_type_of
from api.http.meters import Meters
from api.http.problems import FieldError, Problem
from api.http.schemas import Model
from api.http.threads import Threaded
from api.http.wording import pointer_to
from api.store import posting
from api.store.admission import Admission
from api.store.appeals import OWN_IDS
from api.store.posting import Posted
from api.store.rider_rows import NO_ADDRESS
from api.store.scheduling import law_in_force
from api.store.units import WriteUnit
from api.store.written import by_event
from rules.text import Lang

router = APIRouter(prefix="/v1", tags=["events"], route_class=Threaded)
Platform = Annotated[Actor, Depends(require("events:write"))]
Written = Mapping[tuple[str, str], Sequence[Mapping[str, Any]]]


class EntryWritten(Model):
    """An entry that an event wrote."""

    entry_id: str
    event_id: str = Field(description="Whose entry it is; a late event also writes entries of others anew.")
    seq: int
    rule_id: str
    kind: str = Field(examples=["deduct"])
    delta_mp: int = Field(description="Milli-points.", examples=[-1000])
    score_after_mp: int
    money_fen: int


class EventAnswer(Model):
    """What became of one event."""

    index: int = Field(description="Position in the request, from 0.")
    rider_id: str | None
    event_id: str | None
    status: Literal["scored", "repeated", "rejected"]
    entries: list[EntryWritten] = Field(description="Written by this request; none for repeated and rejected events.")
    reason: str | None = Field(description="Why it was rejected, for programs.", examples=["naive_time"])
    detail: str | None = Field(description="Why it was rejected and what to do, for people.")
    column: str | None
    value: str | None = Field(description="What was sent there, at most 200 characters.")
    pointer: str | None = Field(description="Where it stands in a JSON body.", examples=["#/events/3/occurred_at"])
    line: int | None = Field(description="Where it stands in an NDJSON body, from 1.")


class EventAnswers(Model):
    """An answer for each event, in the order of the request; what was scored is stored for good."""

    num_scored: int
    num_repeated: int
    num_rejected: int
    results: list[EventAnswer]


_ENTRY: Final = tuple(EntryWritten.model_fields)


@dataclass(frozen=True, slots=True)
class _Sent:
    """A body and what it is said to be."""

    body: bytes
    is_ndjson: bool


async def sent(request: Request) -> _Sent:
    """The body as it came."""
    return _Sent(await request.body(), content_type_of(request.scope) == NDJSON)


_EXAMPLE: Final = {
    "event_id": "e1",
    "rider_id": "r7",
    "city": "hangzhou",
    "rider_kind": "crowdsourced",
    "kind": "delivered",
    "order_id": "o1",
    "occurred_at": "2026-03-02T12:04:00+08:00",
    "promised_at": "2026-03-02T12:00:00+08:00",
    "accepted_at": "2026-03-02T11:30:00+08:00",
    "fee_fen": 480,
}
_EVENT: Final = {"$ref": "#/components/schemas/Event"}
_EACH: Final = {"anyOf": [_EVENT, {"description": "Anything else is answered as rejected, with the reason."}]}
_BODY: Final = {
    "requestBody": {
        "required": True,
        "content": {
            JSON: {
                "schema": {
                    "description": 'One event, a list, or `{"events": [...]}`; 10 000 events at most.',
                    "anyOf": [
                        _EVENT,
                        {"title": "Events", "type": "array", "items": _EACH},
                        {"type": "object", "description": '`{"events": [...]}`; else one event that is rejected.'},
                    ],
                },
                "examples": {"delivery": {"summary": "A delivery four minutes late", "value": [_EXAMPLE]}},
            },
            NDJSON: {"schema": {"type": "string", "description": "One event a line."}},
        },
    }
}


@router.post("/events", openapi_extra=_BODY, response_model=EventAnswers)
def post(
    request: Request, given: Annotated[_Sent, Depends(sent)], actor: Platform, service: ServiceDep, lang: LangDep
) -> Response:
    """Score events: one, a list, `{"events": [...]}` or NDJSON. The same event is never scored twice."""
    rows = _read(given, service.settings.batch_rows_max)
    table, unwelcome = _named_well(rows.table)
    with service.writing() as unit:
        posted, written = _score(unit, table, Admission(actor.cities, actor.may("training:write")))
    refused, scored = [*rows.rejects, *unwelcome], []
    for k, (row, answer) in enumerate(zip(table["row"].to_pylist(), posted, strict=True)):
        if answer.status == "rejected":
            refused.append(_reject(table, k, answer))
        else:
            scored.append(_answer(rows, row, answer.status, written.get((answer.rider_id, answer.event_id), ())))
    results = [*scored, *(_refusal(rows, reject, lang) for reject in refused)]
    answers = _counted(sorted(results, key=lambda result: result.index), request.app.state.meters)
    # Made of values that were read or written a moment ago: checking thousands of them again would take longer than
    # reading them did.
    return Response(answers.model_dump_json(), media_type=JSON)


def _read(given: _Sent, num_rows_max: int) -> PostedRows:
    try:
        rows = read_posted(given.body, is_ndjson=given.is_ndjson)
    except NotEventsError as error:
        if not error.is_json:
            raise Problem("bad_json") from None
        raise Problem("invalid_request", errors=[FieldError.at([], "object_or_list")], num=1) from None
    if len(rows.places) > num_rows_max:
        raise Problem("too_many_rows", limit=num_rows_max)
    return rows


def _named_well(table: pa.Table) -> tuple[pa.Table, list[Reject]]:
    """Events of riders whom a path can name, under ids that are not the service's own; rejects."""
    table, own_ids = _without(table, pc.starts_with(table["event_id"], OWN_IDS), "event_id", "reserved_id")
    unnamed = pc.match_substring_regex(table["rider_id"], NO_ADDRESS)
    table, nowhere = _without(table, unnamed, "rider_id", "no_address")
    return table, own_ids + nowhere


def _without(table: pa.Table, mask: pa.ChunkedArray, column: str, reason: str) -> tuple[pa.Table, list[Reject]]:
    if not pc.any(mask).as_py():
        return table, []
    marked = table.filter(mask).select(["row", column]).to_pylist()
    rejects = [Reject("body", one["row"], column, cut(one[column]), reason) for one in marked]
    return table.filter(pc.invert(mask)), rejects


def _score(unit: WriteUnit, table: pa.Table, admission: Admission) -> tuple[list[Posted], Written]:
    if not table.num_rows:
        return [], {}
    done = posting.post(unit, law_in_force(unit), table, admission)
    return done.answers, by_event(done.lines)


def _reject(table: pa.Table, k: int, answer: Posted) -> Reject:
    return rejects_of_rows(table, np.array([k]), [answer.reason or ""])[0]


def _answer(
    rows: PostedRows, row: int, status: Literal["scored", "repeated"], written: Sequence[Mapping[str, Any]]
) -> EventAnswer:
    rider_id, event_id = rows.identities[row]
    place = rows.places[row]
    entries = [EntryWritten.model_construct(**{name: line[name] for name in _ENTRY}) for line in written]
    return EventAnswer.model_construct(
        index=row, rider_id=rider_id, event_id=event_id, status=status, entries=entries if status == "scored" else [],
        reason=None, detail=None, column=None, value=None,
        pointer=None if isinstance(place, int) else pointer_to(place), line=place if isinstance(place, int) else None,
    )  # fmt: skip


def _refusal(rows: PostedRows, reject: Reject, lang: Lang) -> EventAnswer:
    rider_id, event_id = rows.identities[reject.row]
    place = rows.places[reject.row]
    inside = (reject.column,) if reject.column else ()
    return EventAnswer.model_construct(
        index=reject.row, rider_id=rider_id, event_id=event_id, status="rejected", entries=[],
        reason=reject.reason, detail=cut(reject.describe(lang)), column=reject.column or None, value=reject.value or None,
        pointer=None if isinstance(place, int) else pointer_to((*place, *inside)),
        line=place if isinstance(place, int) else None,
    )  # fmt: skip


def _counted(results: list[EventAnswer], meters: Meters) -> EventAnswers:
    counts = Counter(result.status for result in results)
    for status, num in counts.items():
        meters.events(status, num)
    return EventAnswers.model_construct(
        num_scored=counts["scored"], num_repeated=counts["repeated"], num_rejected=counts["rejected"], results=results
    )
