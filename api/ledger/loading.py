"""A ledger that was scored from files becomes the store's: as if its events had been posted, and posting goes on from there.

A block of riders is one transaction: whole or not at all. Riders who are there with the same chain are left as they
are, so that a load can be run again; riders who are there with anything else are refused, and so is what is missing.
"""

import re
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from threading import Lock
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from sqlalchemy import func, select

from api.books.in_force import lock_rules, note_old_readings, old_readings_until
from api.db.bulk import add_table, change_rows, rows_among
from api.db.outbox import iso
from api.db.rider_rows import GENESIS, NO_ADDRESS, RiderRow, lock_riders
from api.db.store import Store
from api.db.tables import entries, events, law, rider_state
from api.db.unit_of_work import WriteUnit
from api.files.errors import InputError
from api.ledger.chain import canonical_texts, links
from api.ledger.checkpoints import add_loaded_checkpoints
from api.ledger.consequences import open_and_close_reviews, restore_trained
from api.ledger.posting import WINDOW_US
from api.ledger.rider_states import StateAfter, standings_of
from api.ledger.shared_orders import note_shared
from api.ledger.state_layouts import add_layout
from api.runs.loadable import LoadablePart
from rules import readings_0_1_0
from rules.errors import Fault
from scoring.columns import EVENT_SCHEMA, NO_TIME
from scoring.hashing import hash_rows
from scoring.prepare import schedule_versions
from scoring.score import ScoredRun, score

BLOCK_RIDERS: Final = 4_000
# Transactions side by side: while some wait for the database, others make what it gets next.
WRITERS: Final = 4
FAULTS_MAX: Final = 20


@dataclass(frozen=True, slots=True)
class LoadCounts:
    """What was written, and how many riders were there already."""

    num_riders: int = 0
    num_there: int = 0
    num_entries: int = 0
    num_events: int = 0

    def plus(self, other: "LoadCounts") -> "LoadCounts":
        """Both together."""
        return LoadCounts(
            self.num_riders + other.num_riders,
            self.num_there + other.num_there,
            self.num_entries + other.num_entries,
            self.num_events + other.num_events,
        )


class LedgerPart:
    """A part of a ledger on its way into the store; what is costly is made once, when the first block needs it."""

    def __init__(self, given: LoadablePart) -> None:
        self.given = given
        self.riders: list[str] = given.carried.riders.to_pylist()
        self._turn = Lock()

    def blocks(self, size: int = BLOCK_RIDERS) -> Iterator[tuple[int, int]]:
        """Riders from … to, ascending."""
        for first in range(0, len(self.riders), size):
            yield first, min(first + size, len(self.riders))

    @cached_property
    def scored(self) -> ScoredRun:
        """The riders as a run without events leaves them, with the short window of the store."""
        program, carried = self.given.program, self.given.carried
        keep_us = max(carried.keep_us, max(carried.until_us, NO_TIME + WINDOW_US) - WINDOW_US)
        schedule = schedule_versions(program, range(len(program.books)))
        run = score(program, schedule, EVENT_SCHEMA.empty_table(), carried, carried.until_us, keep_us)
        if run.entries.size:
            raise InputError(Fault("load_other_build", file=str(self.given.ledger)))
        return run

    @property
    def standings(self) -> list[StateAfter]:
        """Where each rider stands; whoever comes first makes it."""
        with self._turn:
            return self._standings

    @cached_property
    def _standings(self) -> list[StateAfter]:
        return standings_of(self.scored)


@dataclass(slots=True)
class _LoadBlock:
    """Riders of a part under their locks: lines, their rows as they are, and the chain that the lines make."""

    part: LedgerPart
    riders: range
    rows: dict[str, RiderRow]
    lines: pa.Table
    chain: list[bytes]
    faults: list[Fault]

    def lines_of(self, rider: int) -> tuple[int, int]:
        """Where the rider's lines begin and end in `lines`."""
        start = self.part.given.start
        return int(start[rider] - start[self.riders.start]), int(start[rider + 1] - start[self.riders.start])


