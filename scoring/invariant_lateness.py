"""The check that files state lateness once for each event, and name money for what it is."""

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from scoring.columns import I64
from scoring.invariant_columns import Flags, Ledger, Places, at_entries, codes_among, group_rows, ints
from scoring.lateness_once import Signs, counted_late_s, signs_of_groups, steps_of
from scoring.ledger_columns import MONEY_KINDS

_NO_MONEY = "none"


def lateness_once(ledger: Ledger) -> Iterator[Places]:
    """Lateness, time given back and lateness that counted are stated once for each event, taken back once if at all.

    A ledger that goes on from a state may change some lines of an event of which others stand: they state nothing.
    """
    columns, stated = ledger.columns, ledger.stated
    if stated is None or not columns.rider.size:
        return
    is_gross = columns.of_books(lambda book: int(book.model.lateness == "gross"), 0) == 1
    amounts = {
        "late_s": columns.late_s,
        "time_given_back_s": columns.given_s,
        "late_counted_s": counted_late_s(columns.late_s, columns.given_s, columns.party, is_gross),
    }
    signs, group, may_be_silent = _signs(ledger)
    speaks = np.zeros(group.max() + 1, bool)
    for name in amounts:
        speaks[group[ints(stated, name) != 0]] = True
    signs = np.where(may_be_silent & ~speaks[group], 0, signs)
    for name, amount in amounts.items():
        wanted, found = amount * signs, ints(stated, name)
        yield from at_entries(ledger, wanted != found, name, wanted, found)
    yield from _money_kinds(ledger, stated)


def _money_kinds(ledger: Ledger, stated: pa.Table) -> Iterator[Places]:
    money = ledger.columns.money_fen * ledger.columns.sign
    words = np.array([*MONEY_KINDS, _NO_MONEY], object)
    wanted = np.where(money == 0, -1, (money < 0).astype(np.int64))
    column = stated.column("money_kind")
    found = codes_among(column, MONEY_KINDS)
    strange = pc.is_valid(column).to_numpy() & (found < 0)
    yield from at_entries(ledger, (wanted != found) | strange, "money_kind", words[wanted], words[found])


def _signs(ledger: Ledger) -> tuple[Signs, I64, Flags]:
    """Of each line its sign, its event, and whether all of that event's lines may be silent: others may stand."""
    columns = ledger.columns
    # Lines of one event in their order: a ledger may be changed, but not in which order its numbers come.
    order, begins = group_rows(columns.rider, columns.event, columns.at_us)
    group = np.zeros(order.size, np.int64)
    group[order] = np.cumsum(begins) - 1
    steps = steps_of(columns.kind, columns.of_kind)
    total = np.cumsum(steps[order])
    starts = np.flatnonzero(begins)
    within = total - np.repeat((total - steps[order])[starts], np.diff(np.append(starts, order.size)))
    lowest = np.minimum.reduceat(within, starts)
    ends = np.append(starts[1:], order.size) - 1
    left = within[ends] - np.minimum(lowest, 0)
    signs = signs_of_groups(group, steps, left)
    is_plain = columns.kind[order[starts]] == columns.of_kind[order[starts]]
    may_be_silent = np.zeros(order.size, bool) if ledger.is_whole else ~is_plain[group]
    return signs, group, may_be_silent
