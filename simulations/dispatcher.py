"""The dispatcher's round in a simulated area: new orders appear, impatient customers cancel, orders are planned and offered.

Planning is `dispatch`'s own, on its own board; riders' answers to offers are `simulations.behaviour`. Time passes elsewhere
(`simulations.riding`).

Invariant: an order is offered to a rider at most once, and belongs to whoever took it until it is delivered.
"""

from dataclasses import dataclass

import numpy as np

from dispatch.arrays import Flags, Ints
from dispatch.assign import Pairs, insertion_costs, match, put_chosen
from dispatch.board import OPEN, SENT, Board
from dispatch.execution import due_to_leave, on_shift, orders_leaving, release_order, set_surcharges
from dispatch.fairness import OfferFloor, income_surcharges
from dispatch.fatigue import WorkedHours, ask_to_go_on, hours_after, withholding_clauses
from dispatch.horizon import RoundResult, SearchSettings
from dispatch.objective import Weights
from dispatch.ondemand import fair_round, plan_stops
from dispatch.problem import PRIORITY_NEUTRAL, DispatchProblem
from dispatch.search import candidates
from rules.compiled import compiled, compiled_with_runtime
from simulations.area_state import (
    CANCELLED,
    IDLE,
    OFF_DUTY,
    REFUSED,
    UNFINISHED,
    AreaState,
)
from simulations.behaviour import decline_chance
from simulations.compiled_random import MILLION, rank
from simulations.riding import advance, expected_loss_fen, free_slot, move_place

# Orders a rider may be given in one round of the lighter setting.
LIGHT_PASSES = 2


@dataclass(slots=True)
class Dispatcher:
    """The dispatcher's desk of one area and day: its settings, and what it keeps in mind between rounds.

    ``problem`` names market and riders; ``consents``: who goes on beyond 8 hours when asked.
    """

    problem: DispatchProblem
    weights: Weights
    settings: SearchSettings
    hours: WorkedHours
    floor: OfferFloor
    consents: Flags
    rounds: int = 0


def play_area(live: AreaState, desk: Dispatcher, first_s: int, last_s: int) -> None:
    """Play an area from its first round until everybody is off duty and every order has ended."""
    period_s, now_s = desk.problem.market.period_s, first_s
    while now_s <= last_s:
        advance(live, now_s)
        if reveal_orders(live, now_s):
            dispatch_round(live, desk, now_s)
        elif now_s > first_s and is_finished(live):
            break
        now_s += period_s
    advance(live, last_s)
    close_day(live)


def dispatch_round(live: AreaState, desk: Dispatcher, now_s: int) -> None:
    """Plan what is open and offer what must go now."""
    board = live.board
    desk.rounds += 1
    may_take = np.ones(len(live.crew), np.bool_)
    if desk.problem.market.hours:
        hours = hours_after(desk.hours, live.crew["phase"] > IDLE, now_s)
        desk.hours, _ = ask_to_go_on(hours, now_s, desk.consents.__getitem__)
        may_take = withholding_clauses(desk.hours) == 0
    crew = on_shift(board, now_s)
    crew = crew[may_take[crew]]
    # Without repairs nothing would ever leave a plan again: the lighter setting plans all that is open anew.
    keeps = may_take if desk.settings.repairs_per_order else np.zeros_like(may_take)
    waiting = open_slots(live, keeps)
    tolls = income_surcharges(
        board.riders["earned"], desk.hours.today_s, desk.hours.today_s > 0, desk.weights.imbalance
    )
    set_surcharges(board, tolls)
    plan_orders(live, desk, crew, waiting, now_s)
    offer_orders(live, due_to_leave(board, now_s, desk.problem.market.period_s), now_s)


