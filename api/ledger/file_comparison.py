"""Compares a ledger directory with the store, entry by entry.

The store may hold more: riders of other ledgers, and lines that were written since.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from sqlalchemy import select

from api.db.bulk import rows_among
from api.db.tables import entries
from api.db.unit_of_work import ReadUnit
from api.ledger.chain import CHAINED
from api.ledger.verify import counted
from scoring.invariant_columns import LedgerViolation
from scoring.invariants import CheckResult

CHECK: Final = "same_as_database"
MISSING: Final = "missing"
_BLOCK_RIDERS: Final = 2_000

Line = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class _EntryBlock:
    """Some riders' lines of a ledger, by rider and number; `seq` of the first and last of all."""

    riders: list[str]
    lines: list[Line]
    first: int
    last: int


def compare_entries(unit: ReadUnit, table: pa.Table, block_riders: int = _BLOCK_RIDERS) -> CheckResult:
    """Compare all lines of a ledger with the store's.

    Parameters
    ----------
    table
        `scoring.ledger.ENTRY_SCHEMA`, any riders, in any order.
    """
    blocks = _blocks(table, block_riders)
    return counted(CHECK, (violation for block in blocks for violation in _differences(block, _stored(unit, block))))


def _blocks(table: pa.Table, size: int) -> Iterator[_EntryBlock]:
    """Lines in blocks of whole riders."""
    encoded = table["rider_id"].cast(pa.string()).combine_chunks().dictionary_encode()
    rider, seq = encoded.indices.to_numpy(), table["seq"].to_numpy()
    order = np.lexsort((seq, rider))
    starts = np.searchsorted(rider[order], np.arange(0, len(encoded.dictionary) + size, size))
    for k, (start, stop) in enumerate(zip(starts[:-1].tolist(), starts[1:].tolist(), strict=True)):
        entries_of_block = table.take(pa.array(order[start:stop]))
        columns = [entries_of_block[name].to_pylist() for name in CHAINED]
        least_most = pc.min_max(entries_of_block["seq"]).as_py()
        riders = encoded.dictionary.slice(k * size, size).to_pylist()
        yield _EntryBlock(riders, list(zip(*columns, strict=True)), least_most["min"], least_most["max"])


def _stored(unit: ReadUnit, block: _EntryBlock) -> dict[tuple[str, int], Line]:
    """The store's lines of a block by rider and number."""
    stored: dict[tuple[str, int], Line] = {}
    rider, seq = CHAINED.index("rider_id"), CHAINED.index("seq")
    query = select(*(entries.c[name] for name in CHAINED)).where(entries.c.seq.between(block.first, block.last))
    for row in rows_among(unit, query, entries.c.rider_id, block.riders):
        stored[row[rider], row[seq]] = tuple(row)
    return stored


def _differences(block: _EntryBlock, stored: Mapping[tuple[str, int], Line]) -> Iterator[LedgerViolation]:
    """The first column in which each line differs."""
    rider, seq = CHAINED.index("rider_id"), CHAINED.index("seq")
    for line in block.lines:
        other = stored.get((line[rider], line[seq]))
        if other == line:
            continue
        if other is None:
            yield LedgerViolation(line[rider], line[seq], "entry_id", line[CHAINED.index("entry_id")], MISSING)
            continue
        name, ours, theirs = next(
            (name, ours, theirs) for name, ours, theirs in zip(CHAINED, line, other, strict=True) if ours != theirs
        )
        yield LedgerViolation(line[rider], line[seq], name, str(ours), str(theirs))
