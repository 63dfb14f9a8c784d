"""The cache of compiled code: never older than any source it was compiled from, and never in the way."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from rules import compiled, plain, sources

pytestmark = pytest.mark.slow

READER = """
from dispatch.constants import NUMBER, {type_name}
from rules.compiled import compiled


@compiled()
def read(of):
    return NUMBER + of.number


print(read({type_name}(0)), sum(read.machine_code().stats.cache_hits.values()))
"""
CONSTANTS = """
from typing import NamedTuple

NUMBER = {number}


class {type_name}(NamedTuple):
    number: int
"""


@pytest.fixture
def program(tmp_path: Path) -> Path:
    """A program of two files beside a copy of the modules under test."""
    for folder in ("rules", "dispatch"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "__init__.py").touch()
    for module in (compiled, plain, sources):
        shutil.copy(module.__file__, tmp_path / "rules")
    return tmp_path


def printed(program: Path, number: int, type_name: str = "Pair") -> list[str]:
    """What the program prints when its constant and its type are these: the number read, and the hits of the cache."""
    (program / "dispatch" / "constants.py").write_text(CONSTANTS.format(number=number, type_name=type_name))
    (program / "dispatch" / "reader.py").write_text(READER.format(type_name=type_name))
    words = [sys.executable, "-m", "dispatch.reader"]
    return subprocess.run(words, cwd=program, capture_output=True, text=True, check=True).stdout.split()


def test_a_constant_changed_in_another_file_is_seen(program: Path) -> None:
    """Code cached with a constant of another file is compiled anew when that file changes, and read otherwise."""
    assert printed(program, 1) == ["1", "0"]
    assert printed(program, 2) == ["2", "0"]
    assert printed(program, 2) == ["2", "1"]


def test_an_index_that_names_a_type_of_older_sources_is_stale(program: Path) -> None:
    """Where a type is renamed, the index of the cache cannot be read: the code is compiled anew."""
    printed(program, 1)

    assert printed(program, 1, "Renamed") == ["1", "0"]
    assert printed(program, 1, "Renamed") == ["1", "1"]


def test_any_changed_source_changes_the_stamp(program: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The stamp differs when a line of the package or of what it stands on differs, and is the same for the same sources."""
    for module in (compiled, sources):
        monkeypatch.setattr(module, "ROOT", program)
    stamps = []
    for package, file in (("dispatch", "route.py"), ("scoring", "kernel.py"), ("rules", "compile.py")):
        (program / package).mkdir(exist_ok=True)
        (program / package / file).write_text("LIMIT = 1\n", encoding="utf-8")
        sources.sources_digest.cache_clear()
        stamps.append(tuple(compiled.stamp_of(str(program / each / "any.py")) for each in ("dispatch", "scoring")))
    sources.sources_digest.cache_clear()

    dispatch, scoring = zip(*stamps, strict=True)

    assert dispatch[0] == dispatch[1] == dispatch[2]
    assert len(set(scoring)) == 3


def test_compiled_code_carries_the_stamp() -> None:
    """What is compiled is cached under the digest of the sources, not under a file's age."""
    from dispatch.route import evaluate_route
    from scoring.kernel import _fold
    from simulations.riding import advance

    for function in (evaluate_route, _fold, advance):
        stamp = compiled.stamp_of(function.py_func.__code__.co_filename)
        assert function.machine_code()._cache._cache_file._source_stamp == stamp


def test_importing_it_does_not_import_numba() -> None:
    """The rules need no compiler: only decorating a function imports it."""
    code = "import sys, rules.compiled; print('numba' in sys.modules)"

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "False"


def test_small_inputs_are_done_in_python_until_they_are_many() -> None:
    """A function that names its rows compiles nothing for a few, and does for many, for many few, and in a server."""
    code = """
import sys
import numpy as np
from rules import compiled

@compiled.compiled(rows=0)
def double(values):
    for i in range(values.size):
        values[i] *= 2

told = []
compiled.tell_what_is_compiled(told.append)
values = np.ones(8, np.int64)
double(values)
print(values.sum(), "numba" in sys.modules, told)
if sys.argv[1] == "many":
    double(np.ones(compiled.MADE_ROWS[0] + 1, np.int64))
elif sys.argv[1] == "often":
    for _ in range(compiled.MADE_ROWS[1] // 8 + 1):
        double(values)
else:
    compiled.only_machine_code()
    double(values)
print("numba" in sys.modules, told)
"""
    for way in ("many", "often", "server"):
        done = subprocess.run([sys.executable, "-c", code, way], capture_output=True, text=True, check=True)
        assert done.stdout.splitlines() == ["16 False []", "True ['__main__.double']"], way


def test_code_in_the_cache_is_taken_sooner(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether machine code is kept is seen from the names of files, before Numba is imported."""

    def work() -> None:
        """Some function of this file."""

    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))
    before = compiled.is_kept.__wrapped__(work)
    (tmp_path / "rules_0123").mkdir()
    (tmp_path / "rules_0123" / "test_compiled.work-1.py311.nbi").touch()

    assert not before
    assert compiled.is_kept.__wrapped__(work)


def test_what_is_part_of_others_can_be_called_from_python() -> None:
    """A function that is inlined has no entry of its own: from Python it runs as Python, also where a caller is compiled."""
    code = """
import numpy as np
from rules.compiled import compiled, inlined, only_machine_code

@inlined
def double(value):
    return value * 2

@compiled()
def double_all(values):
    for i in range(values.size):
        values[i] = double(values[i])

only_machine_code()
values = np.ones(3, np.int64)
double_all(values)
print(values.sum(), double(21))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.split() == ["6", "42"]
