"""Events in: one or a batch, scored in the transaction that stores them, an answer for each."""

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from operator import itemgetter
from typing import Annotated, Any, Final, Literal

import numpy as np
import pyarrow as pa
from anyio.to_thread import run_sync
from fastapi import APIRouter, Depends, Request, Response
from pydantic import Field
from pydantic_core import to_json

from api.books.deployment import deploy_command
from api.endpoints.common.auth import require
from api.endpoints.common.bodies import JSON, NDJSON, content_type_of
from api.endpoints.common.field_errors import pointer_to
from api.endpoints.common.idempotency_keys import REPLAYED, keyed_request
from api.endpoints.common.problems import FieldError, Problem, no_json
from api.endpoints.common.schemas import Model
from api.endpoints.common.threads import ThreadedRoute
from api.endpoints.ledger.posts import Post, PostAnswer, ScoredPost, answer_in_parts
from api.files.rejects import Reject, rejects_of_rows, shorten
from api.files.request_events import NotEventsError, RequestBody, RequestRows, read_event_body, split_body
from api.ledger.admission import Admission
from api.ledger.posting import EventOutcome
from api.ledger.stored_ids import StoredIds
from api.service import Actor, LangDep, ServiceDep
from rules.ids import NO_PLATFORM
from rules.text import Lang, text
from scoring.columns import EntryKind

router = APIRouter(prefix="/v1", tags=["events"], route_class=ThreadedRoute)
Platform = Annotated[Actor, Depends(require("events:write"))]
_LARGE_BYTES: Final = 32 * 1024
_IGNORED_SHOWN: Final = 100


class EntryWritten(Model):
    """An entry that an event wrote."""

    entry_id: str
    event_id: str = Field(description="Whose entry it is; a late event also writes entries of others anew.")
    seq: int
    rule_id: str
    kind: EntryKind = Field(description="What the entry does.", examples=["deduct"])
    delta_mp: int = Field(description="Milli-points.", examples=[-1000])
    score_after_mp: int
    money_fen: int


class EventAnswer(Model):
    """What became of one event."""

    index: int = Field(description="Position in the request, from 0.")
    rider_id: str | None
    event_id: str | None
    status: Literal["scored", "accepted", "repeated", "rejected"] = Field(
        description="`accepted`: a correction or an upheld appeal about an event older than its book's `late_days`; it"
        " is stored and entered in the background. Posted again before that it is `accepted` again, then `repeated`."
    )
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
    num_accepted: int = Field(description="Stored; the ledger is being recalculated.")
    num_repeated: int
    num_rejected: int
    ignored_keys: list[str] = Field(
        description="Names in these events that nothing here has a use for, each once; 100 at most.",
        examples=[["note"]],
    )
    results: list[EventAnswer]


_ENTRY: Final = tuple(EntryWritten.model_fields)
_AT_ONCE: Final = 500
# An `EventAnswer`: plain values that were read or written a moment ago, of which models would take longer than reading them did.
_Answer = dict[str, Any]
# The row that is answered, and what makes its answer.
_Waiting = tuple[int, Callable[[], _Answer]]


@dataclass(slots=True)
class _RequestBody:
    """A body, until it is taken, and what it is said to be. Nobody else keeps it, so that it is gone once it is read."""

    body: bytes
    is_ndjson: bool

    def taken(self) -> bytes:
        """The body; nothing is left of it."""
        body, self.body = self.body, b""
        return body


async def request_body(request: Request) -> _RequestBody:
    """The body as it came."""
    parts = [part async for part in request.stream() if part]
    return _RequestBody(b"".join(parts), content_type_of(request.scope) == NDJSON)


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
_BODY: Final = {
    "requestBody": {
        "required": True,
        # A bare list is no third kind here: generators of Java make no class of it beside objects.
        "description": "An object that holds events, or one event; a bare list of events is taken, too. 10 000 events at"
        " most. What is wrong with one is answered beside its place, and the others are scored.",
        "content": {
            JSON: {
                "schema": {
                    "anyOf": [
                        {"$ref": "#/components/schemas/EventBatch"},
                        _EVENT,
                    ],
                },
                "examples": {
                    "batch": {"summary": "A delivery four minutes late", "value": {"events": [_EXAMPLE]}},
                    "single": {"summary": "The same alone", "value": _EXAMPLE},
                },
            },
            NDJSON: {
                "schema": {"type": "string", "description": "One event a line."},
                "example": '{"event_id":"e1","rider_id":"r7","city":"hangzhou","rider_kind":"crowdsourced",'
                '"kind":"good_review","occurred_us":1772424240000000}\n',
            },
        },
    }
}


@router.post("/events", operation_id="post_events", openapi_extra=_BODY, response_model=EventAnswers)
async def post(
    request: Request,
    body: Annotated[_RequestBody, Depends(request_body)],
    actor: Platform,
    service: ServiceDep,
    lang: LangDep,
) -> Response:
    """Score events: one, a list, `{"events": [...]}` or NDJSON. The same event is never scored twice."""
    once = keyed_request(request.scope, body.body)
    if len(body.body) < _LARGE_BYTES:
        content: RequestBody | RequestRows = _taken_apart(body, service.settings.batch_rows_max)
    else:
        # Before its turn: others do not wait while it is read.
        stored_ids = StoredIds(service.reading, actor.cities)
        content = await run_sync(
            lambda: read_event_body(_taken_apart(body, service.settings.batch_rows_max), stored_ids)
        )
    admission = Admission(actor.cities, actor.may("training:write"))
    answer = partial(_done, lang, platform=service.settings.platform)
    waits = Post(content, admission, once, answer, filed_by=actor.name, key_id=actor.key_id)
    ask = partial(request.app.state.write_queue.done, actor.token_id)
    done = await answer_in_parts(service, ask, waits)
    for status, num in done.counts.items():
        request.app.state.metrics.events(status, num)
    return Response(done.body, headers={**done.headers, **(REPLAYED if done.is_replayed else {})})


