"""Signing in and out, the language, and the token that protects forms against forgery.

A session is a row of the database that ends there; the browser has a random text that names it, made anew at each signing
in, unreadable to scripts, never sent from other sites and, where the browser came by https, never in the clear.
A form is accepted when it came from a page of this host and carries the token of the same browser.
"""

import hmac
import secrets
from collections.abc import AsyncIterator, Callable
from typing import Annotated, Final
from urllib.parse import SplitResult, quote, urlsplit

from fastapi import Depends, Request, Response
from pydantic import StringConstraints
from starlette.datastructures import URL, FormData

from api.access.scopes import Scope
from api.access.sessions import SESSION_S, begin_session, end_session
from api.books.deployment import num_in_force
from api.endpoints.common.auth import Authenticator, session_actor
from api.endpoints.common.bodies import check_coding, content_type_of, read_body, receive_again_of
from api.endpoints.common.body_limits import KIB, MIB
from api.endpoints.common.pages import Visit
from api.endpoints.common.problems import Problem, check_rate
from api.endpoints.common.rate_limits import RateLimits, address_of
from api.endpoints.common.storable_text import check_fields
from api.endpoints.common.typed_input import FIELDS_MAX, FORM_FIELD, MULTIPART, is_from_here, texts_of
from api.service import Actor, Service, preferred_lang, service_of
from api.words import role_words
from rules.text import LANGS, Lang

SESSION_COOKIE: Final = "rs_session"
FORM_COOKIE: Final = "rs_form"
LANG_COOKIE: Final = "rs_lang"
LANG_S: Final = 365 * 86_400
KNOWN_MAX: Final = 1_000
FORM_BYTES_MAX: Final = 256 * KIB
TABLE_BYTES_MAX: Final = 4 * MIB + 64 * KIB


class SignInError(Problem):
    """A page that needs a person to sign in first.

    `path` is where they wanted to go; `is_form` says that they sent something, which stands on the page that says so.
    """

    def __init__(self, path: str, is_form: bool) -> None:
        super().__init__("unauthenticated")
        self.path = path
        self.is_form = is_form


class ForeignFormError(Problem):
    """A form that did not come from a page of ours."""

    def __init__(self) -> None:
        super().__init__("bad_request")


def lang_of_visit(request: Request) -> Lang:
    """The language asked for in the address, else the one chosen before, else the browser's; Chinese if none is said."""
    for wanted in (request.query_params.get("lang"), request.cookies.get(LANG_COOKIE)):
        for lang in LANGS:
            if wanted == lang:
                return lang
    header = request.headers.get("accept-language", "").strip()
    return "zh" if header in ("", "*") else preferred_lang(header)


def form_token_of(request: Request) -> str:
    """The token of this browser; a new one where it has none."""
    known = request.cookies.get(FORM_COOKIE, "")
    if len(known) < 32 or not known.isalnum():
        known = getattr(request.state, "form_token", "") or secrets.token_hex(20)
        request.state.form_token = known
    return known


def visit_of(request: Request, service: Service) -> Visit:
    """A visit, signed in where the cookie's session is not over.

    Raises
    ------
    Problem
        `address_limited`, `keys_awaited`.
    """
    state = request.state
    if not hasattr(state, "visitor"):
        # Whatever is sent as a stream ends with the session.
        state.visitor = _visitor(request, service)
    actor = state.visitor
    lacks_book = actor is not None and actor.role != "rider" and not _has_book(request, service, actor)
    return Visit(request, service, actor, lang_of_visit(request), form_token_of(request), lacks_book)


def _visitor(request: Request, service: Service) -> Actor | None:
    """Whose session the cookie names; one that was not good here before is counted before it is looked up."""
    written = request.cookies.get(SESSION_COOKIE)
    if not written:
        return None
    authenticator: Authenticator = request.app.state.authenticator
    if authenticator.good_sessions.has(written):
        actor = session_actor(service, authenticator.jwts, written)
    else:
        rate_limits: RateLimits = request.app.state.rate_limits
        address = address_of(request.scope)
        look = rate_limits.look(address, service.clock())
        request.state.is_counted = True
        actor = session_actor(service, authenticator.jwts, written) if look.may_look else None
        if actor is None:
            check_rate(look.if_wrong)
        else:
            rate_limits.was_good(address, look)
    authenticator.good_sessions.note(written, is_good=actor is not None)
    return actor


def _has_book(request: Request, service: Service, actor: Actor) -> bool:
    """Whether a book judges anybody in their cities; once one does it stays so, and nobody asks again."""
    known: set[frozenset[str]] = request.app.state.cities_with_book
    cities = frozenset(actor.cities)
    if cities in known:
        return True
    with service.reading() as unit:
        has_book = num_in_force(unit, service.clock(), sorted(cities)) > 0
    if has_book and len(known) < KNOWN_MAX:
        known.add(cities)
    return has_book


def visiting(*scopes: Scope) -> Callable[..., Visit]:
    """A dependency: the visit of a person with one of these scopes; of any person if none is named."""

    def visit(request: Request, service: Annotated[Service, Depends(service_of)]) -> Visit:
        made = _counted(request, service)
        if not scopes:
            return made
        if made.actor is None:
            is_form = request.method != "GET"
            raise SignInError(_page_before(request) if is_form else _asked(request.url), is_form)
        if not made.actor.may(*scopes):
            raise Problem("scope_missing", scopes=", ".join(scopes), role=role_words(made.actor.role))
        return made

    return visit


