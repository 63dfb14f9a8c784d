"""The ledger as people and programs read it: a table of entries and a table of riders.

Columns are those of the interface; what stands beside them comes last. `entry_id` identifies an entry by its content:
event, book, rule, kind and what made it necessary, so that a replay cannot write it twice.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from rules.book import Book
from rules.calendar import calendar
from rules.compiled import compiled_with_runtime
from rules.conditions import on_time_award_mp
from rules.events import PARTIES, RIDER_KINDS
from scoring.columns import AWARD, CAP, CARRIED, DEDUCT, ENTRY_KINDS, I64, NO_EVENT, REVERSE, TRAINING, U64, Entries
from scoring.hashing import ID_LENGTH, fold_in, hash_pairs, hash_strings, write_ids
from scoring.kernel import DELIVERED
from scoring.ledger_columns import ENTRY_SCHEMA
from scoring.score import ScoredRun

# Entries that belong to no event are under `reset:DATE`.
RESET_PREFIX = "reset:"
# What a writer of files wants to know: columns whose values hardly repeat, that move by little, that look random.
UNIQUE = ("event_id",)
STEPWISE = ("seq", "score_after_mp", "occurred_us")
RANDOM = ("entry_id",)


def _dictionary(codes: np.ndarray, words: pa.Array | list[str] | tuple[str, ...], index: pa.DataType) -> pa.Array:
    values = words if isinstance(words, pa.Array) else pa.array(list(words), pa.string())
    return pa.DictionaryArray.from_arrays(pa.array(codes).cast(index), values.cast(pa.string()))


def _reset_names(scored: ScoredRun, rows: I64) -> list[str]:
    """`reset:DATE` of entries that belong to no event."""
    names: dict[tuple[int, int], str] = {}
    out: list[str] = []
    for book, at_us in zip(
        scored.entries["book"][rows].tolist(), scored.entries["item_us"][rows].tolist(), strict=True
    ):
        if (book, at_us) not in names:
            model = scored.program.books[book].model
            names[book, at_us] = (
                f"{RESET_PREFIX}{calendar(model.time_zone, model.day_starts).date_of(at_us).isoformat()}"
            )
        out.append(names[book, at_us])
    return out


def event_ids(scored: ScoredRun, ev: I64) -> pa.Array:
    """Event ids of entry references.

    Parameters
    ----------
    scored
        The run that the references are of.
    ev
        int64[n]: rows of the run, `CARRIED - k` for carried events, or `NO_EVENT`.

    Returns
    -------
    pa.Array
        n ids; null where there is no event.
    """
    if (ev == NO_EVENT).all():
        return pa.nulls(ev.size, pa.string())
    run_ids = scored.prepared.source.column("event_id").combine_chunks()
    run_ids = run_ids.combine_chunks() if isinstance(run_ids, pa.ChunkedArray) else run_ids
    names = run_ids.cast(pa.string())
    if len(scored.faded):
        names = pa.concat_arrays([names, scored.faded.cast(pa.string())])
    at = len(run_ids) + (CARRIED - ev)
    at[ev >= 0] = scored.prepared.order[ev[ev >= 0]]
    return names.take(pa.array(at, mask=ev == NO_EVENT))


def _entry_event_ids(scored: ScoredRun) -> pa.Array:
    ids = event_ids(scored, scored.entries["ev"])
    resets = np.flatnonzero(scored.entries["ev"] == NO_EVENT)
    if not resets.size:
        return ids
    names = pa.array(_reset_names(scored, resets), pa.string())
    at = np.arange(len(ids))
    at[resets] = len(ids) + np.arange(resets.size)
    return pa.concat_arrays([ids, names]).take(pa.array(at))


@dataclass(frozen=True, slots=True)
class Identity:
    """What entries are known by, one row each.

    Names are pairs of hashes (uint64[…, 2]). Those that repeat are held once: row i has the rider `riders[rider[i]]`, the
    book `books[book[i]]` and the rule `rules[rule[i]]`. `kinds` is `kind * 16 + of_kind`, `at_us` the time of the event or due instant concerned.
    """

    rider: NDArray[np.integer]
    riders: U64
    book: NDArray[np.integer]
    books: U64
    rule: NDArray[np.integer]
    rules: U64
    event: U64
    cause: U64
    kinds: I64
    at_us: I64


@compiled_with_runtime(rows=0)
def _id_words(
    rider: I64, riders: U64, book: I64, books: U64, rule: I64, rules: U64, event: U64, cause: U64, kinds: I64,
    at_us: I64, high: U64, low: U64,
) -> None:  # fmt: skip
    for i in range(high.size):
        for lane in range(2):
            state = fold_in(riders[rider[i], lane], event[i, lane])
            state = fold_in(state, books[book[i], lane])
            state = fold_in(state, rules[rule[i], lane])
            state = fold_in(state, np.uint64(kinds[i]))
            state = fold_in(state, np.uint64(at_us[i]))
            state = fold_in(state, cause[i, lane])
            if lane == 0:
                high[i] = state
            else:
                low[i] = state


def text_hashes(words: Sequence[str]) -> U64:
    """Pair of hashes of each word of a short list."""
    return hash_pairs(pa.array(list(words), pa.string()))


def entry_ids(of: Identity) -> pa.Array:
    """Identity of every entry, 16 characters (96 bits)."""
    n = len(of.event)
    high, low = np.empty(n, np.uint64), np.empty(n, np.uint64)
    rider, book, rule = (np.ascontiguousarray(codes, np.int64) for codes in (of.rider, of.book, of.rule))
    _id_words(
        rider, of.riders, book, of.books, rule, of.rules, of.event, of.cause, of.kinds, of.at_us, high, low
    )  # fmt: skip
    text = np.empty(n * ID_LENGTH, np.uint8)
    write_ids(high, low, text)
    offsets = np.arange(0, (n + 1) * ID_LENGTH, ID_LENGTH, dtype=np.int64)
    large = pa.LargeStringArray.from_buffers(n, pa.py_buffer(offsets), pa.py_buffer(text))
    return large.cast(pa.string())


def item_times_us(entries: Entries) -> I64:
    """The time of the event or due instant that each entry concerns, as ledgers and ids have it.

    Entries that are otherwise alike, since a rider came to one book twice at one instant, are told apart by a microsecond.
    """
    return entries["item_us"] + entries["nth"]


def _identity(scored: ScoredRun, event_names: pa.Array, cause_names: pa.Array) -> Identity:
    entries = scored.entries
    return Identity(
        rider=entries["rider"],
        riders=hash_pairs(scored.prepared.riders),
        book=entries["book"],
        books=text_hashes([book.digest for book in scored.program.books]),
        rule=entries["label"],
        rules=text_hashes(scored.program.labels),
        event=hash_pairs(event_names),
        cause=hash_pairs(cause_names),
        kinds=entries["kind"].astype(np.int64) * 16 + entries["of_kind"],
        at_us=item_times_us(entries),
    )


def entries_table(scored: ScoredRun, recorded_us: int) -> pa.Table:
    """Ledger lines of a run, by (rider_id, seq).

    Parameters
    ----------
    scored
        The run.
    recorded_us
        When the lines are recorded; the caller's clock, or `--as-of` for files.

    Returns
    -------
    pa.Table
        `ENTRY_SCHEMA`, a row per line.
    """
    entries = scored.entries
    at_us = item_times_us(entries)
    names = _entry_event_ids(scored)
    causes = event_ids(scored, entries["cause_ev"])
    digests = [book.digest for book in scored.program.books]
    columns = {
        "entry_id": entry_ids(_identity(scored, names, causes)),
        "event_id": names,
        "rider_id": _dictionary(entries["rider"], scored.prepared.riders, pa.int32()),
        "seq": pa.array(scored.seq),
        "rule_id": _dictionary(entries["label"], scored.program.labels, pa.int32()),
        "kind": _dictionary(entries["kind"], ENTRY_KINDS, pa.int8()),
        "delta_mp": pa.array(np.ascontiguousarray(entries["delta_mp"])),
        "score_after_mp": pa.array(np.ascontiguousarray(entries["score_after_mp"])),
        "money_fen": pa.array(np.ascontiguousarray(entries["money_fen"])),
        "liable_party": _dictionary(entries["party"], PARTIES, pa.int8()),
        "late_s": pa.array(np.ascontiguousarray(entries["late_s"])),
        "time_given_back_s": pa.array(np.ascontiguousarray(entries["given_s"])),
        "book_digest": _dictionary(entries["book"], digests, pa.int16()),
        "occurred_us": pa.array(np.ascontiguousarray(entries["occurred_us"])),
        "recorded_us": pa.array(np.full(entries.size, recorded_us, np.int64)),
        "of_kind": _dictionary(entries["of_kind"], ENTRY_KINDS, pa.int8()),
        "cause_event_id": causes,
        "of_us": pa.array(at_us, mask=at_us == entries["occurred_us"]),
    }
    return pa.table(columns, schema=ENTRY_SCHEMA)


def _bounds(rider: np.ndarray, num_riders: int) -> I64:
    """Where each rider's rows begin and end; rows of one rider stand together, riders ascend."""
    return np.searchsorted(rider, np.arange(num_riders + 1, dtype=rider.dtype))


