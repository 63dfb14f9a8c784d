"""Checkpoints: the state of a rider before an instant, so that a change of the past is folded from there on.

A checkpoint holds the bytes of a rider (`scoring.carried_bytes`) without a window. One is kept for about every `STEP`
entries: whoever saves a rider whose number of entries passes a multiple of it leaves the state before the short window, which is
at hand then; whoever had to fold a long stretch without one leaves them on the way. So a fold goes over what may change
and some thousand events before it. What is kept is mostly the points of the last 30 days' orders, which caps look at:
some percent of the history, more for riders with very many orders a day.

Whoever enters something older than the short window drops those after it in the same transaction (`drop_checkpoints_after`). A
checkpoint can always be made again from events; one of another build is as if it were not there.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pyarrow as pa
from sqlalchemy import delete, func, select

from api.db.bulk import add_missing, among
from api.db.rider_rows import RiderRow
from api.db.tables import checkpoints, rider_state
from api.db.unit_of_work import ReadUnit, WriteUnit
from api.ledger.state_layouts import add_layout, layouts_of
from rules.compile import Program
from scoring.carried_bytes import StoredRider, compressed, decompressed, rider_bytes
from scoring.carry import Carried
from scoring.columns import CARRIED, ENTRY, I64, NO_TIME, WINDOW_SCHEMA
from scoring.kernel import fold
from scoring.score import ScoredRun
from scoring.state import State, riders_of

# Entries from one checkpoint to the next. Fewer: more is kept; more: more is folded again.
STEP: Final = 2_000


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A rider before `at_us`."""

    at_us: int
    kept: StoredRider


def nearest_checkpoint(unit: ReadUnit | WriteUnit, row: RiderRow, from_us: int) -> Checkpoint | None:
    """The last checkpoint not after an instant that this build can read."""
    if row.seq < STEP or from_us == NO_TIME:
        return None
    is_before = (checkpoints.c.rider_id == row.rider_id, checkpoints.c.at_us <= from_us)
    newest_first = select(checkpoints).where(*is_before).order_by(checkpoints.c.at_us.desc()).limit(8)
    for stored in unit.connection.execute(newest_first).all():
        layout = layouts_of(unit, (stored.layout,))[stored.layout]
        if layout is not None:
            content = decompressed(stored.part)
            return Checkpoint(
                stored.at_us,
                StoredRider(row.rider_id, row.city, row.rider_kind, row.score_mp, row.seq, layout, content),
            )
    return None


def drop_checkpoints_after(unit: WriteUnit, rider_id: str, from_us: int) -> None:
    """Drop what does not follow any more from events that changed at an instant."""
    unit.connection.execute(
        delete(checkpoints).where(checkpoints.c.rider_id == rider_id, checkpoints.c.at_us > from_us)
    )


