"""Conditions of a book as whole numbers: which limits belong to a band, and which do not."""

from types import SimpleNamespace

import pytest

from rules.conditions import MAX_FACT, Condition, _interval


@pytest.mark.parametrize(
    ("limits", "lo", "hi"),
    [
        ({"over": 5}, 6, MAX_FACT),
        ({"over": 0}, 1, MAX_FACT),
        ({"from_": 5}, 5, MAX_FACT),
        ({"up_to": 5}, 0, 5),
        ({"below": 5}, 0, 4),
        ({"over": 5, "up_to": 10}, 6, 10),
        ({"from_": 5, "below": 10}, 5, 9),
        ({"over": 5, "from_": 9}, 9, MAX_FACT),
        ({}, 0, MAX_FACT),
    ],
)
def test_over_and_below_leave_their_limit_out(limits: dict[str, int], lo: int, hi: int) -> None:
    """`from` and `up_to` take it in: exactly five minutes late is none of `over = 5`."""
    assert _interval("late_s", SimpleNamespace(**limits)) == Condition("late_s", lo, hi)
