"""`python -m tests.benchmarks.lake --sizes 1,10,50,200`: how cost grows with the day, beside DuckDB on the same files.

For each size, in millions of events of a fourteenth as many riders: the day is generated (or was), `riderscore score` is
run on it with every feature on, its memory sampled over the whole process tree, its ledger held against two other ways to
the same (`lake_check`); DuckDB writes a row an event with a CASE and the rider's running sum from the same files with two
threads: no clamp, cap, liability or explanation. Prints a Markdown table; a line a step on stderr.
"""

import argparse
import json
import shutil
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import duckdb

from tests.benchmarks.lake_check import checked
from tests.benchmarks.lake_kills import EVENTS_PER_RIDER, generated, riderscore, scratch
from tests.benchmarks.measured import Measured, measured, num_cores
from tests.benchmarks.peers import duckdb_running

BOOK = "gbt-46862-reference"
MILLION = 1_000_000
COMPARED = ("legacy-fine", BOOK)
THREADS = 2


@dataclass(frozen=True)
class Row:
    """What one size took."""

    num_events: int
    scored: Measured
    stages: dict[str, float]
    duckdb: Measured | None
    proof: str


def measure(day: Path, folder: Path, num_events: int, options: argparse.Namespace) -> Row:
    """Score a day, check it, and give it to DuckDB."""
    ledger = folder / "ledger"
    shutil.rmtree(ledger, ignore_errors=True)
    scored = measured(riderscore("score", day, "--book", options.book, "--out", ledger))
    run = json.loads((ledger / "run.json").read_text())
    stages = {name: spent for name, spent in run["seconds"].items() if not isinstance(spent, dict)}
    stages |= {f"workers: {name}": spent for name, spent in run["seconds"].get("workers", {}).items()}
    tell(f"{num_events} events: {scored.seconds:.1f} s, {scored.pss_gib:.1f} GiB")
    proof = "not checked"
    if options.check:
        proof = checked(day, ledger, options.book, options.check, folder)
        tell(proof)
    shutil.rmtree(ledger)
    peer = None
    if num_events <= options.duckdb_up_to * MILLION:
        out, temporary = folder / "duckdb.parquet", folder / "duckdb"
        own = [sys.executable, "-m", "tests.benchmarks.lake", "--peer", str(day), str(out), str(temporary)]
        peer = measured(own)
        tell(f"DuckDB: {peer.seconds:.1f} s, {peer.pss_gib:.1f} GiB")
        out.unlink()
        shutil.rmtree(temporary, ignore_errors=True)
    return Row(num_events, scored, stages, peer, proof)


def run_peer(day: Path, out: Path, temporary: Path) -> None:
    """DuckDB's job in this process, spilling to a folder of its own."""
    duckdb.sql(f"SET threads = {THREADS}")
    duckdb.sql(f"SET temp_directory = '{temporary}'")
    duckdb_running(day / "*.parquet", out)


def compared(day: Path, folder: Path, num_events: int) -> list[str]:
    """`compare` and `books impact` over a day: a line of the table each."""
    lines = []
    for name, arguments in (
        ("compare", ["compare", day, "--books", ",".join(COMPARED)]),
        ("books impact", ["books", "impact", "--from", COMPARED[0], "--to", COMPARED[1], "--events", day]),
    ):
        out = folder / "compared"
        took = measured(riderscore(*arguments, "--out", out))
        shutil.rmtree(out)
        lines.append(f"| `{name}` | {num_events / MILLION:g} M | {took.seconds:.1f} | {took.pss_gib:.1f} |")
        tell(lines[-1])
    return lines


def table_of(rows: Iterable[Row]) -> str:
    """The sizes as a Markdown table, the stages of each below it."""
    rows = list(rows)
    lines = [
        f"{num_cores()} cores, `{BOOK}`, PSS of all processes; DuckDB with {THREADS} threads",
        "",
        "| events | riders | seconds | s per million | GiB | of it no file's | DuckDB s | DuckDB GiB | ratio |",
        "|--:|--:|--:|--:|--:|--:|--:|--:|--:|",
    ]
    for row in rows:
        own, peer = row.scored, row.duckdb
        beside = (
            ["–"] * 3
            if peer is None
            else [f"{peer.seconds:.1f}", f"{peer.pss_gib:.1f}", f"{peer.seconds / own.seconds:.2f} ×"]
        )
        cells = [
            f"{row.num_events / MILLION:g} M", f"{row.num_events / EVENTS_PER_RIDER / MILLION:.2f} M", f"{own.seconds:.1f}",
            f"{own.seconds * MILLION / row.num_events:.2f}", f"{own.pss_gib:.1f}", f"{own.anonymous_gib:.1f}", *beside,
        ]  # fmt: skip
        lines.append(f"| {' | '.join(cells)} |")
    names = list(dict.fromkeys(name for row in rows for name in row.stages))
    lines += ["", f"| seconds by stage | {' | '.join(names)} |", f"|---|{'--:|' * len(names)}"]
    for row in rows:
        spent = [f"{row.stages[name]:.1f}" if name in row.stages else "–" for name in names]
        lines.append(f"| {row.num_events / MILLION:g} M | {' | '.join(spent)} |")
    return "\n".join([*lines, "", *(f"- {row.num_events / MILLION:g} M: {row.proof}" for row in rows), ""])


def tell(line: str) -> None:
    """A line on stderr."""
    sys.stderr.write(line + "\n")
    sys.stderr.flush()


def options_of() -> argparse.Namespace:
    """What is asked for."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--sizes", default="1,10", help="millions of events, such as 1,10,50,200")
    parser.add_argument("--book", default=BOOK, help="a book as `score` takes it")
    parser.add_argument("--duckdb-up-to", type=float, default=50, help="no DuckDB above so many millions (0: none)")
    parser.add_argument("--compare", type=float, default=0, help="time compare and impact at so many millions, too")
    parser.add_argument("--check", type=int, default=1_000, help="riders to be scored by themselves (0: none)")
    parser.add_argument("--dir", type=Path, help="a folder to work in, where days are kept (default: a temporary one)")
    parser.add_argument("--peer", type=Path, nargs=3, help=argparse.SUPPRESS)
    return parser.parse_args()


def main() -> None:
    """Measure what is asked for."""
    options = options_of()
    if options.peer:
        run_peer(*options.peer)
        return
    with scratch(options.dir) as folder:
        rows = []
        for size in [float(size) for size in options.sizes.split(",") if size]:
            num_events = int(size * MILLION)
            rows.append(measure(generated(folder, num_events), folder, num_events, options))
        sys.stdout.write(table_of(rows))
        if options.compare:
            num_events = int(options.compare * MILLION)
            lines = compared(generated(folder, num_events), folder, num_events)
            sys.stdout.write("\n".join(["", "| command | events | seconds | GiB |", "|---|--:|--:|--:|", *lines, ""]))


if __name__ == "__main__":
    main()
