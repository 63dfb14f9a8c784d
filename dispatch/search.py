"""Destroy and repair over all plans not yet under way: take related orders out, put each back where it fits best.

The random numbers are our own small generator (xorshift64*), seeded by the caller for each round, so a day does
not depend on what comes later. Nothing here decides when a rider leaves.

Invariant: a repair that raises the total cost is undone exactly, remembered insertions included.
"""

from typing import NamedTuple

import numpy as np

from dispatch.arrays import Ints, Records, Stops, Words
from dispatch.board import STOPS_MAX, Board
from dispatch.objective import UNSERVED
from dispatch.route import (
    NEVER,
    PER_MILLE,
    best_insertion,
    direct_cost,
    insert_order,
    remove_order,
    times_multiplier,
    update_cost,
)
from rules.compiled import compiled, compiled_with_runtime

NEAR_MAX = 24


class SavedPlans(NamedTuple):
    """Plans as they were before a repair, by position.

    ``rider`` int64 (R,): whose; ``records``, ``stops``, ``trips`` as on the board; ``stamp`` int64 (R,): the repair that
    copied a rider last.
    """

    rider: Ints
    records: Records
    stops: Stops
    trips: Records
    stamp: Ints


@compiled()
def draw_below(state: Words, below: int) -> int:
    """Return the next random whole number in [0, below)."""
    x = state[0]
    x ^= x >> np.uint64(12)
    x ^= x << np.uint64(25)
    x ^= x >> np.uint64(27)
    state[0] = x
    return np.int64(((x * np.uint64(2685821657736338717)) >> np.uint64(33)) % np.uint64(below))


@compiled_with_runtime()
def generator(seed: int, round_number: int) -> Words:
    """Return the state of the random numbers of one round."""
    state = np.empty(1, np.uint64)
    state[0] = np.uint64(seed) * np.uint64(0x9E3779B97F4A7C15) + np.uint64(round_number) * np.uint64(0xD1B54A32D192ED03)
    state[0] |= np.uint64(1)
    for _ in range(8):
        draw_below(state, 2)
    return state


@compiled()
def cheapest_rider(
    board: Board,
    crew: Ints,
    order: int,
    draft: Stops,
    touched: Ints,
    stamp: int,
    touched_riders: Ints,
    num_touched: int,
    limit: int,
) -> tuple[int, int, int, int]:
    """Return (rider, increase, pickup, dropoff) of the crew's cheapest insertion below `limit`, or rider -1.

    Riders whose plan is being changed (`touched` equals `stamp`) are worked out last and not remembered.
    """
    best, pickup, dropoff = limit, 0, 0
    chosen = np.int64(-1)
    for i in range(crew.shape[0]):
        rider = crew[i]
        if touched[rider] == stamp:
            continue
        known = board.insertions[order, rider]
        if known.version != board.riders[rider].version:
            known.increase, known.pickup, known.dropoff = best_insertion(board, rider, order, draft, NEVER)
            known.version = board.riders[rider].version
        if known.increase < best:
            best = known.increase
            chosen = rider
    if chosen >= 0:
        pickup = board.insertions[order, chosen].pickup
        dropoff = board.insertions[order, chosen].dropoff
    for i in range(num_touched):
        rider = touched_riders[i]
        increase, first, second = best_insertion(board, rider, order, draft, best)
        if increase < best:
            best, chosen, pickup, dropoff = increase, rider, first, second
    return chosen, best, pickup, dropoff


