"""A national day: events of millions of riders in order of time, one window after the other, each by itself.

For measuring, not for studying: nobody dispatches and nobody decides. Every window is a pure function of (seed,
window), so that windows can be made in any order, by any number of workers, in bounded memory.
"""

import datetime as dt
import math
from dataclasses import dataclass
from typing import Final

import numpy as np
import pyarrow as pa

from rules.calendar import instant_us
from rules.events import EXTENSION_CAUSES, KIND_CODE, KINDS
from rules.units import US_PER_DAY, US_PER_S
from scoring.columns import EVENT_SCHEMA
from simulations.counter_random import I64, CounterRandom, Quantiles

MINUTE_S: Final = 60
WINDOW_ROWS: Final = 2_000_000
# Hour of the local day (from 04:00) and its share of the day's orders in per-mille: two meal peaks. Assumption.
HOURLY_PERMILLE: Final = (2, 4, 12, 25, 30, 40, 75, 140, 115, 60, 40, 35, 55, 115, 105, 60, 40, 20, 12, 6, 4, 2, 2, 1)
# Of ten rows, the last is about the order in the row before, and rows 0 and 1 of two in five tens share the bag: nine in ten are deliveries,
# and with those that overlap by chance about a quarter of the orders share a bag (at 14 events a rider). Assumption.
TRIP: Final = 10
OTHER_KINDS: Final = (
    *["good_review"] * 5,
    "bad_review",
    "complaint",
    "merchant_slow",
    "customer_unreachable",
    "access_blocked",
    "severe_weather",
    "deadline_extended",
)
# Deadline less delivery: one order in ten is late, mostly by less than eight minutes. Assumption.
EARLY_S: Final = Quantiles(((0, -2_400), (20, -900), (50, -300), (100, 0), (300, 240), (700, 720), (1000, 1_500)))
IN_HAND_S: Final = Quantiles(((0, 360), (500, 660), (900, 1_080), (1000, 1_800)))
# Ready less the later of arrival and promise: one kitchen in six keeps riders waiting. Assumption.
WAIT_S: Final = Quantiles(((0, 0), (840, 0), (950, 300), (1000, 1_200)))
DISTANCE_M: Final = Quantiles(((0, 300), (500, 2_100), (900, 3_800), (1000, 6_000)))
TENURE_DAYS: Final = Quantiles(((0, 0), (110, 30), (450, 365), (1000, 2_200)))
REPORTED: Final = ("", "merchant_slow", "customer_unreachable", "access_blocked", "severe_weather")
REPORTED_PER_MILLION: Final = 40_000
DEDICATED_PER_MILLION: Final = 350_000
# These rows come in with the window after theirs: phones without signal. Assumption.
LATE_PER_MILLION: Final = 4_000
# Which books are in force: the cities take turns, ten by ten. How many use which is nobody's published number.
CROWDSOURCED: Final = (
    *[("taobao-crowdsourced", dt.date(2025, 12, 3))] * 3,
    ("taobao-crowdsourced", dt.date(2025, 12, 12)),
    *[("meituan-anzhun", dt.date(2025, 11, 1))] * 3,
    *[("jd-service-score", dt.date(2025, 10, 1))] * 2,
    ("gbt-46862-reference", dt.date(2026, 1, 1)),
)
DEDICATED: Final = (
    *[("taobao-dedicated", dt.date(2025, 12, 12))] * 6,
    *[("jd-service-score", dt.date(2025, 10, 1))] * 2,
    *[("gbt-46862-reference", dt.date(2026, 1, 1))] * 2,
)
# Of a hundred cities, this one goes over to this book on the day that is generated.
SWITCHES: Final = (17, "gbt-46862-reference")


