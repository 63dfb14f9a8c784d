"""Named checks over any ledger, from its files alone: what must hold whatever program wrote it.

Each check is a function from a `Ledger` to violations, as values; none stops at the first. The columns are read once
and checked as arrays. What needs the history before a ledger that continues another is left out there.
"""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from rules.compiled import compiled_with_runtime
from rules.events import RIDER_KINDS
from scoring.columns import (
    FADE,
    FAR_US,
    I64,
    NO_TIME,
    REENTER,
    REVERSE,
    U64,
)
from scoring.hashing import hash_pairs, hash_strings
from scoring.invariant_columns import (
    MOST_SHOWN,
    Check,
    Flags,
    Ledger,
    LedgerViolation,
    Places,
    at_entries,
    at_ledger,
    at_riders,
    codes_among,
    group_rows,
    ints,
    word_codes,
)
from scoring.invariant_lateness import lateness_once
from scoring.invariant_rules import amounts, liability_stated, no_fines, only_the_liable, points_of_rules, rules_known
from scoring.ledger import (
    RESET_PREFIX,
    Identity,
    entry_ids,
    net_taken_and_given,
    points_and_money,
    standing_figures,
    text_hashes,
)
from scoring.ledger_columns import ENTRY_COLUMNS, ENTRY_SCHEMA


@dataclass(frozen=True, slots=True)
class CheckResult:
    """The outcome of one check.

    Parameters
    ----------
    check
        Name of the check.
    num_violations
        How many there are.
    violations
        The first of them.
    num_unchecked
        How many riders it says nothing of.
    """

    check: str
    num_violations: int
    violations: tuple[LedgerViolation, ...]
    num_unchecked: int = 0

    @property
    def holds(self) -> bool:
        """Whether there is none."""
        return self.num_violations == 0


def _sums(ledger: Ledger, values: np.ndarray) -> I64:
    """Sum of a column of the entries by row of the riders table."""
    rider = ledger.columns.rider
    known = rider >= 0
    out = np.zeros(ledger.riders.num_rows, np.int64)
    np.add.at(out, rider[known], values[known])
    return out


_ODD = np.uint64(0x9E3779B97F4A7C15)
REQUIRED_OF_RIDERS = ("rider_id", "book_digest", "tier", "review_required", "opening_score_mp", "score_mp")
MAY_BE_NULL = tuple(column.name for column in ENTRY_COLUMNS if column.when_missing)


def complete(ledger: Ledger) -> Iterator[Places]:
    """Nothing that every entry and every rider must state is missing or an unknown word."""
    columns = ledger.columns
    for field in ENTRY_SCHEMA:
        whole = pa.types.is_integer(ledger.entries.schema.field(field.name).type)
        broken = pa.types.is_integer(field.type) and not whole
        yield from at_ledger(broken, field.name, "whole numbers", str(ledger.entries.schema.field(field.name).type))
    for name in ledger.entries.column_names:
        column = ledger.entries.column(name)
        if column.null_count and name not in MAY_BE_NULL:
            yield from at_entries(ledger, ~pc.is_valid(column).to_numpy(), name, "a value", "none")
    for name, codes in (("kind", columns.kind), ("of_kind", columns.of_kind), ("liable_party", columns.party)):
        yield from at_entries(ledger, codes < 0, name, "a known word", "another")
    for name in REQUIRED_OF_RIDERS:
        column = ledger.riders.column(name)
        if column.null_count:
            yield from at_riders(ledger, ~pc.is_valid(column).to_numpy(), name, "a value", "none")
    kinds = ledger.riders.column("rider_kind")
    unknown = pc.is_valid(kinds).to_numpy() & (codes_among(kinds, RIDER_KINDS) < 0)
    yield from at_riders(ledger, unknown, "rider_kind", "a known word", "another")


def sequence(ledger: Ledger) -> Iterator[Places]:
    """Entries stand by rider and number; a rider's numbers follow each other, from 1 in a whole ledger."""
    columns = ledger.columns
    names = ledger.riders.column("rider_id").to_pylist()
    ascending = all(a < b for a, b in itertools.pairwise(name.encode() for name in names))
    yield from at_ledger(not ascending, "riders_order", "rider_id ascending", "not ascending")
    yield from at_entries(ledger, columns.rider < 0, "rider_missing", "a row in riders.parquet", "none")
    backwards = np.concatenate([[False], columns.rider[1:] < columns.rider[:-1]])[: columns.rider.size]
    yield from at_entries(ledger, backwards, "entries_order", "after the riders before", "out of order")
    before = np.concatenate([[0], columns.seq[:-1]])[: columns.seq.size]
    wanted = np.where(columns.starts, columns.seq if not ledger.is_whole else 1, before + 1)
    yield from at_entries(ledger, columns.seq != wanted, "seq", wanted, columns.seq)


