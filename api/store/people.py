"""Who a pseudonymous rider id is: name and phone, kept apart, erased on request; and the audit trail.

The ledger never refers to this table, so that erasing a person leaves every score as it was.
"""

import json
from dataclasses import dataclass
from typing import Any

from sqlalchemy import delete, insert, select

from api.store.rider_rows import lock, touch
from api.store.tables import appeal_texts, audit, idempotency, people
from api.store.units import ReadUnit, WriteUnit


@dataclass(frozen=True, slots=True)
class Person:
    """Personal fields of a rider."""

    rider_id: str
    name: str | None = None
    phone: str | None = None


def note(unit: WriteUnit, actor: str, action: str, subject: str, **detail: Any) -> None:
    """Add a line to the audit trail; `detail` never holds personal fields, its `city` says where."""
    unit.connection.execute(
        insert(audit),
        {
            "recorded_us": unit.recorded_us,
            "actor": actor,
            "action": action,
            "subject": subject,
            "detail": json.dumps(detail, ensure_ascii=False, sort_keys=True),
            "city": detail.get("city"),
        },
    )


def introduce(unit: WriteUnit, person: Person, actor: str) -> None:
    """Keep a rider's personal fields; earlier ones are replaced."""
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
    note(unit, actor, "person_introduced", person.rider_id)


def person_of(unit: ReadUnit | WriteUnit, rider_id: str) -> Person | None:
    """Personal fields of a rider; None where none are held."""
    row = unit.connection.execute(
        select(people.c.rider_id, people.c.name, people.c.phone).where(people.c.rider_id == rider_id)
    ).one_or_none()
    return None if row is None else Person(*row)


def erase(unit: WriteUnit, rider_id: str, actor: str) -> bool:
    """Erase a rider's personal fields, the free texts of their appeals and answers kept for them.

    Says whether any personal fields or texts were held. Appeals themselves stay, with their reason codes.
    """
    held = unit.connection.execute(delete(people).where(people.c.rider_id == rider_id)).rowcount > 0
    texts = unit.connection.execute(delete(appeal_texts).where(appeal_texts.c.rider_id == rider_id)).rowcount
    unit.connection.execute(delete(idempotency).where(idempotency.c.actor == f"rider:{rider_id}"))
    if texts:
        # A kept card may hold them.
        lock(unit, [rider_id])
        touch(unit, [rider_id])
    note(unit, actor, "person_erased", rider_id, held=held, texts=texts)
    return held or texts > 0
