"""The kept list of faults keeps up with the code."""

import pytest

from tests.soak.mutants import ROOT
from tests.soak.mutation import MODULES
from tests.soak.planted import PLANTED, Planted


@pytest.mark.parametrize("planted", PLANTED, ids=lambda planted: f"{planted.file}: {planted.new.strip()}")
def test_every_kept_fault_can_be_planted(planted: Planted) -> None:
    """What it replaces stands once in its file, what it puts there is something else, and its tests are there."""
    assert (ROOT / planted.file).read_text(encoding="utf-8").count(planted.old) == 1
    assert planted.new != planted.old
    assert [word for word in planted.tests if word.endswith(".py") and not (ROOT / word).is_file()] == []


@pytest.mark.parametrize("module", MODULES)
def test_every_mutated_module_and_its_tests_are_there(module: str) -> None:
    """A file that has moved is noticed before an hour of mutants is asked for."""
    names = (module, *(word for word in MODULES[module].tests if word.endswith(".py")))

    assert [name for name in names if not (ROOT / name).is_file()] == []
