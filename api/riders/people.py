"""Who a pseudonymous rider id is: name and phone, kept apart, erased on request.

The ledger never refers to this table, so that erasing a person leaves every score as it was.
"""

from dataclasses import dataclass

from sqlalchemy import delete, insert, select, update

from api.db.audit_notes import add_audit_note
from api.db.rider_rows import lock_riders
from api.db.tables import people, rider_state
from api.db.unit_of_work import ReadUnit, WriteUnit
from api.refusals import Refused


@dataclass(frozen=True, slots=True)
class Person:
    """Personal fields of a rider."""

    rider_id: str
    name: str | None = None
    phone: str | None = None


def save_person(unit: WriteUnit, person: Person, actor: str, city: str | None = None) -> None:
    """Keep a rider's personal fields; earlier ones are replaced.

    Parameters
    ----------
    city
        The rider's, where no event has said it yet: from now on it is theirs.

    Raises
    ------
    Refused
        `rider_city_differs` where the rider is of another city.
    """
    row = lock_riders(unit, [person.rider_id])[person.rider_id]
    if city is not None and row.city is None:
        of_rider = rider_state.c.rider_id == person.rider_id
        unit.connection.execute(update(rider_state).where(of_rider).values(city=city))
    elif city is not None and row.city != city:
        raise Refused("rider_city_differs")
    unit.connection.execute(delete(people).where(people.c.rider_id == person.rider_id))
    unit.connection.execute(
        insert(people),
        {
            "rider_id": person.rider_id,
            "name": person.name,
            "phone": person.phone,
            "recorded_us": unit.recorded_us,
        },
    )
    add_audit_note(unit, actor, "person_introduced", person.rider_id, city=row.city or city)


def person_of(unit: ReadUnit | WriteUnit, rider_id: str) -> Person | None:
    """Personal fields of a rider; None where none are held."""
    row = unit.connection.execute(
        select(people.c.rider_id, people.c.name, people.c.phone).where(people.c.rider_id == rider_id)
    ).one_or_none()
    return None if row is None else Person(*row)
