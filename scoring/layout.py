"""What the positions in a carried state mean, and the one place where they change to another program's.

A program numbers its books, the ids of their rules, the sums of a day and the counts of a month. A state that is stored
names its layout, so that a program with more books, or other sums, can go on from it.
"""

import json
from dataclasses import dataclass, replace
from functools import cache
from typing import Any, Final, NamedTuple

import numpy as np
import pyarrow as pa

from rules.compile import Program
from rules.events import KINDS
from rules.ids import digest
from scoring.carry import Carried
from scoring.columns import ENTRY, EVENT_SCHEMA, I64, WINDOW_SCHEMA
from scoring.state import FADE_DUE, ORDER_POINTS, RIDER_STATE, State

# Of the layouts that a database keeps beside its riders.
LAYOUT_FORMAT: Final = 3
NUMBER_COLUMNS: Final = tuple(field.name for field in EVENT_SCHEMA if pa.types.is_int64(field.type))
TEXT_COLUMNS: Final = tuple(
    field.name for field in EVENT_SCHEMA if pa.types.is_string(field.type) and field.name != "rider_id"
)
# What a row of a window holds beside the event.
MARK_COLUMNS: Final = tuple(name for name in WINDOW_SCHEMA.names if name not in EVENT_SCHEMA.names)


@dataclass(frozen=True, slots=True)
class StateLayout:
    """What positions in a carried state mean.

    Parameters
    ----------
    books
        Digests of books; `book` of records and of window rows is a position in it, -1 for none.
    labels
        Ids of rules; `label` of entries is a position in it.
    slots
        Event kinds (bit sets) whose points of the day are summed; axis 1 of `day_sum_mp`, `slot` of an order's points.
    counted
        Event kinds that are counted by month; axis 1 of `month_count`.
    """

    books: tuple[str, ...]
    labels: tuple[str, ...]
    slots: tuple[int, ...]
    counted: tuple[str, ...]

    def document(self) -> dict[str, Any]:
        """Plain values, with what records look like, so that another build cannot misread them."""
        records = {"rider": RIDER_STATE, "fade": FADE_DUE, "order": ORDER_POINTS, "entry": ENTRY}
        return {
            "format": LAYOUT_FORMAT,
            "records": {name: [list(map(str, field)) for field in record.descr] for name, record in records.items()},
            "columns": [*NUMBER_COLUMNS, *MARK_COLUMNS, *TEXT_COLUMNS],
            "books": list(self.books),
            "labels": list(self.labels),
            "slots": list(self.slots),
            "counted": list(self.counted),
        }

    def holds(self, other: "StateLayout") -> bool:
        """Whether a state in another layout can be renumbered to this one."""
        return set(other.books) <= set(self.books) and set(other.labels) <= set(self.labels)

    @property
    def digest(self) -> str:
        """Identity by content."""
        return digest(self.document())


def layout_of(program: Program) -> StateLayout:
    """The layout of the states that runs of a program hand on.

    Parameters
    ----------
    program
        The books.

    Returns
    -------
    StateLayout
        Positions as the program numbers them.
    """
    nth = program.tables.nth_slot
    counted = sorted((int(slot), kind) for kind, slot in zip(KINDS, nth, strict=True) if slot >= 0)
    return StateLayout(
        tuple(book.digest for book in program.books),
        program.labels,
        tuple(program.tables.slots["kinds"].tolist()),
        tuple(kind for _, kind in counted),
    )


@cache
def read_layout(document: str) -> StateLayout | None:
    """A layout from the JSON of its document.

    Parameters
    ----------
    document
        What `StateLayout.document` gave, as JSON.

    Returns
    -------
    StateLayout | None
        None if records looked different when it was written.
    """
    raw = json.loads(document)
    layout = StateLayout(*(tuple(raw[name]) for name in ("books", "labels", "slots", "counted")))
    return layout if layout.document() == raw else None


class _Positions(NamedTuple):
    """Where each position of one layout stands in another; the last element of each answers -1 with -1."""

    books: I64
    labels: I64
    slots: I64
    counted: I64


@cache
def _positions(old: StateLayout, new: StateLayout) -> _Positions:
    """Positions of `old` in `new`.

    Raises
    ------
    ValueError
        If `new` lacks a book or a rule id. Sums and counts that `new` lacks are -1: no book of it reads them.
    """
    lacking = set(old.books) - set(new.books) | set(old.labels) - set(new.labels)
    if lacking:
        raise ValueError(f"not in the program: {', '.join(sorted(lacking))}")

    def found(names: tuple[Any, ...], among: tuple[Any, ...]) -> I64:
        position = {name: k for k, name in enumerate(among)}
        return np.array([*(position.get(name, -1) for name in names), -1], np.int64)

    return _Positions(*(found(getattr(old, name), getattr(new, name)) for name in _Positions._fields))


def renumbered(carried: Carried, old: StateLayout, new: StateLayout) -> Carried:
    """A carried state in the positions of another layout.

    Parameters
    ----------
    carried
        Any carried state.
    old, new
        The layout of `carried`, and that of the result, which holds its books and rule ids.

    Returns
    -------
    Carried
        The same riders, window and entries; sums and counts that no book of `new` reads are left out.

    Raises
    ------
    ValueError
        If `new` lacks a book or a rule id of `old`.
    IndexError
        If a position lies outside `old`.
    """
    if old == new:
        return carried
    at = _positions(old, new)
    written = carried.written.copy()
    written["book"] = at.books[written["book"]]
    written["label"] = at.labels[written["label"]]
    books = pa.array(at.books[carried.window.column("book").to_numpy()])
    return replace(
        carried,
        base=_state_renumbered(carried.base, at, new),
        window=carried.window.set_column(carried.window.schema.get_field_index("book"), "book", books),
        written=written,
    )


def _state_renumbered(state: State, at: _Positions, new: StateLayout) -> State:
    riders, fades, orders = state.riders.copy(), state.fades.copy(), state.orders.copy()
    riders["book"] = at.books[riders["book"]]
    fades["book"] = at.books[fades["book"]]
    orders["slot"] = at.slots[orders["slot"]]
    is_summed = orders["slot"] >= 0
    num_before = np.concatenate([np.zeros(1, np.int64), np.cumsum(is_summed)])
    return State(
        riders=riders,
        day_sum_mp=_moved_axis(state.day_sum_mp, at.slots[:-1], len(new.slots)),
        month_count=_moved_axis(state.month_count, at.counted[:-1], len(new.counted)),
        fade_start=state.fade_start,
        fades=fades,
        order_start=num_before[state.order_start],
        orders=orders[is_summed],
    )


def _moved_axis(values: I64, positions: I64, size: int) -> I64:
    """Values whose axis 1 has `size` positions: what stood at k stands at `positions[k]`, or is left out (-1)."""
    out = np.zeros((values.shape[0], size, *values.shape[2:]), np.int64)
    stays = positions >= 0
    out[:, positions[stays]] = values[:, stays]
    return out
