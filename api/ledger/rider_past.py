"""Reads a rider's past from the store again, from the earliest changed event on.

A rider's stored bytes (`scoring.carried_bytes`) hold the last hours. What comes late, or corrects or takes back
something older, needs what scoring carries *before* the first thing that may change, and everything since:

nearest checkpoint before it → events since, and older ones that bear on them → window, and the entries that stand

Corrections and appeals are applied here to what they are about, in order of time, whenever they came: a long history
is folded once and nothing of it is entered anew. Those that wait for their replay (`replays`) are left out.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from sqlalchemy import ColumnElement, and_, or_

from api.books.in_force import RulesInForce, overtaken
from api.db.bulk import among, read_table
from api.db.rider_rows import RiderRow
from api.db.tables import events
from api.db.unit_of_work import ReadUnit, WriteUnit
from api.ledger.checkpoints import Checkpoint, nearest_checkpoint
from api.ledger.entries import openings_of
from api.ledger.stored_events import as_window, book_positions, entered_events, looked_up
from rules.compile import Program
from rules.events import REPORT_KINDS
from rules.units import US_PER_DAY
from scoring.carried_bytes import carried_from_bytes
from scoring.carry import Carried, carried_riders, moved_references
from scoring.columns import ENTRY, EVENT_SCHEMA, I64, NO_TIME, Entries
from scoring.prepare import KEPT_BY_CORRECTION
from scoring.score import score
from scoring.state import State, fresh_state, spread_over

# Food may be reported ready after its order was delivered, by so much.
_AFTER_US: Final = US_PER_DAY
# Riders whose events one statement asks for, each from an instant of their own.
_RIDERS_AT_ONCE: Final = 100
# Rows that are made columns at once: other threads of the process wait for no longer than that takes.
_WORDS: Final = ("deadline_extended", *REPORT_KINDS)
_READ: Final = pa.schema(
    [
        *EVENT_SCHEMA,
        pa.field("content", pa.int64()),
        pa.field("book_digest", pa.string()),
    ]
)
_CORRECTED: Final = tuple(name for name in EVENT_SCHEMA.names if name not in KEPT_BY_CORRECTION)
_IN_ORDER: Final = [("rider_id", "ascending"), ("occurred_us", "ascending"), ("event_id", "ascending")]


def load_past(
    unit: ReadUnit | WriteUnit, law: RulesInForce, riders: Sequence[RiderRow], from_us: Mapping[str, int], until_us: int
) -> Carried:
    """What scoring carries of riders so that anything from an instant of theirs on may change.

    Parameters
    ----------
    riders
        Who have events, by ascending id.
    from_us
        That instant, by rider; `NO_TIME` for the whole past.
    until_us
        How far fades and resets are written, as the run that follows takes it. Each rider's own are read as far as
        they really are written, whoever is read together with them.
    """
    starts = {row.rider_id: nearest_checkpoint(unit, row, from_us[row.rider_id]) for row in riders}
    since = {rider: NO_TIME if start is None else start.at_us for rider, start in starts.items()}
    table, waived = _window(unit, law.program, since)
    window = _marked(table, waived, law.program, since)
    base, faded = _bases(law.program, [starts[row.rider_id] for row in riders])
    carried = Carried(
        until_us=until_us,
        keep_us=NO_TIME,
        riders=pa.array([row.rider_id for row in riders], pa.string()),
        city=pa.array([row.city for row in riders], pa.string()),
        rider_kind=np.array([row.rider_kind for row in riders], np.int64),
        base=base,
        faded=faded,
        score_mp=np.array([row.score_mp for row in riders], np.int64),
        seq=np.array([row.seq for row in riders], np.int64),
        window=window,
        written=np.zeros(0, ENTRY),
    )
    return replace(carried, written=_standing(unit, law, carried, _ends(law, riders, until_us)))


def _ends(law: RulesInForce, riders: Sequence[RiderRow], until_us: int) -> I64:
    """Up to when each rider's fades and resets are written: `until_us` too where nothing is due in between.

    Whoever is at one instant is folded together.
    """
    old = overtaken(law, until_us)
    return np.array(
        [
            row.until_us if until_us < row.until_us or row.due_us <= until_us or row.book_digest in old else until_us
            for row in riders
        ],
        np.int64,
    )


def _standing(unit: ReadUnit | WriteUnit, law: RulesInForce, carried: Carried, ends_us: I64) -> Entries:
    """The entries that stand for a window, by its rows; `ends_us` is up to when each rider's are written."""
    # Before any entry, a rider is where their ledger opened.
    opened = openings_of(unit, law.program, carried.riders.to_pylist())
    bases = law.program.tables.books["base_mp"]
    same = np.full(opened.size, bases[0]) if np.unique(bases).size == 1 else carried.score_mp
    carried = replace(carried, score_mp=np.where(opened == NO_TIME, same, opened))
    rider_of = pc.index_in(carried.window["rider_id"].cast(pa.string()), carried.riders).to_numpy()
    parts = [np.zeros(0, ENTRY)]
    for end_us in np.unique(ends_us).tolist():
        riders, rows = np.flatnonzero(ends_us == end_us), np.flatnonzero(ends_us[rider_of] == end_us)
        folded = score(
            law.program,
            law.schedule,
            EVENT_SCHEMA.empty_table(),
            replace(carried_riders(carried, riders), until_us=end_us),
            end_us,
            NO_TIME,
        )
        row_of = np.empty(folded.prepared.order.size, np.int64)
        row_of[folded.prepared.carried_row] = rows
        written = folded.standing.copy()
        written["ev"] = moved_references(written["ev"], row_of)
        written["rider"] = riders[written["rider"]]
        parts.append(written)
    standing = np.concatenate(parts)
    return standing[np.argsort(standing["rider"], kind="stable")]