def _counted(request: Request, service: Service) -> Visit:
    """A visit, counted for its session, or for its address without a good one.

    Raises
    ------
    Problem
        `rate_limited`, `address_limited`.
    """
    made = visit_of(request, service)
    if made.actor is None:
        if not getattr(request.state, "is_counted", False):
            count_stranger(request, service)
        return made
    rate_limits: RateLimits = request.app.state.rate_limits
    allowed = rate_limits.known.take(made.actor.token_id, service.clock())
    if not allowed.is_allowed:
        raise Problem("rate_limited", headers={"Retry-After": str(allowed.reset_s)}, seconds=allowed.reset_s)
    return made


def count_stranger(request: Request, service: Service) -> None:
    """Count a request for its address.

    Raises
    ------
    Problem
        `address_limited`.
    """
    rate_limits: RateLimits = request.app.state.rate_limits
    check_rate(rate_limits.strangers.take(address_of(request.scope), service.clock()))


def posting(bytes_max: int) -> Callable[[Request], AsyncIterator[FormData]]:
    """A dependency: the fields of a form that one of our pages sent, files among them open until it is answered.

    It stands after the visit among a page's parameters: a form is read once it is known whose it is.
    """

    async def posted(request: Request) -> AsyncIterator[FormData]:
        """The form.

        Raises
        ------
        ForeignFormError
            If it came from elsewhere, or without this browser's token.
        Problem
            `body_too_large`, `body_timeout`, `coding_unsupported`, `form_too_many_fields`, `unusable_text`.
        """
        if not is_from_here(request):
            raise ForeignFormError
        check_coding(request.scope)
        timeout_s = service_of(request).settings.body_timeout_s
        body = await read_body(request.scope, request.receive, bytes_max, timeout_s)
        request.state.posted_body = body
        if content_type_of(request.scope) != MULTIPART and body.count(b"&") >= FIELDS_MAX:
            raise Problem("form_too_many_fields", limit=FIELDS_MAX)
        again = Request(request.scope, receive_again_of(body, request.receive))
        async with again.form(max_fields=FIELDS_MAX, max_files=1) as form:
            token = form.get(FORM_FIELD)
            known = request.cookies.get(FORM_COOKIE, "")
            if not isinstance(token, str) or not known or not hmac.compare_digest(token.encode(), known.encode()):
                raise ForeignFormError
            check_fields(form.multi_items())
            request.state.posted = dict(texts_of(form))
            yield form

    return posted


# What stands in an address: an id, a city. Anything else is an address that is none.
Named = Annotated[str, StringConstraints(max_length=200, pattern=r"^[^\x00-\x1f\x7f]*$")]
Posted = Annotated[FormData, Depends(posting(FORM_BYTES_MAX))]
# A whole table of a book, or a file of such tables.
PostedTable = Annotated[FormData, Depends(posting(TABLE_BYTES_MAX))]


def _asked(url: URL | SplitResult) -> str:
    return url.path + (f"?{url.query}" if url.query else "")


def _page_before(request: Request) -> str:
    """The page whose form was sent, if it is one of ours."""
    page = urlsplit(request.headers.get("referer", ""))
    return own_path(_asked(page)) if page.netloc == request.headers.get("host", "") != "" else "/"


def field(form: FormData, name: str) -> str:
    """A field's text, stripped; empty where there is none."""
    value = form.get(name, "")
    return value.strip() if isinstance(value, str) else ""


def sign_in(request: Request, service: Service, response: Response, actor: Actor) -> None:
    """Begin a session for a person; the one that this browser had ends."""
    with service.guarding() as unit:
        end_session(unit, request.cookies.get(SESSION_COOKIE, ""))
        written = begin_session(
            unit, actor.role, actor.subject, actor.cities, actor.key_id, actor.expires_us, actor.signed_by
        )
    authenticator: Authenticator = request.app.state.authenticator
    authenticator.good_sessions.note(written, is_good=True)
    _keep(request, response, SESSION_COOKIE, written, SESSION_S)


def sign_out(request: Request, service: Service, response: Response) -> None:
    """End the session, here and in the browser."""
    with service.guarding() as unit:
        end_session(unit, request.cookies.get(SESSION_COOKIE, ""))
    response.delete_cookie(
        SESSION_COOKIE, path="/", httponly=True, secure=request.url.scheme == "https", samesite="strict"
    )


def keep_choices(request: Request, response: Response) -> None:
    """Keep what the browser should know from now on: its form token, and a language it asked for."""
    token = getattr(request.state, "form_token", "")
    if token:
        _keep(request, response, FORM_COOKIE, token, LANG_S)
    asked = request.query_params.get("lang")
    if asked in LANGS and asked != request.cookies.get(LANG_COOKIE):
        _keep(request, response, LANG_COOKIE, asked, LANG_S)


def _keep(request: Request, response: Response, name: str, value: str, max_age_s: int) -> None:
    secure = request.url.scheme == "https"
    response.set_cookie(name, value, max_age=max_age_s, path="/", httponly=True, secure=secure, samesite="strict")


def own_path(path: str) -> str:
    """A path on this host, as asked for; the start page for anything else."""
    is_ours = path.startswith("/") and not path.startswith("//") and "\\" not in path and path.isprintable()
    return path if is_ours else "/"


def sign_in_path(path: str) -> str:
    """Where to sign in and then go on."""
    return "/login" if path == "/" else f"/login?next={quote(path, safe='')}"
