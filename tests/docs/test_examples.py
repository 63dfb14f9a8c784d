"""The examples run: scripts as a user starts them, notebooks from the first cell to the last."""

import ast
import json
import runpy
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.docs.pages import ROOT
from tests.riderscore.service import live_service

pytestmark = pytest.mark.slow

EXAMPLES = ROOT / "examples"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the examples, and the place where they are run."""
    copy = tmp_path / "examples"
    shutil.copytree(EXAMPLES, copy)
    monkeypatch.chdir(copy)
    return copy


def run_notebook(path: Path) -> dict[str, Any]:
    """The names that a notebook ends with; nothing was left run in the file."""
    document = json.loads(path.read_text(encoding="utf-8"))
    cells = [cell for cell in document["cells"] if cell["cell_type"] == "code"]
    assert all(not cell["outputs"] and cell["execution_count"] is None for cell in cells)
    names: dict[str, Any] = {"__name__": "__main__"}
    for cell in cells:
        exec(compile(ast.parse("".join(cell["source"])), path.name, "exec"), names)
    return names


def test_the_study_runs(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The study, its table, its chart and its sweep are there."""
    names = run_notebook(folder / "study.ipynb")

    printed = capsys.readouterr().out
    assert (folder / "study" / "report.html").is_file()
    assert "骑手" in printed
    assert "b:tier.reward.bonus_fen=100" in printed
    assert names["Picture"]("decomposition.en")._repr_svg_().startswith("<svg")
    assert "Income per rider and day" in names["study"]._repr_html_()


def test_the_first_ledger_runs(folder: Path) -> None:
    """Four entries, and the fine that the score replaces."""
    names = run_notebook(folder / "first_ledger.ipynb")

    assert names["ledger"].entries.num_rows == 4
    assert "<td>685</td>" in names["compared"]._repr_html_()


def test_data_frames_run(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A table of riders, and why a point went."""
    runpy.run_path(str(folder / "data_frames.py"), run_name="__main__")

    printed = capsys.readouterr().out
    assert "69600" in printed
    assert "1 point off" in printed


def test_the_client_runs(folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Against a running service: the delivery is scored and stands in the rider's entries."""
    with live_service(folder) as service:
        monkeypatch.setenv("RIDERSCORE_URL", service.url)
        monkeypatch.setenv("RIDERSCORE_KEY", service.platform_key)
        runpy.run_path(str(folder / "post_events.py"), run_name="__main__")

    printed = capsys.readouterr().out
    assert "event: scored" in printed
    assert "score: 69.0" in printed
    assert "4 min late" in printed
