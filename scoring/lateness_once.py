"""Lateness stated once for each event, so that a sum over lines of a ledger is the sum over its events.

In memory every line carries the lateness of its event. In files the first line that stands for an event states it and the
last one to be taken back takes it back; all others hold 0, and `of_late_s` and `of_time_given_back_s` have what each
line was judged by.
"""

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from rules.events import PARTIES
from scoring.columns import I64, REENTER, REVERSE, REVIEW, Entries
from scoring.ledger import entries_table
from scoring.ledger_columns import ENTRY_FILE_SCHEMA, MONEY_KINDS, OF_LINE
from scoring.score import ScoredRun

Signs = NDArray[np.int8]
_RIDER = PARTIES.index("rider")


def entry_file_table(scored: ScoredRun, recorded_us: int) -> pa.Table:
    """Ledger lines of a run as files have them, by (rider_id, seq).

    Parameters
    ----------
    scored
        The run.
    recorded_us
        When the lines are recorded (µs UTC).

    Returns
    -------
    pa.Table
        `ENTRY_FILE_SCHEMA`, a row per line.
    """
    entries = scored.entries
    signs = lateness_signs(entries, scored.standing)
    is_gross = np.array([book.model.lateness == "gross" for book in scored.program.books], bool)
    counted_s = counted_late_s(entries["late_s"], entries["given_s"], entries["party"], is_gross[entries["book"]])
    sign = np.where(entries["kind"] == REVERSE, -1, 1)
    stated = {
        "late_s": pa.array(entries["late_s"] * signs, pa.int32()),
        "time_given_back_s": pa.array(entries["given_s"] * signs, pa.int32()),
        "late_counted_s": pa.array(counted_s * signs, pa.int32()),
        "money_kind": money_kinds(entries["money_fen"] * sign),
    }
    lines = entries_table(scored, recorded_us)
    lines = lines.rename_columns([OF_LINE.get(name, name) for name in lines.column_names])
    columns = {name: stated[name] if name in stated else lines.column(name) for name in ENTRY_FILE_SCHEMA.names}
    return pa.table(columns, schema=ENTRY_FILE_SCHEMA)


def counted_late_s(
    late_s: NDArray[np.integer], given_s: NDArray[np.integer], party: NDArray[np.integer], is_gross: NDArray[np.bool_]
) -> I64:
    """The lateness that counted: what remained where the rider answers for it; all of it in a book that counts gross.

    Parameters
    ----------
    late_s, given_s
        Gross lateness and time given back, n lines (s).
    party
        Code of `PARTIES`.
    is_gross
        Whether the line's book counts gross lateness.

    Returns
    -------
    I64
        int64[n] (s), at least 0.
    """
    remaining = np.where(party == _RIDER, late_s - given_s, 0)
    counted_s: I64 = np.where(is_gross, late_s, remaining).astype(np.int64)
    return counted_s


def money_kinds(money_fen: NDArray[np.integer]) -> pa.Array:
    """`bonus` where money is given, `fine` where it is taken, null where a line is about points alone.

    Parameters
    ----------
    money_fen
        Of n lines, of a reversal what it takes back (fen).

    Returns
    -------
    pa.Array
        n words of a dictionary.
    """
    codes = pa.array((money_fen < 0).astype(np.int8), mask=money_fen == 0)
    return pa.DictionaryArray.from_arrays(codes, pa.array(MONEY_KINDS, pa.string()))


def lateness_signs(entries: Entries, standing: Entries) -> Signs:
    """Which lines state the lateness of their event (1), which take it back (-1).

    Parameters
    ----------
    entries
        Lines of a run, by rider in the order written.
    standing
        What stands after them.

    Returns
    -------
    Signs
        int8[n].
    """
    if not entries.size:
        return np.zeros(0, np.int8)
    signs = _first_of_event(entries).astype(np.int8)
    again = np.isin(entries["kind"], (REVERSE, REENTER))
    if not again.any():
        return signs
    revised = np.zeros(int(entries["rider"].max()) + 1, bool)
    revised[entries["rider"][again]] = True
    rows = np.flatnonzero(revised[entries["rider"]])
    at_end = standing[standing["rider"] < revised.size]
    at_end = at_end[revised[at_end["rider"]] & (at_end["kind"] != REVIEW)]
    lines = entries[rows]
    _, group = np.unique(np.concatenate([_event_of(lines), _event_of(at_end)]), axis=0, return_inverse=True)
    group = group.ravel()
    left = np.bincount(group[rows.size :], minlength=int(group.max()) + 1)
    signs[rows] = signs_of_groups(group[: rows.size], steps_of(lines["kind"], lines["of_kind"]), left)
    return signs


def steps_of(kind: NDArray[np.integer], of_kind: NDArray[np.integer]) -> I64:
    """By how much each line changes how many lines state the lateness of its event: reviews have none."""
    steps: I64 = np.where(of_kind == REVIEW, 0, np.where(kind == REVERSE, -1, 1)).astype(np.int64)
    return steps


def signs_of_groups(group: I64, steps: I64, left: I64) -> Signs:
    """Where lines of an event begin to stand (1), and where the last of them is taken back (-1).

    Parameters
    ----------
    group
        int64[n], the event that each line is about, lines in the order written.
    steps
        As `steps_of` has them.
    left
        int64[groups], how many lines stand for each event in the end.

    Returns
    -------
    Signs
        int8[n].
    """
    order = np.argsort(group, kind="stable")
    ordered, step = group[order], steps[order]
    total = np.cumsum(step)
    last = np.append(ordered[1:] != ordered[:-1], True) if ordered.size else np.zeros(0, bool)
    ends = np.zeros(left.size, np.int64)
    ends[ordered[last]] = total[last]
    after = left[ordered] - (ends[ordered] - total)
    signs = np.zeros(group.size, np.int8)
    signs[order] = np.where((step == 1) & (after == 1), 1, np.where((step == -1) & (after == 0), -1, 0))
    return signs


def _first_of_event(entries: Entries) -> NDArray[np.bool_]:
    """Lines that are the first of their event or due instant where nothing is revised: its lines stand together."""
    first = np.ones(entries.size, bool)
    for k, name in enumerate(("rider", "ev", "item_us")):
        differs = entries[name][1:] != entries[name][:-1]
        first[1:] = differs if k == 0 else first[1:] | differs
    return first


def _event_of(entries: Entries) -> I64:
    """int64[n, 3]: what tells events and due instants apart."""
    return np.stack([entries[name].astype(np.int64) for name in ("rider", "ev", "item_us")], axis=1)
