"""The four deliveries that the documentation scores, as a file and as rows."""

import csv
from pathlib import Path
from typing import Any

import pytest

from tests.docs.pages import ROOT, blocks_of

README_BOOK = "taobao-crowdsourced"


@pytest.fixture
def day_csv(tmp_path: Path) -> Path:
    """`day.csv` of the first tutorial."""
    (text,) = (block.text for block in blocks_of(ROOT / "README.md") if block.name == "day.csv")
    path = tmp_path / "day.csv"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.fixture
def rows(day_csv: Path) -> list[dict[str, Any]]:
    """The same, a dictionary for each row; the fee is a number."""
    with day_csv.open(encoding="utf-8") as file:
        return [{**row, "fee_fen": int(row["fee_fen"])} for row in csv.DictReader(file)]
