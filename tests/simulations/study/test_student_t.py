"""Quantiles of Student's t: the published ones, by symmetry, and those of a normal distribution in the limit."""

from statistics import NormalDist

import pytest

from simulations.study.student_t import student_t_quantile


@pytest.mark.parametrize(
    ("num_freedom", "probability", "quantile"),
    [
        (1, 0.975, 12.706204736174694),
        (2, 0.975, 4.302652729749462),
        (3, 0.975, 3.1824463052837078),
        (4, 0.995, 4.604094871349992),
        (19, 0.975, 2.0930240544083087),
        (20, 0.975, 2.085963447265864),
        (99, 0.9975, 2.8713076612147734),
        (999, 0.975, 1.9623414611334493),
    ],
)
def test_quantiles_are_the_known_ones(num_freedom: int, probability: float, quantile: float) -> None:
    """Even and odd degrees of freedom, few and many, as another program (SciPy 1.18) computes them."""
    assert student_t_quantile(num_freedom, probability) == pytest.approx(quantile, rel=1e-11)


@pytest.mark.parametrize("num_freedom", [1, 2, 7, 30])
def test_the_distribution_is_symmetric(num_freedom: int) -> None:
    """A quantile and that of the rest of the probability differ by their sign; half of it lies below zero."""
    assert student_t_quantile(num_freedom, 0.1) == pytest.approx(-student_t_quantile(num_freedom, 0.9), rel=1e-11)
    assert student_t_quantile(num_freedom, 0.5) == pytest.approx(0, abs=1e-12)


def test_many_degrees_of_freedom_are_normal() -> None:
    """With a hundred thousand seeds the quantile is that of a normal distribution to four digits, from above."""
    normal = NormalDist().inv_cdf(0.975)

    assert normal < student_t_quantile(99_999, 0.975) < normal * 1.0001


@pytest.mark.parametrize(("num_freedom", "probability"), [(0, 0.9), (3, 0.0), (3, 1.0)])
def test_what_has_no_quantile_is_refused(num_freedom: int, probability: float) -> None:
    """No degrees of freedom, or a probability of nothing or all, is an error."""
    with pytest.raises(ValueError, match="no quantile"):
        student_t_quantile(num_freedom, probability)
