"""Riders in motion: what happens between two rounds, to the second, each rider after the other.

Ride to the merchant, wait there, ride to the door, hand over; faster and past more red lights when a minute costs more.
Riders meet only through the dispatcher, so their stretches are independent and nothing needs a common queue of events.

Invariant: a rider's stays follow each other without a gap, and nobody rides faster than the scenario's fastest.
"""

import numpy as np

from dispatch.board import CARRIED, SENT
from dispatch.board import DELIVERED as IS_DELIVERED
from dispatch.execution import drop_stops
from dispatch.route import (
    update_cost,
)
from rules.compiled import compiled
from simulations.area_state import (
    AT_DOOR,
    DELIVERED,
    IDLE,
    OFF_DUTY,
    TO_CUSTOMER,
    TO_STORE,
    WAITING,
    AreaState,
)
from simulations.behaviour import extension_s, jump_chance, pressure, rush
from simulations.price import (
    LATE_MIN_S,
    NUM_BINS,
    STEP_S,
)

KM_M = 1_000.0
# Idle riders are moved at rounds: no round is further away than this.
DRIFT_S = 600
PERMILLE = 1_000.0


@compiled()
def advance(live: AreaState, now_s: int) -> None:
    """Let every rider's time pass up to `now_s`."""
    riders = live.board.riders
    for r in range(live.crew.shape[0]):
        phase = live.crew[r].phase
        if phase == OFF_DUTY:
            if live.crew[r].ended_s < 0 and 0 <= live.crew[r].start_s <= now_s:
                come_online(live, r)
            continue
        while True:
            if riders[r].arrival_s >= 0:
                if riders[r].arrival_s > now_s:
                    break
                arrive(live, r)
            elif riders[r].free_s <= now_s and has_order_next(live, r):
                depart(live, r, riders[r].free_s)
            else:
                break
        if riders[r].arrival_s < 0 and riders[r].free_s <= now_s:
            wait_or_go_off(live, r, now_s)


@compiled()
def has_order_next(live: AreaState, r: int) -> bool:
    """Whether the rider's next stop is an order in hand."""
    board = live.board
    if board.riders[r].num_stops == 0:
        return False
    stop = board.stops[r, 0]
    return (stop < 0 and board.orders[~stop].status == CARRIED) or (stop >= 0 and board.orders[stop].status == SENT)


@compiled()
def come_online(live: AreaState, r: int) -> None:
    """Come online."""
    start_s = live.crew[r].start_s
    begin_stay(live, r, start_s, IDLE, -1, 0)
    if live.crew[r].began_s < 0:
        live.crew[r].began_s = start_s
    live.board.riders[r].off_s = live.crew[r].end_s
    live.board.riders[r].free_s = start_s
    update_cost(live.board, r)


@compiled()
def wait_or_go_off(live: AreaState, r: int, now_s: int) -> None:
    """Nothing in hand: wait, work on beyond the planned end, or go (for a pause, if there is a later stretch)."""
    crew, riders = live.crew, live.board.riders
    if crew[r].phase != IDLE:
        begin_stay(live, r, riders[r].free_s, IDLE, -1, 0)
    if now_s < crew[r].end_s:
        if riders[r].num_stops == 0:
            return_home(live, r, now_s)
        return
    if crew[r].later_start_s < 0 and crew[r].extended == 0:
        crew[r].extended = 1
        worked_s = float(crew[r].worked_s + crew[r].end_s - crew[r].start_s)
        more_s = extension_s(
            live.crew[r].income_fen, live.crew[r].target_fen_per_h * worked_s / 3_600.0, worked_s,
            live.parameters[0].extend, live.parameters[0].extend_most_s,
        )  # fmt: skip
        most_s = max(0.0, live.parameters[0].longest_s - worked_s)
        crew[r].end_s += np.int64(min(more_s, most_s))
        riders[r].off_s = crew[r].end_s
        update_cost(live.board, r)
        if now_s < crew[r].end_s:
            return
    at_s = max(crew[r].end_s, crew[r].since_s)
    begin_stay(live, r, at_s, OFF_DUTY, -1, 0)
    crew[r].worked_s += at_s - crew[r].start_s
    if crew[r].later_start_s >= 0:
        crew[r].start_s, crew[r].end_s = max(crew[r].later_start_s, at_s), max(crew[r].later_end_s, at_s)
        crew[r].later_start_s = -1
    else:
        crew[r].ended_s = at_s
    riders[r].off_s = -1
    update_cost(live.board, r)


