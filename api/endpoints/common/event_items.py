"""Entries as people read them: what one event did stands together, whatever number of entries it took."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Final

from api.riders.entries_explained import ExplainedEntry
from rules.units import shown_change
from scoring.because import EntryLine
from scoring.explain_words import signed_tenths

# So few on-time orders are listed like all else; more are folded into one line.
FEW: Final = 3


@dataclass(frozen=True, slots=True)
class EntryItem:
    """What one event did at one time: the entry that tells it, and limits, bonus or review that came with it."""

    main: ExplainedEntry
    others: tuple[ExplainedEntry, ...]

    @property
    def delta_mp(self) -> int:
        """Points moved in all."""
        return self.main.line.delta_mp + sum(entry.line.delta_mp for entry in self.others)

    @property
    def change(self) -> str:
        """Points moved in all, as riders read them."""
        return signed_tenths(self.tenths, self.delta_mp)

    @property
    def tenths(self) -> int:
        """Points moved in all, in tenths, as they are shown."""
        return sum(tenths_moved(entry.line) for entry in (self.main, *self.others))

    @property
    def money_fen(self) -> int:
        """Money moved in all."""
        return self.main.line.money_fen + sum(entry.line.money_fen for entry in self.others)

    @property
    def is_plain(self) -> bool:
        """An order on time, and nothing else to tell."""
        line = self.main.line
        reviews = any(entry.line.of_kind == "review" for entry in self.others)
        return line.kind == "award" and line.late_s == 0 and self.delta_mp >= 0 and not reviews


def tenths_moved(line: EntryLine) -> int:
    """Points that an entry moved, in tenths, as they are shown."""
    return shown_change(line.score_before_mp, line.score_after_mp)


def items_of(entries: Iterable[ExplainedEntry]) -> list[EntryItem]:
    """Entries (newest first) by what they belong to, newest first."""
    return [_item(list(some)[::-1]) for _, some in groupby(entries, _belongs_to)]


def _belongs_to(entry: ExplainedEntry) -> tuple[Any, ...]:
    line = entry.line
    return line.event_id, line.at_us, line.recorded_us, line.kind == "reverse"


def _item(entries: Sequence[ExplainedEntry]) -> EntryItem:
    telling = [entry for entry in entries if entry.line.of_kind in ("award", "deduct")]
    main = telling[0] if telling else entries[0]
    return EntryItem(main, tuple(entry for entry in entries if entry is not main))


@dataclass(frozen=True, slots=True)
class ItemDay:
    """Items worth a line each, and orders on time that one line can tell."""

    items: tuple[EntryItem, ...]
    plain: tuple[EntryItem, ...]

    @property
    def plain_mp(self) -> int:
        """Points of the orders told in one line."""
        return sum(item.delta_mp for item in self.plain)

    @property
    def plain_change(self) -> str:
        """The same as riders read it: the sum of what is shown of each."""
        return signed_tenths(sum(item.tenths for item in self.plain), self.plain_mp)


def day_of(items: Sequence[EntryItem]) -> ItemDay:
    """A day's items, many orders on time folded."""
    plain = tuple(item for item in items if item.is_plain)
    if len(plain) <= FEW:
        return ItemDay(tuple(items), ())
    return ItemDay(tuple(item for item in items if not item.is_plain), plain)
