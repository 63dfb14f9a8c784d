"""The same deliveries under two books: per rider, in sum, by score band, and who gains or loses.

Reads two results of `score` over the same rows and adds up; judges nothing itself. Differences are B − A.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from rules.book import Book
from rules.compile import Program
from rules.events import PARTY_CODE
from scoring.columns import I64, NO_EVENT, REVERSE
from scoring.distribution import Distribution, distribution, exact_sum
from scoring.kernel import DELIVERED
from scoring.ledger import riders_table
from scoring.score import ScoredRun

RIDER = PARTY_CODE["rider"]
LATE, EXEMPT = 1, 2
# What is set side by side, per rider and in sum. Units are the names' endings.
AMOUNTS = (
    "fees_fen",
    "fines_fen",
    "fines_not_liable_fen",
    "bonus_fen",
    "income_fen",
    "opening_score_mp",
    "score_mp",
    "points_awarded_mp",
    "points_deducted_mp",
    "num_on_time",
    "num_late",
    "num_exempt",
    "late_s",
    "exempted_late_s",
)
# The deliveries and their fees are the same under every book: one column serves both.
COMMON = ("num_delivered", "fees_fen")


@dataclass(frozen=True, slots=True)
class Movement:
    """How many riders have more, less or the same under B, and the sums of what they gain and lose (≥ 0)."""

    num_gain: int
    num_lose: int
    num_same: int
    gain: int
    lose: int


@dataclass(frozen=True, slots=True)
class TierBand:
    """Riders of one tier under the book that has tiers: a description, since the tier is an outcome itself.

    `priority_permille` is the dispatch priority that the book gives the tier (the lowest, where books in use differ); the deliveries compared here happened
    without it, so a low priority is income that a comparison of the same deliveries cannot show.
    """

    tier: str
    priority_permille: int
    num_riders: int
    num_delivered: int
    fees_fen: int
    fines_a_fen: int
    fines_b_fen: int
    bonus_a_fen: int
    bonus_b_fen: int
    income_a_fen: int
    income_b_fen: int


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two books over the same deliveries.

    Parameters
    ----------
    riders
        One row a rider: `rider_id`, `city`, `rider_kind`, `num_delivered`, `fees_fen`, then each amount and `tier` as
        `_a`, `_b` and (amounts) `_diff`, `moved_tier`, `book_digest_a`, `book_digest_b`.
    num_delivered
        Deliveries of all riders.
    totals
        Amount → sums under A and B; the columns of `riders`.
    income
        Distribution of income over riders under A and B, and of the difference.
    income_moves, score_moves
        Who gains and who loses, in fen and in milli-points earned (score less opening score, since bases may differ).
    tiers
        (tier under A, tier under B) → riders.
    bands
        By tier of `band_book` ("a" or "b"), lowest first.
    band_book
        Whose tiers the bands are: `a` or `b`.
    """

    riders: pa.Table
    num_delivered: int
    totals: dict[str, tuple[int, int]]
    income: tuple[Distribution, Distribution, Distribution]
    income_moves: Movement
    score_moves: Movement
    tiers: dict[tuple[str, str], int]
    bands: tuple[TierBand, ...]
    band_book: str


def compare(a: ScoredRun, b: ScoredRun) -> Comparison:
    """Set two results side by side.

    Parameters
    ----------
    a, b
        Results of `score` over the same rows with nothing carried in; both must have kept the same rows.

    Returns
    -------
    Comparison
        Totals, distributions and moves of B against A.

    Raises
    ------
    ValueError
        If the rows differ (one book refused what the other scored).
    """
    return summed(side_by_side(a, b), a.program, b.program)


def side_by_side(a: ScoredRun, b: ScoredRun) -> pa.Table:
    """`Comparison.riders` of two results, which may be of some of the riders.

    Parameters
    ----------
    a, b
        As for `compare`.

    Returns
    -------
    pa.Table
        A row per rider with both sides and their differences.

    Raises
    ------
    ValueError
        If the rows differ (one book refused what the other scored).
    """
    if not a.prepared.same_rows(b.prepared):
        raise ValueError("the two results are not over the same rows")
    return _side_by_side(_outcomes(a, b), _outcomes(b, a))