def plan_orders(live: AreaState, desk: Dispatcher, crew: Ints, waiting: Ints, now_s: int) -> None:
    """Plan a round; where tiers differ, within the floor under what a low score may lose."""
    board, market = live.board, desk.problem.market
    if not len(crew):
        return
    planner = plan_stops if desk.settings.repairs_per_order else plan_lightly
    if (desk.problem.riders.priority == PRIORITY_NEUTRAL).all():
        planner(board, crew, waiting, desk.settings, now_s // market.period_s, now_s, market.period_s)
        return
    _, desk.floor = fair_round(board, crew, waiting, desk.settings, desk.floor, desk.problem, now_s, planner)


def plan_lightly(board: Board, crew: Ints, waiting: Ints, settings: SearchSettings, *_round: int) -> RoundResult:
    """The lighter setting: the dispatcher's assignment alone, twice, so that a rider gets at most two new orders a round.

    What is left over waits for the next round, which begins anew.
    """
    for _ in range(LIGHT_PASSES):
        if not len(waiting):
            break
        near = near_riders(board, crew, waiting, settings.width)
        left, right, cost = insertion_costs(board, waiting, near)
        chosen = match(Pairs(left, right, cost), len(waiting))
        taken = np.flatnonzero(chosen >= 0)
        put_chosen(board, waiting[taken], right[chosen[taken]])
        waiting = waiting[chosen < 0]
    return RoundResult(waiting, 0)


def near_riders(board: Board, crew: Ints, waiting: Ints, width: int) -> Ints:
    """Candidates of each order: half the riders soonest there, half the soonest of those with nothing to do."""
    near = candidates(board, crew, waiting, min(width, len(crew)))
    idle = crew[board.riders["num_stops"][crew] == 0]
    if len(idle) in (0, len(crew)):
        return near
    free = candidates(board, idle, waiting, min(width // 2 + 1, len(idle)))
    return np.concatenate((near[:, : width // 2 + 1], free), axis=1)


@compiled()
def reveal_orders(live: AreaState, now_s: int) -> int:
    """Show the dispatcher what was placed by now and drop what was cancelled; return how many orders are open."""
    board, counts = live.board, live.counts[0]
    for slot in range(board.orders.shape[0]):
        if board.orders[slot].status == OPEN:
            if live.slots[slot].patience_s <= now_s:
                release_order(board, slot)
                _end_order(live, slot, CANCELLED)
            elif board.orders[slot].ready_s < now_s < live.slots[slot].ready_s:
                board.orders[slot].ready_s = now_s
    while counts.next_row < live.day_orders.shape[0] and live.day_orders[counts.next_row].placed_s <= now_s:
        if counts.num_free_slots == 0:
            break
        counts.num_free_slots -= 1
        _fill(live, live.free[counts.num_free_slots], counts.next_row)
        counts.next_row += 1
        counts.num_steps += 1
    num = 0
    for slot in range(board.orders.shape[0]):
        num += board.orders[slot].status == OPEN
    return num


@compiled()
def _fill(live: AreaState, slot: int, row: int) -> None:
    board, today = live.board, live.day_orders[row]
    door = live.xy.shape[0] - live.slots.shape[0] + slot
    move_place(live, door, float(today.x), float(today.y))
    order = board.orders[slot]
    order.merchant, order.door, order.placed_s = today.merchant, door, today.placed_s
    order.ready_s, order.promised_s, order.handover_s = today.promised_ready_s, today.promised_s, 0
    order.fee, order.holder, order.status = today.fee_fen, -1, OPEN
    own = live.slots[slot]
    own.row, own.ready_s, own.noise_store_permille = row, today.ready_s, today.noise_store_permille
    own.noise_door_permille, own.door_s, own.delay_s = today.noise_door_permille, today.door_s, today.delay_s
    own.patience_s, own.given_back_s = today.patience_s, 0
    board.insertions["version"][slot, :] = -1
    board.barred[slot, :] = False


@compiled()
def _end_order(live: AreaState, slot: int, outcome: int) -> None:
    live.log[live.slots[slot].row].outcome = outcome
    live.board.orders[slot].status = 0
    free_slot(live, slot)
    live.counts[0].num_steps += 1


@compiled_with_runtime()
def open_slots(live: AreaState, may_take: Flags) -> Ints:
    """Slots of open orders; plans of riders who may take nothing, or are gone, are taken back."""
    board = live.board
    found = np.empty(board.orders.shape[0], np.int64)
    num = 0
    for slot in range(board.orders.shape[0]):
        if board.orders[slot].status != OPEN:
            continue
        r = board.orders[slot].holder
        if r >= 0 and (not may_take[r] or live.crew[r].phase == OFF_DUTY):
            release_order(board, slot)
        found[num] = slot
        num += 1
    return found[:num]


@compiled_with_runtime()
def offer_orders(live: AreaState, leaving: Ints, now_s: int) -> None:
    """Offer the orders that must go now; who declines is not asked again."""
    board, counts = live.board, live.counts[0]
    for slot in orders_leaving(board, leaving):
        r = board.orders[slot].holder
        row = live.slots[slot].row
        live.crew[r].num_offered += 1
        counts.num_offers += 1
        counts.num_steps += 1
        start_s = max(now_s, board.riders[r].free_s)
        parameters = live.parameters[0]
        base = parameters.decline_dedicated if live.crew[r].kind == 1 else parameters.decline_crowdsourced
        loss_fen = expected_loss_fen(live, r, slot, start_s)
        chance = decline_chance(
            loss_fen,
            float(board.orders[slot].fee),
            base,
            live.parameters[0].decline_gain,
            live.parameters[0].decline_most,
        )
        if (
            rank(live.parameters[0].answers, live.day_orders[row].number, live.parameters[0].day, live.crew[r].rider)
            < chance * MILLION
        ):
            live.crew[r].num_declined += 1
            live.log[row].num_declined += 1
            board.barred[slot, r] = True
            release_order(board, slot)
        else:
            board.orders[slot].status = SENT
            live.log[row].rider, live.log[row].accepted_s = live.crew[r].rider, now_s


@compiled()
def is_finished(live: AreaState) -> bool:
    """Whether nothing more can happen: nobody on duty or yet to come, no order yet to be placed."""
    if live.counts[0].next_row < live.day_orders.shape[0]:
        return False
    for r in range(live.crew.shape[0]):
        if live.crew[r].phase != OFF_DUTY or (live.crew[r].start_s >= 0 and live.crew[r].ended_s < 0):
            return False
    return True


@compiled()
def close_day(live: AreaState) -> None:
    """The end of the day: what nobody took is refused, what is under way stays open."""
    board = live.board
    for slot in range(board.orders.shape[0]):
        if board.orders[slot].status == OPEN:
            release_order(board, slot)
            _end_order(live, slot, REFUSED)
    for row in range(live.log.shape[0]):
        if live.log[row].outcome < 0:
            live.log[row].outcome = UNFINISHED if live.log[row].rider >= 0 else REFUSED
