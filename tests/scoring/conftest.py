"""One-rider worlds, read by the product and by the oracle."""

from collections.abc import Sequence
from typing import Any

import pytest

from rules.book import Book
from tests.builders import (
    book,
)
from tests.scoring.readings import READINGS, Read, Reading


@pytest.fixture(params=list(READINGS))
def read(request: pytest.FixtureRequest) -> Read:
    """Reads a one-rider world: `read(events, book…, as_of_us=…)`."""

    def reading(events: Sequence[dict[str, Any]], *books: Book, as_of_us: int | None = None) -> Reading:
        newest = max(one["occurred_us"] for one in events)
        found = READINGS[request.param](books or (book(),), events, newest if as_of_us is None else as_of_us)
        return found["r1"]

    return reading
