"""Exact quantities at the border between people's decimals and ints."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.units import MP_PER_POINT, decimal_text, exact, points_text, signed_points_text, tenths_of, yuan_text


@given(st.integers(-(10**9), 10**9))
def test_milli_points_survive_being_written_and_read(points_mp: int) -> None:
    """What is printed as points reads back as the same int."""
    written = points_text(points_mp)

    assert exact(Decimal(written), MP_PER_POINT) == points_mp


@pytest.mark.parametrize("number", ["0.0005", "1e-30", "nan", "inf", "-inf", "1e999999"])
def test_what_does_not_fit_exactly_is_refused(number: str) -> None:
    """Nothing is rounded, and absurd sizes are no exception of another kind."""
    with pytest.raises(ValueError, match="not a whole number"):
        exact(Decimal(number), MP_PER_POINT)


@pytest.mark.parametrize("value", [0.5, True, "1", None])
def test_floats_are_not_quantities(value: object) -> None:
    """A float cannot enter by mistake."""
    with pytest.raises(TypeError):
        exact(value, MP_PER_POINT)  # type: ignore[arg-type]


def test_quantities_read_as_people_write_them() -> None:
    """Points drop empty decimals and carry a real minus sign; yuan keep two decimals."""
    written = [
        decimal_text(75_100, 1_000),
        signed_points_text(200),
        signed_points_text(-1_000),
        signed_points_text(0),
    ]

    assert written == ["75.1", "+0.2", "−1", "0"]
    assert [yuan_text(350), yuan_text(-5)] == ["3.50", "-0.05"]


@pytest.mark.parametrize(
    ("points_mp", "tenths"),
    [(0, 0), (49, 0), (50, 1), (149, 1), (150, 2), (-50, 0), (-51, -1), (-150, -1), (-151, -2), (69_950, 700)],
)
def test_a_tenth_is_the_nearest_one(points_mp: int, tenths: int) -> None:
    """Half of one goes up, below zero too, so that what is shown adds up the same on both sides."""
    assert tenths_of(points_mp) == tenths
