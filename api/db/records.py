"""Values of the store made from rows, and pages of them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from typing import Any, TypeVar

from sqlalchemy import Row

from api.db.cursors import CursorPage

T = TypeVar("T")


def record_of(kind: type[T], row: Row[Any] | Mapping[Any, Any], **others: Any) -> T:
    """The value of a row: each field of the data class `kind` is the column of its name.

    Parameters
    ----------
    others
        Fields that no column has as they are.
    """
    columns = row if isinstance(row, Mapping) else row._asdict()
    names = [each.name for each in fields(kind) if each.name not in others]  # type: ignore[arg-type]
    return kind(**{name: columns[name] for name in names}, **others)


def cut_page(items: Sequence[T], limit: int, cursor_of: Callable[[T], str]) -> CursorPage[T]:
    """A page of at most `limit` items, of which one more was read if there are more; they go on after its last."""
    return CursorPage(tuple(items[:limit]), cursor_of(items[limit - 1]) if len(items) > limit else None)
