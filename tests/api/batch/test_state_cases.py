"""Days one after the other through a state on disk: small cases that went wrong once, each with its right value."""

import shutil
from pathlib import Path
from typing import Any

import pytest
import tomli_w

from api.batch.lake import score_lake
from api.batch.ledger_source import read_ledgers
from api.batch.run import score_files
from scoring.invariants import check_ledger
from tests.api.ledgers import entries_of, score_events, scores, write_events
from tests.builders import DAY_US, HOUR_US, appeal_upheld, delivered, tiny_book

DAY_MIN = 24 * 60
Events = list[dict[str, Any]]


def verified(*outs: Path) -> list[str]:
    """Names of the checks that do not hold."""
    return [
        found.check for out in outs for ledger in read_ledgers(out) for found in check_ledger(ledger) if not found.holds
    ]


def fading(folder: Path) -> str:
    """A tiny book whose deductions fade after seven days."""
    path = folder / "fade7.toml"
    path.write_text(tomli_w.dumps(tiny_book(fading={"after_days": 7})), encoding="utf-8")
    return str(path)


def bellas_days() -> Events:
    """A late order whose deduction fades a week later, and one three days after it, that keeps the first in the window."""
    return [delivered("b1", rider_id="bella", late_min=10), delivered("b2", rider_id="bella", at_min=3 * DAY_MIN)]


def aarons_day() -> Events:
    """A late order of a rider who comes before bella, and an appeal about it that is upheld."""
    late = delivered("a1", rider_id="aaron", at_min=8 * DAY_MIN, late_min=10)
    return [late, appeal_upheld("a2", late)]


@pytest.mark.case
@pytest.mark.parametrize("word", [True, False])
def test_a_day_writes_lines_of_its_own_riders_alone(tmp_path: Path, word: bool) -> None:
    """Another rider's fade stays where it was written, whoever comes before that rider and whatever is appealed."""
    book, state = fading(tmp_path), tmp_path / "state"
    first, second = bellas_days(), aarons_day()
    as_of_us = first[0]["occurred_us"] + 7 * DAY_US + 3 * HOUR_US
    score_events(tmp_path, first, "one", book=book, state=state, as_of_us=as_of_us)

    score_events(tmp_path, second if word else second[:1], "two", book=book, state=state)

    assert {line["rider_id"] for line in entries_of(tmp_path / "two")} == {"aaron"}
    assert scores(tmp_path / "two")["bella"] == 70_200
    assert verified(tmp_path / "one", tmp_path / "two") == []


def test_a_word_about_long_ago_leaves_the_fades_of_others(tmp_path: Path) -> None:
    """A rider whose whole history is read again stands before others whose pending fades refer to the window."""
    book, state = fading(tmp_path), tmp_path / "state"
    long_ago = delivered("a0", rider_id="aaron", at_min=-20 * DAY_MIN, late_min=10)
    score_events(tmp_path, [long_ago, *bellas_days()], "one", book=book, state=state)

    appeal = appeal_upheld("a9", long_ago, after_min=23 * DAY_MIN + 60)
    score_events(tmp_path, [appeal], "two", book=book, state=state)
    last = delivered("c1", rider_id="carl", at_min=9 * DAY_MIN)
    score_events(tmp_path, [last], "three", book=book, state=state)

    fades = [line for line in entries_of(tmp_path / "three") if line["kind"] == "fade"]
    assert [(line["rider_id"], line["event_id"]) for line in fades] == [("bella", "b1")]
    assert verified(*(tmp_path / name for name in ("one", "two", "three"))) == []


def test_fades_stay_with_their_riders_in_buckets(tmp_path: Path) -> None:
    """A state split into buckets hands each pending fade to its own rider, whoever comes before."""
    book, state = fading(tmp_path), tmp_path / "state"
    riders = [f"r{number:02d}" for number in range(30)]
    first = [
        row | {"rider_id": rider, "event_id": f"{row['event_id']}{rider}"} for rider in riders for row in bellas_days()
    ]
    as_of_us = first[0]["occurred_us"] + 7 * DAY_US + 3 * HOUR_US
    score_events(tmp_path, first, "one", book=book, state=state, as_of_us=as_of_us)
    path = write_events(tmp_path / "day.csv", aarons_day())

    whole = tmp_path / "whole-state"
    shutil.copytree(state, whole)
    score_lake([path], book, tmp_path / "two", state=state, bucket_rows=20)
    score_files([path], book, tmp_path / "alone", state=whole)

    lines = [line for ledger in read_ledgers(tmp_path / "two") for line in ledger.entries.to_pylist()]
    assert {line["rider_id"] for line in lines} == {"aaron"}
    assert verified(tmp_path / "two", tmp_path / "alone") == []
