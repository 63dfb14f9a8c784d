"""The state of one trade area that compiled code works on, and where its columns are.

`Live` holds the dispatcher's own board, whose order rows are slots that one order after the other occupies, and beside it
what the dispatcher does not know: when a meal is really ready, how long the door takes, how a rider feels. Nothing happens here.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from dispatch.compiled import Ints
from dispatch.route import Board

F64 = NDArray[np.float64]
U64 = NDArray[np.uint64]

# What a rider is doing; positions in simulations.world.STAYS.
OFF_DUTY, IDLE, TO_STORE, WAITING, TO_CUSTOMER, AT_DOOR = range(6)

# Columns of Live.crew, int64. START, END: stretch of work, LATER_*: the one after a pause, -1 none; WORKED: stretches done; PLANNED:
# seconds meant to be worked; HOME: place where the rider waits for orders; DRIFTED: until when
# the way there is ridden;
# BEGAN, ENDED: the first and the last instant on duty, -1 not yet; SINCE: of the present stay.
(
    RIDER, PHASE, SINCE, STAY_ORDER, STAY_M, START, END, EXTENDED, VARIANT, PACE, SEARCH, OFFERED, DECLINED, DELIVERED,
    BUSY, RIDE, DISTANCE, BEGAN, ENDED, KIND, LATER_START, LATER_END, WORKED, PLANNED, HOME, DRIFTED,
) = range(26)  # fmt: skip
CREW_COLUMNS = 26

# Columns of Live.mood, float64. MONEY: fees and what lateness and the tier did to them, today; BONUS: of the tier, an order.
BOLDNESS, POINT_FEN, TARGET_PER_H, MONEY, BONUS, LIGHTS = range(6)
MOOD_COLUMNS = 6

# Columns of Live.slots, int64: what the dispatcher does not see of an order. ROW: its row in the area's day.
ROW, READY_TRUE, NOISE_STORE, NOISE_DOOR, DOOR_S, DELAY, PATIENCE, GIVEN = range(8)
SLOT_COLUMNS = 8

# Columns of Live.log, int64, one row an order of the day; -1 unset.
LOG_BY, LOG_ACCEPTED, LOG_ARRIVED, LOG_PICKED, LOG_DELIVERED, LOG_DECLINES, LOG_OUTCOME = range(7)
LOG_COLUMNS = 7
# Values of LOG_OUTCOME; positions in simulations.world.OUTCOMES.
DELIVERED_OK, CANCELLED_BY, REFUSED_BY, STILL_OPEN = range(4)

# Columns of Live.stays, int64.
STAY_RIDER, STAY_FROM, STAY_TO, STAY_WHAT, STAY_METRES, STAY_OF = range(6)
STAY_COLUMNS = 6

# Entries of Live.tally, int64: NEXT: first order not yet placed; FREE_SLOTS: top of the stack; EVENTS: things that happened.
NEXT, FREE_SLOTS, NUM_STAYS, EVENTS, DAY, GROSS, NUM_OFFERS = range(7)
COUNTERS = 7

# Entries of Live.dials, float64.
(
    RUSH, RUSH_HALF, JUMP, JUMP_MOST, JUMP_HALF, DECLINE_CROWD, DECLINE_DEDICATED, DECLINE_GAIN, DECLINE_MOST, EXTEND,
    EXTEND_MOST, LIGHTS_A_M, LIGHT_WAIT, FASTEST, DETOUR, PICK_UP, WET, PLAN_PACE, TICKS, LONGEST,
) = range(20)  # fmt: skip
DIALS = 20

# Columns of Live.today, int64, one row an order of the day in the order of placing.
(
    T_NUMBER, T_MERCHANT, T_X, T_Y, T_PLACED, T_PROMISED_READY, T_READY, T_PROMISED, T_PATIENCE, T_FEE, T_DOOR_S, T_DELAY,
    T_NOISE_STORE, T_NOISE_DOOR,
) = range(14)  # fmt: skip
TODAY_COLUMNS = 14


class Live(NamedTuple):
    """One trade area in motion; R riders, S slots, n orders of the day, P places: merchants, riders, then the slots' doors.

    ``xy`` float64 (P, 2), metres; ``free`` int64 (S,), a stack of free slots; ``prices`` float64 (planes, variants, bins), see
    `simulations.price`; ``busy_pm`` int64, riding time per mille by minute; ``luck`` uint64 (1,), state of the answers to offers.
    """

    board: Board
    xy: F64
    crew: Ints
    mood: F64
    slots: Ints
    today: Ints
    log: Ints
    stays: Ints
    free: Ints
    tally: Ints
    dials: F64
    prices: F64
    busy_pm: Ints
    luck: U64
