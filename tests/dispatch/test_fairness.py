"""Income tolls and the offer floor, counted by hand."""

import numpy as np
import pytest

from dispatch.fairness import income_surcharges, no_floor


def test_only_who_earns_above_the_mean_pays_a_toll():
    """Of three riders with 20, 10 and 0 yuan an hour the first alone becomes dearer, by the weight."""
    tolls = income_surcharges(np.array([2000, 1000, 0]), np.full(3, 3600), np.ones(3, np.bool_), 5)

    assert tolls.tolist() == [5000, 0, 0]


def test_no_weight_no_toll():
    """With the weight 0 income plays no part, and no riders need no toll."""
    assert income_surcharges(np.array([900, 0]), np.full(2, 3600), np.ones(2, np.bool_), 0).tolist() == [0, 0]
    assert len(income_surcharges(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0, np.bool_), 3)) == 0


def test_floor_counts_lost_offers():
    """Of twenty shadow orders a rider may lose two at 100 per mille, not three."""
    floor = no_floor(2, 100)

    at_limit = floor.with_round(np.array([18, 20]), np.array([20, 20]))
    beyond = floor.with_round(np.array([17, 20]), np.array([20, 20]))

    assert at_limit.losers().tolist() == [False, False]
    assert beyond.losers().tolist() == [True, False]


def test_neutral_for_the_rest_of_the_day():
    """Who is made neutral keeps the multiplier 1."""
    floor = no_floor(2).with_neutral(np.array([True, False]))

    assert floor.priorities(np.array([1500, 1500])).tolist() == [1000, 1500]


def test_a_share_above_all_is_refused():
    """A book cannot allow more than everything to be lost."""
    with pytest.raises(ValueError, match="per mille"):
        no_floor(1, 1001)
