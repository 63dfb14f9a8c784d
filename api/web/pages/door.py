"""The way in and out: `/`, `/login`, `/logout`, and one-click roles where the service shows sample data."""

from typing import Annotated, Final

from fastapi import Depends, Response
from fastapi.responses import RedirectResponse

from api.http.auth import Gate
from api.http.context import Actor
from api.http.problems import Problem
from api.store.keys import Role
from api.store.marks import is_demo
from api.store.queries import RiderStanding, rider_row
from api.store.sample_riders import telling_riders
from api.web.routing import page_router
from api.web.session import Posted, count_stranger, field, own_path, sign_in, sign_out, visiting
from api.web.shell import Visit
from rules.units import points_text

router = page_router()
AnyVisit = Annotated[Visit, Depends(visiting())]
DEMO_PEOPLE: Final[tuple[tuple[Role, str], ...]] = (("ops", "li.na"), ("approver", "wang.wei"), ("policy", "zhao.min"))


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
    return _login_page(visit, own_path(next))


def _login_page(visit: Visit, path: str, status: int = 200, fault: str = "") -> Response:
    return visit.page("login.html", status, next=path, fault=fault, roles=_demo_roles(visit))


def _demo_roles(visit: Visit) -> list[tuple[Role, str, str]]:
    """Role, subject, and what stands beside them; nobody where the database is not a demo's."""
    if not visit.service.settings.demo:
        return []
    with visit.service.reading() as unit:
        if not is_demo(unit):
            return []
        known = [standing for rider in telling_riders(unit) if (standing := rider_row(unit, rider)) is not None]
    found: list[tuple[Role, str, str]] = [("rider", one.rider_id, _beside(visit, one)) for one in known]
    return found + [(role, person, person) for role, person in DEMO_PEOPLE]


def _beside(visit: Visit, standing: RiderStanding) -> str:
    return visit.say("login.score", rider=standing.rider_id, score=points_text(standing.score_mp))


@router.post("/login")
def enter(visit: AnyVisit, form: Posted) -> Response:
    """Sign in with a key."""
    credential, path = field(form, "credential"), own_path(field(form, "next") or "/")
    gate: Gate = visit.request.app.state.gate
    if visit.actor is not None:
        # Whose session is good is counted for it: what they try besides is counted for where they are.
        count_stranger(visit.request, visit.service)
    try:
        actor = gate.read(credential)
    except Problem:
        return _login_page(visit, path, 401, visit.say("login.wrong"))
    response = RedirectResponse(path, 303)
    sign_in(visit.request, visit.service, response, actor)
    return response


@router.post("/login/demo")
def enter_demo(visit: AnyVisit, form: Posted) -> Response:
    """Sign in as somebody of the sample."""
    wanted = field(form, "role"), field(form, "subject")
    role = next((role for role, subject, _ in _demo_roles(visit) if (role, subject) == wanted), None)
    if role is None:
        return _login_page(visit, "/", 403, visit.say("login.wrong"))
    response = RedirectResponse(home_of(role), 303)
    sign_in(visit.request, visit.service, response, Actor(role, wanted[1]))
    return response


@router.post("/logout")
def leave(visit: AnyVisit, form: Posted) -> Response:
    """Sign out: the session is over, whoever still has its cookie."""
    response = RedirectResponse("/login", 303)
    sign_out(visit.request, visit.service, response)
    return response
