"""Whole ledgers in memory, as their directory would give them, and ways to break one."""

from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from rules.book import Book
from rules.readings_0_1_0 import old_readings_until
from scoring.carry import Carried
from scoring.invariants import CheckResult, Ledger, check_ledger
from scoring.lateness_once import entry_file_table
from scoring.ledger import entries_table, riders_table
from scoring.ledger_columns import STATED
from scoring.score import ScoredRun
from tests.scoring.readings import engine


def scored_of(books: Sequence[Book], events: Sequence[dict[str, Any]], carried: Carried | None = None) -> ScoredRun:
    """One run over some events."""
    return engine(books).run(events, carried)


def ledger_of(scored: ScoredRun, carried: Carried | None = None) -> Ledger:
    """The ledger that a run writes."""
    entries, riders = entries_table(scored, scored.until_us), riders_table(scored)
    books = {book.digest: book for book in scored.program.books}
    run = {
        "carried": None if carried is None else {"until_us": carried.until_us, "riders": len(carried.riders)},
        "as_of_us": scored.until_us,
        "old_readings_until_us": old_readings_until(scored.program),
        "books": [{"digest": digest} for digest in books],
        "counts": {"entries": entries.num_rows, "riders": riders.num_rows, "rejected": 0},
        "rejected": {},
    }
    return Ledger(entries, riders, books, run, 0, stated=entry_file_table(scored, 0).select(STATED))


def with_cell(table: pa.Table, column: str, row: int, value: Any) -> pa.Table:
    """The table with one value replaced."""
    at = table.schema.get_field_index(column)
    kind = table.schema.field(at).type
    plain = kind.value_type if pa.types.is_dictionary(kind) else kind
    values = table.column(column).to_pylist()
    values[row] = value
    return table.set_column(at, column, pa.array(values, plain))


def failing(ledger: Ledger) -> dict[str, CheckResult]:
    """The checks that do not hold, by name."""
    return {found.check: found for found in check_ledger(ledger) if not found.holds}
