"""Riders in motion: what happens between two rounds, to the second, each rider after the other.

Ride to the merchant, wait there, ride to the door, hand over; faster and past more red lights when a minute costs more.
Riders meet only through the dispatcher, so their stretches are independent and nothing needs a common queue of events.

Invariant: a rider's stays follow each other without a gap, and nobody rides faster than the scenario's fastest.
"""

import numpy as np

from dispatch.objective import HALF_DROPOFF
from dispatch.road import drop_stops
from dispatch.route import (
    ARRIVAL,
    CARRIED,
    DOOR,
    EARNED,
    FEE,
    FREE,
    HOLDER,
    MERCHANT,
    NUM_STOPS,
    OFF,
    PLACE,
    PROMISED,
    READY,
    SENT,
    STANDING,
    recost,
)
from dispatch.route import (
    DELIVERED as IS_DELIVERED,
)
from simulations.behaviour import extension_s, jump_chance, pressure, rush
from simulations.compiled import compiled
from simulations.live import (
    AT_DOOR,
    BEGAN,
    BOLDNESS,
    BONUS,
    BUSY,
    DELAY,
    DELIVERED,
    DELIVERED_OK,
    DETOUR,
    DISTANCE,
    DOOR_S,
    DRIFTED,
    END,
    ENDED,
    EVENTS,
    EXTEND,
    EXTEND_MOST,
    EXTENDED,
    FASTEST,
    FREE_SLOTS,
    GIVEN,
    GROSS,
    HOME,
    IDLE,
    JUMP,
    JUMP_HALF,
    JUMP_MOST,
    LATER_END,
    LATER_START,
    LIGHT_WAIT,
    LIGHTS,
    LIGHTS_A_M,
    LOG_ARRIVED,
    LOG_DELIVERED,
    LOG_OUTCOME,
    LOG_PICKED,
    LONGEST,
    MONEY,
    NOISE_DOOR,
    NOISE_STORE,
    NUM_STAYS,
    OFF_DUTY,
    PACE,
    PHASE,
    PICK_UP,
    PLAN_PACE,
    POINT_FEN,
    READY_TRUE,
    RIDE,
    RIDER,
    ROW,
    RUSH,
    RUSH_HALF,
    SEARCH,
    SINCE,
    START,
    STAY_FROM,
    STAY_M,
    STAY_METRES,
    STAY_OF,
    STAY_ORDER,
    STAY_RIDER,
    STAY_TO,
    STAY_WHAT,
    T_NUMBER,
    T_PROMISED_READY,
    TARGET_PER_H,
    TO_CUSTOMER,
    TO_STORE,
    VARIANT,
    WAITING,
    WET,
    WORKED,
    Live,
)
from simulations.price import (
    LATE_MIN_S,
    LOSS_FEN,
    LOSS_MP,
    LOSS_SHARE,
    NUM_BINS,
    SLOPE_FEN,
    SLOPE_MP,
    SLOPE_SHARE,
    STEP_S,
    SURE_FEN,
    SURE_SHARE,
)

KM_M = 1_000.0
# Idle riders are moved at rounds: no round is further away than this.
DRIFT_S = 600
PERMILLE = 1_000.0


@compiled
def advance(live: Live, now_s: int) -> None:
    """Let every rider's time pass up to `now_s`."""
    riders = live.board.riders
    for r in range(live.crew.shape[0]):
        phase = live.crew[r, PHASE]
        if phase == OFF_DUTY:
            if live.crew[r, ENDED] < 0 and 0 <= live.crew[r, START] <= now_s:
                come(live, r)
            continue
        while True:
            if riders[r, ARRIVAL] >= 0:
                if riders[r, ARRIVAL] > now_s:
                    break
                arrive(live, r)
            elif riders[r, FREE] <= now_s and committed(live, r):
                depart(live, r, riders[r, FREE])
            else:
                break
        if riders[r, ARRIVAL] < 0 and riders[r, FREE] <= now_s:
            rest(live, r, now_s)


