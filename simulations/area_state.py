"""The state of one trade area that compiled code works on: records of riders, orders in hand, and what is written down.

`AreaState` holds the dispatcher's own board, whose orders are slots that one order after the other occupies, and beside
it what the dispatcher does not know: when a meal is really ready, how long the door takes, how a rider decides. Records
are NumPy structured arrays, int64 unless said otherwise. Nothing happens here.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from dispatch.arrays import Ints, Records
from dispatch.board import Board

F64 = NDArray[np.float64]

# What a rider is doing; positions in simulations.world.STAYS.
OFF_DUTY, IDLE, TO_STORE, WAITING, TO_CUSTOMER, AT_DOOR = range(6)
# What became of an order; positions in simulations.world.OUTCOMES.
DELIVERED, CANCELLED, REFUSED, UNFINISHED = range(4)


def _record(whole: tuple[str, ...], floats: tuple[str, ...] = ()) -> np.dtype[np.void]:
    return np.dtype([*((name, np.int64) for name in whole), *((name, np.float64) for name in floats)])


# A rider on a day. `rider`: position in the town; `since_s`: of the present stay, of `stay_order` (-1 none) and
# `stay_m` metres; `start_s`, `end_s`: stretch of work, `later_*`: the one after a pause, -1 none; `worked_s`: stretches
# done; `planned_s`: meant to be worked; `home`: place where the rider waits for orders, `returning_s`: until when the way
# there is ridden; `began_s`, `ended_s`: first and last instant on duty, -1 not yet; `variant`: row of `price.Prices`.
# `income_fen`: fees and what lateness and the tier did to them, today; `bonus_fen`: of the tier, an order;
# `red_lights`: expected number of lights jumped.
CREW = _record(
    (
        "rider", "phase", "since_s", "stay_order", "stay_m", "start_s", "end_s", "extended", "variant", "pace_s_per_km",
        "search_permille", "num_offered", "num_declined", "num_delivered", "busy_s", "ride_s", "distance_m", "began_s",
        "ended_s", "kind", "later_start_s", "later_end_s", "worked_s", "planned_s", "home", "returning_s",
    ),
    ("boldness", "point_fen", "target_fen_per_h", "income_fen", "bonus_fen", "red_lights"),
)  # fmt: skip
# What the dispatcher does not see of an order in hand. `row`: its record among the orders of the day.
SLOT = _record(
    (
        "row", "ready_s", "noise_store_permille", "noise_door_permille", "door_s", "delay_s", "patience_s", "given_back_s"
    )
)  # fmt: skip
# An order of the day, as placed. `number`: its identity.
DAY_ORDER = _record(
    (
        "number", "merchant", "x", "y", "placed_s", "promised_ready_s", "ready_s", "promised_s", "patience_s", "fee_fen",
        "door_s", "delay_s", "noise_store_permille", "noise_door_permille",
    )
)  # fmt: skip
# What became of an order of the day; -1 unset.
ORDER_LOG = _record(
    ("rider", "accepted_s", "arrived_s", "picked_up_s", "delivered_s", "num_declined", "outcome")
)  # fmt: skip
# A stretch of a rider's day.
STAY = _record(("rider", "from_s", "to_s", "phase", "distance_m", "order"))
# `next_row`: first order not yet placed; `num_free_slots`: top of the stack; `num_steps`: things that happened.
COUNTS = _record(("next_row", "num_free_slots", "num_stays", "num_steps", "num_offers"))


# Parameters of the responses (`simulations.behaviour`) and of the streets on a day; shares of 1, not per mille.
# `rain_pace`: riding time relative to a dry day; `longest_s`: longest working day; `detour`: road metres a straight metre;
# `gross`: time given back does not count; `answers` (uint64): what the draws that answer offers start from.
DAY_PARAMETERS = np.dtype(
    [*_record(("day", "gross"), ("rush", "rush_half_fen", "jump", "jump_most", "jump_half_fen", "decline_crowdsourced", "decline_dedicated", "decline_gain", "decline_most", "extend", "extend_most_s", "lights_per_m", "light_wait_s", "fastest_s_per_km", "detour", "pick_up_s", "rain_pace", "plan_s_per_km", "longest_s")).descr, ("answers", np.uint64)]
)  # fmt: skip


class AreaState(NamedTuple):
    """One trade area on a day; R riders, S slots, n orders of the day, P places: merchants, riders, the slots' doors.

    ``xy`` float64 (P, 2), metres; ``crew`` CREW (R,); ``slots`` SLOT (S,); ``day_orders`` DAY_ORDER (n,) by time of
    placing, ``log`` ORDER_LOG (n,); ``stays`` STAY, the first `num_stays` filled; ``free`` int64 (S,), a stack of free
    slots; ``counts`` COUNTS (1,); ``parameters`` DAY_PARAMETERS (1,); ``prices`` `price.PRICE` (variants, bins); ``congestion_permille`` int64, riding time
    by minute.
    """

    board: Board
    xy: F64
    crew: Records
    slots: Records
    day_orders: Records
    log: Records
    stays: Records
    free: Ints
    counts: Records
    parameters: Records
    prices: Records
    congestion_permille: Ints