def running_score(ledger: Ledger) -> Iterator[Places]:
    """Opening score plus the running sum of deltas is the score after every entry, and the rider's score at the end."""
    columns, riders = ledger.columns, ledger.riders
    opening, final = ints(riders, "opening_score_mp"), ints(riders, "score_mp")
    if columns.rider.size:
        total = np.cumsum(columns.delta_mp)
        first = np.maximum.accumulate(np.where(columns.starts, np.arange(total.size), 0))
        wanted = opening[columns.rider] + total - total[first] + columns.delta_mp[first]
        yield from at_entries(
            ledger, (columns.after_mp != wanted) & (columns.rider >= 0), "score_after_mp", wanted, columns.after_mp
        )
    wanted = opening + _sums(ledger, columns.delta_mp)
    yield from at_riders(ledger, final != wanted, "score_mp", wanted, final)


def opening_score(ledger: Ledger) -> Iterator[Places]:
    """A rider without history opens at the base of a book of the ledger."""
    if ledger.is_whole:
        opening = ints(ledger.riders, "opening_score_mp")
        bases = sorted({book.model.score.base_mp for book in ledger.books.values()})
        yield from at_riders(
            ledger, ~np.isin(opening, bases), "opening_score_mp", ", ".join(str(base) for base in bases), opening
        )


@compiled_with_runtime(rows=0)
def _mark_late(rider: I64, at_us: I64, since_us: int, out: Flags) -> None:
    """Mark entries about a time that their rider's ledger had passed when they were written."""
    reached = since_us
    for i in range(rider.size):
        if i == 0 or rider[i] != rider[i - 1]:
            reached = since_us
        out[i] = at_us[i] < reached or at_us[i] <= since_us
        reached = max(reached, at_us[i])


def within_range(ledger: Ledger) -> Iterator[Places]:
    """After the last entry of each event the score lies within floor and ceiling.

    The limits are those of the entry's book. A fade names the book of the faded event, a reversal and a late event that of
    the event concerned, while the score follows the rider's present book: there, the widest limits of the ledger's books
    count.
    """
    columns = ledger.columns
    if not columns.rider.size:
        return
    order, first = group_rows(columns.rider, columns.event)
    last = np.zeros(order.size, bool)
    last[order[np.concatenate([first[1:], [True]])]] = True
    scales = [book.model.score for book in ledger.books.values()]
    late = np.zeros(order.size, bool)
    carried = ledger.run.get("carried")
    _mark_late(columns.rider, columns.at_us, NO_TIME if carried is None else int(carried["until_us"]), late)
    elsewhere = late | np.isin(columns.kind, (FADE, REVERSE, REENTER))
    far = 2**40
    floor = columns.of_books(lambda book: book.model.score.floor_mp, -far)
    ceiling = columns.of_books(lambda book: book.model.score.ceiling_mp, far)
    floor = np.where(elsewhere, min((scale.floor_mp for scale in scales), default=-far), floor)
    ceiling = np.where(elsewhere, max((scale.ceiling_mp for scale in scales), default=far), ceiling)
    yield from at_entries(ledger, last & (columns.after_mp < floor), "floor", floor, columns.after_mp)
    yield from at_entries(ledger, last & (columns.after_mp > ceiling), "ceiling", ceiling, columns.after_mp)


def _of_today(ledger: Ledger) -> np.ndarray:
    """Which riders have a line of their own about a time after the instant up to which version 0.1.0 wrote the ledger.

    Ledgers of that version do not name the instant. What reverses or enters again is about what was before.
    """
    until_us = ledger.run.get("old_readings_until_us", FAR_US)
    if until_us is None:
        return np.ones(ledger.riders.num_rows, bool)
    columns, of_today = ledger.columns, np.zeros(ledger.riders.num_rows, bool)
    is_today = (columns.rider >= 0) & (columns.at_us > until_us) & ~np.isin(columns.kind, (REVERSE, REENTER))
    of_today[columns.rider[is_today]] = True
    return of_today