@compiled_with_runtime()
def candidates(board: Board, crew: Ints, open_orders: Ints, width: int) -> Ints:
    """Return (num_open, width) riders: those who could first be at the order's merchant, soonest first.

    A rider whose next order raises the pay counts as later by the price of that pay.

    Parameters
    ----------
    board
        The planning state.
    crew
        Riders who may be given orders, by index.
    open_orders
        Open orders, by index.
    width
        Candidates an order.

    Returns
    -------
    Ints
        Rider indices (orders, width), soonest first.
    """
    num_open = open_orders.shape[0]
    near = np.empty((num_open, width), np.int64)
    delays = np.empty(width, np.int64)
    riders = board.riders
    for i in range(num_open):
        order = open_orders[i]
        merchant = board.orders[order].merchant
        fee = board.orders[order].fee
        filled = 0
        for j in range(crew.shape[0]):
            rider = crew[j]
            delay = riders[rider].free_s + board.travel_s[riders[rider].place, merchant]
            if riders[rider].earned + fee > riders[rider].guarantee:
                delay += board.weights[0].pay * fee // 1000
            if filled == width and delay >= delays[width - 1]:
                continue
            at = filled if filled < width else width - 1
            while at > 0 and delays[at - 1] > delay:
                delays[at] = delays[at - 1]
                near[i, at] = near[i, at - 1]
                at -= 1
            delays[at] = delay
            near[i, at] = rider
            if filled < width:
                filled += 1
    return near


@compiled_with_runtime()
def related_orders(board: Board, open_orders: Ints, near: Ints) -> None:
    """Fill near[i] with the positions of the orders most related to open order i, nearest first."""
    num_open = open_orders.shape[0]
    width = near.shape[1]
    gaps = np.empty(width, np.int64)
    for i in range(num_open):
        mine = open_orders[i]
        filled = 0
        for j in range(num_open):
            if j == i:
                continue
            other = open_orders[j]
            gap = np.int64(board.travel_s[board.orders[mine].merchant, board.orders[other].merchant])
            gap += abs(board.orders[mine].ready_s - board.orders[other].ready_s)
            if filled == width and gap >= gaps[width - 1]:
                continue
            at = filled if filled < width else width - 1
            while at > 0 and gaps[at - 1] > gap:
                gaps[at] = gaps[at - 1]
                near[i, at] = near[i, at - 1]
                at -= 1
            gaps[at] = gap
            near[i, at] = j
            if filled < width:
                filled += 1


@compiled()
def save_plan(board: Board, copies: SavedPlans, rider: int, num_copies: int, stamp: int) -> int:
    """Copy a rider's plan before its first change in this repair; return the number of copies."""
    if copies.stamp[rider] == stamp:
        return num_copies
    copies.stamp[rider] = stamp
    copies.rider[num_copies] = rider
    copies.records[num_copies] = board.riders[rider]
    for i in range(board.riders[rider].num_stops):
        copies.stops[num_copies, i] = board.stops[rider, i]
    for i in range(board.riders[rider].num_trips + 1):
        copies.trips[num_copies, i] = board.trips[rider, i]
    return num_copies + 1


@compiled()
def restore_saved(board: Board, copies: SavedPlans, num_copies: int) -> None:
    """Restore every copied plan, its version included."""
    for j in range(num_copies):
        rider = copies.rider[j]
        board.riders[rider] = copies.records[j]
        for i in range(copies.records[j].num_stops):
            board.stops[rider, i] = copies.stops[j, i]
        for i in range(copies.records[j].num_trips + 1):
            board.trips[rider, i] = copies.trips[j, i]


@compiled()
def choose_ruin(near: Ints, num_open: int, ruin_max: int, state: Words, out: Ints) -> int:
    """Fill `out` with the positions of a random order and orders related to it; return how many."""
    wanted = min(num_open, 1 + draw_below(state, ruin_max))
    first = draw_below(state, num_open)
    out[0] = first
    num = 1
    width = min(near.shape[1], num_open - 1)
    for j in range(width):
        if num >= wanted:
            break
        if draw_below(state, 2) == 0:
            out[num] = near[first, j]
            num += 1
    return num


@compiled()
def shuffle(state: Words, items: Ints, num: int) -> None:
    """Put items[:num] into random order."""
    for j in range(num - 1, 0, -1):
        k = draw_below(state, j + 1)
        items[j], items[k] = items[k], items[j]


