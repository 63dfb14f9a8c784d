"""`python -m docs.file_columns`: writes docs/reference/files.json, the columns and types of each Parquet file.

The files are made by the commands themselves, on a small city. The page is part of the contract: a column that goes or
gets another type fails `tests/docs/test_file_columns.py` unless CHANGELOG.md names it under Breaks.
"""

import json
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq
from click.testing import CliRunner

PLACE: Final = Path(__file__).parent / "reference" / "files.json"
BOOKS: Final = ("legacy-fine", "gbt-46862-reference")
_CITY: Final = ("--riders", "20", "--events", "400", "--cities", "2")
_STUDY: Final = ("riders=8", "orders_per_day=60", "warm_up_days=0", "sending.period_s=600")
Columns = dict[str, dict[str, str]]


def main() -> int:
    """Write the page; print its name if it changed."""
    content = as_text(columns_of_files())
    if not PLACE.exists() or PLACE.read_text("utf-8") != content:
        PLACE.write_text(content, encoding="utf-8")
        print(PLACE.name)
    return 0


def as_text(files: Mapping[str, Columns]) -> str:
    """The page."""
    from api.files.parquet_files import SCHEMA_VERSION

    return json.dumps({"schema_version": SCHEMA_VERSION, "files": files}, ensure_ascii=False, indent=1) + "\n"


def columns_of_files() -> dict[str, Columns]:
    """Of each Parquet file that a command writes the columns in order, with type and unit."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        return {name: columns_of(path) for name, path in (*scored_files(place), *other_files(place))}


def columns_of(path: Path) -> Columns:
    """The columns of a Parquet file as any reader sees them."""
    return {field.name: _described(field) for field in pq.read_schema(path)}


def _described(field: pa.Field) -> dict[str, str]:
    unit = (field.metadata or {}).get(b"unit", b"").decode()
    return {"type": str(field.type)} | ({"unit": unit} if unit else {})


def scored_files(place: Path) -> Iterator[tuple[str, Path]]:
    """Files of `bench generate`, `score`, `compare` and `books impact` below a folder."""
    events, ledger, state = place / "day", place / "ledger", place / "state"
    _run("bench", "generate", *_CITY, "--out", events)
    yield "bench generate: *.parquet", next(iter(sorted(events.glob("*.parquet"))))
    _run("score", events, "--book", BOOKS[1], "--out", ledger, "--state", state)
    yield "score: entries.parquet", ledger / "entries.parquet"
    yield "score: riders.parquet", ledger / "riders.parquet"
    for path in (*sorted(state.glob("*.parquet")), *sorted((state / "archive").glob("*.parquet"))):
        name = path.relative_to(state).as_posix().replace("00000", "*")
        yield f"score --state: {name}", path
    _run("compare", events, "--books", ",".join(BOOKS), "--out", place / "compared")
    yield "compare: riders.parquet", place / "compared" / "riders.parquet"
    sides = ("--from", BOOKS[0], "--to", BOOKS[1])
    _run("books", "impact", *sides, "--events", events, "--out", place / "impact")
    yield "books impact: affected.parquet", place / "impact" / "affected.parquet"


def other_files(place: Path) -> Iterator[tuple[str, Path]]:
    """Files of `simulate` and `dispatch` below a folder."""
    sets = [word for setting in _STUDY for word in ("--set", setting)]
    size = (
        "--seeds",
        "2",
        "--days",
        "1",
        "--jobs",
        "1",
        "--sensitivity",
        "off",
        "--sweep",
        "riders=8,9",
    )
    _run("simulate", "ordinary-week", "--books", ",".join(BOOKS), *size, *sets, "--out", place / "study")
    for path in sorted((place / "study").glob("*.parquet")):
        yield f"simulate: {path.name}", path
    _run("dispatch", _instance(place / "0o4t100s1p100"), "--out", place / "dispatched")
    yield "dispatch: deliveries.parquet", place / "dispatched" / "deliveries.parquet"


def _instance(folder: Path) -> Path:
    """A Grubhub instance of one order, one restaurant and one courier."""
    texts: dict[str, Sequence[Sequence[Any]]] = {
        "orders.txt": (("order", "x", "y", "placement_time", "restaurant", "ready_time"), ("o1", 900, 900, 10, "r1", 20)),
        "restaurants.txt": (("restaurant", "x", "y"), ("r1", 500, 500)),
        "couriers.txt": (("courier", "x", "y", "on_time", "off_time"), ("c1", 400, 400, 0, 240)),
        "instance_parameters.txt": (
            ("meters_per_minute", "pickup service minutes", "dropoff service minutes", "target click-to-door", "maximum click-to-door", "pay per order", "guaranteed pay per hour"),
            (320, 4, 4, 40, 90, 10, 15),
        ),
    }  # fmt: skip
    folder.mkdir()
    for name, rows in texts.items():
        (folder / name).write_text("".join("\t".join(map(str, row)) + "\n" for row in rows), encoding="utf-8")
    return folder


def _run(*words: str | Path) -> None:
    from api.cli.main import main as riderscore

    result = CliRunner().invoke(riderscore, [str(word) for word in words])
    if result.exit_code != 0:
        raise RuntimeError(f"riderscore {' '.join(map(str, words))}: {result.output}")


if __name__ == "__main__":
    sys.exit(main())
