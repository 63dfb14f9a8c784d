"""The sample city: a seed and a scenario in, a table of events out, as a platform would record them.

Open loop: no rider knows of any rule book, so the same deliveries can be scored under all of them. Rows of one rider
are the same however many others ride.

Kept apart from the living city (`simulations.run`), which cannot stand in for it: there riders respond to a book, an
order is delivered or not, and a day takes a dispatcher's rounds. The sample needs events of every kind (cancelled,
transferred, reassigned, undelivered, misconduct, appeals, corrections of events, training, steps sent one by one), as
many riders and days as asked for within seconds, and riders whose rows do not depend on each other. Kitchens, weather,
obstacles and who rides are one code for both: `simulations.surroundings`.
"""

import datetime as dt
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa

from rules.calendar import instant_us
from scoring.columns import CANONICAL_SCHEMA, EVENT_SCHEMA
from simulations.counter_random import I64, CounterRandom
from simulations.sample_incidents import EventFamily, incidents
from simulations.sample_orders import SampleOrders, draw_orders, draw_riders
from simulations.sample_parameters import SampleCity
from simulations.surroundings import RiderTraits, rider_names

# Reviews, appeals and corrections of the last evening still come in on the morning after.
_TAIL = dt.timedelta(hours=28)


def generate(city: SampleCity, seed: int) -> pa.Table:
    """Make all events of a city, by time.

    Parameters
    ----------
    city
        Sizes and distributions of the city.
    seed
        Of all random draws; the same seed and scenario give the same table, byte for byte.

    Returns
    -------
    pa.Table
        One column per field of the native event format (times as int64 µs), then `file` (names city and seed) and `row`
        (1, 2, …), for messages.
    """
    rng = CounterRandom(seed)
    riders = draw_riders(city, rng)
    orders = draw_orders(city, rng, riders)
    midnight_us = _midnights_us(city)
    families = [_table(city, riders, midnight_us, rows) for rows in incidents(city, rng, orders, working_days(orders))]
    table = pa.concat_tables(families)
    end_us = instant_us(_midnight(city, city.num_days - 1) + _TAIL)
    occurred_us = table.column("occurred_us").to_numpy()
    order = np.argsort(occurred_us, kind="stable")
    table = table.take(pa.array(order[occurred_us[order] < end_us])).combine_chunks()
    place = pa.DictionaryArray.from_arrays(
        pa.array(np.zeros(table.num_rows, np.int32)), pa.array([f"city:{city.name}:{seed}"], pa.string())
    )
    rows = pa.array(np.arange(1, table.num_rows + 1))
    return table.append_column("file", place).append_column("row", rows).cast(CANONICAL_SCHEMA)


def events_only(table: pa.Table) -> pa.Table:
    """Keep the columns that belong into an event file.

    Parameters
    ----------
    table
        Events as `generate` makes them.

    Returns
    -------
    pa.Table
        The same rows in the columns of the native event format.
    """
    return table.select(EVENT_SCHEMA.names)


def working_days(orders: SampleOrders) -> tuple[I64, I64]:
    """(rider, day) of each day on which a rider carried anything."""
    day_max = int(orders.day.max(initial=0)) + 1
    both = np.unique(orders.rider * day_max + orders.day)
    return both // day_max, both % day_max


def _midnight(city: SampleCity, day: int) -> dt.datetime:
    local = city.first_day + dt.timedelta(days=day)
    return dt.datetime.combine(local, dt.time(0), ZoneInfo(city.time_zone)).astimezone(dt.UTC)


def _midnights_us(city: SampleCity) -> I64:
    return np.array([instant_us(_midnight(city, day)) for day in range(city.num_days)], np.int64)


def _table(city: SampleCity, riders: RiderTraits, midnight_us: I64, rows: EventFamily) -> pa.Table:
    """One family of events as columns of the event format; times become instants."""
    num = rows.rider.size
    day_us = midnight_us[rows.day]
    joined_us = midnight_us[0] + (12 * 3_600 - riders.tenure_days[rows.rider] * 86_400) * 1_000_000
    columns: dict[str, pa.Array] = {
        "event_id": rows.event_id,
        "rider_id": rider_names(rows.rider),
        "city": _constant(city.name, num),
        "rider_kind": pa.array(np.where(riders.dedicated[rows.rider], "dedicated", "crowdsourced"), pa.string()),
        "kind": rows.kind,
        "order_id": rows.order_id,
        "rider_joined_us": pa.array(joined_us),
    }
    for name, seconds in rows.times_s.items():
        columns[f"{name}_us"] = pa.array(day_us + seconds * 1_000_000)
    columns |= rows.columns
    arrays = [columns.get(field.name, pa.nulls(num, field.type)) for field in EVENT_SCHEMA]
    return pa.table(arrays, schema=EVENT_SCHEMA)


def _constant(word: str, num: int) -> pa.Array:
    return pa.repeat(pa.scalar(word, pa.string()), num)
