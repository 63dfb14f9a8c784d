"""One rider's ledger while it is being revised: what stands, what changes, and the lines that are written.

An entry that no longer holds is reversed, one that now holds is (re-)entered, and nothing else is touched.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from rules.compiled import compiled
from scoring.columns import ENTRY, I64, NO_EVENT, REENTER, REVERSE, U8, Entries

ItemKey = tuple[int, int]
"""An event or due instant: its time, and the row of the event."""
EntryKey = tuple[int, ...]
"""What makes two entries of two readings the same entry."""


class EntryRow(NamedTuple):
    """One entry of one rider in the form that is compared; columns as in `Entries`."""

    ev: int
    label: int
    kind: int
    delta_mp: int
    money_fen: int
    party: int
    late_s: int
    given_s: int
    book: int
    item_us: int
    nth: int

    @property
    def item(self) -> ItemKey:
        """The event or due instant that the entry belongs to."""
        return self.item_us, self.ev

    @property
    def key(self) -> EntryKey:
        """Identity among the rider's entries."""
        return self.item_us, self.ev, self.book, self.label, self.kind, self.nth


class NewLine(NamedTuple):
    """A ledger line to be written: an entry, how it is entered, and why."""

    row: EntryRow
    kind: int
    delta_mp: int
    money_fen: int
    occurred_us: int
    cause_ev: int


@dataclass(slots=True)
class RiderLedger:
    """One rider's ledger while it is being revised.

    Parameters
    ----------
    rider
        Position of the rider in the run.
    score_mp
        The score after all lines written (mp).
    until_us
        Up to when it is written (µs UTC).
    standing
        What stands, in time order.
    lines
        The lines of this run, in the order written.
    """

    rider: int
    score_mp: int
    until_us: int
    standing: Entries
    lines: list[NewLine] = field(default_factory=list)

    def write(self, line: NewLine) -> None:
        """Append a line and move the score."""
        self.lines.append(line)
        self.score_mp += line.delta_mp


def entry_rows(entries: Entries) -> list[EntryRow]:
    """Entries as rows."""
    return [EntryRow(*values) for values in zip(*(entries[name].tolist() for name in EntryRow._fields), strict=True)]


@compiled(rows=0)
def _mark_alike(a: Entries, b: Entries, forced: I64, alike_a: U8, alike_b: U8) -> None:
    """Mark the entries of two readings, each in time order, whose instants read the same in both; `forced` is ascending."""
    i = j = 0
    while i < a.size and j < b.size:
        if a[i].item_us < b[j].item_us:
            i += 1
        elif a[i].item_us > b[j].item_us:
            j += 1
        else:
            at_us, first_a, first_b, same = a[i].item_us, i, j, True
            while i < a.size and a[i].item_us == at_us:
                entry = a[i]
                at = np.searchsorted(forced, entry.ev)
                same = same and (at == forced.size or forced[at] != entry.ev) and j < b.size
                if same:
                    other = b[j]
                    same = (
                        entry.item_us == other.item_us
                        and entry.ev == other.ev
                        and entry.label == other.label
                        and entry.kind == other.kind
                        and entry.delta_mp == other.delta_mp
                        and entry.money_fen == other.money_fen
                        and entry.party == other.party
                        and entry.late_s == other.late_s
                        and entry.given_s == other.given_s
                        and entry.book == other.book
                        and entry.nth == other.nth
                    )
                    j += 1
                i += 1
            while j < b.size and b[j].item_us == at_us:
                same = False
                j += 1
            if same:
                alike_a[first_a:i] = 1
                alike_b[first_b:j] = 1


def _unlike(a: Entries, b: Entries, forced: Collection[int]) -> tuple[list[EntryRow], list[EntryRow]]:
    """The entries of two readings at instants that read differently, and those of events that are entered anew.

    A long history differs in few places: only those become rows.
    """
    alike_a, alike_b = np.zeros(a.size, np.uint8), np.zeros(b.size, np.uint8)
    _mark_alike(a, b, np.array(sorted(forced), np.int64), alike_a, alike_b)
    return entry_rows(a[alike_a == 0]), entry_rows(b[alike_b == 0])