@compiled
def committed(live: Live, r: int) -> bool:
    """Whether the rider's next stop is an order in hand."""
    board = live.board
    if board.riders[r, NUM_STOPS] == 0:
        return False
    stop = board.stops[r, 0]
    return (stop < 0 and board.orders[~stop, STANDING] == CARRIED) or (
        stop >= 0 and board.orders[stop, STANDING] == SENT
    )


@compiled
def come(live: Live, r: int) -> None:
    """Come online."""
    start_s = live.crew[r, START]
    turn(live, r, start_s, IDLE, -1, 0)
    if live.crew[r, BEGAN] < 0:
        live.crew[r, BEGAN] = start_s
    live.board.riders[r, OFF] = live.crew[r, END]
    live.board.riders[r, FREE] = start_s
    recost(live.board, r)


@compiled
def rest(live: Live, r: int, now_s: int) -> None:
    """Nothing in hand: wait, work on beyond the planned end, or go (for a pause, if there is a later stretch)."""
    crew, riders = live.crew, live.board.riders
    if crew[r, PHASE] != IDLE:
        turn(live, r, riders[r, FREE], IDLE, -1, 0)
    if now_s < crew[r, END]:
        if riders[r, NUM_STOPS] == 0:
            drift(live, r, now_s)
        return
    if crew[r, LATER_START] < 0 and crew[r, EXTENDED] == 0:
        crew[r, EXTENDED] = 1
        worked_s = float(crew[r, WORKED] + crew[r, END] - crew[r, START])
        more_s = extension_s(
            live.mood[r, MONEY], live.mood[r, TARGET_PER_H] * worked_s / 3_600.0, worked_s,
            live.dials[EXTEND], live.dials[EXTEND_MOST],
        )  # fmt: skip
        most_s = max(0.0, live.dials[LONGEST] - worked_s)
        crew[r, END] += np.int64(min(more_s, most_s))
        riders[r, OFF] = crew[r, END]
        recost(live.board, r)
        if now_s < crew[r, END]:
            return
    at_s = max(crew[r, END], crew[r, SINCE])
    turn(live, r, at_s, OFF_DUTY, -1, 0)
    crew[r, WORKED] += at_s - crew[r, START]
    if crew[r, LATER_START] >= 0:
        crew[r, START], crew[r, END] = max(crew[r, LATER_START], at_s), max(crew[r, LATER_END], at_s)
        crew[r, LATER_START] = -1
    else:
        crew[r, ENDED] = at_s
    riders[r, OFF] = -1
    recost(live.board, r)


@compiled
def drift(live: Live, r: int, now_s: int) -> None:
    """Ride back, unhurried, to where the rider waits for orders; who is there stays."""
    crew, own = live.crew, live.board.riders[r, PLACE]
    home = crew[r, HOME]
    if own == home:
        return
    dx, dy = live.xy[home, 0] - live.xy[own, 0], live.xy[home, 1] - live.xy[own, 1]
    away_m = np.sqrt(dx * dx + dy * dy) * live.dials[DETOUR]
    spent_s = min(now_s - max(crew[r, SINCE], crew[r, DRIFTED]), DRIFT_S)
    crew[r, DRIFTED] = now_s
    ridden_m = min(away_m, np.floor(spent_s * KM_M / own_pace(live, r, now_s)))
    if ridden_m <= 0.0:
        return
    crew[r, STAY_M] += np.int64(ridden_m)
    crew[r, DISTANCE] += np.int64(ridden_m)
    crew[r, RIDE] += spent_s
    live.mood[r, LIGHTS] += ridden_m * live.dials[LIGHTS_A_M] * live.dials[JUMP]
    if ridden_m >= away_m:
        live.board.riders[r, PLACE] = home
    else:
        place = live.board.travel_s.shape[0] - live.slots.shape[0] - crew.shape[0] + r
        share = ridden_m / away_m
        put_place(live, place, live.xy[own, 0] + dx * share, live.xy[own, 1] + dy * share)
        live.board.riders[r, PLACE] = place
    recost(live.board, r)


