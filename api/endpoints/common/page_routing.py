"""Routes of pages: errors become pages, and every answer carries the same security headers."""

import gzip
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, Final

from fastapi import APIRouter, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import RedirectResponse
from fastapi.routing import APIRoute
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException

from api.db.store import BusyError, UnreachableError
from api.endpoints.common.page_sessions import (
    ForeignFormError,
    SignInError,
    form_token_of,
    keep_choices,
    lang_of_visit,
    sign_in_path,
    visit_of,
)
from api.endpoints.common.pages import Visit, show_on_next_page
from api.endpoints.common.problems import Problem, problem_of_book, problem_of_refusal, problem_of_unreachable
from api.endpoints.common.sign_in_page import login_page
from api.endpoints.common.static_files import accepts_gzip
from api.endpoints.common.typed_input import TypedInput, typed_in
from api.refusals import Refused
from api.service import service_of
from rules.errors import BookError

# No script, style or picture but our own; no other site may frame a page or receive its forms.
HEADERS: Final = {
    "Content-Security-Policy": "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; object-src 'none'",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "private, no-store",
    "Vary": "Cookie, Accept-Encoding, Accept-Language",
}
PACK_FROM_BYTES: Final = 1_000


class PageRoute(APIRoute):
    """A route whose answers are pages."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The route's handler, its failures told to people."""
        handle = super().get_route_handler()

        async def handle_page(request: Request) -> Response:
            try:
                response = await handle(request)
            except SignInError as error:
                response = await _sign_in_first(request, error)
            except FAILURES as error:
                typed = await typed_in(request)
                response = await run_in_threadpool(failed_page, request, error, typed)
            return finished(request, response)

        return handle_page


def page_router() -> APIRouter:
    """A router for pages; they stand in no API document."""
    return APIRouter(route_class=PageRoute, include_in_schema=False)


FAILURES: Final = (
    ForeignFormError,
    Problem,
    Refused,
    BookError,
    UnreachableError,
    RequestValidationError,
    HTTPException,
)


async def _sign_in_first(request: Request, error: SignInError) -> Response:
    """To the page where one signs in; who sent a form signs in on the page that shows what it held."""
    typed = await typed_in(request) if error.is_form else None
    if typed is not None:
        return await run_in_threadpool(login_page, _nobody(request), error.path, 401, typed=typed)
    response = RedirectResponse(sign_in_path(error.path), 303)
    if error.is_form:
        show_on_next_page(response, "signed_out")
    return response


def failed_page(request: Request, error: Exception, typed: TypedInput | None = None) -> Response:
    """The page that says what went wrong, with what was typed."""
    match error:
        case ForeignFormError():
            return failure_page(request, 403, "foreign_form", typed)
        case Problem():
            return problem_page(request, error, typed)
        case Refused():
            return problem_page(request, problem_of_refusal(error), typed)
        case BookError():
            return problem_page(request, problem_of_book(error.faults), typed)
        case BusyError():
            return problem_page(request, problem_of_unreachable(error), typed)
        case UnreachableError():
            return unreachable_page(request, typed)
        case RequestValidationError():
            return failure_page(request, 400, "bad_address", typed)
        case HTTPException():
            return failure_page(request, error.status_code, "http", typed)
    raise error


def problem_page(request: Request, problem: Problem, typed: TypedInput | None = None) -> Response:
    """A page that says what a problem document says."""
    # Who asks too often is not looked up once more, nor anybody while no connection is free or we have failed.
    visit = _nobody(request) if problem.status in (429, 500, 503) else _visit(request)
    document = problem.document(visit.lang)
    faults = [
        visit.say("failure.at", place=error["parameter"], detail=error["detail"])
        if "parameter" in error
        else error["detail"]
        for error in document.get("errors", ())
    ]
    if problem.num_errors > len(faults):
        faults.append(visit.say("failure.more_faults", number=problem.num_errors - len(faults)))
    page = _failure(visit, problem.status, document["detail"], typed, faults)
    page.headers.update(problem.headers)
    return page


async def refused_page(request: Request, problem: Problem) -> Response:
    """What a person sees of a request that was refused before its route, or that failed in it."""
    typed = await typed_in(request)
    try:
        response = await run_in_threadpool(problem_page, request, problem, typed)
    except UnreachableError:
        response = unreachable_page(request, typed)
    return finished(request, response)


def failure_page(request: Request, status: int, name: str, typed: TypedInput | None = None) -> Response:
    """A page for what went wrong before a page of its own could say so."""
    visit = _visit(request)
    known = name if name != "http" else "not_found" if status == 404 else "not_possible"
    return _failure(visit, status, visit.say(f"failure.{known}"), typed)


def unreachable_page(request: Request, typed: TypedInput | None = None) -> Response:
    """A page that needs no database: nobody knows who is asking."""
    visit = _nobody(request)
    page = _failure(visit, 503, visit.say("failure.unreachable"), typed)
    page.headers["Retry-After"] = "1"
    return page


def _visit(request: Request) -> Visit:
    """A visit, nobody's where nobody may be looked up."""
    try:
        return visit_of(request, service_of(request))
    except Problem:
        return _nobody(request)


def _failure(visit: Visit, status: int, told: str, typed: TypedInput | None, faults: Sequence[str] = ()) -> Response:
    return visit.page("failure.html", status, status_code=status, told=told, faults=faults, typed=typed)


def _nobody(request: Request) -> Visit:
    return Visit(request, service_of(request), None, lang_of_visit(request), form_token_of(request))


def finished(request: Request, response: Response) -> Response:
    """An answer with its headers, cookies, and compressed where that saves something."""
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)
    keep_choices(request, response)
    body = getattr(response, "body", b"")
    if len(body) >= PACK_FROM_BYTES and accepts_gzip(request) and "content-encoding" not in response.headers:
        # Other sites cannot make a browser send our cookies, so what a page echoes cannot be guessed by its length.
        response.body = gzip.compress(body, 6, mtime=0)
        response.headers["Content-Encoding"] = "gzip"
        response.headers["Content-Length"] = str(len(response.body))
    return response


def wants_page(request: Request) -> bool:
    """Whether a person is looking, not a program."""
    return "text/html" in request.headers.get("accept", "") and not request.url.path.startswith("/v1/")


def missing_page(request: Request) -> Response:
    """What a person sees at an address that is none."""
    return finished(request, failure_page(request, 404, "not_found"))