def _bases(program: Program, starts: Sequence[Checkpoint | None]) -> tuple[State, pa.Array]:
    """The state of each rider at the start, and the event ids that it refers to."""
    known = [start for start in starts if start is not None]
    fresh = fresh_state(program, len(starts))
    if not known:
        return fresh, pa.array([], pa.string())
    there = np.array([k for k, start in enumerate(starts) if start is not None], np.int64)
    stored = carried_from_bytes([start.kept for start in known], program, NO_TIME)
    return spread_over(stored.base, fresh, there), stored.faded


def _window(unit: ReadUnit | WriteUnit, program: Program, since: Mapping[str, int]) -> tuple[pa.Table, np.ndarray]:
    """Events of riders from an instant each on and those that bear on them, as they are known now; which are waived."""
    controls = _read(unit, events.c.ref_event_id.is_not(None), among(unit, events.c.rider_id, sorted(since)))
    about = _about(controls.to_pylist())
    inside, waived = _applied(_inside(unit, since), about)
    around = _around(unit, program, inside, since)
    if around.num_rows:
        around, waived_around = _applied(around, about)
        inside, waived = pa.concat_tables([inside, around]), np.concatenate([waived, waived_around])
    order = pc.sort_indices(inside, _IN_ORDER)
    return inside.take(order).combine_chunks(), waived[order.to_numpy()]


def _inside(unit: ReadUnit | WriteUnit, since: Mapping[str, int]) -> pa.Table:
    """The events of riders from an instant each on."""
    whole = sorted(rider for rider, at_us in since.items() if at_us == NO_TIME)
    tables = [_read(unit, among(unit, events.c.rider_id, whole))] if whole else []
    later = sorted((rider, at_us) for rider, at_us in since.items() if at_us > NO_TIME)
    for first in range(0, len(later), _RIDERS_AT_ONCE):
        each = [
            and_(events.c.rider_id == rider, events.c.occurred_us >= at_us)
            for rider, at_us in later[first : first + _RIDERS_AT_ONCE]
        ]
        tables.append(_read(unit, or_(*each)))
    return pa.concat_tables(tables) if tables else _READ.empty_table()


