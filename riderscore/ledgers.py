"""Scores from Python: events in, a ledger out, each entry explained, all of it verified."""

import json
from dataclasses import dataclass, field
from functools import cached_property
from html import escape
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa

from api.files.reading_options import Format, ReadingOptions
from api.runs.any_size import score_any_size
from api.runs.explained import explain_rider
from api.runs.ledger_files import ENTRIES, REJECTS, RIDERS, RUN
from api.runs.run import PLATFORM
from api.runs.verified import verify_ledger
from riderscore.frames import Backend, Data, ResultFolder, as_files, in_kind, read_table
from rules.text import Lang, text
from scoring.explain import Branch, card_lines, sentence, tree

_REJECT_SCHEMA = pa.schema(
    [
        (name, pa.int64() if name == "row" else pa.string())
        for name in ("file", "row", "column", "value", "reason", "message")
    ]
)


@dataclass(frozen=True)
class Verification:
    """What `verify` found.

    Parameters
    ----------
    holds
        Whether every check holds.
    num_riders, num_entries
        How many were looked at.
    checks
        A table, a row for each check: `check`, `title`, `holds`, `num_violations`, `first` (the first violation in words).
    """

    holds: bool
    num_riders: int
    num_entries: int
    checks: Any

    def __bool__(self) -> bool:
        """Whether every check holds."""
        return self.holds


@dataclass(frozen=True)
class LedgerExplanation:
    """Why entries stand: one tree each, shown as text, or as a folding tree in a notebook.

    Parameters
    ----------
    lines
        The rider's card, a sentence a line.
    sentences
        One sentence for each entry.
    trees
        What each entry rests on.
    """

    lines: tuple[str, ...]
    sentences: tuple[str, ...]
    trees: tuple[Branch, ...]

    def __str__(self) -> str:
        """The card and the trees as text."""
        return "\n".join((*self.lines, "", *(row for branch in self.trees for row in _text_rows(branch, ""))))

    def _repr_html_(self) -> str:
        card = "".join(f"<div>{escape(line)}</div>" for line in self.lines)
        return f"<div>{card}{''.join(_html(branch, opened=True) for branch in self.trees)}</div>"


def _text_rows(branch: Branch, indent: str) -> list[str]:
    rows = [f"{indent}{branch.text}"]
    for child in branch.children:
        rows += _text_rows(child, indent + "  ")
    return rows


def _html(branch: Branch, *, opened: bool = False) -> str:
    if not branch.children:
        return f"<div style='margin-left:1.2em'>{escape(branch.text)}</div>"
    children = "".join(_html(child) for child in branch.children)
    mark = " open" if opened else ""
    return f"<details{mark} style='margin-left:1.2em'><summary>{escape(branch.text)}</summary>{children}</details>"


@dataclass(frozen=True)
class ScoreResult:
    """A ledger: what `score` made, or what a folder holds.

    Parameters
    ----------
    folder
        The ledger directory. One that `score` made without `out` is removed with this object.
    backend
        The library whose tables `entries`, `riders` and `rejects` are.
    """

    folder: Path
    backend: Backend = Backend.PYARROW
    _kept: ResultFolder | None = field(default=None, repr=False)

    @cached_property
    def entries(self) -> Any:
        """A table of every change of a score; columns as in the reference, "Ledger"."""
        return read_table(self.folder / ENTRIES, self.backend)

    @cached_property
    def riders(self) -> Any:
        """A table of where each rider stands: score, tier, counts, money."""
        return read_table(self.folder / RIDERS, self.backend)

    @cached_property
    def rejects(self) -> Any:
        """A table of rows that were not scored: `file`, `row` (from 1), `column`, `value`, `reason`, `message`."""
        rows = [json.loads(line) for line in (self.folder / REJECTS).read_text("utf-8").splitlines()]
        for row in rows:
            row["message"] = row["message"]["en"]
        return in_kind(pa.Table.from_pylist(rows, schema=_REJECT_SCHEMA), self.backend)

    @cached_property
    def run(self) -> dict[str, Any]:
        """What the run says of itself: inputs with digests, books, counts, warnings, seconds."""
        document: dict[str, Any] = json.loads((self.folder / RUN).read_text("utf-8"))
        return document

    def explain(
        self, rider: str, *, event: str | None = None, entry: str | None = None, lang: Lang = "en"
    ) -> LedgerExplanation:
        """Explain a rider's score.

        Parameters
        ----------
        rider
            Rider id.
        event, entry
            Only the entries of this event, or this entry.
        lang
            `en` or `zh`.

        Returns
        -------
        LedgerExplanation
            The card, and a tree for each entry.

        Raises
        ------
        InputError
            If there is no such rider, event or entry.
        """
        explained = explain_rider(self.folder, rider, event, entry)
        return LedgerExplanation(
            tuple(card_lines(explained.card, lang)),
            tuple(sentence(why, lang) for why in explained.entries),
            tuple(tree(why, lang) for why in explained.entries),
        )

    def verify(self) -> Verification:
        """Recompute every invariant of the ledger.

        Returns
        -------
        Verification
            True where every check holds.

        Raises
        ------
        InputError
            If files are missing or cannot be read.
        """
        return verify(self.folder, backend=self.backend)

    def __repr__(self) -> str:
        """Counts, and where it is."""
        counts = self.run["counts"]
        return f"<ledger of {counts['riders']} riders, {counts['entries']} entries, {counts['rejected']} rejects in {self.folder}>"

    def _repr_html_(self) -> str:
        counts = self.run["counts"]
        names = ("events", "entries", "riders", "rejected", "repeated")
        cells = "".join(f"<tr><th>{name}</th><td style='text-align:right'>{counts[name]:,}</td></tr>" for name in names)
        return f"<table>{cells}</table>"


