"""A ledger read back from its files, its entries as arrays, and places where it does not hold.

What the checks of `invariants` and `invariant_rules` look at and what they give.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from rules.book import Book
from rules.events import PARTIES
from scoring.columns import ENTRY_KINDS, I64, REVERSE, U64
from scoring.hashing import hash_strings

NO_CODE = -1
MOST_SHOWN = 20
Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class Ledger:
    """A ledger as read from its files.

    Parameters
    ----------
    entries, riders
        The two tables.
    books
        Books by the digest their file is named by.
    run
        The content of `run.json`.
    num_rejects
        Lines of `rejects.ndjson`.
    events
        `rider_id` and `event_id` of all events of the riders, where whoever checks has them; else None.
    stated
        What files state once for each event (`scoring.ledger_columns.STATED`), a row per entry; None elsewhere, and in
        ledgers of 0.1.0.
    """

    entries: pa.Table
    riders: pa.Table
    books: Mapping[str, Book]
    run: Mapping[str, Any]
    num_rejects: int
    events: pa.Table | None = None
    stated: pa.Table | None = None

    @cached_property
    def columns(self) -> "Columns":
        """The entries as arrays."""
        return ledger_columns(self)

    @property
    def is_whole(self) -> bool:
        """Whether the ledger begins with its riders, rather than going on from a carried state."""
        return self.run.get("carried") is None


@dataclass(frozen=True, slots=True)
class Columns:
    """Entries as arrays of n rows. Codes point into the lists beside them; -1 is a word that is not in the list.

    `book` points into `digests` (all that the entries name), `rider` into the riders table's rows, `rule` into `rules`.
    """

    rider: I64
    seq: I64
    rule: I64
    rules: list[str]
    kind: I64
    of_kind: I64
    delta_mp: I64
    after_mp: I64
    money_fen: I64
    party: I64
    late_s: I64
    given_s: I64
    book: I64
    digests: list[str]
    event: U64
    cause: U64
    at_us: I64
    starts: Flags  # first entry of a rider
    known: tuple[Book | None, ...]  # per digest

    @property
    def sign(self) -> I64:
        """-1 for reversals, else 1: an amount times its sign is the amount of the entry concerned."""
        signs: I64 = np.where(self.kind == REVERSE, -1, 1)
        return signs

    def of_books(self, value: Callable[[Book], int], missing: int) -> I64:
        """A number of each entry's book; `missing` where the book is unknown."""
        per_book = [missing if book is None else value(book) for book in self.known]
        numbers: I64 = np.array(per_book or [missing], np.int64)[self.book]
        return numbers


def word_codes(column: pa.ChunkedArray) -> tuple[I64, list[str]]:
    """A column of words as codes and the distinct words; null is -1."""
    whole = column.unify_dictionaries() if pa.types.is_dictionary(column.type) else column.dictionary_encode()
    whole = whole.unify_dictionaries()
    if not whole.num_chunks:
        return np.zeros(0, np.int64), []
    words = whole.chunk(0).dictionary.to_pylist()
    codes = [pc.fill_null(chunk.indices, NO_CODE).to_numpy() for chunk in whole.chunks]
    return np.concatenate(codes).astype(np.int64), words


def codes_among(column: pa.ChunkedArray, words: Sequence[str]) -> I64:
    """A column of words as positions in `words`; -1 for null and all others."""
    codes, column_words = word_codes(column)
    place = {word: code for code, word in enumerate(words)}
    return np.array([*(place.get(word, NO_CODE) for word in column_words), NO_CODE], np.int64)[codes]


def ints(table: pa.Table, name: str) -> I64:
    """A column of whole numbers; null is -1."""
    column = table.column(name)
    if column.null_count:
        column = pc.fill_null(column, NO_CODE)
    return column.to_numpy().astype(np.int64, copy=False)