def _sums(bounds: I64, values: np.ndarray) -> I64:
    """Sum of values by rider."""
    running = np.concatenate([np.zeros(1, np.int64), np.cumsum(values, dtype=np.int64)])
    return np.diff(running[bounds])


def delivery_outcome(scored: ScoredRun) -> np.ndarray:
    """What became of each delivery of a run.

    Parameters
    ----------
    scored
        A run of n rows.

    Returns
    -------
    np.ndarray
        int64[n]: 0 on time, 1 late (the rider's), 2 exempt; -1 for rows that are no delivery.
    """
    events, judged = scored.events, scored.liability
    remaining = judged["late_s"] - judged["given_s"]
    exempt = (judged["exempt"] != 0) | (events["waived"] != 0) | (remaining <= 0)
    out = np.where(judged["late_s"] == 0, 0, np.where(exempt, 2, 1))
    return np.where(events["kind"] == DELIVERED, out, -1)


def points_and_money(entries: Entries | Mapping[str, np.ndarray]) -> tuple[I64, I64, I64, I64]:
    """What each line gives and takes; a reversal counts back.

    Fades, clamps and resets are neither awarded nor deducted.

    Parameters
    ----------
    entries
        n lines; `kind`, `of_kind` (codes), `delta_mp` and `money_fen` are read.

    Returns
    -------
    tuple[I64, I64, I64, I64]
        int64[n] each: points awarded and deducted (mp, net of caps), fines taken and bonus given (fen).
    """
    sign = np.where(entries["kind"] == REVERSE, -1, 1).astype(np.int64)
    delta, money = entries["delta_mp"] * sign, entries["money_fen"] * sign
    of_kind = entries["of_kind"]
    cap = of_kind == CAP
    awards = (of_kind == AWARD) | (of_kind == TRAINING) | (cap & (delta < 0))
    deducts = (of_kind == DEDUCT) | (cap & (delta > 0))
    return (
        np.where(awards, delta, 0) * sign,
        np.where(deducts, -delta, 0) * sign,
        np.maximum(-money, 0) * sign,
        np.maximum(money, 0) * sign,
    )