def own_scale(ledger: Ledger) -> Iterator[Places]:
    """In the end each rider's score lies within floor and ceiling of their own book, also where no entry says so.

    Riders whom version 0.1.0 scored last are left out: it did not bring a score inside a narrower scale at once.
    """
    known = _of_today(ledger)
    book, digests = word_codes(ledger.riders.column("book_digest"))
    scales = [None if digest not in ledger.books else ledger.books[digest].model.score for digest in digests]
    far = 2**40
    floor = np.array([-far if scale is None else scale.floor_mp for scale in scales] + [-far], np.int64)[book]
    ceiling = np.array([far if scale is None else scale.ceiling_mp for scale in scales] + [far], np.int64)[book]
    score_mp = ints(ledger.riders, "score_mp")
    yield from at_riders(ledger, known & (score_mp < floor), "floor", floor, score_mp)
    yield from at_riders(ledger, known & (score_mp > ceiling), "ceiling", ceiling, score_mp)


def identity(ledger: Ledger) -> Iterator[Places]:
    """Every entry_id is the hash of what it identifies, and stands once."""
    columns, table = ledger.columns, ledger.entries
    if not columns.rider.size:
        return
    wanted = entry_ids(
        Identity(
            rider=columns.rider,
            riders=hash_pairs(ledger.riders.column("rider_id")),
            book=columns.book,
            books=text_hashes(columns.digests),
            rule=columns.rule,
            rules=text_hashes(columns.rules),
            event=hash_pairs(table.column("event_id")),
            cause=hash_pairs(table.column("cause_event_id")),
            kinds=columns.kind * 16 + columns.of_kind,
            at_us=np.ascontiguousarray(columns.at_us),
        )
    )
    entry_ids_stated = table.column("entry_id")
    same = pc.equal(entry_ids_stated, pa.chunked_array([wanted])).fill_null(False).to_numpy()
    for i in np.flatnonzero(~same)[:MOST_SHOWN]:
        yield from at_entries(
            ledger, np.arange(same.size) == i, "entry_id", wanted[int(i)].as_py(), str(entry_ids_stated[int(i)].as_py())
        )
    rest = int((~same).sum()) - MOST_SHOWN
    if rest > 0:
        yield rest, []
    key = hash_strings(entry_ids_stated)
    order = np.argsort(key, kind="stable")
    repeated = np.zeros(key.size, bool)
    repeated[order[1:]] = key[order[1:]] == key[order[:-1]]
    yield from at_entries(ledger, repeated, "entry_id_repeated", "once", "again")


def own_events(ledger: Ledger) -> Iterator[Places]:
    """A line names events of its own rider only: its event, and what made it necessary.

    A directory says so by a digest of each rider's events that lines name (`events_digest`; ledgers of 0.1.0 have none),
    whoever has the events themselves gives them as `Ledger.events`.
    """
    columns, table = ledger.columns, ledger.entries
    if "events_digest" in ledger.riders.column_names:
        of_event = ~pc.starts_with(table.column("event_id"), RESET_PREFIX).fill_null(True).to_numpy()
        caused = pc.is_valid(table.column("cause_event_id")).to_numpy()
        rider = np.concatenate([columns.rider[of_event], columns.rider[caused]])
        event = np.concatenate([columns.event[of_event], columns.cause[caused]])
        order, first = group_rows(rider, event)
        once = order[first & (rider[order] >= 0)]
        wanted = np.zeros(ledger.riders.num_rows, np.uint64)
        np.add.at(wanted, rider[once], event[once])
        found = ints(ledger.riders, "events_digest")
        yield from at_riders(ledger, found != wanted.view(np.int64), "events_digest", found, wanted.view(np.int64))
    if ledger.events is not None:
        known = _pairs(ledger.events.column("rider_id"), ledger.events.column("event_id"))
        for name in ("event_id", "cause_event_id"):
            column = table.column(name)
            is_event = pc.and_(pc.is_valid(column), pc.invert(pc.starts_with(column, RESET_PREFIX)))
            foreign = is_event.fill_null(False).to_numpy() & ~np.isin(_pairs(table.column("rider_id"), column), known)
            yield from at_entries(ledger, foreign, name, "an event of the rider", np.array(column.to_pylist(), object))


