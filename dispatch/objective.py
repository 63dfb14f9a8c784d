"""What a plan costs: one whole-number term per function, and the weights that add them up.

Costs count milli-seconds of a customer's waiting: a weight of 1000 says that one second of the term is as bad as
one second between order and door. Compiled, so that solver and explanation use the same functions. Nothing here
chooses anything.

Invariant: every term is a non-negative integer; no float enters an objective.
"""

from dataclasses import dataclass, fields

import numpy as np

from dispatch.compiled import Ints, compiled
from dispatch.problem import Market

# Positions in the row that compiled code reads.
WAIT, LATE, FOOD, IDLE, PAY, HALF_PICKUP, HALF_DROPOFF, RULE = range(8)
# What an order in nobody's plan counts while plans are compared: more than any delivery costs, so that an order is left
# out only where nobody can take it.
UNSERVED = 1 << 50


@dataclass(frozen=True, slots=True)
class Weights:
    """Cost per unit of each term, in thousandths of a second of waiting.

    ``wait`` per second from order to door; ``late`` per second beyond the promise, on top; ``food`` per second a
    ready meal waits at the merchant; ``idle`` per second a rider drives to a merchant; ``pay`` per minor unit of
    pay above the guarantee; ``imbalance`` per minor unit an hour a rider earns above the mean of those at work. The
    defaults are those tuned on the public instances.
    """

    wait: int = 1000
    late: int = 600
    food: int = 0
    idle: int = 0
    pay: int = 3_000
    imbalance: int = 5_000

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if not isinstance(value, int) or isinstance(value, bool) or value < 0:
                raise ValueError(f"weight {field.name} = {value!r}: use a whole number of at least 0")


# For the on-demand market, whose money is fen: the promise counts most, then the customer's wait.
ON_DEMAND_WEIGHTS = Weights(wait=200, late=3000, food=100, idle=100, pay=0, imbalance=20)


def weight_row(weights: Weights, market: Market) -> Ints:
    """Return the weights and the market's rules as the int64 row that compiled code reads."""
    row = np.zeros(8, np.int64)
    row[WAIT], row[LATE], row[FOOD], row[IDLE] = weights.wait, weights.late, weights.food, weights.idle
    row[PAY] = weights.pay
    row[HALF_PICKUP], row[HALF_DROPOFF] = market.half_pickup_s, market.half_dropoff_s
    row[RULE] = int(market.rule)
    return row


@compiled
def delivery_cost(weights: Ints, wait_s: int) -> int:
    """Cost of the seconds from order to door."""
    return int(weights[WAIT] * wait_s)


@compiled
def lateness_cost(weights: Ints, late_s: int) -> int:
    """Cost of the seconds beyond the promise; early is free."""
    return int(weights[LATE] * max(late_s, 0))


@compiled
def lost_cost(weights: Ints, placed_s: int, promised_s: int, now_s: int) -> int:
    """Cost of the waiting and the lateness that are there already, whoever brings the order."""
    return delivery_cost(weights, max(now_s - placed_s, 0)) + lateness_cost(weights, now_s - promised_s)


@compiled
def food_waiting_cost(weights: Ints, stood_s: int) -> int:
    """Cost of the seconds a ready meal stands at the merchant."""
    return int(weights[FOOD] * stood_s)


@compiled
def idle_travel_cost(weights: Ints, drive_s: int) -> int:
    """Cost of the seconds a rider drives to a merchant."""
    return int(weights[IDLE] * drive_s)


@compiled
def pay_cost(weights: Ints, earned: int, guarantee: int) -> int:
    """Cost of the pay above the shift's guarantee: below it another order costs nothing more."""
    return int(weights[PAY] * max(earned - guarantee, 0))
