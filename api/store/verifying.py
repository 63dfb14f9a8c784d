"""Whether the stored ledger still vouches for itself: every rider's chain, and every invariant of any ledger.

Riders are read in blocks, so that memory does not grow with the ledger.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pyarrow as pa
from sqlalchemy import Row, select

from api.store.books import program_of
from api.store.chain import Broken, breaks_in
from api.store.tables import books, entries, rider_state
from api.store.units import ReadUnit
from rules.book import Book
from rules.events import RIDER_KINDS
from scoring.invariant_columns import MOST_SHOWN, Violation
from scoring.invariants import CHECKS, OF_FILES, Found, Ledger, added, check_ledger
from scoring.ledger import ENTRY_SCHEMA, standing_figures

CHAIN: Final = "chain"
BLOCK_RIDERS: Final = 2_000
_CHECKS: Final = tuple(check for check in CHECKS if check not in OF_FILES)
_ENTRY_TYPES: Final = {
    field.name: field.type.value_type if pa.types.is_dictionary(field.type) else field.type for field in ENTRY_SCHEMA
}


@dataclass(frozen=True, slots=True)
class Verified:
    """What was looked at, and the outcome of each check."""

    num_riders: int
    num_entries: int
    found: tuple[Found, ...]

    @property
    def holds(self) -> bool:
        """Whether all do."""
        return all(one.holds for one in self.found)


def verify_store(unit: ReadUnit, block_riders: int = BLOCK_RIDERS) -> Verified:
    """Check everything.

    Raises
    ------
    BookError
        If a stored book is not the one it was stored as.
    """
    digests = tuple(unit.connection.scalars(select(books.c.digest).order_by(books.c.digest)))
    known = {book.digest: book for book in program_of(unit, digests).books} if digests else {}
    found: tuple[Found, ...] = (Found(CHAIN, 0, ()), *(Found(check.__name__, 0, ()) for check in _CHECKS))
    num_riders = num_entries = 0
    for riders, lines in _blocks(unit, block_riders):
        found = added(found, (_chain(riders, lines),))
        found = added(found, check_ledger(_ledger(riders, lines, known), _CHECKS))
        num_riders += len(riders)
        num_entries += len(lines)
    return Verified(num_riders, num_entries, found)


Lines = list[dict[str, Any]]


def _blocks(unit: ReadUnit, size: int) -> Iterator[tuple[Sequence[Row[Any]], Lines]]:
    """Riders' rows by id, with all entries up to the last of them; entries of riders without a row come with a block."""
    after = ""
    while True:
        riders = unit.connection.execute(
            select(rider_state).where(rider_state.c.rider_id > after).order_by(rider_state.c.rider_id).limit(size)
        ).all()
        own = select(entries).where(entries.c.rider_id > after).order_by(entries.c.rider_id, entries.c.seq)
        if riders:
            after = riders[-1].rider_id
            own = own.where(entries.c.rider_id <= after)
        lines = [dict(row) for row in unit.connection.execute(own).mappings()]
        if riders or lines:
            yield riders, lines
        if not riders:
            return


def _chain(riders: Sequence[Row[Any]], lines: Lines) -> Found:
    """The breaks of a block, as violations."""
    broken = list(breaks_in(lines, {row.rider_id: row for row in riders}))
    return Found(CHAIN, len(broken), tuple(_violation(one) for one in broken[:MOST_SHOWN]))


def _violation(broken: Broken) -> Violation:
    return Violation(broken.rider_id, broken.seq, broken.what, "whole", "broken")


def _ledger(riders: Sequence[Row[Any]], lines: Lines, known: Mapping[str, Book]) -> Ledger:
    """A block as a ledger: the tier is worked out, and what a rider opened with is what the first entry says."""
    opening: dict[str, int] = {}
    for line in lines:
        opening.setdefault(line["rider_id"], line["score_after_mp"] - line["delta_mp"])
    scored = [row for row in riders if row.book_digest is not None]
    columns = {name: pa.array([line[name] for line in lines], kind) for name, kind in _ENTRY_TYPES.items()}
    return Ledger(pa.table(columns), _riders(scored, opening, known), known, {}, 0)


def _riders(scored: Sequence[Row[Any]], opening: Mapping[str, int], known: Mapping[str, Book]) -> pa.Table:
    books_ = list(known.values())
    position = {digest: k for k, digest in enumerate(known)}
    scores = np.array([row.score_mp for row in scored], np.int64)
    kinds = np.array([row.rider_kind for row in scored], np.int64)
    judged = np.array([position.get(row.book_digest, 0) for row in scored], np.int64)
    tiers = list(standing_figures(books_, judged, kinds, scores).tier) if scored else []
    return pa.table(
        {
            "rider_id": pa.array([row.rider_id for row in scored], pa.string()),
            "rider_kind": pa.array([RIDER_KINDS[kind] if kind >= 0 else None for kind in kinds.tolist()], pa.string()),
            "book_digest": pa.array([row.book_digest for row in scored], pa.string()),
            "opening_score_mp": pa.array([opening.get(row.rider_id, row.score_mp) for row in scored], pa.int64()),
            "score_mp": pa.array(scores),
            "tier": pa.array(tiers, pa.string()),
            "review_required": pa.array([bool(row.review_required) for row in scored], pa.bool_()),
        }
    )
