"""Who may import whom: the contracts hold, and a planted violation shows that they can fail."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.architecture.sources import PACKAGES, ROOT


def lint(folder: Path) -> subprocess.CompletedProcess[str]:
    """Check the contracts of a source tree, its packages before all others."""
    code = "import sys; sys.path.insert(0, '.'); from importlinter.cli import lint_imports; sys.exit(lint_imports(no_cache=True))"
    return subprocess.run(
        [sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, check=False, timeout=120
    )


@pytest.fixture(scope="module")
def copied(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The product's sources and settings, apart from the checkout."""
    folder = tmp_path_factory.mktemp("copy")
    shutil.copy(ROOT / "pyproject.toml", folder)
    for package in PACKAGES:
        shutil.copytree(ROOT / package, folder / package, ignore=shutil.ignore_patterns("__pycache__"))
    return folder


def test_the_contracts_hold(copied: Path) -> None:
    """Api → simulations → dispatch | scoring → rules, never upward."""
    done = lint(copied)

    assert done.returncode == 0, done.stdout + done.stderr
    assert "5 kept, 0 broken" in done.stdout


@pytest.mark.parametrize(
    ("file", "line"),
    [
        ("rules/units.py", "import scoring.kernel"),
        ("rules/units.py", "from api.cli import main"),
        ("scoring/columns.py", "import dispatch.problem"),
        ("dispatch/problem.py", "from scoring import kernel"),
        ("scoring/kernel.py", "import simulations"),
        ("simulations/city.py", "import api.files"),
        ("dispatch/problem.py", "import sqlalchemy"),
        ("rules/units.py", "import urllib.request"),
        ("api/endpoints/common/problems.py", "from api.app import create"),
        ("api/books/drafts.py", "from api.ledger import posting"),
        ("api/riders/cards.py", "from api.cities import dashboard"),
        ("api/files/readers.py", "from api.db import store"),
        ("api/refusals.py", "from api.db import store"),
        ("api/endpoints/studies/routes.py", "from api.endpoints.books import shapes"),
        ("api/endpoints/common/etags.py", "from api.endpoints.riders import shapes"),
        ("api/endpoints/riders/routes.py", "import sqlalchemy"),
        ("api/files/readers.py", "import sqlite3"),
        ("api/cli/db.py", "import sqlalchemy"),
    ],
)
def test_a_planted_violation_is_found(copied: Path, file: str, line: str) -> None:
    """One forbidden import breaks the contracts and is named."""
    path = copied / file
    before = path.read_text(encoding="utf-8")
    path.write_text(before + f"\n\n{line}\n", encoding="utf-8")

    done = lint(copied)

    path.write_text(before, encoding="utf-8")
    assert done.returncode == 1, done.stdout + done.stderr
    assert "1 broken" in done.stdout
