"""Where the public Grubhub instances lie: RIDERSCORE_MDRP names a folder with `instances/`, `solutions/`, `reference.csv`."""

import csv
import os
from collections.abc import Mapping
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def mdrp() -> Path:
    """The folder; without it these tests fail, they are run by whoever has it."""
    folder = Path(os.environ.get("RIDERSCORE_MDRP", ""))
    if not (folder / "reference.csv").is_file():
        pytest.fail("RIDERSCORE_MDRP must name the folder with instances/, solutions/ and reference.csv")
    return folder


@pytest.fixture
def reference(mdrp: Path) -> Mapping[tuple[str, str], Mapping[str, str]]:
    """Published figures by (algorithm, instance)."""
    with (mdrp / "reference.csv").open(encoding="utf-8") as file:
        return {(row["algorithm"], row["instance"]): row for row in csv.DictReader(file)}
