"""What came of the rows of a run: how many were left out and why, whether that is too many, whether anything is left.

Nothing read is never fine: a run that scores no row fails, and what stood in its place stays.
"""

import fnmatch
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

from api.files.atomic import MARKER
from api.files.errors import InputError
from rules.errors import Fault

# A run with a larger share of rejected rows ends with exit code 3.
MAX_REJECTS: Final = Decimal("0.05")


@dataclass(frozen=True, slots=True)
class RejectReason:
    """Why rows were left out: how many, and the first of them as `rejects.ndjson` has it."""

    reason: str
    number: int
    example: Mapping[str, Any]


class RunError(Exception):
    """The family of errors of a run that are not those of its input."""


class NothingReadError(InputError):
    """A run that scored no row; `reasons` say why."""

    def __init__(self, fault: Fault, reasons: Sequence[RejectReason] = ()) -> None:
        super().__init__(fault)
        self.reasons = tuple(reasons)


def reject_reasons(counts: Mapping[str, int], documents: Iterable[Mapping[str, Any]]) -> tuple[RejectReason, ...]:
    """The reasons of a run, the most frequent first.

    Parameters
    ----------
    counts
        Rejected rows by reason, as `run.json` has them.
    documents
        Lines of `rejects.ndjson`; no more of them are looked at than are needed.
    """
    examples: dict[str, Mapping[str, Any]] = {}
    for document in documents:
        if len(examples) == len(counts):
            break
        examples.setdefault(document["reason"], document)
    reasons = [
        RejectReason(reason, number, examples[reason]) for reason, number in counts.items() if reason in examples
    ]
    return tuple(sorted(reasons, key=lambda item: (-item.number, item.reason)))


def read_ndjson(path: Path) -> Iterable[dict[str, Any]]:
    """The lines of a `rejects.ndjson`."""
    with path.open(encoding="utf-8") as file:
        yield from map(json.loads, file)


def check_any_scored(
    document: Mapping[str, Any], documents: Iterable[Mapping[str, Any]], *, may_be_quiet: bool = False
) -> None:
    """Refuse a run that scored nothing.

    Parameters
    ----------
    document
        Its `run.json`.
    may_be_quiet
        Files without any row are a day on which nothing happened: a state is carried in, and time goes on.

    Raises
    ------
    NothingReadError
        If no event is new or a repetition.
    """
    counts = document["counts"]
    num_rows = sum(file["rows"] for file in document["inputs"])
    if counts["events"] + counts["repeated"] or (may_be_quiet and not num_rows):
        return
    reasons = reject_reasons(document["rejected"], documents)
    fault = Fault(
        "input_nothing_read" if num_rows else "input_no_rows",
        file=", ".join(file["path"] for file in document["inputs"][:3]),
        given=str(num_rows),
        key=", ".join(f"{reason.reason} {reason.number}" for reason in reasons) or "–",
    )
    raise NothingReadError(fault, reasons)


def has_too_many_rejects(document: Mapping[str, Any], max_rejects: Decimal) -> bool:
    """Whether the share of rejected rows is above a limit."""
    num_rows = sum(file["rows"] for file in document["inputs"])
    return bool(document["counts"]["rejected"] > max_rejects * max(num_rows, 1))


def read_earlier_run(out: Path, command: str) -> dict[str, Any] | None:
    """What the `run.json` in a folder says; None where there is none that can be read.

    Raises
    ------
    InputError
        If it is of another command. A day of dispatch does not name its own.
    """
    try:
        before = json.loads((out / MARKER).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    earlier_command = before.get("command", "dispatch") if isinstance(before, dict) else ""
    if earlier_command != command:
        raise InputError(Fault("output_of_other_command", file=str(out), given=str(earlier_command)))
    return dict(before)


def check_same_command(
    out: Path, command: str, references: Sequence[str], paths: Sequence[Path], platform: str | None = None
) -> None:
    """Refuse to replace the result of another command: of other books, or of other input paths.

    The same paths with changed content are the same command.

    Raises
    ------
    InputError
        Naming what the folder holds.
    """
    before = read_earlier_run(out, command)
    if before is None:
        return
    books = _books_of(before)
    if [_book_key(book) for book in books] != [_book_key(book) for book in references]:
        raise InputError(Fault("output_of_other_book", file=str(out), given=", ".join(books)))
    if platform is not None and before.get("places") is not None and before.get("platform") != platform:
        # The same table names other books for another platform.
        named = f"{', '.join(books)} ({before.get('platform')})"
        raise InputError(Fault("output_of_other_book", file=str(out), given=named))
    if not _are_same_paths(before, paths):
        earlier_paths = before.get("paths") or [file["path"] for file in before.get("inputs", [])]
        raise InputError(Fault("output_of_other_input", file=str(out), given=", ".join(earlier_paths[:3])))


def _books_of(document: Mapping[str, Any]) -> list[str]:
    if "book" in document:
        return [str(document["book"])]
    books = document.get("books")
    return [str(side["reference"]) for side in books.values()] if isinstance(books, dict) else []


def _book_key(reference: str) -> str:
    """What tells books apart: a file's place, or an id without its date."""
    is_file = reference.endswith(".toml") or os.sep in reference or Path(reference).exists()
    return str(Path(reference).resolve()) if is_file else reference.partition("@")[0]


def _are_same_paths(before: Mapping[str, Any], paths: Sequence[Path]) -> bool:
    asked = {str(path.resolve()) for path in paths}
    if "paths" in before:
        return {str(Path(path).resolve()) for path in before["paths"]} == asked
    # Version 0.1.0 named the files that it read, not what was asked for.
    read = {str(Path(file["path"]).resolve()) for file in before.get("inputs", [])}
    return all(any(_is_in(file, path) for path in asked) for file in read) and all(
        any(_is_in(file, path) for file in read) for path in asked
    )


def _is_in(file: str, path: str) -> bool:
    return file == path or file.startswith(path + os.sep) or fnmatch.fnmatch(file, path)