def _around(unit: ReadUnit | WriteUnit, program: Program, inside: pa.Table, since: Mapping[str, int]) -> pa.Table:
    """Older events that bear on the liability of those inside.

    Deliveries that were in hand together with one inside, reports and extensions near enough: rather too many.
    """
    late_us = int(program.tables.books["late_us"].max())
    delivered = inside.filter(pc.equal(inside["kind"], "delivered"))
    at_us = pc.coalesce(delivered["delivered_us"], delivered["occurred_us"])
    first_us = pc.subtract(at_us, late_us)
    held_us = pc.coalesce(delivered["accepted_us"], delivered["placed_us"], delivered["arrived_store_us"], at_us)
    held_us = pc.max_element_wise(pc.min_element_wise(held_us, delivered["arrived_store_us"], at_us), first_us)
    first_held: dict[str, int] = {}
    for rider, at in zip(delivered["rider_id"].to_pylist(), held_us.to_pylist(), strict=True):
        first_held[rider] = min(at, first_held.get(rider, at))
    tables = []
    for rider, start_us in since.items():
        if start_us == NO_TIME:
            continue
        held_from = min(first_held.get(rider, start_us), start_us) - _AFTER_US
        near = or_(
            and_(events.c.kind == "delivered", events.c.occurred_us >= held_from),
            and_(events.c.kind.in_(_WORDS), events.c.occurred_us >= start_us - late_us),
        )
        span = events.c.occurred_us.between(min(held_from, start_us - late_us), start_us - 1)
        tables.append(_read(unit, events.c.rider_id == rider, span, near))
    return pa.concat_tables(tables) if tables else _READ.empty_table()


def _read(unit: ReadUnit | WriteUnit, *which: ColumnElement[bool]) -> pa.Table:
    """Events that meet all conditions, but for those that wait for their replay."""
    return read_table(unit, entered_events(_READ.names, *which), _READ)


Row = Mapping[str, Any]
About = dict[tuple[str, str], tuple[Row | None, bool]]


def _about(controls: Sequence[Row]) -> About:
    """For each event that something is about: the correction that stands, and whether an appeal was upheld."""
    named = {(row["rider_id"], row["event_id"]): row for row in controls}
    changes: About = {}
    for row in sorted(controls, key=lambda row: (row["occurred_us"], row["event_id"].encode())):
        target = (row["rider_id"], row["ref_event_id"])
        for _ in range(len(named)):
            # A correction of a correction is about the original event.
            if target not in named or named[target]["kind"] != "correction":
                break
            target = (row["rider_id"], named[target]["ref_event_id"])
        before, waived = changes.get(target, (None, False))
        waives = row["kind"] == "appeal_upheld"
        changes[target] = (before, True) if waives else (row, waived)
    return changes


def _applied(table: pa.Table, about: About) -> tuple[pa.Table, np.ndarray]:
    """Events as they are known now: contents corrected, and a mark on those that are waived."""
    waived = np.zeros(table.num_rows, np.int8)
    if not about:
        return table, waived
    named = pc.is_in(table["event_id"], pa.array(sorted({event for _, event in about}), pa.string()))
    at = np.arange(table.num_rows)
    contents: list[dict[str, Any]] = []
    for k in np.flatnonzero(named.to_numpy()).tolist():
        identity = (table["rider_id"][k].as_py(), table["event_id"][k].as_py())
        if identity not in about:
            continue
        correction, waives = about[identity]
        waived[k] = waives
        if correction is not None:
            at[k] = table.num_rows + len(contents)
            contents.append(table.slice(k, 1).to_pylist()[0] | {name: correction[name] for name in _CORRECTED})
    if contents:
        table = pa.concat_tables([table, pa.Table.from_pylist(contents, schema=_READ)]).take(pa.array(at))
    return table, waived


def _marked(table: pa.Table, waived: np.ndarray, program: Program, since: Mapping[str, int]) -> pa.Table:
    """Read events as rows of a window."""
    context = table["occurred_us"].to_numpy() < looked_up(table["rider_id"], since)
    books = looked_up(table["book_digest"], book_positions(program))
    return as_window(table, table["content"].to_numpy().view(np.uint64), waived, context.astype(np.uint8), books)
