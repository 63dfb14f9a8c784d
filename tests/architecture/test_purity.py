"""What pure packages may not do: read a clock, draw from a shared generator, count points in floats."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.architecture.sources import PURE, ROOT, dotted, imports, modules, place, tree_of

CLOCKS = ("time", "sched")
CLOCK_CALLS = ("now", "utcnow", "today", "perf_counter", "monotonic", "process_time", "time_ns", "perf_counter_ns")
CHANCE = ("random", "secrets", "uuid.uuid1", "uuid.uuid4", "os.urandom")
# What `numpy.random` offers without a state of its own.
OWN_STATE = {"Generator", "PCG64", "Philox", "SeedSequence", "BitGenerator"}
FLOATS = ("float16", "float32", "float64", "floating", "double", "longdouble")
# Summaries for people are fractions of points; every module that holds or adds points is whole numbers only.
ENTRY_MODULES = (
    "columns", "facts", "hashing", "prepare", "kernel", "ledger", "liability", "matching", "revise", "score", "state",
)  # fmt: skip


def clocks_and_chance(tree: ast.Module) -> Iterator[tuple[ast.AST, str]]:
    """Every reading of a clock or of chance that nobody handed in."""
    for node, name in imports(tree):
        if name.split(".")[0] in CLOCKS or name.split(".")[0] in CHANCE or name in CHANCE:
            yield node, name
        if name.startswith("numpy.random") and name.split(".")[-1] not in OWN_STATE | {"random"}:
            yield node, name
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            name = dotted(node)
            if node.attr in CLOCK_CALLS and name.split(".")[0] in ("dt", "datetime", "date", "time"):
                yield node, name
            if name in CHANCE:
                yield node, name
            if name.startswith(("np.random.", "numpy.random.")) and node.attr not in OWN_STATE | {"default_rng"}:
                yield node, name
        if (
            isinstance(node, ast.Call)
            and dotted(node.func).endswith("default_rng")
            and not (node.args or node.keywords)
        ):
            yield node, "default_rng() without a seed"


def floats(tree: ast.Module) -> Iterator[tuple[ast.AST, str]]:
    """Every float: constants, types, true division."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, float):
            yield node, repr(node.value)
        elif isinstance(node, ast.BinOp | ast.AugAssign) and isinstance(node.op, ast.Div):
            yield node, "true division"
        elif (isinstance(node, ast.Attribute) and node.attr in FLOATS) or (
            isinstance(node, ast.Name) and node.id == "float"
        ):
            yield node, "a float type"


def found_in(check: object, paths: tuple[Path, ...]) -> list[str]:
    """What a check finds in files, for the message."""
    return [f"{place(path, node)} {what}" for path in paths for node, what in check(tree_of(path))]  # type: ignore[operator]


@pytest.mark.parametrize("package", PURE)
def test_no_clock_and_no_shared_chance(package: str) -> None:
    """`as_of_us` and the generator come in from outside."""
    assert found_in(clocks_and_chance, modules(package)) == []


def test_no_float_where_points_are_counted() -> None:
    """Modules that hold or add points and money know whole numbers only."""
    assert found_in(floats, tuple(ROOT / "scoring" / f"{name}.py" for name in ENTRY_MODULES)) == []


@pytest.mark.parametrize(
    "code",
    [
        "import time",
        "from time import perf_counter",
        "import datetime as dt\ndt.datetime.now()",
        "from datetime import date\ndate.today()",
        "import random",
        "from random import choice",
        "import numpy as np\nnp.random.seed(1)",
        "import numpy as np\nnp.random.default_rng()",
        "from numpy.random import normal",
        "from uuid import uuid4",
        "import os\nos.urandom(8)",
    ],
)
def test_a_planted_clock_or_chance_is_found(code: str) -> None:
    """The check can fail."""
    assert list(clocks_and_chance(ast.parse(code)))


@pytest.mark.parametrize(
    "code", ["a = 0.5", "a = b / 2", "a /= 2", "a = np.float64(1)", "a: float = 1", "a = b.astype(float)"]
)
def test_a_planted_float_is_found(code: str) -> None:
    """The check can fail."""
    assert list(floats(ast.parse(code)))


def test_a_seeded_generator_is_fine() -> None:
    """What is drawn from a seed that came in is no shared chance."""
    assert (
        list(clocks_and_chance(ast.parse("import numpy as np\nnp.random.default_rng(seed)\nnp.random.Generator"))) == []
    )
