"""Which known name a misspelt one was meant to be."""

import pytest

from rules.near_names import near_name

KNOWN = ("promised_at", "promised_us", "accepted_at", "picked_up_at", "fee_fen", "distance_m", "level", "reports")


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("promise_at", "promised_at"),
        ("promsied_at", "promised_at"),
        ("promisedAt", "promised_at"),
        ("PROMISED-AT", "promised_at"),
        (" promised at", "promised_at"),
        ("promised", "promised_at"),
        ("promised_time", "promised_at"),
        ("promised_u", "promised_us"),
        ("acepted_at", "accepted_at"),
        ("picked_at", "picked_up_at"),
        ("fee", "fee_fen"),
        ("fee_fn", "fee_fen"),
        ("distance_km", "distance_m"),
        ("report", "reports"),
    ],
)
def test_a_near_miss_is_recognised(given: str, meant: str) -> None:
    """Case, blanks, units and a few letters are what people get wrong."""
    assert near_name(given, KNOWN) == meant


@pytest.mark.parametrize(
    "given", ["note", "tip_fen", "created_at", "updated_at", "weather", "rating", "", "fee_fen", "station", "x" * 100]
)
def test_another_name_is_another_name(given: str) -> None:
    """What is far from every known name, or known itself, is no mistake."""
    assert near_name(given, KNOWN) is None
