"""Who a pseudonymous rider id is: name and phone, kept apart, erased on request.

The ledger never refers to this table, so that erasing a person leaves every score as it was.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import delete, insert, select, update

from api.access.keys import revoke_keys_of
from api.access.sessions import end_sessions_of
from api.db.audit_notes import add_audit_note
from api.db.decision_words import forget_words
from api.db.idempotency import delete_answers_about
from api.db.outbox import emit_erasure
from api.db.rider_rows import lock_riders, raise_revision
from api.db.tables import appeal_texts, people, rider_moves, rider_state
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


@dataclass(frozen=True, slots=True)
class Erasure:
    """What an erasure found: whether a person was held, texts of and about the rider, answers kept, keys that ended."""

    person: bool
    texts: int
    answers: int
    keys: int

    @property
    def found_any(self) -> bool:
        """Whether any personal fields or texts were held."""
        return self.person or self.texts > 0


def erase(unit: WriteUnit, rider_id: str, actor: str) -> Erasure:
    """Erase what is personal of a rider, end their keys, and tell everybody who was told of them.

    Appeals and decisions stay, with their reason codes. The caller lets the file forget, too, once this is committed
    (`Store.scrub`).
    """
    city_row = select(rider_state.c.city).where(rider_state.c.rider_id == rider_id).with_for_update()
    # Whoever was answering about this rider has ended by now: what they kept is seen below.
    row = unit.connection.execute(city_row).one_or_none()
    person = unit.connection.execute(delete(people).where(people.c.rider_id == rider_id)).rowcount > 0
    texts = unit.connection.execute(delete(appeal_texts).where(appeal_texts.c.rider_id == rider_id)).rowcount
    texts += forget_words(unit, rider_id)
    erasure = Erasure(person, texts, delete_answers_about(unit, rider_id), revoke_keys_of(unit, rider_id, actor))
    end_sessions_of(unit, "rider", rider_id)
    if row is not None:
        # A kept card may hold words.
        raise_revision(unit, [rider_id])
    city = None if row is None else row.city
    add_audit_note(
        unit, actor, "person_erased", rider_id,
        city=city, held=erasure.person, texts=erasure.texts, answers=erasure.answers, keys=erasure.keys,
    )  # fmt: skip
    emit_erasure(unit, rider_id, city, _cities_before(unit, rider_id))
    return erasure


def _cities_before(unit: WriteUnit, rider_id: str) -> Sequence[str]:
    """Where the rider was of before, whose receivers were told of them."""
    return unit.connection.scalars(select(rider_moves.c.from_city).where(rider_moves.c.rider_id == rider_id)).all()
