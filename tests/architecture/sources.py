"""The product's own source files, read as syntax trees."""

import ast
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("api", "dispatch", "migrations", "riderscore", "rules", "scoring", "simulations")
PURE = ("rules", "scoring", "dispatch", "simulations")


@cache
def modules(*packages: str) -> tuple[Path, ...]:
    """Python files of some packages, or of all."""
    return tuple(sorted(path for package in packages or PACKAGES for path in (ROOT / package).rglob("*.py")))


@cache
def tree_of(path: Path) -> ast.Module:
    """The syntax tree of a file."""
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


def place(path: Path, node: ast.AST | None = None) -> str:
    """Where something stands, for a message: `rules/units.py:12`."""
    line = getattr(node, "lineno", None)
    name = str(path.relative_to(ROOT)) if path.is_relative_to(ROOT) else path.name
    return f"{name}:{line}" if line else name


def imports(tree: ast.Module) -> Iterator[tuple[ast.AST, str]]:
    """Every module imported anywhere in a file, `from a import b` as `a.b`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from ((node, f"{node.module}.{alias.name}") for alias in node.names)


def dotted(node: ast.expr) -> str:
    """`np.random.normal` of a chain of attributes; empty for anything else."""
    names: list[str] = []
    while isinstance(node, ast.Attribute):
        names.append(node.attr)
        node = node.value
    return ".".join([node.id, *reversed(names)]) if isinstance(node, ast.Name) else ""


def tracked() -> tuple[Path, ...]:
    """Files under version control; in a copy without history, all that are no product of tools."""
    listing = subprocess.run(
        ["git", "-c", "safe.directory=*", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if listing.returncode == 0:
        return tuple(ROOT / name for name in listing.stdout.split("\0") if name and (ROOT / name).is_file())
    skipped = {".git", ".venv", "__pycache__", "build", "dist"}
    return tuple(path for path in ROOT.rglob("*") if path.is_file() and not skipped & set(path.parts))
