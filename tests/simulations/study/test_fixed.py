"""The same deliveries under another book, and what is kept of a run."""

import numpy as np
import pytest

from simulations.scenario_files import read
from simulations.study.fixed import rescored
from simulations.study.metrics import METRICS
from simulations.study.outcome import LATE_MIN_FROM, outcome_of
from simulations.world import World
from tests.simulations.cities import LEGACY, SCORE, SMALL, books, city

pytestmark = pytest.mark.slow

SCENARIO = read("ordinary-week", SMALL)


@pytest.fixture(scope="module")
def kept() -> World:
    """The old fine going on."""
    return city(LEGACY, LEGACY)


def test_scoring_again_under_the_same_book_changes_nothing(kept: World) -> None:
    """Fines and bonus of the same deliveries under the same book are those of the run, rider by rider and day by day."""
    fixed = rescored(kept, SCENARIO, books(LEGACY))
    days = outcome_of(kept, SCENARIO, fixed).columns()

    assert np.array_equal(days["fixed_fines_fen"], days["fines_fen"])
    assert np.array_equal(days["fixed_bonus_fen"], days["bonus_fen"])
    assert days["fines_fen"].sum() > 0


def test_without_behaviour_and_dispatch_the_rules_are_all_there_is() -> None:
    """Behaviour off and dispatch blind: the new book's run is the old run's deliveries scored again, to the fen."""
    old = city(LEGACY, LEGACY, blind=True, behaviour_off=True)
    new = city(LEGACY, SCORE, blind=True, behaviour_off=True)

    fixed = rescored(old, SCENARIO, books(SCORE))

    days = outcome_of(new, SCENARIO).columns()
    assert np.array_equal(fixed.fixed_fines_fen, days["fines_fen"])
    assert np.array_equal(fixed.fixed_bonus_fen, days["bonus_fen"])


def test_an_outcome_holds_every_metric_and_a_sound_ledger(kept: World) -> None:
    """All metrics are there, warm-up days are not, and the ledger passes every check of verify."""
    outcome = outcome_of(kept, SCENARIO)

    assert set(outcome.facts["metrics"]) == {metric.name for metric in METRICS}
    assert set(outcome.columns()["day"]) == {0, 1}
    assert outcome.facts["violations"] == {}


def test_late_bins_count_every_delivered_order_once(kept: World) -> None:
    """Bins above zero hold what is late, those up to zero what is on time."""
    outcome = outcome_of(kept, SCENARIO)
    days, bins = outcome.columns(), np.array(outcome.facts["late_bins"])

    assert bins.sum() == days["num_delivered"].sum()
    assert bins[: 1 - LATE_MIN_FROM].sum() == days["num_on_time"].sum()
