"""What `score`, `compare` and `books impact` share: options about event files, progress, ends, rows left out."""

import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

from api.cli.console import DIFFERENCES, print_message, show_reasons
from api.cli.option_types import OUTPUT_PATH, parse_share, parse_zone
from api.cli.progress import shown_progress
from api.files.reading_options import FORMATS, ReadingOptions
from api.runs.outcome import MAX_REJECTS, has_too_many_rejects, read_ndjson, reject_reasons
from rules.text import Lang, text

if TYPE_CHECKING:
    from api.runs.run import RunProgress

STDIN: Final = Path("-")
_NUM_FIRST_BYTES: Final = 4_096
F = TypeVar("F", bound=Callable[..., Any])


def reading_options(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options, as one argument `reading`."""

    @click.option(
        "--zone", callback=parse_zone, metavar="ZONE", help="Of times without an offset, such as Asia/Shanghai."
    )
    @click.option(
        "--ids-as-they-are",
        is_flag=True,
        help="Take ids that look damaged (1.23E+17, 7.0, blanks), but for reserved ones.",
    )
    @click.option(
        "--ignore-column", "ignored", multiple=True, metavar="NAME", help="Leave out a column; may stand several times."
    )
    @click.option(
        "--quotes-as-they-are",
        is_flag=True,
        help="Take what stands inside quotes as one value, of however many lines.",
    )
    @wraps(command)
    def with_reading(
        *args: Any, zone: str, ids_as_they_are: bool, ignored: tuple[str, ...], quotes_as_they_are: bool, **options: Any
    ) -> None:
        left_out = tuple(sorted(set(ignored)))
        reading = ReadingOptions(zone, ids_as_they_are, left_out, quotes_as_they_are=quotes_as_they_are)
        command(*args, reading=reading, **options)

    return with_reading


def out_option(help_text: str) -> Callable[[F], F]:
    """Add `--out`."""
    return click.option("--out", required=True, type=OUTPUT_PATH, help=help_text)


def format_option(command: F) -> F:
    """Add `--format`, as the argument `format_`."""
    return click.option("--format", "format_", type=click.Choice(FORMATS), default="native", show_default=True)(command)


def max_rejects_option(command: F) -> F:
    """Add `--max-rejects`."""
    return click.option(
        "--max-rejects",
        default=str(MAX_REJECTS),
        show_default=True,
        callback=parse_share,
        metavar="SHARE",
        help="Exit code 3 if a larger share of the rows is rejected; the result is written all the same.",
    )(command)


def replace_option(command: F) -> F:
    """Add `--replace`."""
    return click.option(
        "--replace",
        is_flag=True,
        help="Replace what --out holds even if it is of another book or of other input paths.",
    )(command)


@contextmanager
def run_progress(lang: Lang) -> "Iterator[RunProgress]":
    """Show how far a run over event files is."""
    _leave_pandas_alone()
    with shown_progress(lang, text(lang, "cli.stage_read")) as shown:

        def show_progress(stage: str, done: int, total: int) -> None:
            shown.update(done, total, text(lang, f"cli.stage_{stage}"))

        yield show_progress


@contextmanager
def events_at_hand(events: tuple[Path, ...], out: Path) -> Iterator[tuple[Path, ...]]:
    """Paths of events, with what comes in on stdin (`-`) in a file beside `out` until the block ends.

    It always stands under the same name, so that the same command is known again. Its first bytes say what it is.
    """
    if STDIN not in events:
        yield events
        return
    from api.files.errors import system_errors_as

    with system_errors_as("output_refused", out):
        out.parent.mkdir(parents=True, exist_ok=True)
    first = sys.stdin.buffer.read(_NUM_FIRST_BYTES)
    # Faults and rejects name the file: its name says where the rows came from.
    folder = out.parent / f".{out.name}.in"
    path = folder / f"stdin{_ending_of(first)}"
    try:
        with system_errors_as("output_refused", path):
            folder.mkdir(exist_ok=True)
        with system_errors_as("output_refused", path), path.open("wb") as file:
            file.write(first)
            shutil.copyfileobj(sys.stdin.buffer, file)
        yield tuple(path if given == STDIN else given for given in events)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _ending_of(first: bytes) -> str:
    if first.startswith(b"PAR1"):
        return ".parquet"
    return ".ndjson" if first.removeprefix(b"\xef\xbb\xbf").lstrip().startswith(b"{") else ".csv"


class _NoPandas:
    """Finds that pandas is not installed."""

    @staticmethod
    def find_spec(name: str, path: object = None, target: object = None) -> None:  # noqa: ARG004 as of finders
        if name == "pandas":
            raise ModuleNotFoundError(name)


def _leave_pandas_alone() -> None:
    """Let Arrow find out that there is no pandas: a third of a second, for a question that files never ask.

    Arrow looks for it once a process, at the first list that becomes an array. Who has imported pandas keeps it.
    """
    import pyarrow as pa

    if "pandas" in sys.modules:
        return
    sys.meta_path.insert(0, _NoPandas)
    try:
        pa.array([0])
    finally:
        sys.meta_path.remove(_NoPandas)


def show_rejects(document: dict[str, Any], out: Path, max_rejects: Decimal, lang: Lang) -> None:
    """Rows left out on stderr; ends the command where they are too many."""
    number = document["counts"]["rejected"]
    if not number:
        return
    file = out / "rejects.ndjson"
    print_message(lang, "cli.rejected", rejected=number, file=file)
    if has_too_many_rejects(document, max_rejects):
        show_reasons(reject_reasons(document["rejected"], read_ndjson(file)), lang)
        num_rows = sum(entry["rows"] for entry in document["inputs"])
        print_message(
            lang,
            "cli.too_many_rejects",
            rejected=number,
            rows=num_rows,
            limit=f"{max_rejects * 100:f}".rstrip("0").rstrip("."),
        )
        sys.exit(DIFFERENCES)