def load_part(store: Store, part: LedgerPart, now_us: Callable[[], int]) -> Iterator[tuple[int, LoadCounts]]:
    """Write a part block by block, on PostgreSQL some blocks side by side: riders written so far, and what was done.

    Raises
    ------
    InputError
        As `load_block`, of the first block that has a fault; blocks that were under way then are whole or not there.
    """
    with store.writing(now_us()) as unit:
        agreed_us = agree_on_readings(unit, part.given)
        # All blocks name it: none need wait for the first one's.
        add_layout(unit, part.given.program)
    with ThreadPoolExecutor(WRITERS if store.engine.dialect.name == "postgresql" else 1) as pool:

        def load(first: int, stop: int) -> LoadCounts:
            with store.writing(now_us()) as unit:
                _still_agreed(unit, part.given, agreed_us)
                return load_block(unit, part, first, stop)

        waiting, under_way = iter(part.blocks()), deque[tuple[int, Future[LoadCounts]]]()
        try:
            while True:
                for first, stop in islice(waiting, WRITERS + 1 - len(under_way)):
                    under_way.append((stop, pool.submit(load, first, stop)))
                if not under_way:
                    return
                stop, future = under_way.popleft()
                yield stop, future.result()
        finally:
            pool.shutdown(cancel_futures=True)


def agree_on_readings(unit: WriteUnit, loadable: LoadablePart) -> int | None:
    """Up to when the database reads its ledger as version 0.1.0 did, with what is to be loaded; None: nowhere.

    One instant stands for the whole database. It moves only where nobody was scored by the readings of today.

    Raises
    ------
    InputError
        If riders who are there, or those of the ledger, would be read otherwise than they were scored.
    """
    lock_rules(unit)
    known_us, until_us = old_readings_until(unit), readings_0_1_0.old_readings_until(loadable.program)
    if until_us == known_us:
        return known_us
    scored_us = unit.connection.scalar(select(func.max(rider_state.c.until_us)).where(rider_state.c.until_us > NO_TIME))
    if scored_us is not None:
        if until_us is None or known_us is None:
            raise _other_readings(loadable, known_us)
        if loadable.carried.until_us <= until_us < known_us:
            return known_us
        if until_us < known_us or scored_us > known_us:
            raise _other_readings(loadable, known_us)
    note_old_readings(unit, until_us)
    return until_us


def _still_agreed(unit: WriteUnit, loadable: LoadablePart, agreed_us: int | None) -> None:
    """Keep what was agreed on until the unit ends; another load may have begun since. Blocks may do so side by side."""
    known_us = unit.connection.scalar(select(law.c.old_until_us).with_for_update(read=True))
    if known_us != agreed_us:
        raise _other_readings(loadable, known_us)


def _other_readings(loadable: LoadablePart, known_us: int | None) -> InputError:
    readings, known = (
        "—" if us is None else iso(us) for us in (readings_0_1_0.old_readings_until(loadable.program), known_us)
    )
    return InputError(Fault("load_other_readings", file=str(loadable.ledger), given=readings, allowed=known))


def load_block(unit: WriteUnit, part: LedgerPart, first: int, stop: int) -> LoadCounts:
    """Write the riders `first … stop − 1` of a part, but for those who are there.

    Raises
    ------
    InputError
        If a rider is there with another ledger, or without what the lines follow, or has an id that no path can name;
        the unit must then be rolled back.
    """
    start, wanted = part.given.start, range(first, stop)
    nowhere = [rider for rider in part.riders[first:stop] if re.search(NO_ADDRESS, rider)]
    if nowhere:
        ledger = str(part.given.ledger)
        raise InputError(*(Fault("load_no_address", file=ledger, given=rider) for rider in nowhere[:FAULTS_MAX]))
    lines = part.given.entries.slice(start[first], start[stop] - start[first])
    rows = lock_riders(unit, part.riders[first:stop])
    block = _LoadBlock(part, wanted, rows, lines, [], [])
    new = _new_riders(unit, block)
    if new and not block.faults:
        fresh = _new_events(unit, block, new)
    if block.faults:
        raise InputError(*block.faults[:FAULTS_MAX])
    if not new:
        return LoadCounts(num_there=len(wanted))
    return _write(unit, block, new, fresh).plus(LoadCounts(num_there=len(wanted) - len(new)))