def ledger_columns(ledger: Ledger) -> Columns:
    """Read the entries of a ledger into arrays."""
    table = ledger.entries
    rider = codes_among(table.column("rider_id"), ledger.riders.column("rider_id").to_pylist())
    rule, rules = word_codes(table.column("rule_id"))
    book, digests = word_codes(table.column("book_digest"))
    occurred_us = ints(table, "occurred_us")
    of_us = table.column("of_us")
    at_us = np.where(pc.is_valid(of_us).to_numpy(), ints(table, "of_us"), occurred_us)
    return Columns(
        rider=rider,
        seq=ints(table, "seq"),
        rule=rule,
        rules=rules,
        kind=codes_among(table.column("kind"), ENTRY_KINDS),
        of_kind=codes_among(table.column("of_kind"), ENTRY_KINDS),
        delta_mp=ints(table, "delta_mp"),
        after_mp=ints(table, "score_after_mp"),
        money_fen=ints(table, "money_fen"),
        party=codes_among(table.column("liable_party"), PARTIES),
        late_s=ints(table, "late_s"),
        given_s=ints(table, "time_given_back_s"),
        book=book,
        digests=digests,
        event=hash_strings(table.column("event_id")),
        cause=hash_strings(table.column("cause_event_id")),
        at_us=at_us,
        starts=np.concatenate([[True], rider[1:] != rider[:-1]]) if rider.size else np.zeros(0, bool),
        known=tuple(ledger.books.get(digest) for digest in digests),
    )


_SPREAD = np.uint64(0x9E3779B97F4A7C15)


def group_rows(*columns: NDArray[np.integer]) -> tuple[I64, Flags]:
    """Rows by equal values of some columns, in their own order within a group: a permutation, and where groups begin.

    Values are compared by a 64-bit hash: among ten million rows two groups meet by chance once in 300 000 ledgers.
    """
    key = np.zeros(columns[0].size, np.uint64)
    for column in columns:
        key = (key ^ column.astype(np.uint64)) * _SPREAD
        key ^= key >> np.uint64(29)
    order: I64 = np.argsort(key, kind="stable")
    return order, np.concatenate([np.ones(min(1, key.size), bool), key[order[1:]] != key[order[:-1]]])


@dataclass(frozen=True, slots=True)
class LedgerViolation:
    """One place where a ledger does not hold.

    Parameters
    ----------
    rider
        Whose; empty for the ledger as a whole.
    seq
        Number of the entry; None for the rider's row.
    what
        The column, or what differs.
    expected, found
        What should stand there, and what does.
    """

    rider: str
    seq: int | None
    what: str
    expected: str
    found: str


Places = tuple[int, list[LedgerViolation]]
"""How many places do not hold, and the first of them."""
Check = Callable[[Ledger], Iterator[Places]]


def _rider(table: pa.Table, row: int) -> str:
    """Whose a row is: an entry's is told even where the table of riders lacks them."""
    return str(table.column("rider_id")[row].as_py())


def at_entries(
    ledger: Ledger, bad: Flags, what: str, expected: np.ndarray | str, found: np.ndarray | str
) -> Iterator[Places]:
    """Violations at the entries marked; `expected` and `found` are columns or one word for all."""
    yield from _at_rows(ledger.entries, ledger.columns.seq, bad, what, expected, found)


def at_riders(
    ledger: Ledger, bad: Flags, what: str, expected: np.ndarray | str, found: np.ndarray | str
) -> Iterator[Places]:
    """Violations at the rows of the riders table that are marked."""
    yield from _at_rows(ledger.riders, None, bad, what, expected, found)


def _at_rows(
    table: pa.Table, seq: I64 | None, bad: Flags, what: str, expected: np.ndarray | str, found: np.ndarray | str
) -> Iterator[Places]:
    rows = np.flatnonzero(bad)
    if rows.size:
        first = [
            LedgerViolation(
                _rider(table, i), None if seq is None else int(seq[i]), what, _word(expected, i), _word(found, i)
            )
            for i in rows[:MOST_SHOWN].tolist()
        ]
        yield rows.size, first


def at_ledger(bad: bool, what: str, expected: object, found: object) -> Iterator[Places]:
    """A violation of the ledger as a whole."""
    if bad:
        yield 1, [LedgerViolation("", None, what, str(expected), str(found))]


def _word(column: np.ndarray | str, row: int) -> str:
    return column if isinstance(column, str) else str(column[row])
