"""Ids that come in beside events: who or where something is made for.

What would not do as an id of an event's rider or city will not do here either (`rules.ids`). Ids that the store holds stay
valid, whatever they look like.
"""

from collections.abc import Iterable

from sqlalchemy import ColumnElement, select

from api.access.requester import Requester
from api.db.tables import api_keys, deployments, rider_state
from api.db.unit_of_work import ReadUnit, WriteUnit
from api.refusals import Refused
from api.words import translated
from rules.ids import id_fault
from rules.text import text


def bad_id(field: str, value: str, *path: str | int) -> Refused:
    """The refusal of an id.

    Parameters
    ----------
    field
        What people call the field.
    path
        Where it stands in a body; nothing for a field of that name.
    """
    hint = translated(lambda lang: text(lang, f"id.{id_fault(value)}"))
    return Refused("bad_id", column=field, value=value, hint=hint, path=path or (field,))


def need_valid_rider_id(unit: ReadUnit | WriteUnit, who: Requester, rider_id: str, field: str = "rider_id") -> None:
    """Refuse a bad rider id, unless it belongs to a rider whom the requester may see.

    Raises
    ------
    Refused
        `bad_id`.
    """
    if id_fault(rider_id) is None:
        return
    home = unit.connection.execute(select(rider_state.c.city).where(rider_state.c.rider_id == rider_id)).first()
    if home is None or (who.cities and home.city not in who.cities):
        raise bad_id(field, rider_id)


def need_valid_cities(
    unit: ReadUnit | WriteUnit, who: Requester, cities: Iterable[str], field: str = "city", *path: str | int
) -> None:
    """Refuse a bad name of a city that is new: nobody there has a score or a book, and no key of theirs names it.

    Raises
    ------
    Refused
        `bad_id`, naming the first.
    """
    for city in cities:
        if id_fault(city) is not None and city not in who.cities and not _is_city(unit, city):
            raise bad_id(field, city, *path)


def need_valid_person(unit: ReadUnit | WriteUnit, person: str, field: str = "subject") -> None:
    """Refuse a bad name of a person or program that never had a key.

    Raises
    ------
    Refused
        `bad_id`.
    """
    if id_fault(person) is not None and not _any(unit, api_keys.c.subject == person):
        raise bad_id(field, person)


def _is_city(unit: ReadUnit | WriteUnit, city: str) -> bool:
    return _any(unit, rider_state.c.city == city) or _any(unit, deployments.c.city == city)


def _any(unit: ReadUnit | WriteUnit, condition: ColumnElement[bool]) -> bool:
    return unit.connection.execute(select(1).where(condition).limit(1)).first() is not None
