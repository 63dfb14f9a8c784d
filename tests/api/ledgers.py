"""A tiny city of three riders over two days, its files in any format, and what a ledger directory says."""

import csv
import json
import random
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from api.runs.run import ScoredFiles, score_files
from scoring.columns import EVENT_SCHEMA
from tests.builders import DAY_US, NOON_US, delivered, event, slow_merchant

Event = Mapping[str, Any]
DAY_MIN = 24 * 60
# 04:00 in Shanghai of the day after the tiny world's first: where its days are cut.
CUT_US = NOON_US + 16 * DAY_US // 24
BOOK = "taobao-crowdsourced"


def rider_days(rider: str, *, shift_min: float = 0) -> list[dict[str, Any]]:
    """Two days of one rider: on time, late, a wait that holds up two more, a false delivery, reviews."""
    own = {"rider_id": rider}
    key = rider + "-"
    next_day = DAY_MIN + shift_min
    return [
        delivered(key + "a", at_min=shift_min, **own),
        delivered(key + "b", at_min=shift_min + 50, late_min=4, **own),
        delivered(key + "c", at_min=shift_min + 100, late_min=30, **own),
        slow_merchant(key + "d", wait_min=12, at_min=shift_min + 160, late_min=9, **own),
        delivered(key + "e", at_min=shift_min + 165, late_min=8, **own),
        event("false_delivered", key + "f", at_min=shift_min + 200, order_id=f"order-{key}c", **own),
        delivered(key + "g", at_min=next_day, late_min=2, **own),
        event("bad_review", key + "h", at_min=next_day + 10, order_id=f"order-{key}g", **own),
        delivered(key + "i", at_min=next_day + 60, **own),
        event("good_review", key + "j", at_min=next_day + 61, order_id=f"order-{key}i", **own),
    ]


def two_days() -> list[dict[str, Any]]:
    """The tiny city, in order of time."""
    events = [row for k, rider in enumerate(("r1", "r2", "r3")) for row in rider_days(rider, shift_min=7 * k)]
    return sorted(events, key=lambda row: (row["occurred_us"], row["event_id"]))


def shuffled(events: Iterable[Event], seed: int = 7) -> list[Event]:
    """The same rows in another order."""
    rows = list(events)
    random.Random(seed).shuffle(rows)
    return rows


def write_events(path: Path, events: Sequence[Event]) -> Path:
    """Events as CSV, NDJSON or Parquet, by the ending."""
    if path.suffix == ".csv":
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, EVENT_SCHEMA.names, restval="")
            writer.writeheader()
            writer.writerows(events)
    elif path.suffix == ".ndjson":
        path.write_text("".join(json.dumps(row) + "\n" for row in events), encoding="utf-8")
    else:
        rows = [{name: row.get(name) for name in EVENT_SCHEMA.names} for row in events]
        pq.write_table(pa.Table.from_pylist(rows, schema=EVENT_SCHEMA), path)
    return path


def score_events(folder: Path, events: Sequence[Event], name: str = "run", **options: Any) -> ScoredFiles:
    """Score events, written as CSV beside, into `folder/name`."""
    path = write_events(folder / f"{name}.csv", events)
    return score_files([path], options.pop("book", BOOK), folder / name, **options)


def entries_of(out: Path) -> list[dict[str, Any]]:
    """Lines of a ledger directory."""
    return pq.read_table(out / "entries.parquet").to_pylist()


def riders_of(out: Path) -> dict[str, dict[str, Any]]:
    """Riders of a ledger directory, by id."""
    return {row["rider_id"]: row for row in pq.read_table(out / "riders.parquet").to_pylist()}


def lines_of(out: Path) -> list[dict[str, Any]]:
    """Lines without the column that says when they were written."""
    return sorted(
        ({name: value for name, value in line.items() if name != "recorded_us"} for line in entries_of(out)),
        key=lambda line: (line["rider_id"], line["seq"]),
    )


def nets(*outs: Path) -> dict[tuple[str, str], tuple[int, int]]:
    """Points and money of each event over ledgers that follow one another; events that cost nothing left out."""
    points: Counter[tuple[str, str]] = Counter()
    money: Counter[tuple[str, str]] = Counter()
    for out in outs:
        for line in entries_of(out):
            key = line["rider_id"], line["event_id"]
            points[key] += line["delta_mp"]
            money[key] += line["money_fen"]
    return {key: (points[key], money[key]) for key in points if points[key] or money[key]}


def scores(out: Path) -> dict[str, int]:
    """Score of each rider at the end."""
    return {rider: row["score_mp"] for rider, row in riders_of(out).items()}


def rejects_of(out: Path) -> list[dict[str, Any]]:
    """Rows left out."""
    return [json.loads(line) for line in (out / "rejects.ndjson").read_text(encoding="utf-8").splitlines()]


def contents(folder: Path) -> dict[str, bytes]:
    """Every file below a folder."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}
