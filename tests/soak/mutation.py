"""`python -m tests.soak.mutation [--sample N] [--seed S] [MODULE…]`: cosmic-ray over the modules that decide most.

Each module is changed in a copy of the code, one place at a time, and the tests that cover it are run. What survives is
printed with its difference: it gets a test and, if worth keeping, a row of `planted.py`, or an argument in
`survivors.md`. One process; exit code 1 if anything survives.
"""

import argparse
import compileall
import json
import random
import shlex
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path
from py_compile import PycInvalidationMode
from typing import NamedTuple

import tomli_w

from tests.soak.mutants import copy_code

PATIENCE_S = 240
SAMPLE = 20
SEED = 1
# Cosmic-ray has each sign in the place of each other. One other is enough: a test that sees it sees the rest.
OPERATORS = frozenset({
    "core/AddNot", "core/NumberReplacer", "core/ReplaceAndWithOr", "core/ReplaceOrWithAnd",
    "core/ReplaceBreakWithContinue", "core/ReplaceContinueWithBreak", "core/ReplaceTrueWithFalse",
    "core/ReplaceFalseWithTrue", "core/ReplaceBinaryOperator_Add_Sub", "core/ReplaceBinaryOperator_Sub_Add",
    "core/ReplaceBinaryOperator_Mul_FloorDiv", "core/ReplaceBinaryOperator_FloorDiv_Mul",
    "core/ReplaceComparisonOperator_Lt_LtE", "core/ReplaceComparisonOperator_LtE_Lt",
    "core/ReplaceComparisonOperator_Gt_GtE", "core/ReplaceComparisonOperator_GtE_Gt",
    "core/ReplaceComparisonOperator_Eq_NotEq", "core/ReplaceComparisonOperator_NotEq_Eq",
    "core/ReplaceComparisonOperator_Is_IsNot", "core/ReplaceComparisonOperator_IsNot_Is",
    "core/ReplaceUnaryOperator_Delete_Not", "core/ReplaceUnaryOperator_USub_UAdd",
})  # fmt: skip


class Covered(NamedTuple):
    """Tests that cover a module, as pytest is asked for them, and the plugin that they run with."""

    plugin: str
    tests: tuple[str, ...]


_SCORING = Covered(
    "tests.soak.uncompiled",
    (
        *(
            f"tests/scoring/test_{name}.py"
            for name in ("hand_worked", "hand_worked_edges", "boundaries", "examples", "delivered_twice", "missing_times")
        ),
        # The oracle is not what is changed.
        "-k", "not oracle",
    ),
)  # fmt: skip
_STAMPED = "tests.soak.stamped_once"
MODULES = {
    "scoring/kernel.py": _SCORING,
    "scoring/liability.py": _SCORING,
    "api/ledger/posting.py": Covered(
        _STAMPED, tuple(f"tests/api/ledger/test_{name}.py" for name in ("posting", "boundaries", "stored_ids"))
    ),
    "api/endpoints/common/auth.py": Covered(_STAMPED, ("tests/api/endpoints/common/test_auth.py",)),
    "api/access/keys.py": Covered(
        _STAMPED,
        (
            "tests/api/access/test_keys.py",
            "tests/api/access/test_separation_of_duties.py",
        ),
    ),
    "dispatch/rounds.py": Covered(_STAMPED, ("tests/dispatch/test_rounds.py",)),
}


class Judged(NamedTuple):
    """A mutant, and what came of it."""

    outcome: str
    difference: str


def main() -> int:
    """Mutate the modules that were asked for, or all."""
    parser = argparse.ArgumentParser()
    parser.add_argument("modules", nargs="*", default=list(MODULES))
    parser.add_argument("--sample", type=int, default=SAMPLE, help="mutants of each module; 0 for all")
    parser.add_argument("--seed", type=int, default=SEED)
    options = parser.parse_args()
    num_survived = 0
    for module in options.modules:
        with tempfile.TemporaryDirectory(prefix="riderscore-mutation-") as folder:
            judged = mutate(copy_code(Path(folder) / "copy"), module, options.sample, options.seed)
        counts = Counter(mutant.outcome for mutant in judged)
        survived = [mutant for mutant in judged if mutant.outcome != "killed"]
        print(f"{module}: {dict(counts)}", *(mutant.difference for mutant in survived), sep="\n", flush=True)
        num_survived += len(survived)
    return 1 if num_survived else 0


def mutate(copy: Path, module: str, sample: int, seed: int) -> list[Judged]:
    """Judge a sample of the mutants of a module."""
    covered = MODULES[module]
    tests = [sys.executable, "-m", "pytest", "-q", "-x", "-p", covered.plugin, "-p", "no:cacheprovider"]
    tests += ["-p", "no:randomly", "-m", "not slow", "-W", "ignore:overflow encountered:RuntimeWarning"]
    settings = {
        "module-path": module, "timeout": float(PATIENCE_S), "excluded-modules": [],
        "test-command": shlex.join([*tests, *covered.tests]), "distributor": {"name": "local"},
    }  # fmt: skip
    (copy / "mutation.toml").write_text(tomli_w.dumps({"cosmic-ray": settings}), encoding="utf-8")
    # By content: a mutant may be as long as what it replaces, and written in the same second.
    compileall.compile_dir(copy, quiet=2, invalidation_mode=PycInvalidationMode.CHECKED_HASH)
    # Without a fault all tests pass; else each mutant would seem to be noticed.
    _cosmic_ray(copy, "baseline", "mutation.toml")
    _cosmic_ray(copy, "init", "mutation.toml", "mutation.sqlite")
    _keep_sample(copy / "mutation.sqlite", sample, seed)
    _cosmic_ray(copy, "exec", "mutation.toml", "mutation.sqlite")
    lines = _cosmic_ray(copy, "dump", "mutation.sqlite").splitlines()
    return [Judged(done["test_outcome"], done["diff"]) for _, done in map(json.loads, lines) if done is not None]


def _keep_sample(session: Path, sample: int, seed: int) -> None:
    """Leave a sample in a session of all mutants."""
    from cosmic_ray.work_db import WorkDB, use_db

    with use_db(str(session), WorkDB.Mode.open) as work:
        chosen = [item for item in work.work_items if {each.operator_name for each in item.mutations} <= OPERATORS]
        # Their ids are random: sorted by place, one seed is one sample.
        chosen.sort(key=lambda item: [(each.start_pos, each.operator_name, each.occurrence) for each in item.mutations])
        work.clear()
        work.add_work_items(random.Random(seed).sample(chosen, sample) if 0 < sample < len(chosen) else chosen)


def _cosmic_ray(copy: Path, *words: str) -> str:
    command = [sys.executable, "-m", "cosmic_ray.cli", *words]
    return subprocess.run(command, cwd=copy, check=True, stdout=subprocess.PIPE, text=True).stdout


if __name__ == "__main__":
    sys.exit(main())