def _pairs(first: pa.ChunkedArray, second: pa.ChunkedArray) -> U64:
    """One hash of two texts a row."""
    pairs: U64 = (hash_strings(first.cast(pa.string())) * _ODD) ^ hash_strings(second, 2)
    return pairs


def reversals(ledger: Ledger) -> Iterator[Places]:
    """A reversal takes back exactly the standing entry of its event and rule; nothing is entered twice.

    In a ledger that goes on from a carried state, what is taken back may stand in an earlier one.
    """
    columns = ledger.columns
    n = columns.rider.size
    if not n:
        return
    order, first = group_rows(columns.rider, columns.event, columns.book, columns.rule, columns.of_kind, columns.at_us)
    taken = columns.kind[order] == REVERSE
    before = np.concatenate([[0], order[:-1]])
    whole = ledger.is_whole
    bad = np.zeros(n, bool)
    bad[order] = taken & np.where(first, whole, np.concatenate([[False], taken[:-1]]))
    yield from at_entries(ledger, bad, "reverse", "an entry that stands", "none")
    bad = np.zeros(n, bool)
    bad[order] = ~first & ~taken & ~np.concatenate([[False], taken[:-1]])
    yield from at_entries(ledger, bad, "entered_twice", "once", "again")
    for what, column in (("reverse_delta_mp", columns.delta_mp), ("reverse_money_fen", columns.money_fen)):
        wanted = np.zeros(n, np.int64)
        wanted[order] = -column[before]
        bad = np.zeros(n, bool)
        bad[order] = taken & ~first & (column[order] != -column[before])
        yield from at_entries(ledger, bad, what, wanted, column)


def standing(ledger: Ledger) -> Iterator[Places]:
    """Tier and on-time orders to the next tier and back to base follow from score, book and rider kind."""
    riders = ledger.riders
    book, digests = word_codes(riders.column("book_digest"))
    known = [ledger.books.get(digest) for digest in digests]
    missing = np.array([one is None for one in known] or [True])[book] | (book < 0)
    yield from at_riders(ledger, missing, "book_digest", "a file in books/", "none")
    if missing.any() or not riders.num_rows:
        return
    kind = codes_among(riders.column("rider_kind"), RIDER_KINDS)
    wanted = standing_figures([one for one in known if one is not None], book, kind, ints(riders, "score_mp"))
    tier = np.array(riders.column("tier").to_pylist(), object)
    yield from at_riders(ledger, tier != wanted.tier, "tier", wanted.tier, tier)
    for name, orders in (
        ("on_time_orders_to_next_tier", wanted.to_next_tier),
        ("on_time_orders_to_recover", wanted.to_recover),
    ):
        found = ints(riders, name)
        yield from at_riders(ledger, found != orders, name, orders, found)


def review_flag(ledger: Ledger) -> Iterator[Places]:
    """A review is asked for exactly where the score lies in a tier that asks for it, once anything was scored."""
    columns, riders = ledger.columns, ledger.riders
    if not ledger.is_whole:
        return
    book, digests = word_codes(riders.column("book_digest"))
    tiers = {
        (code, tier.id): tier.review
        for code, digest in enumerate(digests)
        if digest in ledger.books
        for tier in ledger.books[digest].model.tier
    }
    asked = np.array(
        [tiers.get((code, tier), False) for code, tier in zip(book, riders.column("tier").to_pylist(), strict=True)],
        bool,
    )
    seen = np.zeros(riders.num_rows, bool)
    seen[columns.rider[columns.rider >= 0]] = True
    found = np.array(riders.column("review_required").to_pylist(), bool)
    yield from at_riders(ledger, seen & (found != asked), "review_required", asked, found)


def sums(ledger: Ledger) -> Iterator[Places]:
    """Points, fines, bonus and income of a rider are the sums of the entries, and the orders add up."""
    columns, riders = ledger.columns, ledger.riders
    by = {
        "kind": columns.kind,
        "of_kind": columns.of_kind,
        "delta_mp": columns.delta_mp,
        "money_fen": columns.money_fen,
    }
    awarded, deducted, fines, bonus = (_sums(ledger, values) for values in points_and_money(by))
    fines, bonus = net_taken_and_given(fines, bonus)
    deducted, awarded = net_taken_and_given(deducted, awarded)
    wanted = {
        "points_awarded_mp": awarded,
        "points_deducted_mp": deducted,
        "fines_fen": fines,
        "bonus_fen": bonus,
        "income_fen": ints(riders, "fees_fen") + _sums(ledger, columns.money_fen),
        "num_entries": _sums(ledger, np.ones(columns.rider.size, np.int64)),
        "num_delivered": ints(riders, "num_on_time") + ints(riders, "num_late") + ints(riders, "num_exempt"),
    }
    for name, values in wanted.items():
        found = ints(riders, name)
        yield from at_riders(ledger, found != values, name, values, found)


