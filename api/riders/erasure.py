"""Erasing a person: name, phone and every word written by or about a rider go; the ledger stays under the pseudonym.

What each table holds of a rider and what becomes of it stands in the README and is tested table by table.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import delete, select

from api.access.keys import revoke_keys_of
from api.access.sessions import end_sessions_of
from api.db.audit_notes import add_audit_note
from api.db.decision_words import forget_words
from api.db.idempotency import delete_answers_about
from api.db.outbox import emit_erasure
from api.db.rider_rows import raise_revision
from api.db.tables import appeal_texts, people, rider_moves, rider_state
from api.db.unit_of_work import WriteUnit


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
