"""The dispatcher's round in a living area: new orders appear, impatient customers cancel, orders are planned and offered.

Planning is `dispatch`'s own, on its own board; riders' answers to offers are `simulations.behaviour`. Time passes elsewhere
(`simulations.riding`).

Invariant: an order is offered to a rider at most once, and belongs to whoever took it until it is delivered.
"""

from dataclasses import dataclass

import numpy as np

from dispatch.assign import Pairs, insertion_costs, match, put_chosen
from dispatch.compiled import Flags, Ints
from dispatch.fairness import OfferFloor, income_tolls
from dispatch.fatigue import Hours, after, ask, withheld
from dispatch.horizon import Planned, Settings
from dispatch.objective import Weights
from dispatch.ondemand import fair_round, plan_stops
from dispatch.problem import PRIORITY_NEUTRAL, Problem
from dispatch.road import about_to_be_sent, due, on_shift, release, set_tolls
from dispatch.route import (
    DOOR,
    EARNED,
    FEE,
    FIT_VERSION,
    FREE,
    HANDOVER,
    HOLDER,
    MERCHANT,
    NUM_STOPS,
    OPEN,
    PLACED,
    PROMISED,
    READY,
    SENT,
    STANDING,
    Board,
)
from dispatch.search import candidates
from simulations.behaviour import decline_chance
from simulations.compiled import compiled, compiled_with_runtime
from simulations.live import (
    CANCELLED_BY,
    DAY,
    DECLINE_CROWD,
    DECLINE_DEDICATED,
    DECLINE_GAIN,
    DECLINE_MOST,
    DECLINED,
    DELAY,
    DOOR_S,
    ENDED,
    EVENTS,
    FREE_SLOTS,
    GIVEN,
    IDLE,
    KIND,
    LOG_ACCEPTED,
    LOG_BY,
    LOG_DECLINES,
    LOG_OUTCOME,
    NEXT,
    NOISE_DOOR,
    NOISE_STORE,
    NUM_OFFERS,
    OFF_DUTY,
    OFFERED,
    PATIENCE,
    PHASE,
    READY_TRUE,
    REFUSED_BY,
    RIDER,
    ROW,
    START,
    STILL_OPEN,
    T_DELAY,
    T_DOOR_S,
    T_FEE,
    T_MERCHANT,
    T_NOISE_DOOR,
    T_NOISE_STORE,
    T_NUMBER,
    T_PATIENCE,
    T_PLACED,
    T_PROMISED,
    T_PROMISED_READY,
    T_READY,
    T_X,
    T_Y,
    Live,
)
from simulations.ranks import MILLION, rank
from simulations.riding import advance, expected_loss_fen, free_slot, put_place

# Orders a rider may be given in one round of the lighter setting.
LIGHT_PASSES = 2


@dataclass(slots=True)
class Desk:
    """The dispatcher's desk of one area and day: its settings, and what it keeps in mind between rounds.

    ``problem`` names market and riders; ``consents``: who goes on beyond 8 hours when asked.
    """

    problem: Problem
    weights: Weights
    settings: Settings
    hours: Hours
    floor: OfferFloor
    consents: Flags
    rounds: int = 0


def play_area(live: Live, desk: Desk, first_s: int, last_s: int) -> None:
    """Play an area from its first round until everybody is off duty and every order has ended."""
    period_s, now_s = desk.problem.market.period_s, first_s
    while now_s <= last_s:
        advance(live, now_s)
        if reveal_orders(live, now_s):
            send_round(live, desk, now_s)
        elif now_s > first_s and finished(live):
            break
        now_s += period_s
    advance(live, last_s)
    close(live)


def send_round(live: Live, desk: Desk, now_s: int) -> None:
    """Plan what is open and offer what must go now."""
    board = live.board
    desk.rounds += 1
    may_take = np.ones(len(live.crew), np.bool_)
    if desk.problem.market.hours:
        hours = after(desk.hours, live.crew[:, PHASE] > IDLE, now_s)
        desk.hours, _ = ask(hours, now_s, desk.consents.__getitem__)
        may_take = withheld(desk.hours) == 0
    crew = on_shift(board, now_s)
    crew = crew[may_take[crew]]
    # Without repairs nothing would ever leave a plan again: the lighter setting plans all that is open anew.
    keeps = may_take if desk.settings.repairs_per_order else np.zeros_like(may_take)
    waiting = open_slots(live, keeps)
    tolls = income_tolls(board.riders[:, EARNED], desk.hours.today_s, desk.hours.today_s > 0, desk.weights.imbalance)
    set_tolls(board, tolls)
    plan(live, desk, crew, waiting, now_s)
    offer_due(live, due(board, now_s, desk.problem.market.period_s), now_s)