def recorded_once(ledger: Ledger) -> Iterator[Places]:
    """A run records all its entries at one instant, that of `run.json`."""
    recorded = ints(ledger.entries, "recorded_us")
    as_of = ledger.run.get("as_of_us")
    if recorded.size and as_of is not None:
        yield from at_entries(ledger, recorded != as_of, "recorded_us", str(as_of), recorded)


def books_named(ledger: Ledger) -> Iterator[Places]:
    """Each book's file is named by the digest of its content, and `run.json` names the same books."""
    for digest, book in ledger.books.items():
        yield from at_ledger(book.digest != digest, "books_file", book.digest, digest)
    named = {book.get("digest") for book in ledger.run.get("books", ())}
    missing = sorted(str(digest) for digest in named - set(ledger.books))
    yield from at_ledger(bool(missing), "run_books", "a file in books/", ", ".join(missing))


def counted(ledger: Ledger) -> Iterator[Places]:
    """The counts of `run.json` are those of the files."""
    counts = ledger.run.get("counts", {})
    found = {"entries": ledger.entries.num_rows, "riders": ledger.riders.num_rows, "rejected": ledger.num_rejects}
    for name, number in found.items():
        yield from at_ledger(counts.get(name) != number, f"counts.{name}", number, counts.get(name))
    rejected = sum(ledger.run.get("rejected", {}).values())
    yield from at_ledger(rejected != ledger.num_rejects, "rejected", ledger.num_rejects, rejected)


CHECKS: tuple[Check, ...] = (
    complete,
    sequence,
    running_score,
    opening_score,
    within_range,
    own_scale,
    identity,
    own_events,
    rules_known,
    amounts,
    points_of_rules,
    liability_stated,
    only_the_liable,
    no_fines,
    lateness_once,
    reversals,
    standing,
    review_flag,
    sums,
    recorded_once,
    books_named,
    counted,
)
# What concerns a ledger directory alone: sums and standing are not kept in a database, and it has no `run.json`.
OF_FILES: frozenset[Check] = frozenset({lateness_once, standing, sums, recorded_once, books_named, counted})


def check_ledger(ledger: Ledger, checks: Sequence[Check] = CHECKS) -> tuple[CheckResult, ...]:
    """Run every check.

    Parameters
    ----------
    ledger
        A whole ledger, or a part that holds whole riders.
    checks
        The checks to run, `complete` first.

    Returns
    -------
    tuple[CheckResult, ...]
        A result each, in the order given.
    """
    results: list[CheckResult] = []
    for check in checks:
        number, violations = 0, []
        for more, shown in check(ledger):
            number += more
            violations += shown
        left_out = int((~_of_today(ledger)).sum()) if check is own_scale else 0
        results.append(CheckResult(check.__name__, number, tuple(violations[:MOST_SHOWN]), left_out))
        if check is complete and number:
            break
    return tuple(results)


def added_results(results: tuple[CheckResult, ...], more: tuple[CheckResult, ...]) -> tuple[CheckResult, ...]:
    """The outcome over several parts of a ledger, from that over some and that over others.

    Parameters
    ----------
    results, more
        Of two parts of a ledger.

    Returns
    -------
    tuple[CheckResult, ...]
        A result per check, in the order in which checks are first named.
    """
    by_check = {found.check: found for found in results}
    for found in more:
        so_far = by_check.get(found.check, CheckResult(found.check, 0, ()))
        violations = (*so_far.violations, *found.violations)[:MOST_SHOWN]
        by_check[found.check] = CheckResult(
            found.check,
            so_far.num_violations + found.num_violations,
            violations,
            so_far.num_unchecked + found.num_unchecked,
        )
    return tuple(by_check.values())


__all__ = ["CHECKS", "OF_FILES", "CheckResult", "Ledger", "LedgerViolation", "added_results", "check_ledger"]
