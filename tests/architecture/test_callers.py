"""What only tests call is not in the product."""

import ast
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

from tests.architecture.sources import PACKAGES, modules, place, tracked, tree_of

# Built on by work that is still to come, the only way to something, or called by a library by name.
WITHOUT_CALLER = {
    "api/db/schema.py": {"downgrade"},
    "dispatch/check_market.py": {"check_market", "check_round"},
    "dispatch/mdrp.py": {"read_solution"},
    "dispatch/rounds.py": {"solve_large_round"},
    "dispatch/travel.py": {"SlowedTravel"},
    # The reference of the docs is made of it (docs/generated.py).
    "rules/book_keys.py": {"book_keys"},
    "rules/ids.py": {"ID_FAULTS"},
    # Published figures to calibrate against: the policy lab reports them.
    "simulations/calibration.py": {"calibration_figures"},
}
WORD = re.compile(r"[A-Za-z_]\w*")
# Texts that name code beside Python: templates, scripts, settings.
SUFFIXES = {".html", ".js", ".toml", ".ipynb"}


def uses(tree: ast.AST) -> Iterator[str]:
    """Names that a piece of code reads, also in short texts; an import alone is no use."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            yield node.id
        elif isinstance(node, ast.Attribute):
            yield node.attr
        elif isinstance(node, ast.keyword) and node.arg:
            yield node.arg
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and len(node.value) < 80:
            yield from WORD.findall(node.value)


def defined(tree: ast.Module) -> Iterator[tuple[str, ast.stmt]]:
    """Functions, classes and constants of a module."""
    for node in tree.body:
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            # What is decorated may be called by whoever it was registered with.
            if isinstance(node, ast.ClassDef) or not node.decorator_list:
                yield node.name, node
        elif isinstance(node, (ast.Assign, ast.AnnAssign)):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            yield from ((target.id, node) for target in targets if isinstance(target, ast.Name))


def without_caller(trees: Iterable[tuple[Path, ast.Module]], beside: Iterable[str] = ()) -> Iterator[tuple[Path, str]]:
    """Names that stand nowhere outside their own definition."""
    trees = list(trees)
    counts = Counter(name for _, tree in trees for name in uses(tree))
    counts.update(word for text in beside for word in WORD.findall(text))
    for path, tree in trees:
        for name, node in defined(tree):
            within = sum(name == used for used in uses(node))
            if not name.startswith("__") and counts[name] <= within:
                yield path, name


def test_everything_has_a_caller_in_the_product() -> None:
    """A function, class or constant that nothing but tests names is deleted, and the tests use what the product uses."""
    paths = modules(*PACKAGES)
    beside = [path.read_text("utf-8") for path in tracked() if path.suffix in SUFFIXES and "tests" not in path.parts]

    found = without_caller(((path, tree_of(path)) for path in paths), beside)

    own = {"migrations", "riderscore"}  # called by Alembic, and by users
    left = [(place(path), name) for path, name in found if place(path).partition("/")[0] not in own]
    assert [(where, name) for where, name in left if name not in WITHOUT_CALLER.get(where, ())] == []


def test_a_function_without_a_caller_is_found() -> None:
    """Calling itself, and being imported, does not count."""
    module = ast.parse("def unused():\n    return unused()\n\ndef used():\n    return 1\n")
    other = ast.parse("from a import unused, used\nused()\n")

    found = list(without_caller([(Path("a.py"), module), (Path("b.py"), other)]))

    assert found == [(Path("a.py"), "unused")]
