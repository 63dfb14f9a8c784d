"""Checks of single entries against their book: that the rule exists, applies, and gives what the entry states."""

from collections.abc import Iterator

import numpy as np

from rules.book import Book, Rule
from rules.compile import FIXED_LABELS
from rules.conditions import conditions_of, outcome
from rules.events import PARTIES
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
from scoring.invariant_columns import Columns, Ledger, Places, at_entries

NOBODY, RIDER = PARTIES.index("nobody"), PARTIES.index("rider")


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
    yield from at_entries(ledger, unknown, "book_digest", "a file in books/", "none")
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
    yield from at_entries(ledger, fits[where] == 0, "rule_id", "a rule of the book", rule_names)
    kinds_found = np.array(ENTRY_KINDS, object)[columns.of_kind]
    yield from at_entries(ledger, fits[where] == 2, "kind_of_rule", rule_names, kinds_found)
    kind_fits = (columns.kind == columns.of_kind) | np.isin(columns.kind, (REVERSE, REENTER))
    yield from at_entries(ledger, ~kind_fits, "of_kind", np.array(ENTRY_KINDS, object)[columns.kind], kinds_found)


def amounts(ledger: Ledger) -> Iterator[Places]:
    """Amounts fit the kind: an award gives, a deduction takes, a review moves nothing, only rules and bonuses pay."""
    columns = ledger.columns
    delta, money, kind = columns.delta_mp * columns.sign, columns.money_fen * columns.sign, columns.of_kind
    yield from at_entries(ledger, np.isin(kind, (AWARD, FADE, TRAINING)) & (delta < 0), "delta_mp", ">= 0", delta)
    yield from at_entries(ledger, (kind == DEDUCT) & (delta > 0), "delta_mp", "<= 0", delta)
    yield from at_entries(ledger, (kind == REVIEW) & (delta != 0), "delta_mp", "0", delta)
    yield from at_entries(ledger, ~np.isin(kind, (AWARD, DEDUCT)) & (money != 0), "money_fen", "0", money)
    labels = np.array([*columns.rules, ""], object)[columns.rule]
    up, down = (kind == CLAMP) & (labels == "floor"), (kind == CLAMP) & (labels == "ceiling")
    yield from at_entries(ledger, (up & (delta <= 0)) | (down & (delta >= 0)), "delta_mp", "back into range", delta)
    spared = (columns.given_s < 0) | (columns.given_s > columns.late_s)
    yield from at_entries(ledger, spared, "time_given_back_s", "0 … late_s", columns.given_s)


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
        rule_of_line = next((rule for rule in book.model.rule if rule.id == columns.rules[label]), None)
        tier = next((tier for tier in book.model.tier if f"tier:{tier.id}" == columns.rules[label]), None)
        if rule_of_line is not None:
            points, other = (_points(rule_of_line, late) for late in _counted_late(columns, rows, book))
            waived = (columns.of_kind[rows] == DEDUCT) & (delta[rows] == 0)
            bad_delta[rows] = (delta[rows] != points) & (delta[rows] != other) & ~waived
            wanted[rows] = points
        if tier is not None:
            bonus[rows] = tier.bonus_fen
            bad_money[rows] = money[rows] != tier.bonus_fen
    yield from at_entries(ledger, bad_delta, "rule_points_mp", wanted, delta)
    yield from at_entries(ledger, bad_money, "bonus_fen", bonus, money)


def liability_stated(ledger: Ledger) -> Iterator[Places]:
    """Lateness and liable party of an entry fit each other, and the conditions of the rule that wrote it.

    A delivery on time is nobody's fault, a late one somebody's, and the rider's only if time remains. Entries that were
    entered again are left out: an upheld appeal leaves the lateness and clears the rider.
    """
    columns = ledger.columns
    n = columns.rider.size
    if not n:
        return
    pair = columns.book * (len(columns.rules) + 1) + columns.rule
    plain = (columns.kind == columns.of_kind) & np.isin(columns.kind, (AWARD, DEDUCT))
    parties = np.array([*PARTIES, "?"], object)
    remaining = columns.late_s - columns.given_s
    clean, blamed, met = np.ones(n, bool), np.ones(n, bool), np.ones(n, bool)
    for value in np.unique(pair[plain]).tolist():
        position, label = divmod(value, len(columns.rules) + 1)
        book = columns.known[position]
        own = None if book is None else next((one for one in book.model.rule if one.id == columns.rules[label]), None)
        if book is None or own is None:
            continue
        rows = np.flatnonzero((pair == value) & plain)
        late_s, party = columns.late_s[rows], columns.party[rows]
        if set(own.kind) == {"delivered"}:
            clean[rows] = (late_s == 0) == (party == NOBODY)
            if book.model.unknown_kitchen == "exempt":
                # Late, and nobody knows why.
                clean[rows] |= (party == NOBODY) & (remaining[rows] > 0)
            blamed[rows] = (party != RIDER) | (remaining[rows] > 0)
        stated, exempt = _counted_late(columns, rows, book)
        for test in conditions_of(own, book.model):
            if test.fact == "late_s":
                met[rows] &= ((stated >= test.lo) & (stated <= test.hi)) | ((exempt >= test.lo) & (exempt <= test.hi))
            elif test.fact == "liable":
                met[rows] &= np.isin(party, list(test.codes or ()))
    yield from at_entries(ledger, ~clean, "liable_party", "nobody only if on time", parties[columns.party])
    yield from at_entries(ledger, ~blamed, "liable_party", "rider only if time remains", parties[columns.party])
    yield from at_entries(ledger, ~met, "rule_conditions", "met by lateness and liable party", remaining)


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
    yield from at_entries(ledger, bad, "liable_party", "rider", np.array([*PARTIES, "?"], object)[columns.party])


def no_fines(ledger: Ledger) -> Iterator[Places]:
    """Money is taken under a book of the legacy regime only (GB/T 46862-2025, 7.2.8)."""
    columns = ledger.columns
    legacy = columns.of_books(lambda book: int(book.model.regime == "legacy"), 0) == 1
    yield from at_entries(
        ledger, ~legacy & (columns.money_fen * columns.sign < 0), "money_fen", ">= 0", columns.money_fen
    )
