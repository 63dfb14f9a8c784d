"""Riders between posts: loaded for scoring, written back with what was scored.

The bytes of a rider (`scoring.carried_bytes`) hold a short window of recent events. Where a post needs more than that,
the rider is made again from events (`api.ledger.rider_past`); both ways give the same ledger.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from api.books.in_force import RulesInForce
from api.db.bulk import add_rows, add_table, change_rows
from api.db.rider_rows import RiderRow
from api.db.tables import entries, events, rider_state
from api.db.unit_of_work import ReadUnit, WriteUnit
from api.ledger.chain import add_links
from api.ledger.checkpoints import add_passing_checkpoints
from api.ledger.consequences import consequences
from api.ledger.rider_past import load_past
from api.ledger.state_layouts import add_layout, layouts_of
from rules.readings_0_1_0 import old_readings_until
from scoring.carried_bytes import StoredRider, carried_from_bytes, compressed, decompressed, rider_bytes
from scoring.carry import Carried
from scoring.columns import EVENT_SCHEMA, NO_TIME
from scoring.layout import layout_of
from scoring.ledger import entries_table
from scoring.score import ScoredRun

_NOBODY: Mapping[str, int] = {}


def load_riders(
    unit: WriteUnit, law: RulesInForce, riders: Sequence[RiderRow], until_us: int, from_us: Mapping[str, int] = _NOBODY
) -> Carried:
    """What scoring carries for riders (ascending ids).

    Parameters
    ----------
    until_us
        Up to where nothing is due for any of them that is not written.
    from_us
        Riders of whom more than the window matters, and since when.
    """
    known = [row for row in riders if row.carried is not None]
    past = _with_others(unit, known, from_us)
    if known and len(past) == len(known):
        return load_past(unit, law, known, past, until_us)
    return carried_from_bytes(_kept_of(unit, law, known, until_us, past), law.program, until_us)


def join_states(states: Sequence[StoredRider], law: RulesInForce, until_us: int) -> Carried:
    """What scoring carries for riders that were read (`stored_states`); `until_us` as for `load_riders`."""
    return carried_from_bytes(states, law.program, until_us)


def stored_states(
    unit: ReadUnit | WriteUnit, law: RulesInForce, riders: Sequence[RiderRow], until_us: int
) -> list[StoredRider]:
    """Riders one by one as they are kept, those without an event left out; parameters as for `load_riders`."""
    known = [row for row in riders if row.carried is not None]
    return _kept_of(unit, law, known, until_us, _with_others(unit, known, _NOBODY))


def _with_others(unit: ReadUnit | WriteUnit, known: Sequence[RiderRow], from_us: Mapping[str, int]) -> dict[str, int]:
    """Also those whose parts are of another build: their whole past is read."""
    layouts = layouts_of(unit, {row.layout for row in known})
    others = (row.rider_id for row in known if layouts.get(row.layout) is None)
    return {row.rider_id: from_us[row.rider_id] for row in known if row.rider_id in from_us} | dict.fromkeys(
        others, NO_TIME
    )


def _kept_of(
    unit: ReadUnit | WriteUnit, law: RulesInForce, known: Sequence[RiderRow], until_us: int, past: Mapping[str, int]
) -> list[StoredRider]:
    layout_of_build = layout_of(law.program)
    layouts = layouts_of(unit, {row.layout for row in known})
    again = [row for row in known if row.rider_id in past]
    made: dict[str, bytes] = {}
    if again:
        read = load_past(unit, law, again, past, until_us)
        made = dict(zip(read.riders.to_pylist(), rider_bytes(read), strict=True))
    states = []
    for row in known:
        layout = layouts.get(row.layout)
        if row.rider_id in made or layout is None:
            layout, content = layout_of_build, made[row.rider_id]
        else:
            content = decompressed(row.carried or b"")
        states.append(StoredRider(row.rider_id, row.city, row.rider_kind, row.score_mp, row.seq, layout, content))
    return states


def save_run(unit: WriteUnit, scored: ScoredRun, riders: dict[str, RiderRow]) -> list[dict[str, Any]]:
    """Write new events, and what `save_entries` writes."""
    _add_events(unit, scored)
    return save_entries(unit, scored, riders)


def save_entries(unit: WriteUnit, scored: ScoredRun, riders: dict[str, RiderRow]) -> list[dict[str, Any]]:
    """Write new entries, the riders of a run and what follows for them; `riders` gets their new rows.

    Returns
    -------
    The entries, by rider in order.
    """
    rows = entries_table(scored, unit.recorded_us).to_pylist()
    heads = add_links(rows, {rider: row.chain for rider, row in riders.items()})
    add_rows(unit, entries, rows)
    layout = add_layout(unit, scored.program)
    standings = ((standing, riders[standing.rider_id]) for standing in standings_of(scored))
    changed = [
        # A rider's city is that of their first event, until they move (`api.riders.moves`).
        standing.row(scored, layout, before, before.city or standing.city, heads.get(before.rider_id, before.chain))
        for standing, before in standings
    ]
    add_passing_checkpoints(unit, scored, layout, (riders[row.rider_id].seq for row in changed))
    change_rows(
        unit, rider_state, "rider_id", [{name: getattr(row, name) for name in row.__slots__} for row in changed]
    )
    consequences(unit, scored, rows, riders, changed)
    riders |= {row.rider_id: row for row in changed}
    return rows


def _add_events(unit: WriteUnit, scored: ScoredRun) -> None:
    """Store the rows that were accepted, as they first came."""
    prepared = scored.prepared
    new = np.flatnonzero(prepared.is_new == 1)
    if not new.size:
        return
    digests = pa.array([book.digest for book in scored.program.books], pa.string())
    rows = (
        prepared.source.select(EVENT_SCHEMA.names)
        .take(pa.array(prepared.order[new]))
        .append_column("content", pa.array(prepared.content(new).view(np.int64)))
        .append_column("book_digest", digests.take(pa.array(prepared.events["book"][new].astype(np.int64))))
        .append_column("recorded_us", pa.array(np.full(new.size, unit.recorded_us)))
    )
    add_table(unit, events, rows)


class StateAfter(NamedTuple):
    """Where a rider stands after a run; `carried` is what the next run needs of them."""

    rider_id: str
    city: str | None
    rider_kind: int
    book_digest: str
    score_mp: int
    review_required: int
    seq: int
    due_us: int
    carried: bytes

    def row(self, scored: ScoredRun, layout: str, before: RiderRow, city: str | None, chain: bytes) -> RiderRow:
        """The row of the rider after the run, who had another before it."""
        return RiderRow(
            self.rider_id, city, self.rider_kind, self.book_digest, self.score_mp, self.review_required, self.seq, chain,
            scored.until_us, scored.keep_us, self.due_us, layout, compressed(self.carried), before.revision,
        )  # fmt: skip


def standings_of(scored: ScoredRun) -> list[StateAfter]:
    """Where the riders of a run stand, in their order."""
    carried, states = scored.carried, scored.head.riders
    books = [scored.program.books[position].digest for position in states["book"].tolist()]
    columns = zip(
        carried.riders.to_pylist(), carried.city.to_pylist(), carried.rider_kind.tolist(), books,
        carried.score_mp.tolist(), states["review"].tolist(), carried.seq.tolist(), due_us_of(scored),
        rider_bytes(carried),
        strict=True,
    )  # fmt: skip
    return [StateAfter(*values) for values in columns]


def due_us_of(scored: ScoredRun) -> list[int]:
    """When the next fade or reset of each rider is due, or a score left outside its scale by 0.1.0; `FAR_US` for never."""
    head = scored.head
    due = head.riders["next_reset_us"].astype(np.int64)
    has_fade = np.flatnonzero(np.diff(head.fade_start))
    due[has_fade] = np.minimum(due[has_fade], head.fades["due_us"][head.fade_start[has_fade]])
    old_until_us = old_readings_until(scored.program)
    if old_until_us is not None:
        limits = scored.program.tables.books[np.maximum(head.riders["book"], 0)]
        score_mp, has_book = head.riders["score_mp"], head.riders["book"] >= 0
        outside = has_book & ((score_mp < limits["floor_mp"]) | (score_mp > limits["ceiling_mp"]))
        due[outside] = np.minimum(due[outside], old_until_us + 1)
    return due.tolist()
