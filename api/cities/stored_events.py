"""Stored events of a city as the table that scoring reads: what an impact judges again."""

from typing import Final

import pyarrow as pa
from sqlalchemy import ColumnElement, func, select

from api.db.bulk import read_table
from api.db.tables import events
from api.db.unit_of_work import ReadUnit, WriteUnit
from scoring.columns import EVENT_SCHEMA

_BLOCK: Final = 20_000


def newest_event_us(unit: ReadUnit | WriteUnit, city: str, asked_us: int) -> int | None:
    """When the newest event occurred that the store had of a city at some time; None if it had none."""
    return unit.connection.scalar(select(func.max(events.c.occurred_us)).where(*_known(city, asked_us)))


def events_of_city(
    unit: ReadUnit | WriteUnit, city: str, from_us: int, asked_us: int, rider_kinds: tuple[str, ...] = ()
) -> pa.Table:
    """Events since an instant that the store had of a city at some time (`EVENT_SCHEMA`).

    Parameters
    ----------
    asked_us
        What was recorded later is left out: the same question has the same answer for good.
    rider_kinds
        Of these riders alone; empty for all.
    """
    which = _since(city, from_us, asked_us, rider_kinds)
    query = select(*(events.c[name] for name in EVENT_SCHEMA.names)).where(*which)
    return read_table(unit, query.execution_options(yield_per=_BLOCK), EVENT_SCHEMA)


def num_events_of_city(
    unit: ReadUnit | WriteUnit, city: str, from_us: int, asked_us: int, rider_kinds: tuple[str, ...] = ()
) -> int:
    """How many `events_of_city` would be."""
    which = _since(city, from_us, asked_us, rider_kinds)
    return unit.connection.execute(select(func.count()).select_from(events).where(*which)).scalar_one()


def _since(city: str, from_us: int, asked_us: int, rider_kinds: tuple[str, ...]) -> list[ColumnElement[bool]]:
    which = [*_known(city, asked_us), events.c.occurred_us >= from_us]
    return [*which, events.c.rider_kind.in_(rider_kinds)] if rider_kinds else which


def _known(city: str, asked_us: int) -> tuple[ColumnElement[bool], ...]:
    return events.c.city == city, events.c.recorded_us <= asked_us