@compiled()
def return_home(live: AreaState, r: int, now_s: int) -> None:
    """Ride back, unhurried, to where the rider waits for orders; who is there stays."""
    crew, own = live.crew, live.board.riders[r].place
    home = crew[r].home
    if own == home:
        return
    dx, dy = live.xy[home, 0] - live.xy[own, 0], live.xy[home, 1] - live.xy[own, 1]
    away_m = np.sqrt(dx * dx + dy * dy) * live.parameters[0].detour
    spent_s = min(now_s - max(crew[r].since_s, crew[r].returning_s), DRIFT_S)
    crew[r].returning_s = now_s
    ridden_m = min(away_m, np.floor(spent_s * KM_M / riding_pace(live, r, now_s)))
    if ridden_m <= 0.0:
        return
    crew[r].stay_m += np.int64(ridden_m)
    crew[r].distance_m += np.int64(ridden_m)
    crew[r].ride_s += spent_s
    live.crew[r].red_lights += ridden_m * live.parameters[0].lights_per_m * live.parameters[0].jump
    if ridden_m >= away_m:
        live.board.riders[r].place = home
    else:
        place = live.board.travel_s.shape[0] - live.slots.shape[0] - crew.shape[0] + r
        share = ridden_m / away_m
        move_place(live, place, live.xy[own, 0] + dx * share, live.xy[own, 1] + dy * share)
        live.board.riders[r].place = place
    update_cost(live.board, r)


@compiled()
def begin_stay(live: AreaState, r: int, at_s: int, phase: int, row: int, metres: int) -> None:
    """Close the present stay and begin another."""
    crew, counts = live.crew, live.counts[0]
    counts.num_steps += 1
    since_s = crew[r].since_s
    if at_s > since_s:
        stay = live.stays[counts.num_stays]
        stay.rider, stay.from_s, stay.to_s = crew[r].rider, since_s, at_s
        stay.phase, stay.distance_m, stay.order = crew[r].phase, crew[r].stay_m, crew[r].stay_order
        counts.num_stays += 1
        if crew[r].phase >= TO_STORE:
            crew[r].busy_s += at_s - since_s
    crew[r].since_s, crew[r].phase, crew[r].stay_m = at_s, phase, metres
    crew[r].stay_order = live.day_orders[row].number if row >= 0 else -1


@compiled()
def depart(live: AreaState, r: int, at_s: int) -> None:
    """Ride to the first stop, as fast as a minute is worth."""
    board, crew = live.board, live.crew
    stop = board.stops[r, 0]
    slot = stop if stop >= 0 else ~stop
    target = board.orders[slot].merchant if stop >= 0 else board.orders[slot].door
    place = board.riders[r].place
    dx = live.xy[place, 0] - live.xy[target, 0]
    dy = live.xy[place, 1] - live.xy[target, 1]
    metres = np.rint(np.sqrt(dx * dx + dy * dy) * live.parameters[0].detour)
    minute_fen = price_of_a_minute(live, r, at_s)
    own = live.slots[slot]
    noise = (own.noise_store_permille if stop >= 0 else own.noise_door_permille) / PERMILLE
    ride_s = riding_s(live, r, at_s, metres, noise, minute_fen)
    # Who is on the way is where the way ends, then: the dispatcher's candidates are chosen by place and time.
    board.riders[r].arrival_s, board.riders[r].free_s, board.riders[r].place = at_s + ride_s, at_s + ride_s, target
    crew[r].ride_s += ride_s
    crew[r].distance_m += np.int64(metres)
    begin_stay(live, r, at_s, TO_STORE if stop >= 0 else TO_CUSTOMER, live.slots[slot].row, np.int64(metres))
    update_cost(board, r)