def score(
    data: Data,
    *,
    book: str = "auto",
    out: str | Path | None = None,
    state: str | Path | None = None,
    format: Format = "native",
    zone: str = "",
    as_of_us: int | None = None,
    platform: str = PLATFORM,
    engine: Literal["local", "ray"] = "local",
    jobs: int | None = None,
    ignore_columns: tuple[str, ...] = (),
    ids_as_they_are: bool = False,
    replace: bool = False,
) -> ScoreResult:
    """Score events under a rule book.

    Parameters
    ----------
    data
        A path or paths (CSV, NDJSON, Parquet, folders), or a table of pandas, Polars, PyArrow, DuckDB. One fact a row; columns
        as in the reference, "Events". Times are text with an offset, or timestamps; those without a zone need `zone`.
    book
        A book's id, `id@2025-12-03`, a TOML file, or `auto` for the published deployment table.
    out
        Ledger directory to write; without it the ledger lives as long as the result.
    state
        Folder of carried state: read if there, replaced at the end, so that days can be scored one after the other.
    format
        `native`, `meituan` or `mdrp`.
    zone
        IANA zone of times without an offset, such as `Asia/Shanghai`.
    as_of_us
        Write fades and resets up to this instant, in microseconds UTC; by default the newest event's.
    platform
        Whose events these are, where a deployment table is read.
    engine, jobs
        Where large inputs are worked on, and how many tasks side by side (all cores by default).
    ignore_columns
        Columns that are left out.
    ids_as_they_are
        Take ids that look damaged (`1.23E+17`).
    replace
        `out` may hold a ledger of another book or other inputs.

    Returns
    -------
    ScoreResult
        The ledger; its tables are of the library that `data` came from (PyArrow for paths).

    Raises
    ------
    BookError
        If the book cannot be used; names every fault.
    InputError
        If the input cannot be read, no row can be scored, or `out` may not be written; nothing is written then.
    """
    kept = ResultFolder(out)
    reading = ReadingOptions(zone=zone, ids_as_they_are=ids_as_they_are, ignored=tuple(ignore_columns))
    with as_files(data) as (paths, backend):
        score_any_size(
            paths, book, kept.path, format=format, state=None if state is None else Path(state), as_of_us=as_of_us,
            engine_name=engine, num_workers=jobs, platform=platform, reading=reading, replace=replace,
        )  # fmt: skip
    return ScoreResult(kept.path, backend, kept)


def open_ledger(folder: str | Path) -> ScoreResult:
    """A ledger directory that is there already.

    Parameters
    ----------
    folder
        As `riderscore score --out` or `score(out=…)` wrote it.

    Returns
    -------
    ScoreResult
        With tables of PyArrow.
    """
    return ScoreResult(Path(folder))


def verify(folder: str | Path, *, backend: Backend = Backend.PYARROW, lang: Lang = "en") -> Verification:
    """Recompute every invariant of a ledger directory from its files.

    Parameters
    ----------
    folder
        As `riderscore score` wrote it.
    backend
        The library of the table of checks.
    lang
        Language of the titles.

    Returns
    -------
    Verification
        True where every check holds.

    Raises
    ------
    InputError
        If the folder is no ledger.
    """
    verified = verify_ledger(Path(folder))
    rows = [
        {
            "check": result.check,
            "title": text(lang, f"check.{result.check}"),
            "holds": result.holds,
            "num_violations": result.num_violations,
            "first": " ".join(str(part) for part in _first(result)) or None,
        }
        for result in verified.results
    ]
    holds = all(result.holds for result in verified.results)
    return Verification(holds, verified.num_riders, verified.num_entries, in_kind(pa.Table.from_pylist(rows), backend))


def _first(result: Any) -> tuple[object, ...]:
    """The first violation of a check: rider, position, what, expected, found."""
    if not result.violations:
        return ()
    violation = result.violations[0]
    return violation.rider, violation.seq, violation.what, violation.expected, violation.found
