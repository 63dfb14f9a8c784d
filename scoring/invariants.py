"""Named checks over any ledger, from its files alone: what must hold whoever wrote it.

Each check is a function from a `Ledger` to violations, as values; none stops at the first. The columns are read once
and checked as arrays. What needs the history before a ledger that continues another is left out there.
"""

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from rules.book import Book, Rule
from rules.compile import FIXED_LABELS, outcome
from rules.events import PARTIES, RIDER_KINDS
from scoring.columns import (
    AWARD,
    CAP,
    CLAMP,
    DEDUCT,
    ENTRY_KINDS,
    FADE,
    I64,
    REENTER,
    RESET,
    REVERSE,
    REVIEW,
    TRAINING,
)
from scoring.hashing import hash_strings
from scoring.invariant_columns import Columns, Flags, Ledger, coded, codes_in, grouped, ints
from scoring.ledger import Identity, entry_ids, fines_and_bonus, points_and_money, standing_figures, text_hashes

MOST_SHOWN = 20
RIDER = PARTIES.index("rider")


@dataclass(frozen=True, slots=True)
class Violation:
    """One place where a ledger does not hold: rider, number of the entry (None: the rider's row), and what differs."""

    rider: str
    seq: int | None
    what: str
    expected: str
    found: str


@dataclass(frozen=True, slots=True)
class Found:
    """The outcome of one check: how many violations, the first of them."""

    check: str
    num_violations: int
    violations: tuple[Violation, ...]

    @property
    def holds(self) -> bool:
        """Whether there is none."""
        return self.num_violations == 0


Places = tuple[int, list[Violation]]
"""How many places do not hold, and the first of them."""
Check = Callable[[Ledger], Iterator[Places]]


def _named(ledger: Ledger, rider: int) -> str:
    return "?" if rider < 0 else str(ledger.riders.column("rider_id")[int(rider)].as_py())


def _at(ledger: Ledger, bad: Flags, what: str, expected: np.ndarray | str, found: np.ndarray | str) -> Iterator[Places]:
    """Violations at the entries marked; `expected` and `found` are columns or one word for all."""
    rows = np.flatnonzero(bad)
    if not rows.size:
        return
    columns = ledger.columns
    yield (
        rows.size,
        [
            Violation(_named(ledger, columns.rider[i]), int(columns.seq[i]), what, _word(expected, i), _word(found, i))
            for i in rows[:MOST_SHOWN].tolist()
        ],
    )


def _of_riders(
    ledger: Ledger, bad: Flags, what: str, expected: np.ndarray | str, found: np.ndarray | str
) -> Iterator[Places]:
    """Violations at the rows of the riders table that are marked."""
    rows = np.flatnonzero(bad)
    if not rows.size:
        return
    yield (
        rows.size,
        [
            Violation(_named(ledger, i), None, what, _word(expected, i), _word(found, i))
            for i in rows[:MOST_SHOWN].tolist()
        ],
    )


def _of_ledger(bad: bool, what: str, expected: object, found: object) -> Iterator[Places]:
    """A violation of the ledger as a whole."""
    if bad:
        yield 1, [Violation("", None, what, str(expected), str(found))]


def _word(column: np.ndarray | str, row: int) -> str:
    return column if isinstance(column, str) else str(column[row])


def _sums(ledger: Ledger, values: np.ndarray) -> I64:
    """Sum of a column of the entries by row of the riders table."""
    rider = ledger.columns.rider
    known = rider >= 0
    out = np.zeros(ledger.riders.num_rows, np.int64)
    np.add.at(out, rider[known], values[known])
    return out


def sequence(ledger: Ledger) -> Iterator[Places]:
    """Entries stand by rider and number; a rider's numbers follow each other, from 1 in a whole ledger."""
    columns = ledger.columns
    names = ledger.riders.column("rider_id").to_pylist()
    ascending = all(a < b for a, b in itertools.pairwise(name.encode() for name in names))
    yield from _of_ledger(not ascending, "riders_order", "rider_id ascending", "not ascending")
    yield from _at(ledger, columns.rider < 0, "rider_missing", "a row in riders.parquet", "none")
    backwards = np.concatenate([[False], columns.rider[1:] < columns.rider[:-1]])[: columns.rider.size]
    yield from _at(ledger, backwards, "entries_order", "after the riders before", "out of order")
    before = np.concatenate([[0], columns.seq[:-1]])[: columns.seq.size]
    wanted = np.where(columns.starts, columns.seq if not ledger.is_whole else 1, before + 1)
    yield from _at(ledger, columns.seq != wanted, "seq", wanted, columns.seq)


