"""Riders between posts: loaded for scoring, written back with what was scored.

A row's part holds a short window of recent events. Where a post needs more than that, the rider's part is made again
from all events stored; both ways give the same ledger.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import numpy as np
import pyarrow as pa
from sqlalchemy import select

from api.batch.canonical import EVENT_SCHEMA
from api.store.books import Law
from api.store.bulk import add_missing, add_rows, add_table, among, change_rows, in_chunks
from api.store.carrying import Kept, Layout, joined, layout_of, packed, parts_of, read_layout, unpacked
from api.store.chain import chained
from api.store.consequences import consequences
from api.store.history import history_of
from api.store.rider_rows import RiderRow
from api.store.tables import entries, events, layouts, rider_state
from api.store.units import ReadUnit, WriteUnit
from rules.compile import Program
from scoring.carry import Carried
from scoring.columns import I64, NO_TIME
from scoring.ledger import entries_table
from scoring.score import Scored, as_opened, score

# Layouts by their digests, None for those of other builds. A digest is the content: this holds for every database.
_LAYOUTS: Final[dict[str, Layout | None]] = {}


def load(unit: WriteUnit, law: Law, riders: Sequence[RiderRow], until_us: int, in_full: Iterable[str] = ()) -> Carried:
    """What scoring carries for riders (ascending ids).

    Parameters
    ----------
    until_us
        Up to where nothing is due for any of them that is not written.
    in_full
        Riders of whom more than the window matters.
    """
    return joined(kept_of(unit, law, riders, until_us, in_full), law.program, until_us)


def load_kept(kept: Sequence[Kept], law: Law, until_us: int) -> Carried:
    """What scoring carries for riders that were read (`kept_of`); `until_us` as for `load`."""
    return joined(kept, law.program, until_us)


def kept_of(
    unit: ReadUnit | WriteUnit, law: Law, riders: Sequence[RiderRow], until_us: int, in_full: Iterable[str] = ()
) -> list[Kept]:
    """Riders one by one as they are kept, those without an event left out; parameters as for `load`."""
    own = layout_of(law.program)
    known = [row for row in riders if row.carried is not None]
    _read_layouts(unit, {row.layout or "" for row in known})
    stored = {row.rider_id: _LAYOUTS[row.layout or ""] for row in known}
    again = {rider for rider, layout in stored.items() if layout is None} | set(in_full)
    made = _from_events(unit, law, sorted(again & stored.keys()), until_us)
    kept = []
    for row in known:
        layout = stored[row.rider_id]
        part = made.get(row.rider_id)
        if part is not None or layout is None:
            layout, part = own, made[row.rider_id]
        else:
            part = unpacked(row.carried or b"")
        kept.append(Kept(row.rider_id, row.city, row.rider_kind, row.score_mp, row.seq, layout, part))
    return kept


def _read_layouts(unit: ReadUnit | WriteUnit, digests: set[str]) -> None:
    """Have layouts at hand that were not asked for before."""
    missing = sorted(digests - _LAYOUTS.keys())
    if missing:
        query = select(layouts).where(among(unit, layouts.c.digest, missing))
        _LAYOUTS.update({row.digest: read_layout(row.document) for row in unit.connection.execute(query)})


def _from_events(unit: ReadUnit | WriteUnit, law: Law, rider_ids: Sequence[str], until_us: int) -> dict[str, bytes]:
    """Parts in which the whole history of a rider is the window."""
    parts: dict[str, bytes] = {}
    for some in in_chunks(rider_ids):
        past = history_of(unit, law.program, among(unit, events.c.rider_id, some))
        found = score(law.program, law.schedule, past.table, None, until_us, NO_TIME, past.books)
        whole = as_opened(found, openings_of(unit, found)).carried
        parts |= zip(whole.riders.to_pylist(), parts_of(whole), strict=True)
    return parts


def openings_of(unit: ReadUnit | WriteUnit, scored: Scored) -> I64:
    """With what the ledgers of a run's riders opened, by their first entries; `NO_TIME` where there is none."""
    riders = scored.intake.riders.to_pylist()
    opened = np.full(len(riders), NO_TIME, np.int64)
    if np.unique(scored.program.tables.books["base_mp"]).size > 1:
        place = {rider: k for k, rider in enumerate(riders)}
        columns = (entries.c.rider_id, entries.c.score_after_mp - entries.c.delta_mp)
        for some in in_chunks(riders):
            own = select(*columns).where(among(unit, entries.c.rider_id, some), entries.c.seq == 1)
            for rider, opening_mp in unit.connection.execute(own):
                opened[place[rider]] = opening_mp
    return opened


