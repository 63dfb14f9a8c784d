"""Hours of riders, in batches of posts."""

from typing import Any

from tests.api.ledger.posts import START_US
from tests.builders import delivered

BATCH = 200


NUM_RIDERS = 600


ORDERS_EACH = 20


def hours(client: int) -> list[list[dict[str, Any]]]:
    """Some hours of one client's riders in posts of 200: everybody's first order, everybody's second, and so on."""
    rows = [
        delivered(
            f"{client}-{rider}-{order}", rider_id=f"{client}-{rider:05}", at_min=order * 15 + rider / 50,
            late_min=(rider * 7 + order * 3) % 11 - 7,
        )
        for order in range(ORDERS_EACH)
        for rider in range(NUM_RIDERS)
    ]  # fmt: skip
    later = START_US - rows[0]["occurred_us"]
    rows = [{k: v + later if k.endswith("_us") else v for k, v in row.items()} for row in rows]
    return [rows[first : first + BATCH] for first in range(0, len(rows), BATCH)]