def running_score(ledger: Ledger) -> Iterator[Places]:
    """Opening score plus the running sum of deltas is the score after every entry, and the rider's score at the end."""
    columns, riders = ledger.columns, ledger.riders
    opening, final = ints(riders, "opening_score_mp"), ints(riders, "score_mp")
    if columns.rider.size:
        total = np.cumsum(columns.delta_mp)
        first = np.maximum.accumulate(np.where(columns.starts, np.arange(total.size), 0))
        wanted = opening[columns.rider] + total - total[first] + columns.delta_mp[first]
        yield from _at(
            ledger, (columns.after_mp != wanted) & (columns.rider >= 0), "score_after_mp", wanted, columns.after_mp
        )
    wanted = opening + _sums(ledger, columns.delta_mp)
    yield from _of_riders(ledger, final != wanted, "score_mp", wanted, final)


def opening_score(ledger: Ledger) -> Iterator[Places]:
    """A rider without history opens at the base of a book of the ledger."""
    if ledger.is_whole:
        opening = ints(ledger.riders, "opening_score_mp")
        bases = sorted({book.model.score.base_mp for book in ledger.books.values()})
        yield from _of_riders(
            ledger, ~np.isin(opening, bases), "opening_score_mp", ", ".join(str(base) for base in bases), opening
        )


def within_range(ledger: Ledger) -> Iterator[Places]:
    """After the last entry of each event the score lies within floor and ceiling.

    The limits are those of the entry's book. A fade names the book of the faded event and a reversal that of the event
    concerned, while the score follows the rider's present book: there, the widest limits of the ledger's books count.
    """
    columns = ledger.columns
    if not columns.rider.size:
        return
    order, first = grouped(columns.rider, columns.event)
    last = np.zeros(order.size, bool)
    last[order[np.concatenate([first[1:], [True]])]] = True
    scales = [book.model.score for book in ledger.books.values()]
    elsewhere = np.isin(columns.kind, (FADE, REVERSE, REENTER))
    far = 2**40
    floor = columns.of_books(lambda book: book.model.score.floor_mp, -far)
    ceiling = columns.of_books(lambda book: book.model.score.ceiling_mp, far)
    floor = np.where(elsewhere, min((scale.floor_mp for scale in scales), default=-far), floor)
    ceiling = np.where(elsewhere, max((scale.ceiling_mp for scale in scales), default=far), ceiling)
    yield from _at(ledger, last & (columns.after_mp < floor), "floor", floor, columns.after_mp)
    yield from _at(ledger, last & (columns.after_mp > ceiling), "ceiling", ceiling, columns.after_mp)


def identity(ledger: Ledger) -> Iterator[Places]:
    """Every entry_id is the hash of what it identifies, and stands once."""
    columns, table = ledger.columns, ledger.entries
    if not columns.rider.size:
        return
    wanted = entry_ids(
        Identity(
            rider=columns.rider,
            riders=hash_strings(ledger.riders.column("rider_id")),
            book=columns.book,
            books=text_hashes(columns.digests),
            rule=columns.rule,
            rules=text_hashes(columns.rules),
            event=columns.event,
            cause=columns.cause,
            kinds=columns.kind * 16 + columns.of_kind,
            at_us=np.ascontiguousarray(columns.at_us),
        )
    )
    found = table.column("entry_id")
    same = pc.equal(found, pa.chunked_array([wanted])).fill_null(False).to_numpy()
    for i in np.flatnonzero(~same)[:MOST_SHOWN]:
        yield from _at(
            ledger, np.arange(same.size) == i, "entry_id", wanted[int(i)].as_py(), str(found[int(i)].as_py())
        )
    rest = int((~same).sum()) - MOST_SHOWN
    if rest > 0:
        yield rest, []
    key = hash_strings(found)
    order = np.argsort(key, kind="stable")
    repeated = np.zeros(key.size, bool)
    repeated[order[1:]] = key[order[1:]] == key[order[:-1]]
    yield from _at(ledger, repeated, "entry_id_repeated", "once", "again")


