"""The baseline: every order, oldest first, to the nearest free rider, who leaves at once.

What a dispatcher without a plan does; kept to measure against.

Invariant: a rider holds at most one order at a time.
"""

import numpy as np

from dispatch.arrays import Ints
from dispatch.board import STOPS_MAX, Board
from dispatch.execution import (
    arrive_trips,
    depart,
    empty_log,
    on_shift,
    open_orders,
    open_placed,
    orders_leaving,
    record_sent,
)
from dispatch.explain import Explanation, explain_orders
from dispatch.horizon import PlayedDay, refusals, refuse
from dispatch.layout import lay_out
from dispatch.objective import Weights
from dispatch.problem import DispatchProblem
from dispatch.route import NEVER, best_trip_insertion, insert_order
from rules.compiled import compiled_with_runtime


def solve_nearest(problem: DispatchProblem) -> PlayedDay:
    """Play a whole day online by nearest free rider."""
    board = lay_out(problem, Weights())
    log = empty_log(problem.orders.num)
    explanations: list[Explanation] = []
    now_s, known, finished, rounds = problem.now_s, 0, 0, 0
    while finished < problem.orders.num:
        finished += arrive_trips(board, log, now_s)
        known = open_placed(board, now_s, known)
        crew, waiting = on_shift(board, now_s), open_orders(board, known)
        leaving = give_nearest(board, crew, waiting, now_s)
        sent = orders_leaving(board, leaving)
        explanations += explain_orders(board, sent, crew, now_s)
        depart(board, leaving, now_s)
        record_sent(board, log, sent, now_s)
        finished += refuse(board, crew, open_orders(board, known))
        now_s += problem.market.period_s
        rounds += 1
    return PlayedDay(problem, log, refusals(board, problem), tuple(explanations), rounds, 0, cut_off=False)


@compiled_with_runtime()
def give_nearest(board: Board, crew: Ints, waiting: Ints, now_s: int) -> Ints:
    """Give each order to the nearest free rider who can pick it up in time; return those riders."""
    riders = board.riders
    draft = np.empty(STOPS_MAX + 2, np.int32)
    given = np.empty(waiting.shape[0], np.int64)
    num_given = 0
    for order in waiting:
        nearest, gap = -1, 1 << 60
        for rider in crew:
            if riders[rider].num_stops > 0 or riders[rider].free_s > now_s:
                continue
            drive_s = board.travel_s[riders[rider].place, board.orders[order].merchant]
            if drive_s < gap and best_trip_insertion(board, rider, order, draft, NEVER)[0] < NEVER:
                nearest, gap = rider, drive_s
        if nearest >= 0:
            insert_order(board, nearest, order, 0, 1)
            given[num_given] = nearest
            num_given += 1
    return given[:num_given]
