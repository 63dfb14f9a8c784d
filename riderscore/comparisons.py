"""The same deliveries under two books, from Python."""

from dataclasses import dataclass, field
from functools import cached_property
from html import escape
from pathlib import Path
from typing import Any

from api.files.reading_options import Format, ReadingOptions
from api.runs.any_size import compare_any_size
from api.runs.run import PLATFORM
from riderscore.frames import Backend, Data, ResultFolder, as_files, read_table


@dataclass(frozen=True)
class ComparisonResult:
    """What differs between book A and book B.

    Parameters
    ----------
    summary
        Sums, income, moves and bands: what `summary.json` holds. Points are milli-points, money fen, times seconds.
    folder
        Where the files are.
    backend
        The library whose table `riders` is.
    """

    summary: dict[str, Any]
    folder: Path
    backend: Backend = Backend.PYARROW
    _kept: ResultFolder | None = field(default=None, repr=False)

    @cached_property
    def riders(self) -> Any:
        """A table of all riders, with each amount under A (`…_a`) and B (`…_b`)."""
        return read_table(self.folder / "riders.parquet", self.backend)

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><th>{escape(name)}</th><td>{total['a']:,}</td><td>{total['b']:,}</td><td>{total['difference']:+,}</td></tr>"
            for name, total in self.summary["totals"].items()
        )
        return f"<table><tr><th></th><th>A</th><th>B</th><th>B − A</th></tr>{rows}</table>"


def compare(
    data: Data,
    *,
    books: tuple[str, str],
    out: str | Path | None = None,
    format: Format = "native",
    zone: str = "",
    platform: str = PLATFORM,
    replace: bool = False,
) -> ComparisonResult:
    """Score the same deliveries under two books.

    Parameters
    ----------
    data
        As `riderscore.score` takes it.
    books
        Books A and B, each as `riderscore.score` takes one.
    out
        Folder to write; without it the files live as long as the result.
    format, zone, platform, replace
        As `riderscore.score` takes them.

    Returns
    -------
    ComparisonResult
        Sums in `summary`, riders as a table.

    Raises
    ------
    BookError
        If a book cannot be used.
    InputError
        If the input cannot be read, or no row can be scored under both; nothing is written then.
    """
    kept = ResultFolder(out)
    reading = ReadingOptions(zone=zone)
    with as_files(data) as (paths, backend):
        compared = compare_any_size(
            "compare", paths, (books[0], books[1]), kept.path, format=format, platform=platform, reading=reading,
            replace=replace,
        )  # fmt: skip
    return ComparisonResult(compared.summary, kept.path, backend, kept)