def _allowed_kinds(book: Book) -> dict[str, set[int]]:
    """Rule ids that entries under a book may name, and the kinds of entry each may be."""
    model = book.model
    allowed: dict[str, set[int]] = {rule.id: {AWARD, DEDUCT} for rule in model.rule}
    allowed |= {cap.id: {CAP} for cap in model.cap} | {group.id: {CAP} for group in model.group}
    allowed |= {f"tier:{tier.id}": {AWARD, REVIEW} for tier in model.tier}
    kinds = (RESET, CAP, CAP, CLAMP, CLAMP, FADE, RESET, TRAINING)
    return allowed | {label: {kind} for label, kind in zip(FIXED_LABELS, kinds, strict=True)}


def rules_known(ledger: Ledger) -> Iterator[Places]:
    """Every entry names a book of the ledger, a rule of that book or a fixed label, and a kind that such a rule writes."""
    columns = ledger.columns
    if not columns.rider.size:
        return
    unknown = np.array([book is None for book in columns.known] or [True])[columns.book] | (columns.book < 0)
    yield from _at(ledger, unknown, "book_digest", "a file in books/", "none")
    pair = (columns.book * (len(columns.rules) + 1) + columns.rule) * len(ENTRY_KINDS) + columns.of_kind
    values, where = np.unique(pair, return_inverse=True)
    fits = np.ones(values.size, np.int8)
    for k, value in enumerate(values.tolist()):
        rest, of_kind = divmod(value, len(ENTRY_KINDS))
        position, rule = divmod(rest, len(columns.rules) + 1)
        book = columns.known[position]
        if book is not None:
            kinds = _allowed_kinds(book).get(columns.rules[rule])
            fits[k] = 0 if kinds is None else 1 if of_kind in kinds else 2
    rule_names = np.array(columns.rules, object)[columns.rule]
    yield from _at(ledger, fits[where] == 0, "rule_id", "a rule of the book", rule_names)
    kinds_found = np.array(ENTRY_KINDS, object)[columns.of_kind]
    yield from _at(ledger, fits[where] == 2, "kind_of_rule", rule_names, kinds_found)
    own = (columns.kind == columns.of_kind) | np.isin(columns.kind, (REVERSE, REENTER))
    yield from _at(ledger, ~own, "of_kind", np.array(ENTRY_KINDS, object)[columns.kind], kinds_found)


def amounts(ledger: Ledger) -> Iterator[Places]:
    """Amounts fit the kind: an award gives, a deduction takes, a review moves nothing, only rules and bonuses pay."""
    columns = ledger.columns
    delta, money, kind = columns.delta_mp * columns.sign, columns.money_fen * columns.sign, columns.of_kind
    yield from _at(ledger, np.isin(kind, (AWARD, FADE, TRAINING)) & (delta < 0), "delta_mp", ">= 0", delta)
    yield from _at(ledger, (kind == DEDUCT) & (delta > 0), "delta_mp", "<= 0", delta)
    yield from _at(ledger, (kind == REVIEW) & (delta != 0), "delta_mp", "0", delta)
    yield from _at(ledger, ~np.isin(kind, (AWARD, DEDUCT)) & (money != 0), "money_fen", "0", money)
    labels = np.array([*columns.rules, ""], object)[columns.rule]
    up, down = (kind == CLAMP) & (labels == "floor"), (kind == CLAMP) & (labels == "ceiling")
    yield from _at(ledger, (up & (delta <= 0)) | (down & (delta >= 0)), "delta_mp", "back into range", delta)
    spared = (columns.given_s < 0) | (columns.given_s > columns.late_s)
    yield from _at(ledger, spared, "time_given_back_s", "0 … late_s", columns.given_s)