def _taken_apart(body: _RequestBody, num_rows_max: int) -> RequestBody:
    try:
        document = split_body(body.taken(), is_ndjson=body.is_ndjson)
    except NotEventsError as error:
        if not error.is_json:
            raise no_json(error.fault) from None
        raise Problem("invalid_request", errors=[FieldError.at([], "object_or_list")], num=1) from None
    if len(document.places) > num_rows_max:
        raise Problem("too_many_rows", limit=num_rows_max)
    return document


def _done(lang: Lang, scored: ScoredPost, platform: str = NO_PLATFORM) -> PostAnswer:
    """The answer to a post."""
    rows, table = scored.rows, scored.table
    refused, answers = list(scored.refused), list[_Waiting]()
    for k, (row, answer) in enumerate(zip(table["row"].to_pylist(), scored.answers, strict=True)):
        if answer.reason == "no_book":
            words = _no_book(table.slice(k, 1).to_pylist()[0], platform, scored.places, lang)
            answers.append((row, partial(_refusal, rows, _reject(table, k, answer), words)))
        elif answer.status == "rejected":
            refused.append(_reject(table, k, answer))
        else:
            written = scored.lines.get((answer.rider_id, answer.event_id), ())
            answers.append((row, partial(_answer, rows, row, answer.status, written)))
    answers += ((reject.row, partial(_described, rows, reject, lang)) for reject in refused)
    answers.sort(key=itemgetter(0))
    return _written(answers, rows.ignored)


def _written(answers: Sequence[_Waiting], ignored: Collection[str]) -> PostAnswer:
    """Answers by row, as JSON; some at a time, since ten thousand of them weigh more than what is written of them."""
    counts: Counter[str] = Counter()
    parts: list[bytes] = []
    for first in range(0, len(answers), _AT_ONCE):
        some = [make() for _, make in answers[first : first + _AT_ONCE]]
        counts.update(event_answer["status"] for event_answer in some)
        parts += (b"," if parts else b"", to_json(some)[1:-1])
    head = EventAnswers.model_construct(
        num_scored=counts["scored"],
        num_accepted=counts["accepted"],
        num_repeated=counts["repeated"],
        num_rejected=counts["rejected"],
        ignored_keys=[shorten(name) for name in sorted(ignored)[:_IGNORED_SHOWN]],
        results=[],
    )
    begun = EventAnswers.__pydantic_serializer__.to_json(head).removesuffix(b"]}")
    counts_shown = {"scored": counts["scored"], "repeated": counts["repeated"], "rejected": counts["rejected"]}
    return PostAnswer(b"".join((begun, *parts, b"]}")), {"content-type": JSON}, counts=counts_shown)


def _reject(table: pa.Table, k: int, answer: EventOutcome) -> Reject:
    return rejects_of_rows(table, np.array([k]), [answer.reason or ""], [answer.stands or ""])[0]


def _answer(
    rows: RequestRows, row: int, status: Literal["scored", "accepted", "repeated"], written: Sequence[Mapping[str, Any]]
) -> _Answer:
    rider_id, event_id = rows.identities[row]
    place = rows.places[row]
    entries = [{name: line[name] for name in _ENTRY} for line in written] if status == "scored" else []
    return {
        "index": row, "rider_id": rider_id, "event_id": event_id, "status": status, "entries": entries,
        "reason": None, "detail": None, "column": None, "value": None,
        "pointer": None if isinstance(place, int) else pointer_to(place), "line": place if isinstance(place, int) else None,
    }  # fmt: skip


def _no_book(event: Mapping[str, Any], platform: str, places: Collection[tuple[str, str]], lang: Lang) -> str:
    """Why no book judges an event, with the command that puts one in force where the city has none."""
    city, kind, at_us = event["city"], event["rider_kind"], event["occurred_us"]
    named = {"city": shorten(city), "kind": text(lang, f"word.{kind}")}
    if (city, kind) in places:
        return text(lang, "reject.no_book_yet", **named)
    command = deploy_command(platform, city, kind, at_us)
    if command is None:
        return text(lang, "reject.no_book_then", **named)
    return text(lang, "reject.no_book_here", command=command, **named)


def _described(rows: RequestRows, reject: Reject, lang: Lang) -> _Answer:
    return _refusal(rows, reject, shorten(reject.describe(lang)))


def _refusal(rows: RequestRows, reject: Reject, words: str) -> _Answer:
    rider_id, event_id = rows.identities[reject.row]
    place = rows.places[reject.row]
    inside = (reject.column,) if reject.column else ()
    return {
        "index": reject.row, "rider_id": rider_id, "event_id": event_id, "status": "rejected", "entries": [],
        "reason": reject.reason, "detail": words, "column": reject.column or None, "value": reject.value or None,
        "pointer": None if isinstance(place, int) else pointer_to((*place, *inside)),
        "line": place if isinstance(place, int) else None,
    }  # fmt: skip