def net_taken_and_given(taken: I64, given: I64) -> tuple[I64, I64]:
    """What was taken (fines, deductions) and given (bonus, awards) in sum, both at least 0.

    A daily ledger that takes back yesterday's bonus must not show a negative one: the difference changes sides.

    Parameters
    ----------
    taken, given
        Sums by rider, in one unit, of either sign.

    Returns
    -------
    tuple[I64, I64]
        The same difference, both at least 0.
    """
    return np.maximum(taken, 0) - np.minimum(given, 0), np.maximum(given, 0) - np.minimum(taken, 0)


def _fee_corrections(scored: ScoredRun, num_riders: int) -> I64:
    """What corrections of this run changed in the fees of deliveries counted by an earlier run."""
    events, first = scored.events, scored.prepared.events
    rows = np.flatnonzero((events["kind"] == DELIVERED) & (scored.prepared.is_new == 0))
    bounds = _bounds(events["rider"][rows], num_riders)
    return _sums(bounds, events["fee_fen"][rows].astype(np.int64) - first["fee_fen"][rows])


def _events_digest(scored: ScoredRun) -> I64:
    """Per rider, the sum (modulo 2^64) of the hashes of their events that lines of the run name, each counted once.

    Whose event it is comes from the event, not from the line: a line that names another rider's event shows.
    """
    prepared, entries = scored.prepared, scored.entries
    out = np.zeros(len(prepared.riders), np.uint64)
    named = np.zeros(prepared.events.size, bool)
    for refs in (entries["ev"], entries["cause_ev"]):
        named[refs[refs >= 0]] = True
    reserved = pc.starts_with(prepared.source.column("event_id"), RESET_PREFIX)
    if pc.any(reserved).as_py():
        # Ids from before they were refused look like no event.
        named &= ~reserved.to_numpy()[prepared.order]
    rows = np.flatnonzero(named)
    np.add.at(out, prepared.events["rider"][rows], prepared.key[rows])
    old = entries["ev"] <= CARRIED
    if old.any():
        # Of events that have left the window the state keeps the ids by rider.
        pairs = np.unique(np.stack([entries["rider"][old].astype(np.int64), CARRIED - entries["ev"][old]]), axis=1)
        np.add.at(out, pairs[0], hash_strings(scored.faded)[pairs[1]])
    return out.view(np.int64)


@dataclass(frozen=True, slots=True)
class Standing:
    """Where riders stand: tier, and on-time orders to the next tier and back to base (-1: there or out of reach)."""

    tier: NDArray[np.object_]
    to_next_tier: I64
    to_recover: I64


