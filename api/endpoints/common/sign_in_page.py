"""The page where one signs in, with one-click roles where the service shows sample data."""

from typing import Final

from fastapi import Response

from api.access.keys import Role
from api.db.identity import is_demo
from api.endpoints.common.pages import Visit
from api.endpoints.common.typed_input import TypedInput
from api.ledger.entries import RiderStanding, rider_row
from api.riders.sample_riders import example_riders
from rules.units import shown_points

DEMO_PEOPLE: Final[tuple[tuple[Role, str], ...]] = (("ops", "li.na"), ("approver", "wang.wei"), ("policy", "zhao.min"))


def login_page(
    visit: Visit, path: str, status: int = 200, fault: str = "", typed: TypedInput | None = None
) -> Response:
    """Who are you.

    Parameters
    ----------
    path
        Where to go on.
    fault
        What was wrong with the key given before, in words.
    typed
        A form that was sent in vain, because nobody was signed in.
    """
    return visit.page("login.html", status, next=path, fault=fault, roles=demo_roles(visit), typed=typed)


def demo_roles(visit: Visit) -> list[tuple[Role, str, str]]:
    """Role, subject, and what stands beside them; nobody where the database is not a demo's."""
    if not visit.service.settings.demo:
        return []
    with visit.service.reading() as unit:
        if not is_demo(unit):
            return []
        known = [standing for rider in example_riders(unit) if (standing := rider_row(unit, rider)) is not None]
    roles: list[tuple[Role, str, str]] = [
        ("rider", rider_standing.rider_id, _beside(visit, rider_standing)) for rider_standing in known
    ]
    return roles + [(role, person, person) for role, person in DEMO_PEOPLE]


def _beside(visit: Visit, standing: RiderStanding) -> str:
    return visit.say("login.score", rider=standing.rider_id, score=shown_points(standing.score_mp))