@dataclass(slots=True)
class ItemChanges:
    """All that changes for one item: what is taken back, newest first, and what is entered, in order."""

    reverse: list[EntryRow] = field(default_factory=list)
    enter: list[tuple[EntryRow, bool]] = field(default_factory=list)

    @property
    def delta_mp(self) -> int:
        """How far the block moves the score."""
        return sum(row.delta_mp for row, _ in self.enter) - sum(row.delta_mp for row in self.reverse)

    @property
    def books(self) -> set[int]:
        """The books that its entries name."""
        return {row.book for row in self.reverse} | {row.book for row, _ in self.enter}


@dataclass(slots=True)
class LedgerChanges:
    """What must change for a ledger to read as a new fold, and why.

    Parameters
    ----------
    blocks
        By item, in time order.
    stood
        What stood at the instants that change, by key.
    causes
        The event that makes the change of an entry necessary, by key; `cause_ev` for all others.
    entered_us
        When changes by a cause are entered; those by any other at each entry's own time.
    """

    blocks: dict[ItemKey, ItemChanges]
    stood: dict[EntryKey, EntryRow]
    causes: dict[EntryKey, int] = field(default_factory=dict)
    cause_ev: int = NO_EVENT
    entered_us: dict[int, int] = field(default_factory=dict)

    def cause_of(self, row: EntryRow) -> int:
        """Why an entry is reversed or entered again."""
        return self.causes.get(row.key, self.cause_ev)

    def asking(self) -> set[EntryKey]:
        """Entries that change what was entered before, rather than entering a new event alone."""
        blocks = self.blocks.values()
        return {row.key for block in blocks for row in block.reverse} | {
            row.key for block in blocks for row, plain in block.enter if not plain
        }


def _reversal(row: EntryRow, changed: LedgerChanges, cause_ev: int) -> NewLine:
    occurred_us = changed.entered_us.get(cause_ev, row.item_us)
    return NewLine(row, REVERSE, -row.delta_mp, -row.money_fen, occurred_us, cause_ev)


def _entry(row: EntryRow, plain: bool, changed: LedgerChanges, cause_ev: int) -> NewLine:
    if plain:
        return NewLine(row, row.kind, row.delta_mp, row.money_fen, row.item_us, NO_EVENT)
    return NewLine(row, REENTER, row.delta_mp, row.money_fen, changed.entered_us.get(cause_ev, row.item_us), cause_ev)


def changes(ledger: RiderLedger, folded: Entries, is_first: set[int], forced: Collection[int] = ()) -> LedgerChanges:
    """What must change for a ledger to read as a new fold up to the ledger's own end.

    Parameters
    ----------
    ledger
        What stands, and up to when.
    folded
        All entries of the fold, in order.
    is_first
        Events (rows) that have never been entered; their entries are plain, others are re-entries.
    forced
        Events whose entries are reversed and re-entered even if nothing changed.

    Returns
    -------
    LedgerChanges
        What is taken back and entered, by item, with no causes yet.
    """
    written = int(np.searchsorted(folded["item_us"], ledger.until_us, side="right"))
    stood, past = _unlike(ledger.standing, folded[:written], forced)
    standing = {row.key: row for row in stood}
    wanted = {row.key: row for row in past}
    blocks: dict[ItemKey, ItemChanges] = {}
    for row in sorted([*stood, *past], key=lambda row: row.item):
        blocks.setdefault(row.item, ItemChanges())

    def stays(row: EntryRow) -> bool:
        return row.ev not in forced and standing.get(row.key) == wanted.get(row.key)

    for row in stood:
        if not stays(row):
            blocks[row.item].reverse.insert(0, row)
    for row in past:
        if not stays(row):
            blocks[row.item].enter.append((row, row.ev in is_first))
    return LedgerChanges({item: block for item, block in blocks.items() if block.reverse or block.enter}, standing)


@dataclass(frozen=True, slots=True)
class ScoreLimits:
    """Floors and ceilings (mp) of the books of a program, and the book that a rider is under.

    Parameters
    ----------
    floor_mp, ceiling_mp
        By position of the book (mp).
    book
        Position of the rider's own book.
    """

    floor_mp: list[int]
    ceiling_mp: list[int]
    book: int

    def limits(self, books: set[int]) -> tuple[int, int]:
        """Between what a score may lie (mp): by the rider's book, or by a book that what is written now belongs to."""
        involved = books | {self.book}
        return min(self.floor_mp[book] for book in involved), max(self.ceiling_mp[book] for book in involved)