@compiled
def turn(live: Live, r: int, at_s: int, phase: int, row: int, metres: int) -> None:
    """Close the present stay and begin another."""
    crew, tally = live.crew, live.tally
    tally[EVENTS] += 1
    since_s = crew[r, SINCE]
    if at_s > since_s:
        stay = live.stays[tally[NUM_STAYS]]
        stay[STAY_RIDER], stay[STAY_FROM], stay[STAY_TO] = crew[r, RIDER], since_s, at_s
        stay[STAY_WHAT], stay[STAY_METRES], stay[STAY_OF] = crew[r, PHASE], crew[r, STAY_M], crew[r, STAY_ORDER]
        tally[NUM_STAYS] += 1
        if crew[r, PHASE] >= TO_STORE:
            crew[r, BUSY] += at_s - since_s
    crew[r, SINCE], crew[r, PHASE], crew[r, STAY_M] = at_s, phase, metres
    crew[r, STAY_ORDER] = live.today[row, T_NUMBER] if row >= 0 else -1


@compiled
def depart(live: Live, r: int, at_s: int) -> None:
    """Ride to the first stop, as fast as a minute is worth."""
    board, crew = live.board, live.crew
    stop = board.stops[r, 0]
    slot = stop if stop >= 0 else ~stop
    target = board.orders[slot, MERCHANT] if stop >= 0 else board.orders[slot, DOOR]
    place = board.riders[r, PLACE]
    dx = live.xy[place, 0] - live.xy[target, 0]
    dy = live.xy[place, 1] - live.xy[target, 1]
    metres = np.rint(np.sqrt(dx * dx + dy * dy) * live.dials[DETOUR])
    minute_fen = price_of_a_minute(live, r, at_s)
    noise = live.slots[slot, NOISE_STORE if stop >= 0 else NOISE_DOOR] / PERMILLE
    ride_s = riding_s(live, r, at_s, metres, noise, minute_fen)
    # Who is on the way is where the way ends, then: the dispatcher's candidates are chosen by place and time.
    board.riders[r, ARRIVAL], board.riders[r, FREE], board.riders[r, PLACE] = at_s + ride_s, at_s + ride_s, target
    crew[r, RIDE] += ride_s
    crew[r, DISTANCE] += np.int64(metres)
    turn(live, r, at_s, TO_STORE if stop >= 0 else TO_CUSTOMER, live.slots[slot, ROW], np.int64(metres))
    recost(board, r)


@compiled
def riding_s(live: Live, r: int, at_s: int, metres: float, noise: float, minute_fen: float) -> int:
    """Seconds of a ride, lights included; adds the expected number of lights jumped."""
    dials, bold = live.dials, live.mood[r, BOLDNESS]
    pace = own_pace(live, r, at_s)
    saved = rush(pressure(minute_fen, dials[RUSH_HALF]), bold, dials[RUSH])
    jumps = jump_chance(pressure(minute_fen, dials[JUMP_HALF]), bold, dials[JUMP], dials[JUMP_MOST])
    lights = metres * dials[LIGHTS_A_M]
    live.mood[r, LIGHTS] += lights * jumps
    seconds = metres / KM_M * pace * noise * (1.0 - saved) + lights * dials[LIGHT_WAIT] * (1.0 - jumps)
    least = metres / KM_M * dials[FASTEST]
    return np.int64(np.ceil(max(seconds, least)))