def add_passing_checkpoints(unit: WriteUnit, scored: ScoredRun, layout: str, before_seq: Iterable[int]) -> None:
    """Leave a checkpoint of each rider of a run whose number of entries passes a multiple of `STEP`.

    Parameters
    ----------
    before_seq
        Number of entries before the run, by rider of the run.
    """
    was, now = np.fromiter(before_seq, np.int64), scored.last_seq
    riders = np.flatnonzero(now // STEP > was // STEP)
    if not riders.size or scored.keep_us == NO_TIME:
        return
    names = scored.prepared.riders.take(pa.array(riders))
    _add(unit, scored, layout, scored.keep_us, names, (riders_of(scored.kept, np.array([r])) for r in riders.tolist()))


def add_loaded_checkpoints(
    unit: WriteUnit, scored: ScoredRun, carried: Carried, layout: str, riders: Iterable[int]
) -> None:
    """Leave a checkpoint of riders with long histories who were loaded: before the window of files, which is longer.

    Parameters
    ----------
    riders
        Positions in `carried`, which `scored` began with.
    """
    long = [rider for rider in riders if carried.seq[rider] >= STEP]
    if carried.keep_us == NO_TIME or not long:
        return
    names = carried.riders.take(pa.array(long))
    _add(unit, scored, layout, carried.keep_us, names, (riders_of(carried.base, np.array([rider])) for rider in long))


def _add(unit: WriteUnit, scored: ScoredRun, layout: str, at_us: int, names: pa.Array, states: Iterable[State]) -> None:
    rows = [
        {"rider_id": name, "at_us": at_us, "layout": layout, "part": compressed(_rider_bytes(scored, state))}
        for name, state in zip(names.cast(pa.string()).to_pylist(), states, strict=True)
    ]
    add_missing(unit, checkpoints, rows)


def replace_checkpoints_after(unit: WriteUnit, scored: ScoredRun, carried: Carried, from_us: Mapping[str, int]) -> None:
    """Drop the checkpoints that do not follow any more after a run, and leave others along what it folded.

    Parameters
    ----------
    carried
        What the run began with.
    from_us
        Since when something may have changed, by rider whose past was read.
    """
    for rider_id, at_us in from_us.items():
        drop_checkpoints_after(unit, rider_id, at_us)
    add_checkpoints(
        unit,
        scored.program,
        [row for rider_id in from_us for row in checkpoints_along(scored, carried, rider_id, scored.keep_us)],
    )


def add_checkpoints(unit: WriteUnit, program: Program, rows: Sequence[Mapping[str, Any]]) -> None:
    """Leave checkpoints that were made."""
    if rows:
        layout = add_layout(unit, program)
        add_missing(unit, checkpoints, [{**row, "layout": layout} for row in rows])


def riders_lacking_checkpoints(unit: ReadUnit | WriteUnit, after: str, limit: int) -> tuple[list[str], str | None]:
    """Riders by id after one who have far fewer checkpoints than their histories ask for.

    Returns
    -------
    Them, and after whom to go on looking; None at the end.
    """
    query = select(rider_state.c.rider_id, rider_state.c.seq).where(rider_state.c.rider_id > after)
    page = unit.connection.execute(query.order_by(rider_state.c.rider_id).limit(limit)).all()
    long = {row.rider_id: row.seq for row in page if row.seq >= 2 * STEP}
    counts = select(checkpoints.c.rider_id, func.count().label("num")).group_by(checkpoints.c.rider_id)
    rows = unit.connection.execute(counts.where(among(unit, checkpoints.c.rider_id, sorted(long)))) if long else ()
    num = {row.rider_id: row.num for row in rows}
    # A post of very many events leaves one, so half of them is enough; events that leave no entry count for none.
    lacking = [rider for rider, seq in long.items() if num.get(rider, 0) < seq // STEP // 4]
    return lacking, page[-1].rider_id if len(page) == limit else None


def checkpoints_along(scored: ScoredRun, carried: Carried, rider_id: str, until_us: int) -> list[dict[str, Any]]:
    """Checkpoints of one rider along a long stretch that was folded, up to an instant."""
    rider = scored.prepared.riders.cast(pa.string()).to_pylist().index(rider_id)
    first, stop = int(scored.prepared.fold_from[rider]), int(scored.prepared.start[rider + 1])
    times = scored.events["occurred_us"]
    state = riders_of(carried.base, np.array([carried.riders.to_pylist().index(rider_id)]))
    rows = []
    for cut in range(first + STEP, stop, STEP):
        at_us = int(times[cut])
        to = first + int(np.searchsorted(times[first:stop], at_us))
        if at_us > until_us or to <= first:
            break
        # The next event is in sight, as in one fold over all: it says whether the rider goes to another version before.
        _, _, state = fold(
            scored.program, scored.events, scored.liability, np.array([first]), np.array([to + 1]), state,
            np.array([at_us]), at_us,
        )  # fmt: skip
        rows.append({"rider_id": rider_id, "at_us": at_us, "part": compressed(_rider_bytes(scored, state))})
        first = to
    return rows


def _rider_bytes(scored: ScoredRun, state: State) -> bytes:
    """One rider as bytes; events that the state refers to by their ids."""
    fades = state.fades.copy()
    names = _names(scored, fades["ev"])
    fades["ev"] = CARRIED - np.arange(fades.size)
    one = Carried(
        until_us=scored.until_us,
        keep_us=NO_TIME,
        riders=pa.array([""], pa.string()),
        city=pa.nulls(1, pa.string()),
        rider_kind=np.zeros(1, np.int64),
        base=state._replace(fades=fades),
        faded=names,
        score_mp=np.zeros(1, np.int64),
        seq=np.zeros(1, np.int64),
        window=WINDOW_SCHEMA.empty_table(),
        written=np.zeros(0, ENTRY),
    )
    return rider_bytes(one)[0]


def _names(scored: ScoredRun, refs: I64) -> pa.Array:
    """Event ids of references of a run."""
    is_of_run = refs >= 0
    both = pa.concat_arrays(
        [
            scored.prepared.column("event_id", refs[is_of_run]).combine_chunks().cast(pa.string()),
            scored.faded.take(pa.array(CARRIED - refs[~is_of_run])).cast(pa.string()),
        ]
    )
    place = np.empty(refs.size, np.int64)
    place[is_of_run], place[~is_of_run] = np.arange(is_of_run.sum()), is_of_run.sum() + np.arange((~is_of_run).sum())
    return both.take(pa.array(place))
