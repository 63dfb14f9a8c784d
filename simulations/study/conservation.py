"""What must hold in every world, read from its tables alone; shares no code with what made them, nor with what reads them.

Each check yields sentences about what is broken. Nothing here imports another module of this project.
"""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

DAY_US = 86_400_000_000
BUSY = ("to_store", "waiting", "to_customer", "at_door")
STEPS = ("placed_us", "accepted_us", "arrived_us", "picked_up_us", "delivered_us")


def column(table: pa.Table, name: str) -> np.ndarray:
    """A column as plain values; missing instants are −1."""
    values = table.column(name)
    if pa.types.is_dictionary(values.type):
        return np.array(values.cast(pa.string()).to_pylist(), object)
    return pc.fill_null(values, -1).to_numpy() if values.null_count else values.to_numpy()


def orders_add_up(world: Any) -> Iterator[str]:
    """Placed = delivered + cancelled + refused + open; steps in order; meals are not picked up before they are ready."""
    outcome = column(world.orders, "outcome")
    counts = {word: int((outcome == word).sum()) for word in ("delivered", "cancelled", "refused", "open")}
    if sum(counts.values()) != world.orders.num_rows:
        yield f"{world.orders.num_rows} orders placed, {counts}"
    if len(np.unique(column(world.orders, "order"))) != world.orders.num_rows:
        yield "an order number stands twice"
    brought = world.orders.filter(pa.array(outcome == "delivered"))
    steps = [column(brought, name) for name in STEPS]
    for name, earlier, later in zip(STEPS[1:], steps[:-1], steps[1:], strict=True):
        if (later < earlier).any():
            yield f"{int((later < earlier).sum())} orders: {name} before the step before it"
    if (column(brought, "picked_up_us") < column(brought, "ready_us")).any():
        yield "a meal was picked up before it was ready"
    rest = world.orders.filter(pa.array((outcome == "cancelled") | (outcome == "refused")))
    if (column(rest, "accepted_us") >= 0).any() or (column(rest, "rider") >= 0).any():
        yield "an order that nobody brought belongs to a rider"
    if counts["delivered"] != int(column(world.rider_days, "num_delivered").sum()):
        yield "orders delivered and riders' deliveries differ"
    kinds = np.array(world.events.column("kind").to_pylist(), object)
    if counts["delivered"] != int((kinds == "delivered").sum()):
        yield "orders delivered and delivery events differ"


def _by_rider_day(world: Any, values: np.ndarray, rider: np.ndarray, day: np.ndarray) -> np.ndarray:
    """Sums in the order of `rider_days`."""
    num = int(column(world.rider_days, "rider").max()) + 1
    first = int(column(world.rider_days, "day").min())
    out = np.zeros(world.rider_days.num_rows, np.int64)
    np.add.at(out, (day - first) * num + rider, values)
    return out


def _day_of(world: Any, at_us: np.ndarray) -> np.ndarray:
    return (at_us - world.first_day_us) // DAY_US


