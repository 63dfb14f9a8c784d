"""Page cursors: the sort values of the last row, valid however many rows are added before it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar

from sqlalchemy import ColumnElement, RowMapping, Select

from api.db.unit_of_work import ReadUnit, WriteUnit
from api.refusals import Refused

_MOST_US: Final = 2**63
Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class RowPage:
    """Rows in an order, and what asks for those after them; None at the end."""

    rows: Sequence[RowMapping]
    cursor: str | None


def oldest_first(
    unit: ReadUnit | WriteUnit, query: Select[Any], at: ColumnElement[int], name: ColumnElement[str],
    cursor: str | None, limit: int,
) -> RowPage:  # fmt: skip
    """Rows of a query by a time, then by an id, from a place on.

    Raises
    ------
    Refused
        cursor_invalid.
    """
    if cursor is not None:
        at_us, last = read_cursor(cursor)
        query = query.where((at > at_us) | ((at == at_us) & (name > last)))
    return _rows(unit, query.order_by(at, name), at, name, limit)


def newest_first(
    unit: ReadUnit | WriteUnit, query: Select[Any], at: ColumnElement[int], name: ColumnElement[str],
    cursor: str | None, limit: int,
) -> RowPage:  # fmt: skip
    """The same by descending time."""
    if cursor is not None:
        at_us, last = read_cursor(cursor)
        query = query.where((at < at_us) | ((at == at_us) & (name > last)))
    return _rows(unit, query.order_by(at.desc(), name), at, name, limit)


def _rows(
    unit: ReadUnit | WriteUnit, query: Select[Any], at: ColumnElement[int], name: ColumnElement[str], limit: int
) -> RowPage:
    placed = query.add_columns(at.label("place_us"), name.label("place_name")).limit(limit + 1)
    rows = unit.connection.execute(placed).mappings().all()
    last = rows[limit - 1] if len(rows) > limit else None
    return RowPage(rows[:limit], None if last is None else cursor_at(last["place_us"], last["place_name"]))


def cursor_at(at_us: int, name: str) -> str:
    """The place of a row that is ordered by a time and an id."""
    return f"{at_us}.{name}"


def read_cursor(cursor: str) -> tuple[int, str]:
    """Time and id of `cursor_at`.

    Raises
    ------
    Refused
        cursor_invalid, for what is none of ours.
    """
    at_us, dot, name = cursor.partition(".")
    if not dot or not at_us.isascii() or not at_us.isdigit() or int(at_us) >= _MOST_US or "\0" in name:
        raise Refused("cursor_invalid")
    return int(at_us), name


@dataclass(frozen=True, slots=True)
class CursorPage(Generic[Item]):
    """One page of a list.

    Parameters
    ----------
    items
        In the order of the list.
    cursor
        Asks for the items after them; None at the end of the list.
    """

    items: tuple[Item, ...]
    cursor: str | None