@compiled()
def riding_s(live: AreaState, r: int, at_s: int, metres: float, noise: float, minute_fen: float) -> int:
    """Seconds of a ride, lights included; adds the expected number of lights jumped."""
    parameters, bold = live.parameters[0], live.crew[r].boldness
    pace = riding_pace(live, r, at_s)
    saved = rush(pressure(minute_fen, parameters.rush_half_fen), bold, parameters.rush)
    jumps = jump_chance(pressure(minute_fen, parameters.jump_half_fen), bold, parameters.jump, parameters.jump_most)
    lights = metres * parameters.lights_per_m
    live.crew[r].red_lights += lights * jumps
    seconds = metres / KM_M * pace * noise * (1.0 - saved) + lights * parameters.light_wait_s * (1.0 - jumps)
    least = metres / KM_M * parameters.fastest_s_per_km
    return np.int64(np.ceil(max(seconds, least)))


@compiled()
def riding_pace(live: AreaState, r: int, at_s: int) -> float:
    """Seconds a kilometre of this rider now: own pace, congestion, rain."""
    minute = min(max(at_s // 60, 0), live.congestion_permille.shape[0] - 1)
    return live.crew[r].pace_s_per_km * (live.congestion_permille[minute] / PERMILLE) * live.parameters[0].rain_pace


@compiled()
def bin_of(late_s: float) -> int:
    """Place of an expected lateness in the tables of prices."""
    return np.int64(min(max((late_s - LATE_MIN_S) / STEP_S, 0.0), NUM_BINS - 1.0))


@compiled()
def price_of_a_minute(live: AreaState, r: int, at_s: int) -> float:
    """What one more minute on the way costs in expectation, over all orders in hand: the rider's own forecast."""
    board = live.board
    if live.parameters[0].rush == 0.0 and live.parameters[0].jump_most == live.parameters[0].jump:
        return 0.0
    row, place, clock_s, total = live.crew[r].variant, board.riders[r].place, float(at_s), 0.0
    ratio = (
        riding_pace(live, r, at_s) + live.parameters[0].lights_per_m * KM_M * live.parameters[0].light_wait_s
    ) / live.parameters[0].plan_s_per_km
    for i in range(board.riders[r].num_stops):
        stop = board.stops[r, i]
        if stop >= 0:
            clock_s = _at_store(live, stop, clock_s, board.travel_s[place, board.orders[stop].merchant] * ratio)
            place = board.orders[stop].merchant
            continue
        slot = ~stop
        clock_s += board.travel_s[place, board.orders[slot].door] * ratio + _usual_door_s(live, r)
        place = board.orders[slot].door
        if board.orders[slot].status == CARRIED or board.orders[slot].status == SENT:
            price = live.prices[row, bin_of(late_s(live, slot, clock_s))]
            total += board.orders[slot].fee * price.slope_share + price.slope_fen
            total += price.slope_mp * live.crew[r].point_fen
    return total


@compiled()
def expected_loss_fen(live: AreaState, r: int, offered: int, at_s: int) -> float:
    """What the lateness of an offered order is expected to cost the rider."""
    board = live.board
    row, place, clock_s = live.crew[r].variant, board.riders[r].place, float(at_s)
    ratio = (
        riding_pace(live, r, at_s) + live.parameters[0].lights_per_m * KM_M * live.parameters[0].light_wait_s
    ) / live.parameters[0].plan_s_per_km
    for i in range(board.riders[r].num_stops):
        stop = board.stops[r, i]
        if stop >= 0:
            clock_s = _at_store(live, stop, clock_s, board.travel_s[place, board.orders[stop].merchant] * ratio)
            place = board.orders[stop].merchant
            continue
        clock_s += board.travel_s[place, board.orders[~stop].door] * ratio + _usual_door_s(live, r)
        place = board.orders[~stop].door
        if ~stop == offered:
            price = live.prices[row, bin_of(late_s(live, offered, clock_s))]
            loss = board.orders[offered].fee * price.loss_share + price.loss_fen
            return loss + price.loss_mp * live.crew[r].point_fen
    return 0.0


@compiled()
def _at_store(live: AreaState, slot: int, clock_s: float, ride_s: float) -> float:
    return max(clock_s + ride_s + live.parameters[0].pick_up_s, float(live.board.orders[slot].ready_s))


@compiled()
def _usual_door_s(live: AreaState, r: int) -> float:
    """What handing over usually takes this rider: as the dispatcher reckons, at the rider's own speed of searching."""
    return live.board.weights[0].half_dropoff_s * 2.0 * live.crew[r].search_permille / PERMILLE


@compiled()
def late_s(live: AreaState, slot: int, at_s: float) -> float:
    """Lateness that counts: gross, or less what a slow kitchen is known to have cost."""
    gross = at_s - live.board.orders[slot].promised_s
    return gross if live.parameters[0].gross else gross - live.slots[slot].given_back_s


@compiled()
def arrive(live: AreaState, r: int) -> None:
    """Reach the first stop: pick up all of the visit that is the rider's, or hand over."""
    if live.board.stops[r, 0] >= 0:
        _pick_up(live, r)
    else:
        _hand_over(live, r)


@compiled()
def _pick_up(live: AreaState, r: int) -> None:
    board = live.board
    at_s, stops, orders = board.riders[r].arrival_s, board.stops[r], board.orders
    merchant = orders[stops[0]].merchant
    begin_stay(live, r, at_s, WAITING, live.slots[stops[0]].row, 0)
    leave_s = at_s
    num = 0
    while num < board.riders[r].num_stops and stops[num] >= 0:
        slot = stops[num]
        if orders[slot].merchant != merchant or orders[slot].status != SENT:
            break
        picked_s = max(at_s + np.int64(live.parameters[0].pick_up_s), live.slots[slot].ready_s)
        log = live.log[live.slots[slot].row]
        log.arrived_s, log.picked_up_s = at_s, picked_s
        orders[slot].status, orders[slot].ready_s = CARRIED, live.slots[slot].ready_s
        leave_s = max(leave_s, picked_s)
        num += 1
    waited_s = 0
    for i in range(num):
        slot = stops[i]
        promised_s = max(at_s, live.day_orders[live.slots[slot].row].promised_ready_s)
        waited_s = max(waited_s, live.slots[slot].ready_s - promised_s)
    drop_stops(stops, board.riders[r].num_stops, num)
    board.riders[r].num_stops -= num
    for i in range(board.riders[r].num_stops):
        if stops[i] < 0 and orders[~stops[i]].status in (CARRIED, SENT):
            live.slots[~stops[i]].given_back_s += waited_s
    board.riders[r].place, board.riders[r].free_s, board.riders[r].arrival_s = merchant, leave_s, -1
    update_cost(board, r)


@compiled()
def _hand_over(live: AreaState, r: int) -> None:
    board, crew = live.board, live.crew
    at_s, slot = board.riders[r].arrival_s, ~board.stops[r, 0]
    row = live.slots[slot].row
    begin_stay(live, r, at_s, AT_DOOR, row, 0)
    done_s = at_s + live.slots[slot].door_s * crew[r].search_permille // 1_000 + live.slots[slot].delay_s
    live.log[row].delivered_s, live.log[row].outcome = done_s, DELIVERED
    fee = board.orders[slot].fee
    price = live.prices[crew[r].variant, bin_of(late_s(live, slot, float(done_s)))]
    lost = fee * price.known_share + price.known_fen
    live.crew[r].income_fen += fee - lost + live.crew[r].bonus_fen
    crew[r].num_delivered += 1
    board.riders[r].earned += fee
    door = board.orders[slot].door
    own = live.board.travel_s.shape[0] - live.slots.shape[0] - crew.shape[0] + r
    move_place(live, own, live.xy[door, 0], live.xy[door, 1])
    board.orders[slot].status, board.orders[slot].holder = IS_DELIVERED, -1
    drop_stops(board.stops[r], board.riders[r].num_stops, 1)
    board.riders[r].num_stops -= 1
    free_slot(live, slot)
    board.riders[r].place, board.riders[r].free_s, board.riders[r].arrival_s = own, done_s, -1
    update_cost(board, r)


@compiled()
def free_slot(live: AreaState, slot: int) -> None:
    """Give the slot back."""
    live.free[live.counts[0].num_free_slots] = slot
    live.counts[0].num_free_slots += 1


@compiled()
def move_place(live: AreaState, place: int, x: float, y: float) -> None:
    """Move a place, and what the dispatcher reckons from and to it."""
    live.xy[place, 0], live.xy[place, 1] = x, y
    table, factor = live.board.travel_s, live.parameters[0].detour * live.parameters[0].plan_s_per_km / KM_M
    for other in range(live.xy.shape[0]):
        dx, dy = live.xy[other, 0] - x, live.xy[other, 1] - y
        seconds = np.int32(np.ceil(np.sqrt(dx * dx + dy * dy) * factor))
        table[place, other] = seconds
        table[other, place] = seconds