def time_adds_up(world: Any) -> Iterator[str]:
    """Every rider's stays fill every day without a gap; worked and busy time are their sums."""
    rider, start, end = (column(world.stays, name) for name in ("rider", "from_us", "to_us"))
    what, day = column(world.stays, "what"), _day_of(world, column(world.stays, "from_us"))
    if (end <= start).any():
        yield "a stay takes no time"
    total = _by_rider_day(world, end - start, rider, day)
    if (total != DAY_US).any():
        yield f"{int((total != DAY_US).sum())} rider days do not last 24 hours"
    for name, kinds in (("worked_s", ("idle", *BUSY)), ("busy_s", BUSY)):
        rows = np.isin(what, kinds)
        found = _by_rider_day(world, (end - start)[rows] // 1_000_000, rider[rows], day[rows])
        wrong = found != column(world.rider_days, name)
        if wrong.any():
            yield f"{int(wrong.sum())} rider days: {name} is not the sum of the stays"
    days = world.rider_days
    if (column(days, "num_offered") - column(days, "num_declined") < column(days, "num_delivered")).any():
        yield "a rider delivered more than was taken"
    parts = np.sum([column(days, name) for name in ("num_on_time", "num_late", "num_exempt")], axis=0)
    if (parts != column(days, "num_delivered")).any():
        yield "deliveries are not on time + late + exempt"


def nobody_in_two_places(world: Any) -> Iterator[str]:
    """A rider's stays do not overlap, and the steps of an order happen where its rider is."""
    rider, start, end = (column(world.stays, name) for name in ("rider", "from_us", "to_us"))
    turn = np.lexsort((start, rider))
    same = rider[turn][1:] == rider[turn][:-1]
    if (same & (start[turn][1:] < end[turn][:-1])).any():
        yield "a rider is in two places"
    what, order = column(world.stays, "what"), column(world.stays, "order")
    brought = world.orders.filter(pc.equal(world.orders.column("outcome").cast(pa.string()), "delivered"))
    number = column(brought, "order")
    at_door = what == "at_door"
    place = {int(key): row for key, row in zip(order[at_door], np.flatnonzero(at_door), strict=True)}
    rows = np.array([place.get(int(key), -1) for key in number], np.int64)
    if (rows < 0).any():
        yield "an order was handed over where nobody stood"
    elif (end[rows] != column(brought, "delivered_us")).any() or (rider[rows] != column(brought, "rider")).any():
        yield "an order was handed over by another rider or at another time than its door says"


def nobody_too_fast(world: Any, fastest_s_per_km: int) -> Iterator[str]:
    """No stretch was ridden faster than the scenario allows; who waits or hands over does not move."""
    metres = column(world.stays, "metres").astype(np.float64)
    seconds = (column(world.stays, "to_us") - column(world.stays, "from_us")) / 1e6
    what = column(world.stays, "what")
    fast = metres * fastest_s_per_km / 1_000 > seconds + 1e-6
    if fast.any():
        yield f"{int(fast.sum())} stretches were ridden too fast"
    if metres[np.isin(what, ("off", "waiting", "at_door"))].any():
        yield "somebody moved while standing"
    num = int(column(world.rider_days, "rider").max()) + 1
    first = int(column(world.rider_days, "day").min())
    ridden = np.zeros(world.rider_days.num_rows, np.int64)
    day = _day_of(world, column(world.stays, "from_us"))
    np.add.at(ridden, (day - first) * num + column(world.stays, "rider"), column(world.stays, "metres"))
    if (ridden != column(world.rider_days, "distance_m")).any():
        yield "distances ridden are not the sum of the stretches"


def nobody_carries_too_much(world: Any, capacity: int) -> Iterator[str]:
    """At no moment has a rider more orders in the bag than allowed."""
    brought = world.orders.filter(pc.equal(world.orders.column("outcome").cast(pa.string()), "delivered"))
    rider = np.tile(column(brought, "rider"), 2)
    at = np.concatenate([column(brought, "picked_up_us"), column(brought, "delivered_us")])
    change = np.repeat([1, -1], brought.num_rows)
    turn = np.lexsort((change, at, rider))
    load = np.cumsum(change[turn])
    if brought.num_rows and load.max() > capacity:
        yield f"a rider carried {load.max()} orders"


def income_is_the_ledgers(world: Any) -> Iterator[str]:
    """Income = fees − fines + bonus, and the sums of the rider days are those of the ledger."""
    days = world.rider_days
    fees, fines, bonus = (column(days, name) for name in ("fees_fen", "fines_fen", "bonus_fen"))
    if (column(days, "income_fen") != fees - fines + bonus).any():
        yield "income is not fees − fines + bonus"
    money = int(pc.sum(world.entries.column("money_fen")).as_py() or 0)
    if money != int((bonus - fines).sum()):
        yield f"the ledger's money is {money}, the rider days' {int((bonus - fines).sum())}"
    names = [int(name[1:]) - 1 for name in world.riders.column("rider_id").to_pylist()]
    income = np.zeros(int(column(days, "rider").max()) + 1, np.int64)
    np.add.at(income, column(days, "rider"), column(days, "income_fen"))
    if (income[names] != column(world.riders, "income_fen")).any():
        yield "a rider's income over the days is not the ledger's"
    fee = column(world.orders, "fee_fen")[column(world.orders, "outcome") == "delivered"].sum()
    if fee != fees.sum():
        yield "fees paid are not those of the orders delivered"


def broken(world: Any, fastest_s_per_km: int, capacity: int) -> dict[str, list[str]]:
    """Check → sentences, of the checks that do not hold in a world."""
    checks: dict[str, Callable[[], Iterator[str]]] = {
        "orders_add_up": lambda: orders_add_up(world),
        "time_adds_up": lambda: time_adds_up(world),
        "nobody_in_two_places": lambda: nobody_in_two_places(world),
        "nobody_too_fast": lambda: nobody_too_fast(world, fastest_s_per_km),
        "nobody_carries_too_much": lambda: nobody_carries_too_much(world, capacity),
        "income_is_the_ledgers": lambda: income_is_the_ledgers(world),
    }
    found = {name: list(check()) for name, check in checks.items()}
    return {name: sentences for name, sentences in found.items() if sentences}
