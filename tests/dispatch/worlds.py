"""Small worlds for dispatch tests: builders with defaults, and strategies."""

from dataclasses import replace
from itertools import permutations

import numpy as np
from hypothesis import strategies as st

from dispatch.mdrp import Courier, Instance, MdrpOrder, Parameters, Restaurant
from dispatch.problem import BENCHMARK, DispatchProblem, Market, Orders, Riders
from dispatch.travel import PlanarTravel


def order(name="o1", x=0, y=0, placed=0, restaurant="r1", ready=10):
    return MdrpOrder(name, x, y, placed, restaurant, ready)


def courier(name="c1", x=0, y=0, on=0, off=600):
    return Courier(name, x, y, on, off)


ONE_RESTAURANT = (Restaurant("r1", 0, 0),)


def instance(orders, couriers, restaurants=ONE_RESTAURANT, **parameters):
    """A day at 100 m a minute, 4 minutes of service at both ends, 10 an order, 15 an hour guaranteed."""
    given = {
        "metres_per_minute": 100.0,
        "pickup_min": 4,
        "dropoff_min": 4,
        "target_min": 40,
        "maximum_min": 90,
        "pay_per_order": 10,
        "guarantee_per_hour": 15,
    } | parameters
    return Instance("small", tuple(orders), tuple(restaurants), tuple(couriers), Parameters(**given))


def write_instance(folder, day):
    """Write an instance's four files."""
    folder.mkdir(parents=True, exist_ok=True)
    tables = {
        "orders.txt": ["order\tx\ty\tplacement_time\trestaurant\tready_time"]
        + [f"{o.name}\t{o.x}\t{o.y}\t{o.placed_min}\t{o.restaurant}\t{o.ready_min}" for o in day.orders],
        "restaurants.txt": ["restaurant\tx\ty"] + [f"{r.name}\t{r.x}\t{r.y}" for r in day.restaurants],
        "couriers.txt": ["courier\tx\ty\ton_time\toff_time"]
        + [f"{c.name}\t{c.x}\t{c.y}\t{c.on_min}\t{c.off_min}" for c in day.couriers],
        "instance_parameters.txt": [
            (
                "meters_per_minute\tpickup service minutes\tdropoff service minutes\ttarget click-to-door\t"
                "maximum click-to-door\tpay per order\tguaranteed pay per hour"
            ),
            "\t".join(
                f"{value:g}"
                for value in (
                    day.parameters.metres_per_minute,
                    day.parameters.pickup_min,
                    day.parameters.dropoff_min,
                    day.parameters.target_min,
                    day.parameters.maximum_min,
                    day.parameters.pay_per_order,
                    day.parameters.guarantee_per_hour,
                )
            ),
        ],
    }
    for name, lines in tables.items():
        (folder / name).write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder


def random_day(seed, num_orders=40, num_couriers=6, num_restaurants=8, minutes=180, metres=4000):
    """A day of a made-up town, the same for the same seed."""
    draw = np.random.default_rng(seed)
    place = lambda: (int(draw.integers(0, metres)), int(draw.integers(0, metres)))  # noqa: E731
    restaurants = [Restaurant(f"r{i}", *place()) for i in range(num_restaurants)]
    orders = []
    for i in range(num_orders):
        placed = int(draw.integers(0, minutes))
        at = f"r{int(draw.integers(0, num_restaurants))}"
        orders.append(order(f"o{i}", *place(), placed, at, placed + int(draw.integers(0, 30))))
    couriers = []
    for i in range(num_couriers):
        on = int(draw.integers(0, minutes // 2))
        couriers.append(courier(f"c{i}", *place(), on, on + int(draw.integers(30, minutes))))
    return instance(orders, couriers, restaurants, metres_per_minute=250.0)


def days():
    """Any small day."""
    return st.builds(
        random_day,
        seed=st.integers(0, 10_000),
        num_orders=st.integers(0, 30),
        num_couriers=st.integers(0, 6),
        num_restaurants=st.integers(1, 5),
    )


def market_problem(
    seed=0, num_orders=12, num_riders=4, market=BENCHMARK, num_merchants=3, span_s=1800, priority=None, **columns
):
    """Orders and riders of a made-up town, all riders free at once; places are doors, merchants, riders."""
    draw = np.random.default_rng(seed)
    points = draw.uniform(0, 3000, (num_orders + num_merchants + num_riders, 2))
    placed_s = np.sort(draw.integers(0, max(span_s, 1), num_orders)).astype(np.int64)
    orders = {
        "names": tuple(f"o{i}" for i in range(num_orders)),
        "merchant": num_orders + draw.integers(0, num_merchants, num_orders),
        "door": np.arange(num_orders),
        "placed_s": placed_s,
        "ready_s": placed_s + draw.integers(0, 1200, num_orders),
        "promised_s": placed_s + 2400,
        "handover_s": draw.integers(0, 60, num_orders),
        "fee": np.full(num_orders, 500),
        "holder": np.full(num_orders, -1),
        "carried": np.zeros(num_orders, np.bool_),
    } | {key: value for key, value in columns.items() if key in Orders.__dataclass_fields__ and key != "names"}
    zeros = np.zeros(num_riders, np.int64)
    riders = {
        "names": tuple(f"r{i}" for i in range(num_riders)),
        "place": np.arange(num_riders) + num_orders + num_merchants,
        "free_s": zeros,
        "off_s": np.full(num_riders, 86_400),
        "earned": zeros,
        "guarantee": zeros,
        "worked_s": zeros,
        "priority": np.full(num_riders, 1000) if priority is None else np.asarray(priority),
        "capacity": np.full(num_riders, 9),
        "stops": ((),) * num_riders,
    } | {key: value for key, value in columns.items() if key in Riders.__dataclass_fields__ and key != "names"}
    return DispatchProblem(market, PlanarTravel(points, 250.0, step_s=1), Orders(**orders), Riders(**riders))


def small_market(base: Market, **changes) -> Market:
    """A market with some of its rules changed."""
    names = ("name", "rule", "half_pickup_s", "half_dropoff_s", "orders_max", "period_s", "hours")
    return Market(**({name: getattr(base, name) for name in names} | changes))


def feasible_sequences(stops):
    """Every sequence of stops in which a pickup comes before its drop-off."""
    for row in permutations(stops):
        if all(~stop not in row or row.index(stop) < row.index(~stop) for stop in row if stop >= 0):
            yield row


def placed_until(instance, last_min):
    """The same day without the orders placed after `last_min`."""
    return replace(instance, orders=tuple(order for order in instance.orders if order.placed_min <= last_min))
