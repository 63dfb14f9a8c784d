"""A book in two versions, and events of the second."""

import datetime as dt
from decimal import Decimal
from pathlib import Path
from typing import Any

import tomli_w

from tests.builders import delivered, rule, tiny_book

DAY_MIN = 24 * 60


def versions_of(folder: Path, **second: Any) -> str:
    """A book of base 12 in 0 … 20, and its next version from 1 February, which differs as said."""
    rules = [
        rule("on_time", points=Decimal("0.1"), when={"late_min": {"up_to": 0}}),
        rule("late", points=Decimal("-3.5"), when={"late_min": {"over": 0}}),
    ]
    tiers = [{"id": "normal", "title": {"zh": "普通", "en": "Normal"}}]
    first = tiny_book(rule=rules, tier=tiers, score={"base": 12, "floor": 0, "ceiling": 20})
    later = first | {"effective_from": dt.date(2026, 2, 1)} | second
    (folder / "book").mkdir()
    for raw in (first, later):
        path = folder / "book" / f"{raw['effective_from'].isoformat()}.toml"
        path.write_text(tomli_w.dumps(raw | {"id": "book"}), encoding="utf-8")
    return str(folder / "book")


def of_february(day: int, event_id: str, **columns: Any) -> dict[str, Any]:
    """A delivery on time at noon of a day of February 2026; day 0 is the last of January."""
    from_noon = dt.date(2026, 2, 1) - dt.date(2025, 12, 10) + dt.timedelta(days=day - 1)
    return delivered(event_id, at_min=from_noon.days * DAY_MIN, **columns)
