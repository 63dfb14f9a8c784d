"""What compiled rules ask of an event, one question at a time."""

import pytest

from rules.events import KIND_CODE
from scoring.matching import is_among

DELIVERED, COMPLAINT = KIND_CODE["delivered"], KIND_CODE["complaint"]


@pytest.mark.parametrize(
    ("kind", "expected"), [(DELIVERED, True), (COMPLAINT, False), (-1, False)], ids=["in it", "not in it", "unknown"]
)
def test_a_kind_is_in_a_set_of_kinds(kind: int, expected: bool) -> None:
    """By its bit; a kind that nobody knows, as a damaged row of a database may hold, is in none, and no error."""
    assert is_among(1 << DELIVERED, kind) is expected
    assert is_among((1 << len(KIND_CODE)) - 1, kind) is (kind >= 0)