def _new_riders(unit: WriteUnit, block: _LoadBlock) -> list[int]:
    """Riders to be written; makes the chain, and notes what is wrong with others."""
    texts = canonical_texts(block.lines)
    seq, score_mp, delta_mp = (block.lines[name].to_numpy() for name in ("seq", "score_after_mp", "delta_mp"))
    at = {rider: block.lines_of(rider) for rider in block.riders}
    begins = {
        rider: int(seq[low]) if high > low else int(block.part.given.carried.seq[rider]) + 1
        for rider, (low, high) in at.items()
    }
    stored = _stored_chain(unit, block, begins)
    new = []
    for rider, (low, high) in at.items():
        name = block.part.riders[rider]
        row, begin, end = block.rows[name], begins[rider], begins[rider] + high - low - 1
        if row.seq < begin - 1:
            block.faults.append(_fault(block, "load_gap", name, str(begin), str(row.seq)))
            continue
        chain = stored.get(name, {0: GENESIS} | {row.seq: row.chain})
        block.chain += links(chain.get(begin - 1, b""), texts[low:high])
        opens_mp = int(score_mp[low] - delta_mp[low]) if high > low else int(block.part.given.carried.score_mp[rider])
        if _is_there(block, row, begin, end, chain):
            continue
        if row.seq == begin - 1 and _follows(block, row, opens_mp):
            new.append(rider)
        else:
            block.faults.append(_fault(block, "load_other_ledger", name, str(end), str(row.seq)))
    return new


def _is_there(block: _LoadBlock, row: RiderRow, begin: int, end: int, chain: Mapping[int, bytes]) -> bool:
    """Whether the rider's lines are stored, and their events; the store may have gone on since."""
    if row.carried is None or row.seq < end or row.until_us < block.part.given.carried.until_us:
        return False
    return end < begin or chain.get(end) == block.chain[-1]


def _follows(block: _LoadBlock, row: RiderRow, opens_mp: int) -> bool:
    """Whether the row is as the run before left it."""
    return row.carried is None or (row.until_us == block.part.given.before_us and row.score_mp == opens_mp)


def _stored_chain(unit: WriteUnit, block: _LoadBlock, begins: Mapping[int, int]) -> dict[str, dict[int, bytes]]:
    """Chain values by number, of riders of whom more than the last one matters."""
    chains: dict[str, dict[int, bytes]] = {}
    for rider, begin in begins.items():
        name = block.part.riders[rider]
        row, end = block.rows[name], int(block.part.given.carried.seq[rider])
        if row.seq >= begin and (begin > 1 or row.seq != end):
            chains[name] = {0: GENESIS}
    least = min(begins.values(), default=1)
    query = select(entries.c.rider_id, entries.c.seq, entries.c.chain).where(entries.c.seq >= least - 1)
    for line in rows_among(unit, query, entries.c.rider_id, chains):
        chains[line.rider_id][line.seq] = bytes(line.chain)
    return chains


def _fault(block: _LoadBlock, code: str, rider: str, loadable: str, allowed: str) -> Fault:
    named = (("rider", rider),)
    return Fault(code, file=str(block.part.given.ledger), given=loadable, allowed=allowed, params=named)


