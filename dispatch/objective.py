"""What a plan costs: one whole-number term per function, and the weights that add them up.

Costs count milli-seconds of a customer's waiting: a weight of 1000 says that one second of the term is as bad as
one second between order and door. Compiled, so that solver and explanation use the same functions. Nothing here
chooses anything.

Invariant: every term is a non-negative integer; no float enters an objective.
"""

from dataclasses import dataclass, fields

import numpy as np

from dispatch.arrays import Record, Records, record_of
from dispatch.problem import Market
from rules.compiled import compiled

# What an order in nobody's plan counts while plans are compared: more than any delivery costs, so that an order is left
# out only where nobody can take it.
UNSERVED = 1 << 50


@dataclass(frozen=True, slots=True)
class Weights:
    """Cost per unit of each term, in thousandths of a second of waiting; the defaults are those tuned on the public instances.

    Parameters
    ----------
    wait
        A second from order to door.
    late
        A second beyond the promise, on top.
    food
        A second a ready meal waits at the merchant.
    idle
        A second a rider drives to a merchant.
    pay
        A minor unit of pay above the guarantee.
    imbalance
        A minor unit an hour a rider earns above the mean of those at work.
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


# The weights and the market's rules as compiled code reads them; `rule` is an `InsertionRule`'s number.
COST_MODEL = record_of("wait", "late", "food", "idle", "pay", "half_pickup_s", "half_dropoff_s", "rule")


def cost_model(weights: Weights, market: Market) -> Records:
    """Return the cost model of a market under some weights: COST_MODEL (1,)."""
    model = np.zeros(1, COST_MODEL)
    for name in ("wait", "late", "food", "idle", "pay"):
        model[name] = getattr(weights, name)
    model["half_pickup_s"], model["half_dropoff_s"] = market.half_pickup_s, market.half_dropoff_s
    model["rule"] = int(market.rule)
    return model


@compiled()
def delivery_cost(weights: Record, wait_s: int) -> int:
    """Cost of the seconds from order to door."""
    return int(weights.wait * wait_s)


@compiled()
def lateness_cost(weights: Record, late_s: int) -> int:
    """Cost of the seconds beyond the promise; early is free."""
    return int(weights.late * max(late_s, 0))


@compiled()
def sunk_cost_of(weights: Record, placed_s: int, promised_s: int, now_s: int) -> int:
    """Cost of the waiting and the lateness that are there already, whoever brings the order."""
    return delivery_cost(weights, max(now_s - placed_s, 0)) + lateness_cost(weights, now_s - promised_s)


@compiled()
def food_waiting_cost(weights: Record, stood_s: int) -> int:
    """Cost of the seconds a ready meal stands at the merchant."""
    return int(weights.food * stood_s)


@compiled()
def idle_travel_cost(weights: Record, drive_s: int) -> int:
    """Cost of the seconds a rider drives to a merchant."""
    return int(weights.idle * drive_s)


@compiled()
def pay_cost(weights: Record, earned: int, guarantee: int) -> int:
    """Cost of the pay above the shift's guarantee: below it another order costs nothing more."""
    return int(weights.pay * max(earned - guarantee, 0))