def points_of_rules(ledger: Ledger) -> Iterator[Places]:
    """An entry of a rule has the rule's points for the lateness that the entry states; a bonus is its tier's.

    An upheld appeal leaves a deduction at 0. Where a sliding scale meets an order that somebody else answers for, the
    lateness that counted is not in the entry: either end of what it may have been is accepted.
    """
    columns = ledger.columns
    n = columns.rider.size
    if not n:
        return
    delta, money = columns.delta_mp * columns.sign, columns.money_fen * columns.sign
    pair = columns.book * (len(columns.rules) + 1) + columns.rule
    wanted, bad_delta, bad_money = delta.copy(), np.zeros(n, bool), np.zeros(n, bool)
    bonus = money.copy()
    ruled = np.isin(columns.of_kind, (AWARD, DEDUCT))
    for value in np.unique(pair).tolist():
        position, label = divmod(value, len(columns.rules) + 1)
        book = columns.known[position]
        if book is None:
            continue
        rows = np.flatnonzero((pair == value) & ruled)
        own = next((rule for rule in book.model.rule if rule.id == columns.rules[label]), None)
        tier = next((tier for tier in book.model.tier if f"tier:{tier.id}" == columns.rules[label]), None)
        if own is not None:
            points, other = (_points(own, late) for late in _counted_late(columns, rows, book))
            waived = (columns.of_kind[rows] == DEDUCT) & (delta[rows] == 0)
            bad_delta[rows] = (delta[rows] != points) & (delta[rows] != other) & ~waived
            wanted[rows] = points
        if tier is not None:
            bonus[rows] = tier.bonus_fen
            bad_money[rows] = money[rows] != tier.bonus_fen
    yield from _at(ledger, bad_delta, "rule_points_mp", wanted, delta)
    yield from _at(ledger, bad_money, "bonus_fen", bonus, money)


def _counted_late(columns: Columns, rows: I64, book: Book) -> tuple[I64, I64]:
    """The lateness (s) that a rule saw: as the entry states it, and what it is for an exempt order."""
    late_s = columns.late_s[rows]
    if book.model.lateness == "gross":
        return late_s, late_s
    return late_s - columns.given_s[rows], np.where(columns.party[rows] == RIDER, late_s - columns.given_s[rows], 0)


def _points(rule: Rule, late_s: I64) -> I64:
    """Points (mp) of a rule at each lateness."""
    values, where = np.unique(late_s, return_inverse=True)
    points: I64 = np.array([outcome(rule, value, 0)[0] for value in values.tolist()], np.int64)[where]
    return points


def only_the_liable(ledger: Ledger) -> Iterator[Places]:
    """Under a book that counts remaining lateness nothing is deducted, points or money, unless the rider is liable."""
    columns = ledger.columns
    remaining = columns.of_books(lambda book: int(book.model.lateness == "remaining"), 0) == 1
    takes = (columns.delta_mp * columns.sign < 0) | (columns.money_fen * columns.sign < 0)
    bad = remaining & (columns.of_kind == DEDUCT) & takes & (columns.party != PARTIES.index("rider"))
    yield from _at(ledger, bad, "liable_party", "rider", np.array([*PARTIES, "?"], object)[columns.party])


def no_fines(ledger: Ledger) -> Iterator[Places]:
    """Money is taken under a book of the legacy regime only (GB/T 46862-2025, 7.2.8)."""
    columns = ledger.columns
    legacy = columns.of_books(lambda book: int(book.model.regime == "legacy"), 0) == 1
    yield from _at(ledger, ~legacy & (columns.money_fen * columns.sign < 0), "money_fen", ">= 0", columns.money_fen)


def reversals(ledger: Ledger) -> Iterator[Places]:
    """A reversal takes back exactly the standing entry of its event and rule; nothing is entered twice.

    In a ledger that goes on from a carried state, what is taken back may stand in an earlier one.
    """
    columns = ledger.columns
    n = columns.rider.size
    if not n:
        return
    order, first = grouped(columns.rider, columns.event, columns.rule, columns.of_kind, columns.at_us)
    taken = columns.kind[order] == REVERSE
    before = np.concatenate([[0], order[:-1]])
    whole = ledger.is_whole
    bad = np.zeros(n, bool)
    bad[order] = taken & np.where(first, whole, np.concatenate([[False], taken[:-1]]))
    yield from _at(ledger, bad, "reverse", "an entry that stands", "none")
    bad = np.zeros(n, bool)
    bad[order] = ~first & ~taken & ~np.concatenate([[False], taken[:-1]])
    yield from _at(ledger, bad, "entered_twice", "once", "again")
    for what, column in (("reverse_delta_mp", columns.delta_mp), ("reverse_money_fen", columns.money_fen)):
        wanted = np.zeros(n, np.int64)
        wanted[order] = -column[before]
        bad = np.zeros(n, bool)
        bad[order] = taken & ~first & (column[order] != -column[before])
        yield from _at(ledger, bad, what, wanted, column)


