"""Who may import whom: the contracts hold, and a planted violation shows that they can fail."""

import ast
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.architecture.sources import PACKAGES, ROOT, imports, modules, place, tree_of


def lint(folder: Path) -> subprocess.CompletedProcess[str]:
    """Check the contracts of a source tree, its packages before all others."""
    code = "import sys; sys.path.insert(0, '.'); from importlinter.cli import lint_imports; sys.exit(lint_imports(no_cache=True))"
    return subprocess.run(
        [sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, check=False, timeout=120
    )


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    """The product's sources and settings, apart from the checkout."""
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    for package in PACKAGES:
        shutil.copytree(ROOT / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path


@pytest.mark.slow
def test_the_contracts_hold(copied: Path) -> None:
    """Api → simulations → dispatch | scoring → rules, never upward."""
    done = lint(copied)

    assert done.returncode == 0, done.stdout + done.stderr
    assert "5 kept, 0 broken" in done.stdout


PLANTED = (
    ("rules/units.py", "import scoring.kernel"),
    ("rules/units.py", "from api.cli import main"),
    ("scoring/columns.py", "import dispatch.problem"),
    ("dispatch/problem.py", "from scoring import kernel"),
    ("scoring/kernel.py", "import simulations.run"),
    ("simulations/sample_city.py", "import api.files.errors"),
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
)


@pytest.mark.slow
def test_planted_violations_are_found(copied: Path) -> None:
    """Every forbidden import is named, by who imports what, and every contract has at least one."""
    for file, line in PLANTED:
        with (copied / file).open("a", encoding="utf-8") as source:
            source.write(f"\n\n{line}\n")

    done = lint(copied)

    assert done.returncode == 1, done.stdout + done.stderr
    assert "0 kept, 5 broken" in done.stdout
    assert [pair for pair in map(named, PLANTED) if pair not in done.stdout] == []


def named(planted: tuple[str, str]) -> str:
    """How the contracts' report names an import."""
    file, line = planted
    importer = file.removesuffix(".py").replace("/", ".")
    imported = line.removeprefix("from ").removeprefix("import ").replace(" import ", ".")
    outside = imported.partition(".")[0] not in PACKAGES
    return f"{importer} -> {imported.partition('.')[0] if outside else imported}"


def imports_of_tests(path: Path, tree: ast.Module) -> list[str]:
    """Imports of a test module by another file: what two files need stands in a module of its own, or in a conftest."""
    return [
        place(path, node)
        for node, module in imports(tree)
        if module.startswith("tests.") and any(part.startswith("test_") for part in module.split("."))
    ]


def test_nothing_is_imported_from_test_modules() -> None:
    """What tests share stands in builders, in other plain modules or in a conftest."""
    assert [line for path in modules("tests") for line in imports_of_tests(path, tree_of(path))] == []


@pytest.mark.parametrize(
    "code",
    [
        "from tests.rules.test_units import CASES",
        "from tests.rules import test_units",
        "import tests.rules.test_units",
        "def late() -> None:\n    from tests.rules.test_units import CASES",
    ],
)
def test_a_planted_import_from_a_test_module_is_found(code: str) -> None:
    """However it is written."""
    assert imports_of_tests(Path("planted.py"), ast.parse(code)) != []