def _new_events(unit: WriteUnit, block: _LoadBlock, new: Sequence[int]) -> pa.Table:
    """Events of the riders that are not stored yet, with their content hash; conflicts are noted."""
    names = [block.part.riders[rider] for rider in new]
    stored = _stored_events(unit, [name for name in names if block.rows[name].carried is not None])
    new_rows = []
    for run in block.part.given.archive.runs(block.riders.start, block.riders.stop):
        rows_of_riders = run.filter(pc.is_in(run["rider_id"], pa.array(names)))
        content = hash_rows(rows_of_riders, EVENT_SCHEMA.names).view(np.int64)
        fresh = np.ones(rows_of_riders.num_rows, bool)
        for k in np.flatnonzero(
            pc.is_in(rows_of_riders["rider_id"], pa.array(stored, pa.string())).to_numpy()
        ).tolist():
            rider, event = rows_of_riders["rider_id"][k].as_py(), rows_of_riders["event_id"][k].as_py()
            known = stored[rider].get(event)
            fresh[k] = known is None
            if known not in (None, int(content[k])):
                block.faults.append(_fault(block, "load_other_event", rider, event, ""))
        new_rows.append(rows_of_riders.append_column("content", pa.array(content)).filter(pa.array(fresh)))
        if rows_of_riders.num_rows and not fresh.any():
            # Runs before this one were loaded before it.
            break
    schema = EVENT_SCHEMA.append(pa.field("book", pa.string())).append(pa.field("content", pa.int64()))
    return pa.concat_tables([table.cast(schema) for table in new_rows]) if new_rows else schema.empty_table()


def _stored_events(unit: WriteUnit, riders: Sequence[str]) -> dict[str, dict[str, int]]:
    """Content by event id, by rider."""
    contents: dict[str, dict[str, int]] = {rider: {} for rider in riders}
    query = select(events.c.rider_id, events.c.event_id, events.c.content)
    for row in rows_among(unit, query, events.c.rider_id, riders):
        contents[row.rider_id][row.event_id] = row.content
    return contents


def _write(unit: WriteUnit, block: _LoadBlock, new: Sequence[int], fresh: pa.Table) -> LoadCounts:
    """Write events, entries, rows and reviews of new riders."""
    recorded_us = pa.array(np.full(fresh.num_rows, unit.recorded_us))
    add_table(unit, events, fresh.rename_columns({"book": "book_digest"}).append_column("recorded_us", recorded_us))
    chain = block.lines.append_column("chain", pa.array(block.chain, pa.binary()))
    taken = [np.arange(*block.lines_of(rider)) for rider in new]
    lines = chain.take(pa.array(np.concatenate(taken)))
    add_table(unit, entries, lines)
    changed = _rows(unit, block, new)
    change_rows(
        unit, rider_state, "rider_id", [{name: getattr(row, name) for name in row.__slots__} for row in changed]
    )
    add_loaded_checkpoints(
        unit, block.part.scored, block.part.given.carried, add_layout(unit, block.part.scored.program), new
    )
    _follow_up(unit, lines, fresh, changed)
    delivered = fresh.filter(pc.equal(fresh["kind"], "delivered"))["order_id"]
    note_shared(unit, frozenset(pc.unique(delivered).drop_null().to_pylist()))
    return LoadCounts(len(new), 0, lines.num_rows, fresh.num_rows)


def _rows(unit: WriteUnit, block: _LoadBlock, new: Sequence[int]) -> list[RiderRow]:
    """The new riders' rows."""
    scored, rows = block.part.scored, []
    layout = add_layout(unit, scored.program)
    for rider in new:
        before, (low, high) = block.rows[block.part.riders[rider]], block.lines_of(rider)
        chain = block.chain[high - 1] if high > low else before.chain
        standing = block.part.standings[rider]
        rows.append(standing.row(scored, layout, before, standing.city, chain))
    return rows


def _follow_up(unit: WriteUnit, lines: pa.Table, fresh: pa.Table, changed: Sequence[RiderRow]) -> None:
    """Open and close reviews as the lines say, and end the suspensions of who passed a course; nobody is written to."""
    of_review = lines.filter(pc.equal(lines["of_kind"].cast(pa.string()), "review"))
    if of_review.num_rows:
        open_and_close_reviews(unit, of_review.to_pylist(), {row.rider_id: row.city for row in changed})
    passed = fresh.filter(pc.equal(fresh["kind"], "training_passed"))
    if passed.num_rows:
        courses = dict(zip(passed["rider_id"].to_pylist(), passed["event_id"].to_pylist(), strict=True))
        restore_trained(unit, courses, changed)