@compiled_with_runtime()
def improve(
    board: Board, crew: Ints, open_orders: Ints, iterations: int, ruin_max: int, width: int, state: Words
) -> int:
    """Repair `iterations` times; return how many repairs were kept."""
    num_open, num_riders = open_orders.shape[0], board.riders.shape[0]
    near = np.empty((num_open, min(NEAR_MAX, max(num_open - 1, 1))), np.int64)
    related_orders(board, open_orders, near)
    choice = candidates(board, crew, open_orders, min(width, crew.shape[0]))
    least = least_costs(board, crew, open_orders)
    copies = SavedPlans(
        np.empty(num_riders, np.int64),
        np.empty_like(board.riders),
        np.empty_like(board.stops),
        np.empty_like(board.trips),
        np.full(num_riders, -1, np.int64),
    )
    draft = np.empty(STOPS_MAX + 2, np.int32)
    out, was = np.empty(num_open + 1, np.int64), np.empty(num_open + 1, np.int64)
    kept = 0
    for stamp in range(iterations):
        num = choose_ruin(near, num_open, ruin_max, state, out)
        shuffle(state, out, num)
        before, num_copies = ruin(board, copies, open_orders, out[:num], was, stamp)
        after, num_copies = recreate(
            board, crew, copies, open_orders, choice, least, out[:num], before, num_copies, stamp, draft
        )
        if after < before:
            kept += 1
            continue
        restore_saved(board, copies, num_copies)
        for j in range(num):
            board.orders[open_orders[out[j]]].holder = was[j]
    return kept


@compiled_with_runtime()
def least_costs(board: Board, crew: Ints, open_orders: Ints) -> Ints:
    """Return for each open order the least any plan could cost it: picked up when ready, driven straight."""
    multiplier = PER_MILLE
    for rider in crew:
        multiplier = min(multiplier, board.riders[rider].multiplier_permille)
    least = np.empty(open_orders.shape[0], np.int64)
    for i in range(open_orders.shape[0]):
        order = open_orders[i]
        cost = direct_cost(board.travel_s, board.orders, board.weights[0], order, board.orders[order].ready_s)
        lost = board.orders[order].sunk_cost
        least[i] = cost if multiplier == PER_MILLE else lost + times_multiplier(max(cost - lost, 0), multiplier)
    return least


@compiled()
def ruin(board: Board, copies: SavedPlans, open_orders: Ints, out: Ints, was: Ints, stamp: int) -> tuple[int, int]:
    """Take the orders at positions `out` out of their plans; return (what those plans cost, number of copies)."""
    before, num_copies = 0, 0
    for j in range(out.shape[0]):
        order = open_orders[out[j]]
        was[j] = board.orders[order].holder
        if was[j] < 0:
            before += UNSERVED
            continue
        copies_then = num_copies
        num_copies = save_plan(board, copies, was[j], num_copies, stamp)
        if num_copies > copies_then:
            before += board.riders[was[j]].plan_cost
        remove_order(board, order)
    return before, num_copies


@compiled()
def recreate(
    board: Board,
    crew: Ints,
    copies: SavedPlans,
    open_orders: Ints,
    choice: Ints,
    least: Ints,
    out: Ints,
    before: int,
    num_copies: int,
    stamp: int,
    draft: Stops,
) -> tuple[int, int]:
    """Put the orders back one by one where each fits best; return (cost of the changed plans, number of copies).

    Gives up as soon as the cost, with the least the rest must add, is no better than `before`.
    """
    after = 0
    for j in range(num_copies):
        after += update_cost(board, copies.rider[j])
    for at in out:
        after += least[at]
    for at in out:
        order, limit = open_orders[at], before - after + least[at]
        rider, increase, pickup, dropoff = cheapest_rider(
            board, choice[at], order, draft, copies.stamp, stamp, copies.rider, num_copies, limit
        )
        if rider < 0 and limit >= UNSERVED:
            rider, increase, pickup, dropoff = cheapest_rider(
                board, crew, order, draft, copies.stamp, stamp, copies.rider, num_copies, limit
            )
        after -= least[at]
        if rider < 0 or increase >= UNSERVED:
            after += UNSERVED
        else:
            num_copies = save_plan(board, copies, rider, num_copies, stamp)
            insert_order(board, rider, order, pickup, dropoff)
            after += increase
        if after >= before:
            break
    return after, num_copies
