"""Intervals: the textbook's figures, repeatable, and about as often right as they say."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulations.study.intervals import bootstrap_t, paired_t
from simulations.study.paired import paired
from simulations.study.stopping import FIRST_LOOK, looks, seeds_needed

pytestmark = pytest.mark.slow


def test_student_by_hand() -> None:
    """Five differences worked out by hand: mean 3, s = √2.5, t(4) = 2.776."""
    interval = paired_t(np.array([1.0, 2.0, 3.0, 4.0, 5.0]))

    assert interval.low == pytest.approx(3 - 2.7764 * np.sqrt(2.5 / 5), abs=1e-4)
    assert interval.high == pytest.approx(3 + 2.7764 * np.sqrt(2.5 / 5), abs=1e-4)


def test_one_seed_gives_no_interval() -> None:
    """One difference says nothing of spread."""
    assert paired_t(np.array([4.0])).low is None
    assert bootstrap_t(np.array([4.0]), 1).high is None


def test_equal_differences_give_a_point() -> None:
    """Where nothing varies both intervals are the value itself."""
    same = np.full(6, 2.5)

    assert (paired_t(same).low, paired_t(same).high) == (2.5, 2.5)
    assert (bootstrap_t(same, 1).low, bootstrap_t(same, 1).high) == (2.5, 2.5)


def test_the_bootstrap_is_repeatable_and_leans_with_the_data() -> None:
    """One seed gives one interval; skewed differences give one that reaches further on the long side."""
    skewed = np.random.default_rng(3).exponential(1.0, 30)

    first, again = bootstrap_t(skewed, 7), bootstrap_t(skewed, 7)

    assert first == again
    assert first.low is not None
    assert first.high is not None
    assert first.high - skewed.mean() > skewed.mean() - first.low


def test_intervals_hold_as_often_as_they_say() -> None:
    """Of 2 000 samples of 20 normal differences, 95 ± 1.5 % of the t intervals hold the truth."""
    rng = np.random.default_rng(11)
    held = 0
    for _ in range(2_000):
        interval = paired_t(rng.normal(1.0, 2.0, 20))
        held += interval.low is not None and interval.high is not None and interval.low <= 1.0 <= interval.high

    assert 0.935 <= held / 2_000 <= 0.965


def test_pairing_is_worth_what_the_shared_part_is() -> None:
    """Two books over one luck: correlated, and the paired difference varies far less than two independent runs."""
    rng = np.random.default_rng(5)
    city = rng.normal(100, 10, 40)
    a, b = city + rng.normal(0, 1, 40), city + 2 + rng.normal(0, 1, 40)

    one = paired("income_per_day_fen", a, b, 4)

    assert one is not None
    assert one.correlation is not None
    assert one.correlation > 0.9
    assert one.variance_ratio is not None
    assert one.variance_ratio < 0.1
    assert one.interval.low is not None
    assert one.joint.low is not None
    assert one.joint.low < one.interval.low < 2.0


def test_seeds_that_do_not_define_a_metric_are_left_out() -> None:
    """NaN under either book drops that seed, and only that metric's."""
    one = paired("late_min_per_late_order", np.array([1.0, np.nan, 3.0]), np.array([2.0, 5.0, 4.0]))

    assert one is not None
    assert (one.num_seeds, one.mean_a, one.difference) == (2, 2.0, 1.0)
    assert paired("late_min_per_late_order", np.array([np.nan]), np.array([1.0])) is None


def test_the_stopping_rule_never_acts_before_the_twentieth_seed() -> None:
    """However precise, no study ends with fewer than 20 seeds; looks are at fixed numbers."""
    exact = (np.full(40, 10.0), np.full(40, 11.0))

    assert looks(40) == (20, 25, 30, 35)
    assert seeds_needed([tuple(side[:19] for side in exact)], 0.5) is None
    assert seeds_needed([exact], 1e-9) == FIRST_LOOK


def test_the_stopping_rule_looks_at_width_alone() -> None:
    """Adding a constant to B, which changes the answer, does not change when the study stops."""
    rng = np.random.default_rng(9)
    a, noise = rng.normal(100, 5, 200), rng.normal(0, 8, 200)

    stops = {shift: seeds_needed([(a, a + noise + shift)], 0.02) for shift in (-50.0, 0.0, 50.0)}

    assert len(set(stops.values())) == 1
    assert stops[0.0] is not None
    assert stops[0.0] > FIRST_LOOK


def test_every_primary_metric_must_be_precise() -> None:
    """One that is not keeps the study going."""
    precise = (np.full(30, 10.0), np.full(30, 11.0))
    vague = (np.full(30, 10.0), 11.0 + np.random.default_rng(2).normal(0, 50, 30))

    assert seeds_needed([precise, vague], 0.01) is None


@pytest.mark.case
@given(
    values=st.lists(
        st.one_of(st.sampled_from([0.0, 0.1, 0.30000000000000004, 0.3, -7.7, 1e9]), st.floats(-1e6, 1e6)),
        min_size=2,
        max_size=9,
    )
)
def test_no_bound_comes_from_a_division_by_rounding(values: list[float]) -> None:
    """The bootstrap's ends are absent or of the size of the differences, however few or alike they are."""
    differences = np.array(values)

    interval = bootstrap_t(differences, 3)

    reach = 1e4 * (differences.max() - differences.min()) + 1e-6 * np.abs(differences).max() + 1e-9
    for end in (interval.low, interval.high):
        assert end is None or abs(end - differences.mean()) <= reach


def test_few_differences_have_no_bootstrap() -> None:
    """Of four differences one resample in 64 holds one value alone, too many for tails of 2.5 %; of six few do."""
    assert bootstrap_t(np.array([1.0, 2.0, 4.0, 8.0]), 1).low is None
    assert bootstrap_t(np.array([1.0, 2.0, 4.0, 8.0, 9.0, 11.0]), 1).low is not None