@compiled
def own_pace(live: Live, r: int, at_s: int) -> float:
    """Seconds a kilometre of this rider now: own pace, congestion, rain."""
    minute = min(max(at_s // 60, 0), live.busy_pm.shape[0] - 1)
    return live.crew[r, PACE] * (live.busy_pm[minute] / PERMILLE) * live.dials[WET]


@compiled
def bin_of(late_s: float) -> int:
    """Place of an expected lateness in the tables of prices."""
    return np.int64(min(max((late_s - LATE_MIN_S) / STEP_S, 0.0), NUM_BINS - 1.0))


@compiled
def price_of_a_minute(live: Live, r: int, at_s: int) -> float:
    """What one more minute on the way costs in expectation, over all orders in hand: the rider's own forecast."""
    board, prices = live.board, live.prices
    if live.dials[RUSH] == 0.0 and live.dials[JUMP_MOST] == live.dials[JUMP]:
        return 0.0
    row, place, clock_s, total = live.crew[r, VARIANT], board.riders[r, PLACE], float(at_s), 0.0
    ratio = (own_pace(live, r, at_s) + live.dials[LIGHTS_A_M] * KM_M * live.dials[LIGHT_WAIT]) / live.dials[PLAN_PACE]
    for i in range(board.riders[r, NUM_STOPS]):
        stop = board.stops[r, i]
        if stop >= 0:
            clock_s = _at_store(live, stop, clock_s, board.travel_s[place, board.orders[stop, MERCHANT]] * ratio)
            place = board.orders[stop, MERCHANT]
            continue
        slot = ~stop
        clock_s += board.travel_s[place, board.orders[slot, DOOR]] * ratio + _usual_door_s(live, r)
        place = board.orders[slot, DOOR]
        if board.orders[slot, STANDING] == CARRIED or board.orders[slot, STANDING] == SENT:
            k = bin_of(late_s(live, slot, clock_s))
            total += board.orders[slot, FEE] * prices[SLOPE_SHARE, row, k] + prices[SLOPE_FEN, row, k]
            total += prices[SLOPE_MP, row, k] * live.mood[r, POINT_FEN]
    return total


@compiled
def expected_loss_fen(live: Live, r: int, offered: int, at_s: int) -> float:
    """What the lateness of an offered order is expected to cost the rider."""
    board, prices = live.board, live.prices
    row, place, clock_s = live.crew[r, VARIANT], board.riders[r, PLACE], float(at_s)
    ratio = (own_pace(live, r, at_s) + live.dials[LIGHTS_A_M] * KM_M * live.dials[LIGHT_WAIT]) / live.dials[PLAN_PACE]
    for i in range(board.riders[r, NUM_STOPS]):
        stop = board.stops[r, i]
        if stop >= 0:
            clock_s = _at_store(live, stop, clock_s, board.travel_s[place, board.orders[stop, MERCHANT]] * ratio)
            place = board.orders[stop, MERCHANT]
            continue
        clock_s += board.travel_s[place, board.orders[~stop, DOOR]] * ratio + _usual_door_s(live, r)
        place = board.orders[~stop, DOOR]
        if ~stop == offered:
            k = bin_of(late_s(live, offered, clock_s))
            loss = board.orders[offered, FEE] * prices[LOSS_SHARE, row, k] + prices[LOSS_FEN, row, k]
            return loss + prices[LOSS_MP, row, k] * live.mood[r, POINT_FEN]
    return 0.0


@compiled
def _at_store(live: Live, slot: int, clock_s: float, ride_s: float) -> float:
    return max(clock_s + ride_s + live.dials[PICK_UP], float(live.board.orders[slot, READY]))


@compiled
def _usual_door_s(live: Live, r: int) -> float:
    """What handing over usually takes this rider: as the dispatcher reckons, at the rider's own speed of searching."""
    return live.board.weights[HALF_DROPOFF] * 2.0 * live.crew[r, SEARCH] / PERMILLE


@compiled
def late_s(live: Live, slot: int, at_s: float) -> float:
    """Lateness that counts: gross, or less what a slow kitchen is known to have cost."""
    gross = at_s - live.board.orders[slot, PROMISED]
    return gross if live.tally[GROSS] else gross - live.slots[slot, GIVEN]


@compiled
def arrive(live: Live, r: int) -> None:
    """Reach the first stop: pick up all of the visit that is the rider's, or hand over."""
    if live.board.stops[r, 0] >= 0:
        _pick_up(live, r)
    else:
        _hand_over(live, r)


@compiled
def _pick_up(live: Live, r: int) -> None:
    board = live.board
    at_s, stops, orders = board.riders[r, ARRIVAL], board.stops[r], board.orders
    merchant = orders[stops[0], MERCHANT]
    turn(live, r, at_s, WAITING, live.slots[stops[0], ROW], 0)
    leave_s = at_s
    num = 0
    while num < board.riders[r, NUM_STOPS] and stops[num] >= 0:
        slot = stops[num]
        if orders[slot, MERCHANT] != merchant or orders[slot, STANDING] != SENT:
            break
        picked_s = max(at_s + np.int64(live.dials[PICK_UP]), live.slots[slot, READY_TRUE])
        log = live.log[live.slots[slot, ROW]]
        log[LOG_ARRIVED], log[LOG_PICKED] = at_s, picked_s
        orders[slot, STANDING], orders[slot, READY] = CARRIED, live.slots[slot, READY_TRUE]
        leave_s = max(leave_s, picked_s)
        num += 1
    waited_s = 0
    for i in range(num):
        slot = stops[i]
        promised_s = max(at_s, live.today[live.slots[slot, ROW], T_PROMISED_READY])
        waited_s = max(waited_s, live.slots[slot, READY_TRUE] - promised_s)
    drop_stops(stops, board.riders[r, NUM_STOPS], num)
    board.riders[r, NUM_STOPS] -= num
    for i in range(board.riders[r, NUM_STOPS]):
        if stops[i] < 0 and orders[~stops[i], STANDING] in (CARRIED, SENT):
            live.slots[~stops[i], GIVEN] += waited_s
    board.riders[r, PLACE], board.riders[r, FREE], board.riders[r, ARRIVAL] = merchant, leave_s, -1
    recost(board, r)


@compiled
def _hand_over(live: Live, r: int) -> None:
    board, crew = live.board, live.crew
    at_s, slot = board.riders[r, ARRIVAL], ~board.stops[r, 0]
    row = live.slots[slot, ROW]
    turn(live, r, at_s, AT_DOOR, row, 0)
    done_s = at_s + live.slots[slot, DOOR_S] * crew[r, SEARCH] // 1_000 + live.slots[slot, DELAY]
    live.log[row, LOG_DELIVERED], live.log[row, LOG_OUTCOME] = done_s, DELIVERED_OK
    fee = board.orders[slot, FEE]
    k = bin_of(late_s(live, slot, float(done_s)))
    lost = fee * live.prices[SURE_SHARE, crew[r, VARIANT], k] + live.prices[SURE_FEN, crew[r, VARIANT], k]
    live.mood[r, MONEY] += fee - lost + live.mood[r, BONUS]
    crew[r, DELIVERED] += 1
    board.riders[r, EARNED] += fee
    door = board.orders[slot, DOOR]
    own = live.board.travel_s.shape[0] - live.slots.shape[0] - crew.shape[0] + r
    put_place(live, own, live.xy[door, 0], live.xy[door, 1])
    board.orders[slot, STANDING], board.orders[slot, HOLDER] = IS_DELIVERED, -1
    drop_stops(board.stops[r], board.riders[r, NUM_STOPS], 1)
    board.riders[r, NUM_STOPS] -= 1
    free_slot(live, slot)
    board.riders[r, PLACE], board.riders[r, FREE], board.riders[r, ARRIVAL] = own, done_s, -1
    recost(board, r)


@compiled
def free_slot(live: Live, slot: int) -> None:
    """Give the slot back."""
    live.free[live.tally[FREE_SLOTS]] = slot
    live.tally[FREE_SLOTS] += 1


@compiled
def put_place(live: Live, place: int, x: float, y: float) -> None:
    """Move a place, and what the dispatcher reckons from and to it."""
    live.xy[place, 0], live.xy[place, 1] = x, y
    table, factor = live.board.travel_s, live.dials[DETOUR] * live.dials[PLAN_PACE] / KM_M
    for other in range(live.xy.shape[0]):
        dx, dy = live.xy[other, 0] - x, live.xy[other, 1] - y
        seconds = np.int32(np.ceil(np.sqrt(dx * dx + dy * dy) * factor))
        table[place, other] = seconds
        table[other, place] = seconds