def standing(ledger: Ledger) -> Iterator[Places]:
    """Tier and on-time orders to the next tier and back to base follow from score, book and rider kind."""
    riders = ledger.riders
    book, digests = coded(riders.column("book_digest"))
    known = [ledger.books.get(digest) for digest in digests]
    missing = np.array([one is None for one in known] or [True])[book] | (book < 0)
    yield from _of_riders(ledger, missing, "book_digest", "a file in books/", "none")
    if missing.any() or not riders.num_rows:
        return
    kind = codes_in(riders.column("rider_kind"), RIDER_KINDS)
    wanted = standing_figures([one for one in known if one is not None], book, kind, ints(riders, "score_mp"))
    tier = np.array(riders.column("tier").to_pylist(), object)
    yield from _of_riders(ledger, tier != wanted.tier, "tier", wanted.tier, tier)
    for name, orders in (
        ("on_time_orders_to_next_tier", wanted.to_next_tier),
        ("on_time_orders_to_recover", wanted.to_recover),
    ):
        found = ints(riders, name)
        yield from _of_riders(ledger, found != orders, name, orders, found)


def review_flag(ledger: Ledger) -> Iterator[Places]:
    """A review is asked for exactly where the score lies in a tier that asks for it, once anything was scored."""
    columns, riders = ledger.columns, ledger.riders
    if not ledger.is_whole:
        return
    book, digests = coded(riders.column("book_digest"))
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
    yield from _of_riders(ledger, seen & (found != asked), "review_required", asked, found)


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
    fines, bonus = fines_and_bonus(fines, bonus)
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
        yield from _of_riders(ledger, found != values, name, values, found)


def recorded_once(ledger: Ledger) -> Iterator[Places]:
    """A run records all its entries at one instant, that of `run.json`."""
    recorded = ints(ledger.entries, "recorded_us")
    as_of = ledger.run.get("as_of_us")
    if recorded.size and as_of is not None:
        yield from _at(ledger, recorded != as_of, "recorded_us", str(as_of), recorded)


def books_named(ledger: Ledger) -> Iterator[Places]:
    """Each book's file is named by the digest of its content, and `run.json` names the same books."""
    for digest, book in ledger.books.items():
        yield from _of_ledger(book.digest != digest, "books_file", book.digest, digest)
    named = {book.get("digest") for book in ledger.run.get("books", ())}
    missing = sorted(str(digest) for digest in named - set(ledger.books))
    yield from _of_ledger(bool(missing), "run_books", "a file in books/", ", ".join(missing))


def counted(ledger: Ledger) -> Iterator[Places]:
    """The counts of `run.json` are those of the files."""
    counts = ledger.run.get("counts", {})
    found = {"entries": ledger.entries.num_rows, "riders": ledger.riders.num_rows, "rejected": ledger.num_rejects}
    for name, number in found.items():
        yield from _of_ledger(counts.get(name) != number, f"counts.{name}", number, counts.get(name))
    rejected = sum(ledger.run.get("rejected", {}).values())
    yield from _of_ledger(rejected != ledger.num_rejects, "rejected", ledger.num_rejects, rejected)


CHECKS: tuple[Check, ...] = (
    sequence,
    running_score,
    opening_score,
    within_range,
    identity,
    rules_known,
    amounts,
    points_of_rules,
    only_the_liable,
    no_fines,
    reversals,
    standing,
    review_flag,
    sums,
    recorded_once,
    books_named,
    counted,
)


def check_ledger(ledger: Ledger) -> tuple[Found, ...]:
    """Run every check; a result each, in the order of `CHECKS`."""
    results = []
    for check in CHECKS:
        number, violations = 0, []
        for more, shown in check(ledger):
            number += more
            violations += shown
        results.append(Found(check.__name__, number, tuple(violations[:MOST_SHOWN])))
    return tuple(results)


__all__ = ["CHECKS", "Found", "Ledger", "Violation", "check_ledger"]
