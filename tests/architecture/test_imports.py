"""Who may import whom: the contracts hold, and a planted violation shows that they can fail."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.architecture.sources import PACKAGES, ROOT, imports, modules, place, tree_of

DATABASES = ("sqlalchemy", "sqlite3", "alembic", "asyncpg", "psycopg", "psycopg2", "duckdb")


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
    assert "2 kept, 0 broken" in done.stdout


@pytest.mark.parametrize(
    ("file", "line"),
    [
        ("rules/units.py", "import scoring.kernel"),
        ("rules/units.py", "from api.cli import main"),
        ("scoring/columns.py", "import dispatch.problem"),
        ("dispatch/problem.py", "from scoring import kernel"),
        ("scoring/kernel.py", "import simulations"),
        ("simulations/city.py", "import api.batch"),
        ("dispatch/problem.py", "import sqlalchemy"),
        ("rules/units.py", "import urllib.request"),
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


def test_only_the_store_says_sql() -> None:
    """No database library is imported outside `api.store` and the migrations."""
    found = [
        f"{place(path, node)} imports {name}"
        for path in modules()
        if not path.is_relative_to(ROOT / "api" / "store") and not path.is_relative_to(ROOT / "migrations")
        for node, name in imports(tree_of(path))
        if name.split(".")[0] in DATABASES
    ]

    assert found == []