def _orders(score_mp: I64, target_mp: I64, award_mp: int, ceiling_mp: int) -> I64:
    away = (target_mp > score_mp) & (target_mp <= ceiling_mp) & (award_mp > 0)
    return np.where(away, -(-(target_mp - score_mp) // max(award_mp, 1)), -1)


def standing_figures(books: Sequence[Book], book: I64, rider_kind: I64, score_mp: I64) -> Standing:
    """Standing of riders by book, kind and score.

    Parameters
    ----------
    books
        The books.
    book
        int64[R], position in `books`.
    rider_kind
        int64[R], code of `RIDER_KINDS`; -1 where unknown.
    score_mp
        int64[R] (mp).

    Returns
    -------
    Standing
        R riders.
    """
    tier = np.full(score_mp.size, None, object)
    to_next, to_recover = np.full(score_mp.size, -1, np.int64), np.full(score_mp.size, -1, np.int64)
    for position in np.unique(book):
        model = books[position].model
        ids = np.array([row.id for row in model.tier], object)
        least = np.array([-(2**62) if row.min_mp is None else row.min_mp for row in model.tier] + [2**62])
        for code in np.unique(rider_kind[book == position]):
            rows = np.flatnonzero((book == position) & (rider_kind == code))
            award = on_time_award_mp(model, RIDER_KINDS[max(int(code), 0)])
            at = np.searchsorted(least, score_mp[rows], side="right") - 1
            tier[rows] = ids[at]
            to_next[rows] = _orders(score_mp[rows], least[at + 1], award, model.score.ceiling_mp)
            base = np.full(rows.size, model.score.base_mp)
            to_recover[rows] = _orders(score_mp[rows], base, award, model.score.ceiling_mp)
    return Standing(tier, to_next, to_recover)


def riders_table(scored: ScoredRun) -> pa.Table:
    """One row per rider of a run: standing, counts of its new deliveries, points and money of its lines.

    Parameters
    ----------
    scored
        A run of R riders.

    Returns
    -------
    pa.Table
        R rows, by rider id.
    """
    prepared, events, entries, head = scored.prepared, scored.events, scored.entries, scored.head.riders
    num_riders = len(prepared.riders)
    counted = (events["kind"] == DELIVERED) & (prepared.is_new == 1)
    rows = np.flatnonzero(counted)
    bounds = _bounds(np.ascontiguousarray(events["rider"][rows]), num_riders)
    outcome = delivery_outcome(scored)[rows]
    fees = _sums(bounds, events["fee_fen"][rows]) + _fee_corrections(scored, num_riders)
    by = _bounds(np.ascontiguousarray(entries["rider"]), num_riders)
    award, deduct, fines, bonus = points_and_money(entries)
    book = np.maximum(head["book"], 0)
    score_mp = head["score_mp"]
    standing = standing_figures(scored.program.books, book, scored.rider_kind, score_mp)
    fines_fen, bonus_fen = net_taken_and_given(_sums(by, fines), _sums(by, bonus))
    deducted_mp, awarded_mp = net_taken_and_given(_sums(by, deduct), _sums(by, award))
    return pa.table(
        {
            "rider_id": prepared.riders.cast(pa.string()),
            "city": scored.city.cast(pa.string()),
            "book_digest": pa.array([version.digest for version in scored.program.books]).take(pa.array(book)),
            "opening_score_mp": pa.array(scored.opening_mp, pa.int64()),
            "score_mp": pa.array(np.ascontiguousarray(score_mp)),
            "tier": pa.array(standing.tier, pa.string()),
            "num_delivered": pa.array(np.diff(bounds)),
            "num_on_time": pa.array(_sums(bounds, outcome == 0)),
            "num_late": pa.array(_sums(bounds, outcome == 1)),
            "num_exempt": pa.array(_sums(bounds, outcome == 2)),
            "points_awarded_mp": pa.array(awarded_mp),
            "points_deducted_mp": pa.array(deducted_mp),
            "fines_fen": pa.array(fines_fen),
            "bonus_fen": pa.array(bonus_fen),
            "fees_fen": pa.array(fees),
            "income_fen": pa.array(fees + _sums(by, entries["money_fen"])),
            "on_time_orders_to_next_tier": pa.array(standing.to_next_tier, mask=standing.to_next_tier < 0),
            "on_time_orders_to_recover": pa.array(standing.to_recover, mask=standing.to_recover < 0),
            "review_required": pa.array(head["review"] != 0),
            "rider_kind": pa.array(RIDER_KINDS).take(pa.array(scored.rider_kind, mask=scored.rider_kind < 0)),
            "num_entries": pa.array(np.diff(by)),
            "events_digest": pa.array(_events_digest(scored)),
        }
    )
