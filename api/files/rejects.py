"""Rows that are not scored, and why. One shape for all reasons, those found here and those scoring adds.

A row is rejected once, for the first reason in the order of the columns, then of the checks across columns.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from rules.calendar import utc_moment
from rules.ids import id_fault
from rules.text import LANGS, Lang, text
from scoring.prepare import REASONS as SCORING_REASONS
from scoring.prepare import PreparedEvents

VALUE_LENGTH_MAX: Final = 200

# Append, never reorder: `RowFaults` holds positions.
REASONS: Final = (
    "missing_value",
    "unknown_name",
    "unknown_report",
    "too_long",
    "control_character",
    "broken_text",
    "wrong_type",
    "bad_integer",
    "out_of_range",
    "bad_time",
    "naive_time",
    "implausible_time",
    "two_times",
    "times_out_of_order",
    "missing_reference",
    "missing_cause",
    "missing_extension",
    "wrong_number_of_columns",
    "bad_line",
    "line_too_long",
    "duplicate_conflict",
    "too_late",
    "ref_unknown",
    "ref_later",
    "no_book",
    "other_city",
    "reserved_id",
    "no_address",
    "not_riders_city",
    "decision_not_event",
    "training_scope_missing",
    "no_course_offered",
    "post_again",
    "unclosed_quote",
    "swallowed_row",
    "folder_disagrees",
    "bad_id",
    "duplicate_order",
    "misspelt_field",
    "skipped_time",
    "repeated_time",
    "json_constant",
    "json_key_twice",
    "json_comma",
    "json_mark",
    "json_packed",
    "json_not_utf8",
    "json_syntax",
)
_REASON_CODE: Final = {reason: code for code, reason in enumerate(REASONS)}


@dataclass(frozen=True, slots=True)
class Reject:
    """One row that is not scored.

    Parameters
    ----------
    file
        As the person named it.
    row
        1-based: the data row of a CSV or Parquet file (a blank line counts), the line of an NDJSON file.
    column
        As the file names it; empty when the whole row is meant.
    value
        As the file holds it, at most 200 characters; empty when nothing is there.
    reason
        One of `REASONS`; its words are `reject.<reason>` in the catalogs.
    hint
        What the words name besides: the name that was meant, the event that stands, the zone.
    at
        Character in the line, from 1, where a text cannot be read; else 0.
    """

    file: str
    row: int
    column: str
    value: str
    reason: str
    hint: str = ""
    at: int = 0

    def describe(self, lang: Lang) -> str:
        """What is wrong and what to do, in one line without the place."""
        hint = self.hint
        if self.reason == "bad_id":
            hint = text(lang, f"id.{id_fault(self.value) or 'unsound'}")
        words = text(lang, f"reject.{self.reason}", column=self.column, value=self.value, hint=hint, at=self.at)
        if self.reason == "bad_line" and self.at:
            return words + text(lang, "reject.not_read_from", at=self.at)
        return words

    def document(self) -> dict[str, object]:
        """One line of `rejects.ndjson`."""
        return {
            "file": self.file,
            "row": self.row,
            "column": self.column,
            "value": self.value,
            "reason": self.reason,
            **({"character": self.at} if self.at else {}),
            "message": {lang: self.describe(lang) for lang in LANGS},
        }


# What a reject by scoring is about: reason → canonical column.
_COLUMN_OF: Final = {
    "duplicate_conflict": "event_id",
    "too_late": "occurred_us",
    "ref_unknown": "ref_event_id",
    "ref_later": "ref_event_id",
    "no_book": "city",
    "implausible_time": "occurred_us",
    "other_city": "city",
    "not_riders_city": "city",
    "decision_not_event": "kind",
    "training_scope_missing": "kind",
    "no_course_offered": "kind",
    "post_again": "event_id",
    "duplicate_order": "order_id",
}


def file_and_row(reject: Reject) -> tuple[str, int]:
    """What rejects are in order of."""
    return reject.file, reject.row


def rejects_of_rows(
    table: pa.Table, positions: NDArray[np.int64], reasons: Sequence[str], hints: Sequence[str] | None = None
) -> list[Reject]:
    """Rejects for rows that were read well but cannot be scored.

    Parameters
    ----------
    table
        The canonical table as it was read.
    positions
        Positions of the rows in `table`.
    reasons
        Per position one of those that scoring and posting give (`_COLUMN_OF`).
    hints
        Per position what the words name besides; by default nothing.

    Returns
    -------
    rejects
        In the order of the table, which is that of the files.
    """
    names = ["file", "row", *sorted(set(_COLUMN_OF.values()))]
    rows = table.select(names).take(pa.array(positions)).to_pylist()
    rejects = []
    described = zip(positions.tolist(), rows, reasons, hints or [""] * len(rows), strict=True)
    for _, row, reason, hint in sorted(described, key=lambda item: item[0]):
        column = _COLUMN_OF[reason]
        value = row[column]
        if column == "occurred_us":
            column, value = "occurred_at", utc_moment(value).isoformat()
        rejects.append(Reject(row["file"], row["row"], column, shorten(value or ""), reason, hint))
    return rejects


def rejects_by_scoring(table: pa.Table, prepared: PreparedEvents) -> list[Reject]:
    """Rows of a table that scoring left out, in its order; one that repeats a delivery names the event that stands."""
    reasons = [SCORING_REASONS[code] for code in prepared.refused_reasons.tolist()]
    at = np.flatnonzero(prepared.refused_for >= 0)
    hints = [""] * len(reasons)
    for k, event_id in zip(at.tolist(), prepared.event_ids(prepared.refused_for[at]), strict=True):
        hints[k] = event_id
    return rejects_of_rows(table, prepared.refused_rows, reasons, hints)


def shorten(value: str) -> str:
    """A value as a reject shows it: at most 200 characters, the last of them `…` if some are left out."""
    return value if len(value) <= VALUE_LENGTH_MAX else value[: VALUE_LENGTH_MAX - 1] + "…"


class RowFaults:
    """The first fault of each row of one chunk; invariant: a row once marked keeps its first mark."""

    def __init__(self, num_rows: int) -> None:
        self._reason: NDArray[np.int8] = np.full(num_rows, -1, np.int8)
        self._column: NDArray[np.int16] = np.full(num_rows, -1, np.int16)
        self._names: list[str] = []
        self._hints: dict[str, str] = {}

    def mark(self, mask: NDArray[np.bool_], column: str, reason: str, hint: str = "") -> None:
        """Mark the rows of `mask` (one bool a row) that have no mark yet; a reason has one hint."""
        mask = mask & (self._reason < 0)
        if not mask.any():
            return
        if column not in self._names:
            self._names.append(column)
        self._hints[reason] = hint
        self._reason[mask] = _REASON_CODE[reason]
        self._column[mask] = self._names.index(column)

    @property
    def good(self) -> NDArray[np.bool_]:
        """One bool a row: not marked."""
        return self._reason < 0

    def rejects(self, columns: pa.Table, file: str, rows: NDArray[np.int64]) -> list[Reject]:
        """The marked rows with the values that `columns` holds; `rows` are the row numbers in `file`."""
        marked = np.flatnonzero(self._reason >= 0)
        values: dict[int, str] = {}
        for code in np.unique(self._column[marked]):
            at = marked[self._column[marked] == code]
            values |= zip(at.tolist(), _shown(columns, self._names[code], at), strict=True)
        reasons = [REASONS[code] for code in self._reason[marked]]
        return [
            Reject(file, int(rows[i]), self._names[self._column[i]], values[i], reason, self._hints[reason])
            for i, reason in zip(marked.tolist(), reasons, strict=True)
        ]


def _shown(columns: pa.Table, name: str, at: NDArray[np.int64]) -> Sequence[str]:
    if name not in columns.column_names:
        return [""] * len(at)
    values = columns.column(name).take(pa.array(at))
    if pa.types.is_dictionary(values.type):
        values = values.cast(values.type.value_type)
    if pa.types.is_temporal(values.type):
        # Python's dates end at the year 9999 and at the microsecond.
        values = values.cast(pa.string())
    if pa.types.is_large_string(values.type) or pa.types.is_string(values.type):
        # Broken UTF-8 must still be shown.
        values = values.cast(pa.large_binary())
    return [shorten(_text_of(value)) for value in values.to_pylist()]


def _text_of(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bytes):
        return value.decode("utf-8", errors="replace")
    return str(value)
