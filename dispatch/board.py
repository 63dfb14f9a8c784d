"""The planning state that compiled code works on: records of orders, riders, trips and remembered insertions.

Types and the values of `status` only; `dispatch.layout` makes a board of a problem, `dispatch.route` changes it.
Records are NumPy structured arrays: compiled code writes `riders[rider].free_s`, other code `riders["free_s"]`.

Invariant: a field that is an instant or a duration ends in ``_s`` (seconds); money counts minor units (fen), costs
thousandths of a second of waiting (`dispatch.objective`).
"""

from typing import NamedTuple

from dispatch.arrays import Flags, Ints, Records, Seconds, Stops, record_of

STOPS_MAX = 48
# Values of an order's `status`.
HIDDEN, OPEN, SENT, CARRIED, DELIVERED, REFUSED = range(6)

# An order. Places by index; `holder`: the rider whose plan holds it, -1 nobody; `sunk_cost`: the cost of waiting and
# lateness that nobody can undo any more.
ORDER = record_of(
    "merchant", "door", "placed_s", "ready_s", "promised_s", "handover_s", "fee", "holder", "status", "sunk_cost"
)
# A rider. `free_s`: when they can leave `place`; `arrival_s`: when they reach the first stop, -1 unless on the way to
# it; `multiplier_permille`: `problem.cost_multiplier` of the tier; `surcharge`: cost of one more order; `route_cost`:
# of driving the stops; `plan_cost`: all of it; `version`: of the plan; `planned_*`, `num_planned`: of the orders that
# the plan delivers; `capacity`: orders they can carry.
RIDER = record_of(
    "off_s", "guarantee", "multiplier_permille", "surcharge", "route_cost", "plan_cost", "version", "place", "free_s",
    "arrival_s", "earned", "num_stops", "num_trips", "planned_fees", "num_planned", "capacity", "planned_sunk_cost",
)  # fmt: skip
# A trip of a plan: where in the stops it starts, from which place and when, the route's cost until then. The record
# after the last trip is the plan's end.
TRIP_START = record_of("first_stop", "place", "start_s", "cost")
# What inserting an order into a rider's plan would cost, and for which version of the plan.
INSERTION = record_of("version", "increase", "pickup", "dropoff")


class Board(NamedTuple):
    """The planning state; n orders, R riders, L places.

    Parameters
    ----------
    travel_s
        int32 (L, L), seconds from place to place.
    orders
        ORDER (n,).
    riders
        RIDER (R,).
    stops
        int32 (R, STOPS_MAX).
    trips
        TRIP_START (R, STOPS_MAX // 2 + 1).
    insertions
        INSERTION (n, R), remembered.
    barred
        bool (n, R): who is not given the order.
    weights
        `objective.COST_MODEL` (1,).
    newest_version
        int64 (1,), of any plan.
    """

    travel_s: Seconds
    orders: Records
    riders: Records
    stops: Stops
    trips: Records
    insertions: Records
    barred: Flags
    weights: Records
    newest_version: Ints