def _in_range(blocks: Sequence[ItemChanges], score_mp: int, scale: ScoreLimits) -> list[ItemChanges] | None:
    """Blocks in an order in which the score stays within its limits, each time the oldest that fits; None if there is none."""
    limits = np.array([scale.limits(block.books) for block in blocks], np.int64).reshape(-1, 2)
    delta_mp = np.array([block.delta_mp for block in blocks], np.int64)
    waits = np.ones(delta_mp.size, bool)
    order: list[ItemChanges] = []
    first = 0
    while len(order) < len(blocks):
        while not waits[first]:
            first += 1
        after_mp = score_mp + delta_mp[first:]
        fits = waits[first:] & (limits[first:, 0] <= after_mp) & (after_mp <= limits[first:, 1])
        at = first + int(fits.argmax()) if fits.size else first
        if not fits[at - first]:
            return None
        waits[at] = False
        order.append(blocks[at])
        score_mp += int(delta_mp[at])
    return order


def _write_in_range(ledger: RiderLedger, changed: LedgerChanges, scale: ScoreLimits) -> bool:
    """Write the blocks, oldest first where the score then stays within its limits; False if no order does."""
    order = _in_range([*changed.blocks.values()], ledger.score_mp, scale)
    if order is None:
        return False
    for block in order:
        for row in block.reverse:
            ledger.write(_reversal(row, changed, changed.cause_of(row)))
        for row, plain in block.enter:
            ledger.write(_entry(row, plain, changed, changed.cause_of(row)))
    return True


def write_changes(
    ledger: RiderLedger, folded: Entries, until_us: int, changed: LedgerChanges, is_first: set[int], scale: ScoreLimits
) -> None:
    """Bring a ledger to what a new fold says.

    Parameters
    ----------
    ledger
        Is brought to what `folded` says.
    folded
        All entries of the fold, in order, up to `until_us`.
    until_us
        How far `folded` goes (µs UTC).
    changed
        What `changes` finds for it, with causes.
    is_first
        Events (rows) that have never been entered.
    scale
        Between what the score may lie.
    """
    written = int(np.searchsorted(folded["item_us"], ledger.until_us, side="right"))
    if changed.blocks and not _write_in_range(ledger, changed, scale):
        # No order of the changes alone keeps the score in range: the whole suffix is entered again.
        first_item = min(changed.blocks)
        why = next(iter(changed.causes.values()), changed.cause_ev)
        for row in reversed([row for row in entry_rows(ledger.standing) if row.item >= first_item]):
            ledger.write(_reversal(row, changed, changed.causes.get(row.key, why)))
        for row in entry_rows(folded[:written]):
            if row.item >= first_item:
                ledger.write(_entry(row, row.ev in is_first, changed, changed.causes.get(row.key, why)))
    for row in entry_rows(folded[written:]):
        ledger.write(_entry(row, True, changed, NO_EVENT))
    ledger.standing = folded
    ledger.until_us = max(ledger.until_us, until_us)


def new_lines(ledgers: Sequence[RiderLedger], opening_mp: Sequence[int]) -> Entries:
    """The lines of ledgers as entries, ledger after ledger.

    Parameters
    ----------
    ledgers
        One per rider, ascending.
    opening_mp
        Each ledger's score before its first line (mp).

    Returns
    -------
    Entries
        `ENTRY` records in the order written.
    """
    lines = [line for ledger in ledgers for line in ledger.lines]
    sizes = [len(ledger.lines) for ledger in ledgers]
    out = np.zeros(len(lines), ENTRY)
    for name in ("ev", "label", "party", "late_s", "given_s", "book", "item_us", "nth"):
        out[name] = [getattr(line.row, name) for line in lines]
    for name in ("kind", "delta_mp", "money_fen", "occurred_us", "cause_ev"):
        out[name] = [getattr(line, name) for line in lines]
    out["of_kind"] = [line.row.kind for line in lines]
    out["rider"] = np.repeat(np.array([ledger.rider for ledger in ledgers], np.int64), sizes)
    at = 0
    for size, opening in zip(sizes, opening_mp, strict=True):
        out["score_after_mp"][at : at + size] = opening + np.cumsum(out["delta_mp"][at : at + size])
        at += size
    return out
