"""Recomputes riders from their stored events and compares the result with their stored entries and state.

A rider's part is what the next post needs, and it can always be made again from the events (`api.ledger.rider_states`). Both
ways are followed to the same instant here, and what would decide future points is compared; so are the entries.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final

import numpy as np
import pyarrow as pa
from sqlalchemy import select

from api.books.in_force import RulesInForce, overtaken
from api.db.rider_rows import RiderRow
from api.db.tables import events, layouts
from api.db.unit_of_work import ReadUnit
from api.ledger.entries import openings_of
from api.ledger.posting import WINDOW_US
from api.ledger.rider_states import due_us_of, join_states, stored_states
from api.ledger.stored_events import stored_events_of
from scoring.carried_bytes import is_compressed, readable_riders
from scoring.columns import EVENT_SCHEMA, NO_TIME
from scoring.ledger import entries_table, event_ids
from scoring.score import ScoredRun, as_opened, score

# What of a rider between events decides what comes next.
FIELDS: Final = (
    "score_mp", "base_mp", "book", "num_delivered", "num_late", "num_exempt", "review", "last_training_us",
    "next_reset_us", "day_start_us", "month",
)  # fmt: skip
Lines = Sequence[Mapping[str, Any]]
Net = dict[tuple[str, str, str], tuple[int, int]]


@dataclass(frozen=True, slots=True)
class Difference:
    """What the store says of a rider and what the events give: of an `event`, or else of a part of the state."""

    rider_id: str
    event_id: str | None
    what: str
    expected: str
    found: str
    is_unspoken: bool = False


def differences(unit: ReadUnit, law: RulesInForce, rows: Sequence[RiderRow], lines: Lines) -> Iterator[Difference]:
    """Every difference of some riders.

    Parameters
    ----------
    rows
        Riders with a part, by id.
    lines
        All their entries.
    """
    if not rows:
        return
    until_us = max(row.until_us for row in rows)
    known = set(unit.connection.scalars(select(layouts.c.digest)))
    whole = [row for row in rows if row.layout in known and is_compressed(row.carried or b"")]
    kept = readable_riders(stored_states(unit, law, whole, until_us), law.program)
    readable = {state.rider_id for state in kept}
    for row in rows:
        if row.rider_id not in readable:
            yield Difference(row.rider_id, None, "carried", "readable", "unreadable")
    riders = [state.rider_id for state in kept]
    if not riders:
        return
    among = (events.c.rider_id >= riders[0], events.c.rider_id <= riders[-1])
    past = stored_events_of(unit, law.program, *among)
    is_readable = np.isin(np.array(past.table["rider_id"].to_pylist(), object), np.array(riders, object))
    table, of_books = past.table.filter(pa.array(is_readable)), past.books[is_readable]
    again = score(law.program, law.schedule, table, None, until_us, NO_TIME, of_books)
    again = as_opened(again, openings_of(unit, again.program, again.prepared.riders.to_pylist()))
    went_on = score(
        law.program, law.schedule, EVENT_SCHEMA.empty_table(), join_states(kept, law, until_us), until_us,
        until_us - WINDOW_US,
    )  # fmt: skip
    yield from _of_entries(lines, went_on, again, set(riders))
    yield from _of_states(went_on, again)
    yield from _of_rows({row.rider_id: row for row in rows}, again, overtaken(law, until_us), until_us)


def _of_entries(lines: Lines, went_on: ScoredRun, again: ScoredRun, riders: set[str]) -> Iterator[Difference]:
    due = entries_table(went_on, 0).to_pylist()
    stored = _nets([line for line in (*lines, *due) if line["rider_id"] in riders])
    wanted = _nets(entries_table(again, 0).to_pylist())
    spoken: dict[str, set[str]] = {}
    for line in lines:
        spoken.setdefault(line["rider_id"], set()).add(line["event_id"])
    for rider in sorted(riders):
        ours, theirs = stored.get(rider, {}), wanted.get(rider, {})
        for key in sorted(key for key in ours.keys() | theirs.keys() if ours.get(key) != theirs.get(key)):
            is_unspoken = key[0] not in spoken.get(rider, ())
            yield Difference(
                rider, key[0], f"{key[1]} {key[2]}", _shown(theirs.get(key)), _shown(ours.get(key)), is_unspoken
            )


def _nets(lines: Lines) -> dict[str, Net]:
    """Points and money that stand by rider, and by event, rule and kind; what was taken back is left out."""
    points: dict[str, Counter[tuple[str, str, str]]] = {}
    money: dict[str, Counter[tuple[str, str, str]]] = {}
    for line in lines:
        key = (line["event_id"], line["rule_id"], line["of_kind"])
        points.setdefault(line["rider_id"], Counter())[key] += line["delta_mp"]
        money.setdefault(line["rider_id"], Counter())[key] += line["money_fen"]
    return {
        rider: {key: (of[key], money[rider][key]) for key in of if of[key] or money[rider][key]}
        for rider, of in points.items()
    }


def _shown(amounts: tuple[int, int] | None) -> str:
    return "0" if amounts is None else f"{amounts[0]} mp, {amounts[1]} fen"


def _of_states(went_on: ScoredRun, again: ScoredRun) -> Iterator[Difference]:
    ours, theirs = went_on.head, again.head
    names = went_on.carried.riders.to_pylist()
    at = {rider: k for k, rider in enumerate(again.carried.riders.to_pylist())}
    pending, wanted = _fades(went_on), _fades(again)
    for k, rider in enumerate(names):
        j = at.get(rider)
        if j is None:
            yield Difference(rider, None, "events", "some", "none")
            continue
        for name in FIELDS:
            actual, expected = int(ours.riders[name][k]), int(theirs.riders[name][j])
            if actual != expected:
                yield Difference(rider, None, name, str(expected), str(actual))
        if pending[k] != wanted[j]:
            yield Difference(rider, None, "fades", _fades_shown(wanted[j]), _fades_shown(pending[k]))
        for name, left, right in (
            ("today", ours.day_sum_mp[k], theirs.day_sum_mp[j]),
            ("months", ours.month_count[k], theirs.month_count[j]),
        ):
            if not np.array_equal(left, right):
                yield Difference(rider, None, name, str(right.tolist()), str(left.tolist()))


def _of_rows(
    rows: Mapping[str, RiderRow], again: ScoredRun, old: frozenset[str], until_us: int
) -> Iterator[Difference]:
    """What a row says beside its part: when something is due, the book, the kind of rider."""
    books = [again.program.books[position].digest for position in again.head.riders["book"].tolist()]
    columns = (again.carried.riders.to_pylist(), due_us_of(again), books, again.rider_kind.tolist())
    for rider, due_us, book, kind in zip(*columns, strict=True):
        row = rows.get(rider)
        if row is None:
            continue
        # What is due since the rider was last looked at waits for the tick; nothing may be due from before.
        if (row.due_us > until_us and row.due_us != due_us) or row.due_us <= row.until_us:
            yield Difference(rider, None, "due_us", str(due_us), str(row.due_us))
        if row.book_digest != book and row.book_digest not in old:
            yield Difference(rider, None, "book_digest", book, str(row.book_digest))
        if row.rider_kind != kind:
            yield Difference(rider, None, "rider_kind", str(kind), str(row.rider_kind))


def _fades(scored: ScoredRun) -> list[list[tuple[int, int, int, str]]]:
    """Of each rider the deductions that wait to be returned: when, how much, by which book, of which event."""
    head = scored.head
    ids = event_ids(scored, head.fades["ev"].astype(np.int64)).to_pylist()
    flat = list(
        zip(head.fades["due_us"].tolist(), head.fades["mp"].tolist(), head.fades["book"].tolist(), ids, strict=True)
    )
    starts = head.fade_start.tolist()
    return [sorted(flat[a:b]) for a, b in pairwise(starts)]


def _fades_shown(fades: Sequence[tuple[int, int, int, str]]) -> str:
    return f"{len(fades)}: {sum(mp for _, mp, _, _ in fades)} mp"