@dataclass(frozen=True, slots=True)
class NationalDay:
    """A day to generate.

    Parameters
    ----------
    num_riders, num_events, num_cities
        Sizes; events are rows of all kinds.
    seed
        Of all random draws; the same sizes, day and seed give the same rows.
    first_day
        Local day (from 04:00, Asia/Shanghai) that is generated.
    """

    num_riders: int
    num_events: int
    num_cities: int
    seed: int = 1
    first_day: dt.date = dt.date(2026, 3, 2)

    @property
    def num_windows(self) -> int:
        """Windows of about `WINDOW_ROWS` rows; the last one holds what came in late at the end."""
        return max(8, -(-self.num_events // WINDOW_ROWS)) + 1

    @property
    def day_start_us(self) -> int:
        """04:00 of the day."""
        midnight = dt.datetime.combine(self.first_day, dt.time(4), dt.timezone(dt.timedelta(hours=8)))
        return instant_us(midnight)


def window_table(day: NationalDay, window: int) -> pa.Table:
    """Make the rows that come in during a window, by time of event.

    Parameters
    ----------
    day
        The day to generate.
    window
        Number of the window, 0 … `day.num_windows` − 1.

    Returns
    -------
    pa.Table
        The native columns; `event_id`, `order_id` and `rider_id` are fixed-width names of numbers.
    """
    own = _rows(day, window) if window < day.num_windows - 1 else None
    before = _rows(day, window - 1) if window > 0 else None
    parts = []
    if before is not None:
        parts.append(before.filter(_late(day, before)))
    if own is not None:
        late = _late(day, own)
        parts.append(own.filter(pa.array(~late.to_numpy(zero_copy_only=False))))
    table = pa.concat_tables(parts)
    order = np.argsort(table.column("occurred_us").to_numpy(), kind="stable")
    table = table.take(pa.array(order))
    return table.drop_columns(["number"]).cast(EVENT_SCHEMA)


def deployment_of(day: NationalDay) -> str:
    """Write the deployment table of the day's cities: several books in force, and cities that change on this day.

    Parameters
    ----------
    day
        The day to generate; its cities decide the rows.

    Returns
    -------
    str
        The table as TOML.
    """
    rows = ["# Which book scores whom, for a day that `riderscore bench generate` made; the mixture is an assumption."]
    for k, city in enumerate(_cities(day)):
        kinds = {"crowdsourced": CROWDSOURCED[k % len(CROWDSOURCED)], "dedicated": DEDICATED[k % len(DEDICATED)]}
        rows += [_deploy(city, kind, *chosen) for kind, chosen in kinds.items()]
        if k % 100 == SWITCHES[0]:
            rows += [_deploy(city, kind, SWITCHES[1], day.first_day) for kind in kinds]
    return "\n".join(rows)


def _deploy(city: str, rider_kind: str, book: str, since: dt.date) -> str:
    return f'\n[[deploy]]\ncity = "{city}"\nrider_kind = "{rider_kind}"\nbook = "{book}"\nfrom = {since}\n'


def _cities(day: NationalDay) -> tuple[str, ...]:
    return tuple(f"city-{k:04d}" for k in range(day.num_cities))


def _late(day: NationalDay, rows: pa.Table) -> pa.Array:
    number = rows.column("number").to_numpy()
    return pa.array(CounterRandom(day.seed).chance(LATE_PER_MILLION, "national late", number))


def _bounds(day: NationalDay) -> tuple[I64, I64]:
    """First row of each window and its first instant, one more for the end: equal numbers of rows, by the hourly shares."""
    cuts = np.linspace(0, day.num_events, day.num_windows).astype(np.int64) // TRIP * TRIP
    cuts[-1] = day.num_events
    shares = np.concatenate([[0], np.cumsum(HOURLY_PERMILLE)])
    at_us = np.interp(cuts, shares * (day.num_events / shares[-1]), np.arange(25) * 3_600 * US_PER_S)
    return cuts, day.day_start_us + at_us.astype(np.int64)


def _rider_of(day: NationalDay, trip: I64) -> I64:
    """Which rider makes a trip: riders take turns, a third of them twice as often."""
    shares = day.num_riders + day.num_riders // 3
    # A step that shares no factor with the number of shares visits each of them once a round.
    step = int(shares * 0.618_034) | 1
    while math.gcd(step, shares) != 1:
        step += 2
    return trip * step % shares % day.num_riders


def _rows(day: NationalDay, window: int) -> pa.Table:
    """All rows whose events are of a window; with `number`, their place in the day."""
    cuts, starts_us = _bounds(day)
    number = np.arange(cuts[window], cuts[window + 1])
    rng = CounterRandom(day.seed)
    place = number % TRIP
    is_other = place == TRIP - 1
    # Rows 0 and 1 of two in five tens are one trip; the last of ten is about the row before it.
    second = (place == 1) & (number // TRIP % 5 < 2)
    trip = number - second - is_other
    # Trips are counted without the rows that are none, or some riders would never have a turn.
    rider = _rider_of(day, trip // TRIP * (TRIP - 1) + trip % TRIP)
    order = number - is_other
    length_ms = int(starts_us[window + 1] - starts_us[window]) // 1_000
    at_us = starts_us[window] + rng.below(length_ms, "national time", trip) * 1_000
    # The second order of a bag is handed over some minutes after the first; what is about an order follows it.
    at_us = at_us + np.where(second, rng.below(480, "national hop", number) * US_PER_S, 0)
    occurred_us = at_us + np.where(is_other, rng.below(1_200, "national after", number) * US_PER_S + US_PER_S, 0)
    occurred_us = np.minimum(occurred_us, day.day_start_us + US_PER_DAY - US_PER_S)
    kinds = np.array([KIND_CODE[kind] for kind in OTHER_KINDS])[rng.below(len(OTHER_KINDS), "national kind", number)]
    kind = np.where(is_other, kinds, KIND_CODE["delivered"])
    columns = _names(day, number, order, rider)
    columns |= _steps(rng, number, trip, occurred_us, is_other)
    columns["kind"] = _words(KINDS, kind)
    columns["rider_joined_us"] = pa.array(
        day.day_start_us - rng.draw(TENURE_DAYS, "national tenure", rider) * US_PER_DAY - 3_600 * US_PER_S
    )
    extends = kind != KIND_CODE["deadline_extended"]
    columns["cause"] = _words(EXTENSION_CAUSES, rng.below(len(EXTENSION_CAUSES), "national cause", number), extends)
    columns["extend_s"] = pa.array(60 + rng.below(540, "national extend", number), mask=extends)
    columns["level"] = pa.array(1 + rng.below(4, "national level", number), mask=kind != KIND_CODE["severe_weather"])
    nulls = {field.name: pa.nulls(number.size, field.type) for field in EVENT_SCHEMA if field.name not in columns}
    return pa.table({name: (columns | nulls)[name] for name in [*EVENT_SCHEMA.names, "number"]})


def _names(day: NationalDay, number: I64, order: I64, rider: I64) -> dict[str, pa.Array]:
    """Who and what: ids, city and kind of rider."""
    dedicated = CounterRandom(day.seed).chance(DEDICATED_PER_MILLION, "national dedicated", rider)
    return {
        "number": pa.array(number),
        "event_id": names("e", number, 10),
        "order_id": names("o", order, 10),
        "rider_id": names("r", rider, 8),
        "city": _words(_cities(day), rider % day.num_cities),
        "rider_kind": _words(("crowdsourced", "dedicated"), dedicated.astype(np.int64)),
        "occurred_us": pa.nulls(number.size, pa.int64()),
    }


def _steps(rng: CounterRandom, number: I64, trip: I64, occurred_us: I64, is_other: np.ndarray) -> dict[str, pa.Array]:
    """The steps of each delivery; nothing for rows that are about an order."""
    in_hand_s = rng.draw(IN_HAND_S, "national hand", trip) + np.where(number != trip, 480, 0)
    accepted_us = occurred_us - in_hand_s * US_PER_S
    arrived_us = occurred_us - in_hand_s * (US_PER_S * 3 // 4)
    promised_ready_us = arrived_us - (rng.below(400, "national promise", number) - 200) * US_PER_S
    wait_s = rng.draw(WAIT_S, "national wait", number)
    ready_us = np.minimum(
        np.maximum(arrived_us, promised_ready_us) + wait_s * US_PER_S, occurred_us - MINUTE_S * US_PER_S
    )
    deadline_us = occurred_us + rng.draw(EARLY_S, "national early", number) * US_PER_S
    distance_m = rng.draw(DISTANCE_M, "national distance", number)
    reported = rng.chance(REPORTED_PER_MILLION, "national reported", number) & ~is_other
    report = np.where(reported, 1 + rng.below(len(REPORTED) - 1, "national report", number), 0)

    def of_deliveries(values: I64) -> pa.Array:
        return pa.array(values, mask=is_other)

    return {
        "occurred_us": pa.array(occurred_us),
        "placed_us": of_deliveries(accepted_us - MINUTE_S * US_PER_S),
        "promised_us": of_deliveries(deadline_us),
        "assess_deadline_us": of_deliveries(deadline_us),
        "accepted_us": of_deliveries(accepted_us),
        "arrived_store_us": of_deliveries(arrived_us),
        "merchant_ready_us": of_deliveries(ready_us),
        "merchant_promised_ready_us": of_deliveries(promised_ready_us),
        "picked_up_us": of_deliveries(np.maximum(ready_us, arrived_us)),
        "delivered_us": of_deliveries(occurred_us),
        "distance_m": of_deliveries(distance_m),
        "fee_fen": of_deliveries(350 + np.maximum(distance_m - 2_000, 0) * 80 // 1_000),
        "reports": _words(REPORTED, report, report == 0),
    }


def _words(words: tuple[str, ...], codes: I64, mask: np.ndarray | None = None) -> pa.Array:
    return pa.DictionaryArray.from_arrays(pa.array(codes.astype(np.int32), mask=mask), list(words)).cast(pa.string())


def names(prefix: str, numbers: I64, width: int) -> pa.Array:
    """Numbers as text of one width: `e0000000007`."""
    text = np.empty((numbers.size, width + 1), np.uint8)
    text[:, 0] = ord(prefix)
    rest = numbers.copy()
    for column in range(width, 0, -1):
        text[:, column] = ord("0") + rest % 10
        rest //= 10
    offsets = np.arange(0, (numbers.size + 1) * (width + 1), width + 1, dtype=np.int32)
    return pa.StringArray.from_buffers(numbers.size, pa.py_buffer(offsets), pa.py_buffer(text))