def plan(live: Live, desk: Desk, crew: Ints, waiting: Ints, now_s: int) -> None:
    """Plan a round; where tiers differ, within the floor under what a low score may lose."""
    board, market = live.board, desk.problem.market
    if not len(crew):
        return
    planner = plan_stops if desk.settings.repairs_per_order else plan_lightly
    if (desk.problem.riders.priority == PRIORITY_NEUTRAL).all():
        planner(board, crew, waiting, desk.settings, now_s // market.period_s, now_s, market.period_s)
        return
    _, desk.floor = fair_round(board, crew, waiting, desk.settings, desk.floor, desk.problem, now_s, planner)


def plan_lightly(board: Board, crew: Ints, waiting: Ints, settings: Settings, *_round: int) -> Planned:
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
    return Planned(waiting, 0)


def near_riders(board: Board, crew: Ints, waiting: Ints, width: int) -> Ints:
    """Candidates of each order: half the riders soonest there, half the soonest of those with nothing to do."""
    near = candidates(board, crew, waiting, min(width, len(crew)))
    idle = crew[board.riders[crew, NUM_STOPS] == 0]
    if len(idle) in (0, len(crew)):
        return near
    free = candidates(board, idle, waiting, min(width // 2 + 1, len(idle)))
    return np.concatenate((near[:, : width // 2 + 1], free), axis=1)


@compiled
def reveal_orders(live: Live, now_s: int) -> int:
    """Show the dispatcher what was placed by now and drop what was cancelled; return how many orders are open."""
    board, tally = live.board, live.tally
    for slot in range(board.orders.shape[0]):
        if board.orders[slot, STANDING] == OPEN:
            if live.slots[slot, PATIENCE] <= now_s:
                release(board, slot)
                _drop(live, slot, CANCELLED_BY)
            elif board.orders[slot, READY] < now_s < live.slots[slot, READY_TRUE]:
                board.orders[slot, READY] = now_s
    while tally[NEXT] < live.today.shape[0] and live.today[tally[NEXT], T_PLACED] <= now_s:
        if tally[FREE_SLOTS] == 0:
            break
        tally[FREE_SLOTS] -= 1
        _fill(live, live.free[tally[FREE_SLOTS]], tally[NEXT])
        tally[NEXT] += 1
        tally[EVENTS] += 1
    num = 0
    for slot in range(board.orders.shape[0]):
        num += board.orders[slot, STANDING] == OPEN
    return num


@compiled
def _fill(live: Live, slot: int, row: int) -> None:
    board, today = live.board, live.today[row]
    door = live.xy.shape[0] - live.slots.shape[0] + slot
    put_place(live, door, float(today[T_X]), float(today[T_Y]))
    order = board.orders[slot]
    order[MERCHANT], order[DOOR], order[PLACED] = today[T_MERCHANT], door, today[T_PLACED]
    order[READY], order[PROMISED], order[HANDOVER] = today[T_PROMISED_READY], today[T_PROMISED], 0
    order[FEE], order[HOLDER], order[STANDING] = today[T_FEE], -1, OPEN
    own = live.slots[slot]
    own[ROW], own[READY_TRUE], own[NOISE_STORE] = row, today[T_READY], today[T_NOISE_STORE]
    own[NOISE_DOOR], own[DOOR_S], own[DELAY] = today[T_NOISE_DOOR], today[T_DOOR_S], today[T_DELAY]
    own[PATIENCE], own[GIVEN] = today[T_PATIENCE], 0
    board.fits[slot, :, FIT_VERSION] = -1
    board.barred[slot, :] = False


@compiled
def _drop(live: Live, slot: int, outcome: int) -> None:
    live.log[live.slots[slot, ROW], LOG_OUTCOME] = outcome
    live.board.orders[slot, STANDING] = 0
    free_slot(live, slot)
    live.tally[EVENTS] += 1


@compiled_with_runtime
def open_slots(live: Live, may_take: Flags) -> Ints:
    """Slots of open orders; plans of riders who may take nothing, or are gone, are taken back."""
    board = live.board
    found = np.empty(board.orders.shape[0], np.int64)
    num = 0
    for slot in range(board.orders.shape[0]):
        if board.orders[slot, STANDING] != OPEN:
            continue
        r = board.orders[slot, HOLDER]
        if r >= 0 and (not may_take[r] or live.crew[r, PHASE] == OFF_DUTY):
            release(board, slot)
        found[num] = slot
        num += 1
    return found[:num]


@compiled_with_runtime
def offer_due(live: Live, leaving: Ints, now_s: int) -> None:
    """Offer the orders that must go now; who declines is not asked again."""
    board, tally = live.board, live.tally
    for slot in about_to_be_sent(board, leaving):
        r = board.orders[slot, HOLDER]
        row = live.slots[slot, ROW]
        live.crew[r, OFFERED] += 1
        tally[NUM_OFFERS] += 1
        tally[EVENTS] += 1
        start_s = max(now_s, board.riders[r, FREE])
        base = live.dials[DECLINE_DEDICATED if live.crew[r, KIND] == 1 else DECLINE_CROWD]
        loss_fen = expected_loss_fen(live, r, slot, start_s)
        chance = decline_chance(
            loss_fen, float(board.orders[slot, FEE]), base, live.dials[DECLINE_GAIN], live.dials[DECLINE_MOST]
        )
        if rank(live.luck[0], live.today[row, T_NUMBER], tally[DAY], live.crew[r, RIDER]) < chance * MILLION:
            live.crew[r, DECLINED] += 1
            live.log[row, LOG_DECLINES] += 1
            board.barred[slot, r] = True
            release(board, slot)
        else:
            board.orders[slot, STANDING] = SENT
            live.log[row, LOG_BY], live.log[row, LOG_ACCEPTED] = live.crew[r, RIDER], now_s


@compiled
def finished(live: Live) -> bool:
    """Whether nothing more can happen: nobody on duty or yet to come, no order yet to be placed."""
    if live.tally[NEXT] < live.today.shape[0]:
        return False
    for r in range(live.crew.shape[0]):
        if live.crew[r, PHASE] != OFF_DUTY or (live.crew[r, START] >= 0 and live.crew[r, ENDED] < 0):
            return False
    return True


@compiled
def close(live: Live) -> None:
    """The end of the day: what nobody took is refused, what is under way stays open."""
    board = live.board
    for slot in range(board.orders.shape[0]):
        if board.orders[slot, STANDING] == OPEN:
            release(board, slot)
            _drop(live, slot, REFUSED_BY)
    for row in range(live.log.shape[0]):
        if live.log[row, LOG_OUTCOME] < 0:
            live.log[row, LOG_OUTCOME] = STILL_OPEN if live.log[row, LOG_BY] >= 0 else REFUSED_BY
