"""The notebook runs from the first cell to the last, without a notebook server."""

import ast
import json
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.slow

NOTEBOOK = Path(__file__).parents[3] / "api" / "notebooks" / "study.ipynb"


def test_every_cell_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Cells run in order in one namespace; the study, its table, its chart and its sweep are there; nothing was left run in the file."""
    monkeypatch.chdir(tmp_path)
    document = json.loads(NOTEBOOK.read_text(encoding="utf-8"))
    cells = [cell for cell in document["cells"] if cell["cell_type"] == "code"]
    space: dict[str, Any] = {"__name__": "__main__"}

    for cell in cells:
        exec(compile(ast.parse("".join(cell["source"])), "study.ipynb", "exec"), space)

    told = capsys.readouterr().out
    assert (tmp_path / "study" / "report.html").is_file()
    assert "骑手" in told
    assert "b:tier.reward.bonus_fen=100" in told
    assert space["Picture"]("decomposition.en")._repr_svg_().startswith("<svg")
    assert all(not cell["outputs"] and cell["execution_count"] is None for cell in cells)