def save(unit: WriteUnit, scored: Scored, riders: dict[str, RiderRow]) -> list[dict[str, Any]]:
    """Write new events, new entries, the riders of a run and what follows for them; `riders` gets their new rows.

    Returns
    -------
    The entries, by rider in order.
    """
    _add_events(unit, scored)
    rows = entries_table(scored, unit.recorded_us).to_pylist()
    heads = chained(rows, {rider: row.chain for rider, row in riders.items()})
    add_rows(unit, entries, rows)
    changed = _rows(scored, add_layout(unit, scored.program), riders, heads)
    change_rows(
        unit, rider_state, "rider_id", [{name: getattr(row, name) for name in row.__slots__} for row in changed]
    )
    consequences(unit, scored, rows, riders, changed)
    riders |= {row.rider_id: row for row in changed}
    return rows


def add_layout(unit: WriteUnit, program: Program) -> str:
    """Have the layout of a program's riders stored; its digest."""
    layout = layout_of(program)
    if unit.connection.scalar(select(layouts.c.digest).where(layouts.c.digest == layout.digest)) is None:
        add_missing(unit, layouts, [{"digest": layout.digest, "document": json.dumps(layout.document())}])
    return layout.digest


def _add_events(unit: WriteUnit, scored: Scored) -> None:
    """Store the rows that were accepted, as they first came."""
    intake = scored.intake
    new = np.flatnonzero(intake.is_new == 1)
    if not new.size:
        return
    digests = pa.array([book.digest for book in scored.program.books], pa.string())
    rows = (
        intake.source.select(EVENT_SCHEMA.names)
        .take(pa.array(intake.order[new]))
        .append_column("content", pa.array(intake.content(new).view(np.int64)))
        .append_column("book_digest", digests.take(pa.array(intake.events["book"][new].astype(np.int64))))
        .append_column("recorded_us", pa.array(np.full(new.size, unit.recorded_us)))
    )
    add_table(unit, events, rows)


def _rows(scored: Scored, layout: str, before: Mapping[str, RiderRow], heads: Mapping[str, bytes]) -> list[RiderRow]:
    """The rows of a run's riders after it."""
    carried, states = scored.carried, scored.head.riders
    books = [scored.program.books[position].digest for position in states["book"].tolist()]
    columns = zip(
        carried.riders.to_pylist(), carried.city.to_pylist(), carried.rider_kind.tolist(), books,
        carried.score_mp.tolist(), states["review"].tolist(), carried.seq.tolist(), due_us_of(scored),
        map(packed, parts_of(carried)),
        strict=True,
    )  # fmt: skip
    return [
        RiderRow(
            # A rider's city is that of their first event, until they move (`api.store.moves`).
            rider, before[rider].city or city, kind, book, score_mp, review, seq, heads.get(rider, before[rider].chain),
            carried.until_us, carried.keep_us, due_us, layout, part, before[rider].revision,
        )
        for rider, city, kind, book, score_mp, review, seq, due_us, part in columns
    ]  # fmt: skip


def due_us_of(scored: Scored) -> list[int]:
    """When the next fade or reset of each rider is due; `FAR_US` for never."""
    head = scored.head
    due = head.riders["next_reset_us"].astype(np.int64)
    waiting = np.flatnonzero(np.diff(head.fade_start))
    due[waiting] = np.minimum(due[waiting], head.fades["due_us"][head.fade_start[waiting]])
    return due.tolist()
