"""A running service with a book in force, a platform's key and a rider's, for clients in any language."""

import datetime as dt
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from api.access import keys
from api.clock import now_us
from api.db.store import Store
from rules.units import US_PER_S
from tests.api.db.databases import create_tables
from tests.api.law import seed_in_force
from tests.e2e.serving import serving

RIDER = "r7"


@dataclass(frozen=True, slots=True)
class City:
    """Where the service listens, and what its callers show."""

    address: str
    platform_key: str
    rider_key: str


@contextmanager
def served(folder: Path) -> Iterator[City]:
    """A service on an empty ledger."""
    url = f"sqlite:///{folder / 'store.db'}"
    store = Store(url)
    create_tables(store)
    with store.writing(now_us()) as unit:
        seed_in_force(unit)
    with store.writing(now_us()) as unit:
        platform = keys.create_key(unit, "platform", "dispatch-1", actor="test")[1]
        rider = keys.create_key(unit, "rider", RIDER, actor="test")[1]
    store.close()
    with serving(url, now_us) as address:
        yield City(address, platform, rider)


def late_deliveries(num: int = 3, late_min: int = 4) -> list[dict[str, Any]]:
    """Deliveries of the last hours, each late by the rider."""
    deliveries = []
    for k in range(num):
        at_us = now_us() - (num - k) * 3_600 * US_PER_S
        promised_us = at_us - late_min * 60 * US_PER_S
        deliveries.append(
            {
                "event_id": f"e{k + 1}",
                "rider_id": RIDER,
                "city": "hangzhou",
                "rider_kind": "crowdsourced",
                "kind": "delivered",
                "order_id": f"o{k + 1}",
                "occurred_us": at_us,
                "promised_at": dt.datetime.fromtimestamp(promised_us // US_PER_S, dt.UTC).isoformat(),
                "accepted_us": promised_us - 1_800 * US_PER_S,
                "arrived_store_us": promised_us - 1_500 * US_PER_S,
                "merchant_ready_us": promised_us - 1_500 * US_PER_S,
                "picked_up_us": promised_us - 1_400 * US_PER_S,
                "fee_fen": 480,
            }
        )
    return deliveries
