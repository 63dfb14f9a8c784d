"""Counts name the period that they count in."""

from pathlib import Path

import pytest

from tests.api.cli.commands import run
from tests.api.files.builders import csv_text, event

BOOK = """
id = "counted"
extends = "taobao-crowdsourced"
effective_from = 2025-12-03
notice_days = 0

[[rule]]
id = "reviews"
title = { zh = "差评", en = "Bad review" }
kind = "bad_review"
group = "lateness"
points = -1
when = { nth_in_month = { from = 1 } }
"""
TIMES = {"b0": "2026-01-31T20:00:00+08:00", "b1": "2026-02-01T03:00:00+08:00", "b2": "2026-02-01T05:00:00+08:00"}


@pytest.mark.case
@pytest.mark.parametrize(
    ("event_id", "period"),
    [
        ("b0", "(January, until 02-01 04:00)"),
        ("b1", "(January, until 02-01 04:00)"),
        ("b2", "(February, until 03-01 04:00)"),
    ],
)
def test_a_count_of_a_month_names_it(tmp_path: Path, event_id: str, period: str) -> None:
    """A bad review at 03:00 of the first day counts for the month whose last service day has not ended."""
    rows = [
        event(event_id=name, order_id=f"o-{name}", kind="bad_review", city="hangzhou", occurred_at=at)
        for name, at in TIMES.items()
    ]
    (tmp_path / "events.csv").write_text(csv_text(rows), encoding="utf-8")
    (tmp_path / "book.toml").write_text(BOOK, encoding="utf-8")
    done = run("score", tmp_path / "events.csv", "--book", tmp_path / "book.toml", "--out", tmp_path / "out")

    assert done.exit_code == 0, done.output
    said = run("explain", tmp_path / "out", "--rider", "r1", "--event", event_id, "--lang", "en")

    assert said.exit_code == 0, said.output
    assert period in said.stdout
