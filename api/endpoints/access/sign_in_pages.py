"""The way in and out: `/`, `/login`, `/logout`, and one-click roles where the service shows sample data."""

from typing import Annotated

from fastapi import Depends, Response
from fastapi.responses import RedirectResponse

from api.endpoints.common.auth import Authenticator
from api.endpoints.common.page_routing import page_router
from api.endpoints.common.page_sessions import Posted, count_stranger, field, own_path, sign_in, sign_out, visiting
from api.endpoints.common.pages import Visit
from api.endpoints.common.problems import Problem
from api.endpoints.common.sign_in_page import demo_roles, login_page
from api.endpoints.common.typed_input import TYPED_FIELD, TypedInput
from api.service import Actor

router = page_router()
AnyVisit = Annotated[Visit, Depends(visiting())]


@router.get("/")
def start(visit: AnyVisit) -> Response:
    """Where each role begins."""
    if visit.actor is None:
        return RedirectResponse("/login", 303)
    return RedirectResponse(home_of(visit.actor.role), 303)


def home_of(role: str) -> str:
    """The page that a role looks at first."""
    return "/rider" if role == "rider" else "/console"


@router.get("/login")
def login(visit: AnyVisit, next: str = "/") -> Response:
    """Who are you."""
    return login_page(visit, own_path(next))


@router.post("/login")
def enter(visit: AnyVisit, form: Posted) -> Response:
    """Sign in with a key."""
    credential, path = field(form, "credential"), own_path(field(form, "next") or "/")
    typed = TypedInput.unpacked(field(form, TYPED_FIELD))
    authenticator: Authenticator = visit.request.app.state.authenticator
    if visit.actor is not None:
        # Whose session is good is counted for it: what they try besides is counted for where they are.
        count_stranger(visit.request, visit.service)
    try:
        actor = authenticator.read(credential)
    except Problem:
        return login_page(visit, path, 401, visit.say("login.wrong"), typed)
    response = _after(visit, path, typed)
    sign_in(visit.request, visit.service, response, actor)
    return response


@router.post("/login/demo")
def enter_demo(visit: AnyVisit, form: Posted) -> Response:
    """Sign in as one of the sample's people."""
    asked = field(form, "role"), field(form, "subject")
    typed = TypedInput.unpacked(field(form, TYPED_FIELD))
    role = next((role for role, subject, _ in demo_roles(visit) if (role, subject) == asked), None)
    if role is None:
        return login_page(visit, "/", 403, visit.say("login.wrong"), typed)
    response = _after(visit, home_of(role), typed)
    sign_in(visit.request, visit.service, response, Actor(role, asked[1]))
    return response


def _after(visit: Visit, path: str, typed: TypedInput | None) -> Response:
    """Where one goes on after signing in: to what was typed before, where there is any."""
    if typed is None or own_path(typed.path) != typed.path:
        return RedirectResponse(path, 303)
    return visit.page("signed_in.html", typed=typed, next=path)


@router.post("/logout")
def leave(visit: AnyVisit, form: Posted) -> Response:
    """Sign out: the session is over, whoever still has its cookie."""
    response = RedirectResponse("/login", 303)
    sign_out(visit.request, visit.service, response)
    return response
