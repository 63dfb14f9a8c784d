"""Stored events once more, as the canonical table that scoring and its explanation read."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from sqlalchemy import ColumnElement, select

from api.batch.canonical import EVENT_SCHEMA
from api.store.tables import events
from api.store.units import ReadUnit, WriteUnit
from rules.compile import Program
from scoring.columns import I64


@dataclass(frozen=True, slots=True)
class History:
    """Events as they first came, and for each the position in a program of the book that judged it."""

    table: pa.Table
    books: I64


def history_of(unit: ReadUnit | WriteUnit, program: Program, *which: ColumnElement[bool]) -> History:
    """The stored events that meet all conditions; `program` holds every book that judged them."""
    columns = [events.c[name] for name in EVENT_SCHEMA.names]
    rows = unit.connection.execute(select(*columns, events.c.book_digest).where(*which)).all()
    *values, digests = zip(*rows, strict=True) if rows else ([] for _ in range(len(columns) + 1))
    table = pa.table(
        [pa.array(column, field.type) for column, field in zip(values, EVENT_SCHEMA, strict=True)], EVENT_SCHEMA
    )
    position = {book.digest: k for k, book in enumerate(program.books)}
    return History(table, np.array([position[digest] for digest in digests], np.int64))