def summed(riders: pa.Table, a: Program, b: Program) -> Comparison:
    """The comparison of all riders from their rows alone.

    Parameters
    ----------
    riders
        Rows of `side_by_side` in any order, put together from any split of the riders; differences and who the riders
        are may be left out.
    a, b
        The books of the two results.

    Returns
    -------
    Comparison
        As `compare` gives it for all of them at once.
    """
    income_a, income_b = (_of_side(riders, "income_fen", side) for side in ("a", "b"))
    earned = [_of_side(riders, "score_mp", side) - _of_side(riders, "opening_score_mp", side) for side in ("a", "b")]
    used_a, used_b = books_in_use(riders, a, "book_digest_a"), books_in_use(riders, b, "book_digest_b")
    tiers = Counter(zip(riders.column("tier_a").to_pylist(), riders.column("tier_b").to_pylist(), strict=True))
    band_book = "b" if len(tier_order(used_b)) >= len(tier_order(used_a)) else "a"
    return Comparison(
        riders=riders,
        num_delivered=exact_sum(_ints(riders, "num_delivered")),
        totals={
            name: (exact_sum(_of_side(riders, name, "a")), exact_sum(_of_side(riders, name, "b"))) for name in AMOUNTS
        },
        income=(distribution(income_a), distribution(income_b), distribution(income_b - income_a)),
        income_moves=movement(income_b - income_a),
        score_moves=movement(earned[1] - earned[0]),
        tiers=_ranked_tiers(tiers, used_a, used_b),
        bands=_bands(riders, band_book, used_b if band_book == "b" else used_a),
        band_book=band_book,
    )


def summed_columns() -> tuple[str, ...]:
    """The columns of `Comparison.riders` that `summed` reads.

    Returns
    -------
    tuple[str, ...]
        Names.
    """
    sides = [f"{name}_{side}" for name in AMOUNTS if name not in COMMON for side in ("a", "b")]
    return (*COMMON, *sides, "tier_a", "tier_b", "book_digest_a", "book_digest_b")


def movement(difference: I64) -> Movement:
    """Count gains and losses."""
    more, less = difference > 0, difference < 0
    return Movement(
        num_gain=int(more.sum()),
        num_lose=int(less.sum()),
        num_same=int((difference == 0).sum()),
        gain=exact_sum(difference[more]),
        lose=-exact_sum(difference[less]),
    )


@dataclass(frozen=True, slots=True)
class TierMoves:
    """Riders whose tier rises, falls, stays, or has no counterpart in the other book."""

    num_up: int
    num_down: int
    num_same: int
    num_not_comparable: int


def tier_moves(tiers: dict[tuple[str, str], int], books: Sequence[Book]) -> TierMoves:
    """Count moves between tiers, as `Comparison.tiers` has them, in the order of the tiers of B's `books`.

    Parameters
    ----------
    tiers
        Number of riders by (tier under A, tier under B).
    books
        The books of B, whose tiers say which is higher.

    Returns
    -------
    TierMoves
        Counts of riders.
    """
    place = {tier: k for k, tier in enumerate(tier_order(books))}
    counts: Counter[str] = Counter()
    for (before, after), num in tiers.items():
        if before not in place or after not in place:
            counts["num_not_comparable"] += num
        else:
            step = place[after] - place[before]
            counts["num_same" if step == 0 else "num_up" if step > 0 else "num_down"] += num
    return TierMoves(counts["num_up"], counts["num_down"], counts["num_same"], counts["num_not_comparable"])


def tier_order(books: Sequence[Book]) -> tuple[str, ...]:
    """Ids of all tiers of some books, lowest first within each book."""
    return tuple(dict.fromkeys(tier.id for book in books for tier in book.model.tier))


def books_in_use(riders: pa.Table, program: Program, column: str = "book_digest") -> tuple[Book, ...]:
    """The books under which riders stand at the end; with a deployment table a few of many.

    Parameters
    ----------
    riders
        A riders table, or rows of `side_by_side`.
    program
        The books that their digests are among.
    column
        Name of the column of digests.

    Returns
    -------
    tuple[Book, ...]
        In the order of the program.
    """
    digests = set(riders.column(column).unique().to_pylist())
    return tuple(book for book in program.books if book.digest in digests)


def _ints(table: pa.Table, name: str) -> I64:
    return np.asarray(table.column(name).to_numpy(), np.int64)


def _of_side(riders: pa.Table, name: str, side: str) -> I64:
    return _ints(riders, name if name in COMMON else f"{name}_{side}")


