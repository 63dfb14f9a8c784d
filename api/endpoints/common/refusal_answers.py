"""What is answered where something goes wrong: a page to a person who looks at pages, else a problem document."""

from functools import partial

from fastapi import FastAPI, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.types import Receive, Scope, Send

from api.db.store import UnreachableError
from api.endpoints.common.field_errors import FieldPlace, explain_invalid
from api.endpoints.common.page_routing import missing_page, refused_page, wants_page
from api.endpoints.common.problems import (
    ERRORS_MAX,
    OF_STATUS,
    FieldError,
    Problem,
    no_json,
    problem_of_book,
    problem_of_refusal,
    problem_of_unreachable,
    problem_response,
)
from api.files.json_faults import find_json_fault
from api.refusals import Refused
from api.service import lang_of, preferred_lang
from rules.errors import BookError


async def refuse(problem: Problem, scope: Scope, receive: Receive, send: Send) -> None:
    """Answer with what is wrong."""
    scope.setdefault("state", {})["problem"] = problem.code
    request = Request(scope, receive)
    if wants_page(request):
        await (await refused_page(request, problem))(scope, receive, send)
        return
    header = next((value for name, value in scope["headers"] if name == b"accept-language"), b"")
    lang = preferred_lang(header.decode("latin-1"))
    await problem_response(problem, lang, scope["path"])(scope, receive, send)


def add_handlers(app: FastAPI) -> None:
    """Make problem documents of all that routes raise."""
    app.add_exception_handler(Problem, _on_problem)
    app.add_exception_handler(Refused, _on_refused)
    app.add_exception_handler(BookError, _on_book_error)
    app.add_exception_handler(RequestValidationError, _on_invalid)
    app.add_exception_handler(HTTPException, _on_http)
    app.add_exception_handler(UnreachableError, _on_unreachable)


def _answer(request: Request, problem: Problem) -> Response:
    request.scope.setdefault("state", {})["problem"] = problem.code
    return problem_response(problem, lang_of(request), request.scope["path"])


def _on_problem(request: Request, error: Exception) -> Response:
    if not isinstance(error, Problem):
        raise TypeError
    return _answer(request, error)


def _on_refused(request: Request, error: Exception) -> Response:
    if not isinstance(error, Refused):
        raise TypeError
    return _answer(request, problem_of_refusal(error))


def _on_book_error(request: Request, error: Exception) -> Response:
    if not isinstance(error, BookError):
        raise TypeError
    return _answer(request, problem_of_book(error.faults))


def _on_invalid(request: Request, error: Exception) -> Response:
    if not isinstance(error, RequestValidationError):
        raise TypeError
    faults = error.errors()
    if any(item["type"] == "json_invalid" for item in faults):
        return _answer(request, no_json(find_json_fault(error.body) if isinstance(error.body, str | bytes) else None))
    errors = [
        FieldError(FieldPlace.of(item["loc"]), item["type"], partial(explain_invalid, code=item["type"], params=item.get("ctx", {})))
        for item in faults[:ERRORS_MAX]
    ]  # fmt: skip
    return _answer(request, Problem("invalid_request", errors=errors, num_errors=len(faults), num=len(faults)))


def _on_unreachable(request: Request, error: Exception) -> Response:
    if not isinstance(error, UnreachableError):
        raise TypeError
    request.scope["state"]["cause"] = str(error)
    return _answer(request, problem_of_unreachable(error))


def _on_http(request: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException):
        raise TypeError
    if error.status_code == 404 and wants_page(request):
        return missing_page(request)
    code = OF_STATUS.get(error.status_code, "internal")
    headers = dict(error.headers or {})
    if code == "method_not_allowed":
        headers["Allow"] = ", ".join(request.app.state.methods_of(request.scope["path"]))
    return _answer(request, Problem(code, headers=headers))
