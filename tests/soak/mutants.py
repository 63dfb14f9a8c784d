"""`python -m tests.soak.mutants [WORD]…`: faults planted one at a time in a copy of the code; tests must notice each.

The faults stand in `planted.py`. With words, only those whose file or text holds one of them. On all cores; exit code 1
and a list if any survives, or if one can no longer be planted because the code has changed. Faults in `scoring` are judged
without compiling it (`uncompiled.py`), which would take a minute each.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue

from tests.soak.planted import PLANTED, Planted

ROOT = Path(__file__).parents[2]
COPIED = (
    "api",
    "dispatch",
    "migrations",
    "riderscore",
    "rules",
    "scoring",
    "simulations",
    "tests",
    "pyproject.toml",
    "README.md",
)
PATIENCE_S = 900
UNCOMPILED = ("-p", "tests.soak.uncompiled", "-W", "ignore:overflow encountered:RuntimeWarning")
NOTICED, SURVIVED, ASTRAY = "noticed", "SURVIVED", "CANNOT BE PLANTED"


def main(words: list[str]) -> int:
    """Plant all that were asked for."""
    chosen = [one for one in PLANTED if not words or any(word in f"{one.file} {one.new}" for word in words)]
    cores = len(os.sched_getaffinity(0))
    with tempfile.TemporaryDirectory(prefix="riderscore-mutants-") as name:
        copies: SimpleQueue[Path] = SimpleQueue()
        for core in range(cores):
            copies.put(copy_code(Path(name) / str(core)))
        _need_passing(Path(name) / "0", {planted.tests for planted in chosen if _is_scoring(planted)})

        def judged(planted: Planted) -> str:
            copy = copies.get()
            try:
                outcome = _outcome(copy, planted)
            finally:
                copies.put(copy)
            print(f"{outcome}: {planted.file}: {planted.new.strip()}", flush=True)
            return outcome

        with ThreadPoolExecutor(cores) as pool:
            outcomes = list(pool.map(judged, chosen))
    print(f"{outcomes.count(NOTICED)} of {len(outcomes)} noticed")
    return 0 if set(outcomes) <= {NOTICED} else 1


def copy_code(place: Path) -> Path:
    place.mkdir()
    for name in COPIED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, place / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy2(source, place / name)
    return place


def _is_scoring(planted: Planted) -> bool:
    return planted.file.startswith("scoring/")


def _need_passing(copy: Path, selections: set[tuple[str, ...]]) -> None:
    """Uncompiled tests pass where nothing is planted: else each fault would seem to be noticed."""
    for tests in sorted(selections):
        done = _pytest(copy, *UNCOMPILED, *tests)
        if done.returncode:
            raise RuntimeError(done.stdout.decode() + done.stderr.decode())


def _pytest(copy: Path, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *arguments]
    environ = os.environ | {"PYTHONPATH": str(copy)}
    return subprocess.run(command, cwd=copy, env=environ, capture_output=True, check=False, timeout=PATIENCE_S)


def _outcome(copy: Path, planted: Planted) -> str:
    """Plant a fault, run its tests, take it back."""
    path = copy / planted.file
    before = path.read_text(encoding="utf-8")
    if before.count(planted.old) != 1:
        return ASTRAY
    path.write_text(before.replace(planted.old, planted.new), encoding="utf-8")
    try:
        done = _pytest(copy, *(UNCOMPILED if _is_scoring(planted) else ()), *planted.tests)
    except subprocess.TimeoutExpired:
        # A fault that hangs its tests is noticed too.
        return NOTICED
    finally:
        path.write_text(before, encoding="utf-8")
    if done.returncode not in (0, 1):
        raise RuntimeError(done.stdout.decode() + done.stderr.decode())
    return NOTICED if done.returncode else SURVIVED


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