def _outcomes(scored: ScoredRun, other: ScoredRun) -> pa.Table:
    """The riders of a result with what the ledger does not add up: seconds late, and whose fault the fines were."""
    num_riders = len(scored.prepared.riders)
    events, judged = scored.events, scored.liability
    rows = np.flatnonzero((events["kind"] == DELIVERED) & (scored.prepared.is_new == 1))
    rider, late_s = events["rider"][rows], judged["late_s"][rows].astype(np.int64)
    given_s = np.minimum(judged["given_s"][rows], late_s)
    exempt = (judged["exempt"][rows] != 0) | (events["waived"][rows] != 0)
    exempted_s = np.where(exempt, late_s, given_s)
    return (
        riders_table(scored)
        .append_column("late_s", pa.array(_sums(rider, late_s, num_riders)))
        .append_column("exempted_late_s", pa.array(_sums(rider, exempted_s, num_riders)))
        .append_column("fines_not_liable_fen", pa.array(_fines_not_liable(scored, other, num_riders)))
    )


def _fines_not_liable(scored: ScoredRun, other: ScoredRun, num_riders: int) -> I64:
    """Money taken for events of which one of the two books says that the rider does not answer for them.

    A book that fines gross lateness may know no reports: then the other book's reading of the reports counts.
    """
    entries = scored.entries
    sign = np.where(entries["kind"] == REVERSE, -1, 1)
    fines = np.maximum(-entries["money_fen"].astype(np.int64) * sign, 0) * sign
    row = entries["ev"]
    known = (fines != 0) & (row > NO_EVENT)
    row = np.maximum(row, 0)
    by_rider = (scored.liability["party"][row] == RIDER) & (other.liability["party"][row] == RIDER)
    chosen = known & ~by_rider
    return _sums(entries["rider"][chosen], fines[chosen], num_riders)


def _sums(rider: np.ndarray, values: I64, num_riders: int) -> I64:
    # Rows stand by rider, so a running sum read at the riders' ends is exact; bincount would go through floats.
    ends = np.searchsorted(rider, np.arange(num_riders + 1))
    running = np.concatenate([np.zeros(1, np.int64), np.cumsum(values)])
    return np.diff(running[ends])


def _side_by_side(under_a: pa.Table, under_b: pa.Table) -> pa.Table:
    columns: dict[str, pa.Array] = {name: under_a.column(name) for name in ("rider_id", "city", "rider_kind", *COMMON)}
    for name in AMOUNTS:
        if name in COMMON:
            continue
        a, b = _ints(under_a, name), _ints(under_b, name)
        columns |= {f"{name}_a": pa.array(a), f"{name}_b": pa.array(b), f"{name}_diff": pa.array(b - a)}
    a_tier, b_tier = under_a.column("tier"), under_b.column("tier")
    moved = np.array(a_tier.to_pylist(), object) != np.array(b_tier.to_pylist(), object)
    columns |= {"tier_a": a_tier, "tier_b": b_tier, "moved_tier": pa.array(moved.astype(bool))}
    columns |= {f"book_digest_{side}": table.column("book_digest") for side, table in (("a", under_a), ("b", under_b))}
    return pa.table(columns)


def _ranked_tiers(tiers: Counter[tuple[str, str]], a: Sequence[Book], b: Sequence[Book]) -> dict[tuple[str, str], int]:
    place_a, place_b = ({tier: k for k, tier in enumerate(tier_order(books))} for books in (a, b))
    return {pair: tiers[pair] for pair in sorted(tiers, key=lambda pair: (place_a[pair[0]], place_b[pair[1]]))}


def _bands(riders: pa.Table, band_book: str, books: Sequence[Book]) -> tuple[TierBand, ...]:
    tier_of = np.array(riders.column(f"tier_{band_book}").to_pylist(), object)
    rows = [tier for book in books for tier in book.model.tier]
    priority = {row.id: min(other.priority_permille for other in rows if other.id == row.id) for row in rows}
    return tuple(
        _band(riders, tier, priority[tier], tier_of == tier) for tier in tier_order(books) if (tier_of == tier).any()
    )


def _band(riders: pa.Table, tier: str, priority_permille: int, inside: np.ndarray) -> TierBand:
    names: Sequence[str] = ("num_delivered", "fees_fen")
    amounts = ("fines", "bonus", "income")
    sums = {name: exact_sum(_ints(riders, name)[inside]) for name in names}
    sums |= {
        f"{name}_{side}_fen": exact_sum(_ints(riders, f"{name}_fen_{side}")[inside])
        for name in amounts
        for side in ("a", "b")
    }
    return TierBand(tier=tier, priority_permille=priority_permille, num_riders=int(inside.sum()), **sums)
