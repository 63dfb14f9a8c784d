"""Data frames in and out: whatever a user's library is, rows go in as a Parquet file and tables come back in its kind."""

import shutil
import weakref
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory, mkdtemp
from typing import Any, Protocol

import narwhals as nw
import pyarrow as pa
import pyarrow.parquet as pq

Backend = nw.Implementation


class ArrowStream(Protocol):
    """A table of any library that offers its rows by Arrow's PyCapsule interface."""

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        """Its rows as a stream of Arrow batches."""


# A path or paths (CSV, NDJSON, Parquet, folders), or a table of pandas, Polars, PyArrow, DuckDB, Modin …
Data = str | Path | Sequence[str | Path] | ArrowStream | Any


@contextmanager
def as_files(data: Data) -> Iterator[tuple[list[Path], Backend]]:
    """Files that hold the data, while they are needed, and the library whose tables the user has.

    Parameters
    ----------
    data
        One path or several, or a table.

    Yields
    ------
    tuple of list of Path and Backend
        Paths as given, with `Backend.PYARROW`; or the table as one Parquet file, with the table's library.

    Raises
    ------
    TypeError
        If it is none of these.
    """
    if isinstance(data, str | Path):
        yield [Path(data)], Backend.PYARROW
    elif isinstance(data, list | tuple):
        yield [Path(path) for path in data], Backend.PYARROW
    else:
        table, backend = _table_of(data)
        with TemporaryDirectory(prefix="riderscore-") as folder:
            path = Path(folder) / "events.parquet"
            pq.write_table(table, path)
            yield [path], backend


def _table_of(data: Any) -> tuple[pa.Table, Backend]:
    try:
        frame = nw.from_native(data)
    except TypeError:
        if hasattr(data, "__arrow_c_stream__"):
            return pa.table(data), Backend.PYARROW
        raise TypeError(
            f"events are paths or a table (pandas, Polars, PyArrow, DuckDB …), not {type(data).__name__}"
        ) from None
    eager = frame.collect() if isinstance(frame, nw.LazyFrame) else frame
    return eager.to_arrow(), eager.implementation


def in_kind(table: pa.Table, backend: Backend) -> Any:
    """A table as the user's library has it.

    Parameters
    ----------
    table
        Rows.
    backend
        The library.

    Returns
    -------
    table of that library
        Same columns, same rows.
    """
    if backend == Backend.PYARROW:
        return table
    return nw.from_arrow(table, backend=backend.to_native_namespace()).to_native()


def read_table(path: Path, backend: Backend) -> Any:
    """A Parquet file, or a folder of its parts, as the user's library has it."""
    return in_kind(pq.read_table(path), backend)


class ResultFolder:
    """A folder of results: the one that was asked for, or a temporary one that is removed with this object.

    Parameters
    ----------
    out
        The folder that was asked for, or None.
    """

    def __init__(self, out: str | Path | None) -> None:
        if out is not None:
            self.path = Path(out)
            return
        root = mkdtemp(prefix="riderscore-")
        # It must not exist beforehand: runs put their result in place as a whole.
        self.path = Path(root) / "out"
        self.remove = weakref.finalize(self, shutil.rmtree, root, ignore_errors=True)
