"""What goes wrong, as problem documents (RFC 9457): one table from code to status, words from the catalogs.

`type` is `/problems/<code>`, served by this service; `title` belongs to the status, `detail` (`refused.<code>`) to the
case; `errors` name each field by JSON pointer into the body, or by parameter.
"""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from starlette.responses import Response

from api.db.store import BusyError, UnreachableError
from api.endpoints.common.field_errors import FieldPlace, explain_invalid, pointer_to
from api.endpoints.common.rate_limits import RateDecision
from api.files.json_faults import JsonFault
from api.refusals import Refused, params_in
from rules.errors import Fault
from rules.text import Lang, template, text

MEDIA_TYPE: Final = "application/problem+json"

# The words of each code stand under `refused.<code>` in the catalogs. 422: the request is not what the API's document
# says; 409: it is, but what it asks for the law of the service or the state of things does not allow.
STATUS: Final[Mapping[str, int]] = {
    "bad_json": 400,
    "bad_request": 400,
    "json_too_deep": 400,
    "idempotency_key_invalid": 400,
    "unauthenticated": 401,
    "token_invalid": 401,
    "token_expired": 401,
    "token_revoked": 401,
    "scope_missing": 403,
    "author_approves": 403,
    "decides_own": 403,
    "key_role": 403,
    "key_for_oneself": 403,
    "key_of_other_city": 403,
    "not_found": 404,
    "key_unknown": 404,
    "rider_unknown": 404,
    "move_unknown": 404,
    "city_unknown": 404,
    "entry_unknown": 404,
    "appeal_unknown": 404,
    "review_unknown": 404,
    "cursor_invalid": 404,
    "unknown_study": 404,
    "no_report": 404,
    "webhook_unknown": 404,
    "unknown_version": 404,
    "draft_unknown": 404,
    "book_unknown": 404,
    "version_unknown": 404,
    "revision_unknown": 404,
    "no_book_there": 404,
    "book_id_reserved": 422,
    "method_not_allowed": 405,
    "body_timeout": 408,
    "bad_id": 409,
    "idempotency_in_flight": 409,
    "round_contradicts": 409,
    "rider_city_needed": 409,
    "rider_city_differs": 409,
    "move_already_there": 409,
    "move_differs": 409,
    "move_no_book": 409,
    "appeal_differs": 409,
    "appeal_decided": 409,
    "appeal_overdue": 409,
    "appeal_not_scored": 409,
    "appeal_taken_back": 409,
    "appeal_too_late": 409,
    "review_decided": 409,
    "review_not_recommended": 409,
    "review_not_suspended": 409,
    "appeal_nothing": 409,
    "appeal_reason_unknown": 409,
    "reason_missing": 409,
    "review_from_missing": 409,
    "review_from_unwanted": 409,
    "review_notice_short": 409,
    "book_faulty": 409,
    "key_expires_past": 409,
    "study_ended": 409,
    "too_many_webhooks": 409,
    "too_many_own_webhooks": 409,
    "nothing_to_compare": 409,
    "study_faulty": 409,
    "webhook_url": 409,
    "draft_state": 409,
    "draft_scheduled": 409,
    "draft_closed": 409,
    "rollback_fixed": 409,
    "rollback_waits": 409,
    "day_taken": 409,
    "day_of_rollback": 409,
    "replaces_nothing": 409,
    "nothing_to_undo": 409,
    "not_the_content": 409,
    "schedule_refused": 409,
    "version_in_force": 409,
    "book_not_in_force": 409,
    "impact_unfinished": 409,
    "draft_not_ready": 409,
    "edit_impossible": 409,
    "document_broken_text": 409,
    "document_too_deep": 409,
    "document_too_many": 409,
    "document_too_large": 409,
    "impact_needed": 409,
    "impact_of_another": 409,
    "version_never_in_force": 409,
    "city_needed": 409,
    "precondition_failed": 412,
    "body_too_large": 413,
    "json_too_many": 413,
    "form_too_many_fields": 413,
    "json_too_long": 413,
    "address_too_long": 414,
    "too_many_rows": 413,
    "media_type_unsupported": 415,
    "coding_unsupported": 415,
    "invalid_request": 422,
    "unusable_text": 422,
    "words_too_long": 422,
    "review_outcome_unknown": 422,
    "idempotency_key_reused": 422,
    "days_out_of_range": 422,
    "webhook_kind": 422,
    "edits_too_many": 422,
    "targets_too_many": 422,
    "target_unknown_kind": 422,
    "reason_needed": 422,
    "key_lives_too_long": 422,
    "precondition_required": 428,
    "rate_limited": 429,
    "address_limited": 429,
    "too_many_headers": 431,
    "too_much_waiting": 429,
    "internal": 500,
    "stopping": 503,
    "outcome_unknown": 503,
    "partly_stored": 503,
    "unavailable": 503,
    "keys_awaited": 503,
    "clock_held": 503,
    "clock_apart": 503,
    "busy": 503,
}
OF_STATUS: Final = {
    400: "bad_request",
    401: "unauthenticated",
    404: "not_found",
    405: "method_not_allowed",
    413: "body_too_large",
    414: "address_too_long",
    415: "media_type_unsupported",
}


# A refusal lists so many faults and then their number; with its words cut it stays far below 1 MiB.
ERRORS_MAX: Final = 50
PLACE_MAX: Final = 200
DETAIL_MAX: Final = 400
WORDS_MAX: Final = 1_000


def shortened(words: str, most: int) -> str:
    """The beginning of some words; `…` says that there was more."""
    return words if len(words) <= most else words[: most - 1] + "…"


