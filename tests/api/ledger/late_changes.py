"""Riders whose past changes after more was scored: their days, a correction, and whether the ledger is right in the end."""

from typing import Any

from sqlalchemy import func, select

from api.db.store import Store
from api.db.tables import replays as waits
from tests.api.ledger.posts import (
    FADING,
    chain_breaks,
    later,
    post,
)
from tests.builders import DAY_US, correction, delivered

Events = list[dict[str, Any]]


def history(rider: str = "r0", days: int = 12) -> Events:
    """Days of a rider in order of time, a late order each day."""
    rows = [
        delivered(
            f"{rider}-{day}-{order}",
            rider_id=rider,
            at_min=day * 1440 + order * 30,
            late_min=(order * 7 + day) % 12 - 4,
        )
        for day in range(days)
        for order in range(6)
    ]
    return later(rows)


def posted_by_day(store: Store, events: Events) -> None:
    """Post events as the days go by."""
    days: dict[int, Events] = {}
    for row in events:
        days.setdefault(row["occurred_us"] // DAY_US, []).append(row)
    for some in days.values():
        assert {answer.status for answer in post(store, some, FADING)} == {"scored"}


def fix_of(row: dict[str, Any], now_us: int, event_id: str = "fix") -> dict[str, Any]:
    """A correction, made now, by which an order was in time."""
    return correction(event_id, row, assess_deadline_us=row["occurred_us"]) | {"occurred_us": now_us}


def late_of(events: Events) -> dict[str, Any]:
    """The first late order."""
    return next(row for row in events if row["occurred_us"] > row["assess_deadline_us"])


def num_waiting(store: Store) -> int:
    """How much waits."""
    with store.reading() as unit:
        return unit.connection.scalar(select(func.count()).select_from(waits)) or 0


def is_whole(store: Store) -> bool:
    """Whether every chain vouches for its ledger."""
    with store.reading() as unit:
        return not chain_breaks(unit)
