"""The shipped parameters meet the figures they were chosen for, and what others publish."""

from functools import cache

import pytest

from rules.shelf import versions
from simulations.calibration import CALIBRATION_TARGETS, calibration_figures
from simulations.run import run
from simulations.scenario_files import read
from simulations.world import BookSwitch

pytestmark = pytest.mark.slow

SEEDS = (1, 2, 3, 4)


@cache
def found() -> dict[str, float]:
    """The ordinary week under the legacy fine, as calibrated: two days of four seeds after a day of warming up."""
    fine = versions("legacy-fine")
    scenario = read("ordinary-week", ("warm_up_days=1",))
    return calibration_figures([run(scenario, BookSwitch(fine, fine), seed, 2) for seed in SEEDS])


@pytest.mark.parametrize("moment", CALIBRATION_TARGETS, ids=[moment.name for moment in CALIBRATION_TARGETS])
def test_the_ordinary_week_is_within_what_is_published(moment) -> None:
    """Each moment lies in its accepted range, which is as wide as the sources and the luck of four seeds leave it."""
    assert moment.low <= found()[moment.name] <= moment.high, found()
    assert moment.source