@dataclass(frozen=True, slots=True)
class FieldError:
    """What is wrong with one field.

    Parameters
    ----------
    where
        `pointer` is a JSON pointer into the body as a URI fragment (`#/events/3/kind`), `parameter` a place outside of
        it (`query/limit`).
    says
        Why, in a language.
    """

    where: FieldPlace
    code: str
    says: Callable[[Lang], str]

    @classmethod
    def at(cls, pointer: Sequence[str | int], code: str, /, **params: object) -> "FieldError":
        """A field of the body by its path, with the words of `invalid.<code>`."""
        return cls(FieldPlace(pointer=pointer_to(pointer)), code, partial(explain_invalid, code=code, params=params))

    def document(self, lang: Lang) -> dict[str, str]:
        """One member of `errors`."""
        place = {name: shortened(value, PLACE_MAX) for name, value in self.where.document().items()}
        return {**place, "code": self.code, "detail": shortened(self.says(lang), DETAIL_MAX)}


class Problem(Exception):  # noqa: N818 - an answer, not a fault of the program
    """Ends a request with a problem document.

    Parameters
    ----------
    code
        One of `STATUS`.
    errors
        Fields that are wrong, all at once; the first `ERRORS_MAX` of them are told.
    num_errors
        How many there are, where `errors` holds no more than those that are told.
    headers
        Sent with the answer, such as `Retry-After`.
    params
        What the words need; `facts` are further members of the document, for programs.
    """

    def __init__(
        self,
        code: str,
        /,
        *,
        errors: Iterable[FieldError] = (),
        num_errors: int | None = None,
        headers: Mapping[str, str] | None = None,
        **params: object,
    ) -> None:
        self.code = code
        self.status = STATUS[code]
        every = tuple(errors)
        self.errors = every[:ERRORS_MAX]
        self.num_errors = len(every) if num_errors is None else num_errors
        self.headers = dict(headers or {})
        self.params = params
        super().__init__(code)

    def title(self, lang: Lang) -> str:
        """The words of the status."""
        return text(lang, f"problem.title_{self.status}")

    def describe(self, lang: Lang) -> str:
        """Why, and what would be allowed, in one line."""
        return text(lang, f"refused.{self.code}", **params_in(self.params, lang))

    def document(self, lang: Lang, instance: str = "") -> dict[str, Any]:
        """The problem document in one language."""
        document: dict[str, Any] = {
            "type": f"/problems/{self.code}",
            "title": self.title(lang),
            "status": self.status,
            "detail": shortened(self.describe(lang), WORDS_MAX),
            "code": self.code,
        }
        if instance:
            document["instance"] = shortened(instance, WORDS_MAX)
        if self.errors:
            document["errors"] = [error.document(lang) for error in self.errors]
            document["num_errors"] = self.num_errors
        facts = self.params.get("facts")
        return document | facts if isinstance(facts, dict) else document


def check_rate(allowed: RateDecision) -> None:
    """Refuse what an address may not ask any more for now.

    Raises
    ------
    Problem
        `address_limited`.
    """
    if not allowed.is_allowed:
        raise Problem("address_limited", headers={"Retry-After": str(allowed.reset_s)}, seconds=allowed.reset_s)


def problem_of_refusal(refused: Refused) -> Problem:
    """What a verb's refusal is over HTTP."""
    params = dict(refused.params)
    path = params.get("path")
    if not isinstance(path, tuple):
        return Problem(refused.code, **params)  # type: ignore[arg-type]
    del params["path"]
    field = FieldError(FieldPlace(pointer=pointer_to(path)), refused.code, refused.describe)
    return Problem(refused.code, errors=[field], **params)  # type: ignore[arg-type]


def problem_of_unreachable(error: UnreachableError) -> Problem:
    """What a database that is away, or has no connection free, is over HTTP."""
    code = "busy" if isinstance(error, BusyError) else "unavailable"
    return Problem(code, headers={"Retry-After": "1"})


def template_of(code: str, lang: Lang) -> str:
    """The words of a code, their blanks unfilled."""
    return template(lang, f"refused.{code}")


def problem_response(problem: Problem, lang: Lang, instance: str = "") -> Response:
    """A problem as an answer."""
    headers = {"Content-Language": lang, "Vary": "Accept-Language", "Cache-Control": "no-store", **problem.headers}
    if problem.status == 401:
        headers.setdefault("WWW-Authenticate", "Bearer")
    if problem.status == 503:
        headers.setdefault("Retry-After", "5")
    body = json.dumps(problem.document(lang, instance), ensure_ascii=False, separators=(",", ":")).encode()
    return Response(body, problem.status, headers, MEDIA_TYPE)


def problem_of_book(faults: Iterable[Fault]) -> Problem:
    """Faults of a rule book, each named by its place in the document."""
    return Problem(
        "book_faulty",
        errors=[FieldError(FieldPlace(place=_place(fault)), fault.code, fault.describe) for fault in faults],
    )


def _place(fault: Fault) -> str:
    return "/".join(part for part in (fault.file, fault.rule, fault.key) if part)


def no_json(fault: JsonFault | None) -> Problem:
    """A body that is no JSON, with what stands where."""
    if fault is None:
        return Problem("bad_json")
    where = FieldPlace(pointer=pointer_to(fault.path))
    return Problem("bad_json", errors=[FieldError(where, fault.reason, partial(_told_json, fault=fault))])


def _told_json(lang: Lang, *, fault: JsonFault) -> str:
    place = text(lang, "problem.json_line", line=fault.line)
    return place + text(lang, f"reject.{fault.reason}", column=fault.key, value=fault.value, at=fault.at)
