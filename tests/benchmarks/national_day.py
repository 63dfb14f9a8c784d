"""A seeded day of many riders as native Parquet, made in columns: the data that every contestant reads.

Nine events in ten are deliveries; a quarter of the orders share the bag with another; one merchant in five keeps
the rider waiting; rows come in order of time, as a platform would write them.
"""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from rules.events import EXTENSION_CAUSES, KIND_CODE, KINDS
from tests.builders import HOUR_US, MINUTE_US, NOON_US

I64 = NDArray[np.int64]
# The days begin at 08:00 in Shanghai, a week after newcomers' protection ends in any shipped book.
MORNING_US = NOON_US + 60 * 24 * HOUR_US - 4 * HOUR_US
JOINED_US = NOON_US - 365 * 24 * HOUR_US
OTHER_KINDS = (
    *["good_review"] * 4,
    "bad_review",
    "complaint",
    "merchant_slow",
    "severe_weather",
    "deadline_extended",
    "false_delivered",
)
DELIVERED_SHARE = 0.92
LATE_SHARES = (0.90, 0.06, 0.04)
WAIT_SHARE = 0.2
# Each such order is accepted before the one before it was delivered: both share the bag.
STACKED_SHARE = 0.125


def _names(prefix: str, numbers: I64, width: int) -> pa.Array:
    digits = pc.utf8_lpad(pa.array(numbers).cast(pa.string()), width, "0")
    return pc.binary_join_element_wise(prefix, digits, "")


def _words(words: tuple[str, ...], codes: I64, mask: NDArray[np.bool_] | None = None) -> pa.Array:
    return pa.DictionaryArray.from_arrays(pa.array(codes.astype(np.int32), mask=mask), list(words))


def _place_in_day(rider: I64) -> I64:
    """How many events of the same rider come before each; riders stand together."""
    first = np.flatnonzero(np.diff(rider, prepend=-1))
    return np.arange(rider.size) - np.repeat(first, np.diff(first, append=rider.size))


def _lateness_us(rng: np.random.Generator, num: int) -> I64:
    """Delivered less deadline: mostly early, some up to 5 minutes late, some up to 25."""
    band = rng.choice(3, num, p=LATE_SHARES)
    low, high = np.array([-25, 0, 5])[band], np.array([0, 5, 25])[band]
    return (low * 60 + rng.integers(1, 60 * (high - low))) * 1_000_000


def national_day(num_riders: int, num_events: int, seed: int = 1) -> pa.Table:
    """Events in order of time, in the native columns."""
    rng = np.random.default_rng(seed)
    rider = np.sort(rng.integers(0, num_riders, num_events))
    place = _place_in_day(rider)
    occurred = MORNING_US + place * 35 * MINUTE_US + rng.integers(0, 20 * MINUTE_US, num_events)
    is_delivery = (rng.random(num_events) < DELIVERED_SHARE) | (place == 0)
    kind = np.where(
        is_delivery,
        KIND_CODE["delivered"],
        np.array([KIND_CODE[name] for name in OTHER_KINDS])[rng.integers(0, len(OTHER_KINDS), num_events)],
    )
    # What is not a delivery is about the rider's last order.
    order = np.maximum.accumulate(np.where(is_delivery, np.arange(num_events), 0))
    in_hand = rng.integers(10 * MINUTE_US, 15 * MINUTE_US, num_events)
    stacked = rng.random(num_events) < STACKED_SHARE
    accepted = occurred - in_hand - np.where(stacked, 35 * MINUTE_US, 0)
    arrived = occurred - in_hand * 3 // 4
    waited = np.where(rng.random(num_events) < WAIT_SHARE, rng.integers(0, 10 * MINUTE_US, num_events), 0)
    ready = np.minimum(arrived + waited, occurred - MINUTE_US)
    deadline = occurred - _lateness_us(rng, num_events)
    not_delivery = ~is_delivery
    extends = kind == KIND_CODE["deadline_extended"]

    def of_deliveries(values: I64) -> pa.Array:
        return pa.array(values, mask=not_delivery)

    columns = {
        "event_id": _names("e", np.arange(num_events), 9),
        "rider_id": _names("r", rider, 8),
        "city": _words(("hangzhou", "shanghai"), rider % 2),
        "rider_kind": _words(("crowdsourced",), np.zeros(num_events, np.int64)),
        "kind": _words(KINDS, kind),
        "order_id": _names("o", order, 9),
        "occurred_us": pa.array(occurred),
        "placed_us": of_deliveries(accepted - MINUTE_US),
        "promised_us": of_deliveries(deadline),
        "assess_deadline_us": of_deliveries(deadline),
        "accepted_us": of_deliveries(accepted),
        "arrived_store_us": of_deliveries(arrived),
        "merchant_ready_us": of_deliveries(ready),
        "merchant_promised_ready_us": of_deliveries(arrived),
        "picked_up_us": of_deliveries(ready),
        "delivered_us": of_deliveries(occurred),
        "distance_m": of_deliveries(rng.integers(500, 6_000, num_events)),
        "fee_fen": of_deliveries(rng.integers(300, 900, num_events)),
        "cause": _words(EXTENSION_CAUSES, rng.integers(0, len(EXTENSION_CAUSES), num_events), ~extends),
        "extend_s": pa.array(rng.integers(60, 600, num_events), mask=~extends),
        "level": pa.array(rng.integers(1, 4, num_events), mask=kind != KIND_CODE["severe_weather"]),
        "rider_joined_us": pa.array(np.full(num_events, JOINED_US)),
    }
    by_time = np.argsort(occurred, kind="stable")
    return pa.table(columns).take(pa.array(by_time))


def write_day(path: Path, num_riders: int, num_events: int) -> Path:
    """The day as one Parquet file."""
    pq.write_table(national_day(num_riders, num_events), path, row_group_size=1 << 20)
    return path
