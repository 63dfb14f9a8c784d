"""Seconds of dispatching: a whole day, and large rounds with the bare OR-Tools solve beside them in the same run.

Answers are checked before anything is timed; times are reported, never asserted.
"""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from dispatch.assign import Pairs, match
from dispatch.board import STOPS_MAX
from dispatch.check import check_day
from dispatch.horizon import SearchSettings, solve
from dispatch.layout import lay_out
from dispatch.mdrp_day import day_problem, day_solution
from dispatch.objective import Weights
from dispatch.problem import ON_DEMAND, DispatchProblem
from dispatch.rounds import solve_large_round
from dispatch.route import NEVER, best_insertion, insert_order
from dispatch.sequence import best_sequence
from tests.dispatch.worlds import market_problem, random_day

WIDTH = 20
SIZES = [(500, 1500), (2000, 6000), (5000, 15_000)]
IDS = [f"{orders}x{riders}" for orders, riders in SIZES]


def large_round(num_orders: int, num_riders: int) -> DispatchProblem:
    """A moment with every order placed and every rider free."""
    problem = market_problem(1, num_orders, num_riders, market=ON_DEMAND, num_merchants=num_orders // 4)
    return replace(problem, now_s=1800)


@pytest.mark.parametrize(("num_orders", "num_riders"), SIZES, ids=IDS)
def test_round(benchmark: Any, num_orders: int, num_riders: int) -> None:
    """Candidates, costs and assignment of a large round."""
    problem, weights = large_round(num_orders, num_riders), Weights()
    answer = solve_large_round(problem, weights, WIDTH)
    assert not answer.waiting

    benchmark.group = f"round {num_orders}x{num_riders}"
    benchmark.pedantic(solve_large_round, (problem, weights, WIDTH), rounds=5, warmup_rounds=1)


@pytest.mark.parametrize(("num_orders", "num_riders"), SIZES, ids=IDS)
def test_bare_solve(benchmark: Any, num_orders: int, num_riders: int) -> None:
    """OR-Tools' min-cost flow alone on the first pass of the same round."""
    problem, weights = large_round(num_orders, num_riders), Weights()
    orders, riders = problem.orders, problem.riders
    near = problem.travel.nearest(riders.place, orders.merchant, WIDTH)
    left, right = np.repeat(np.arange(num_orders), WIDTH), near.ravel()
    drive_s = problem.travel.pairs(riders.place[right], orders.merchant[left])
    pairs = Pairs(left, right, weights.wait * np.maximum(problem.now_s + drive_s, orders.ready_s[left]))

    benchmark.group = f"round {num_orders}x{num_riders}"
    benchmark.pedantic(match, (pairs, num_orders), rounds=5, warmup_rounds=1)


def test_day_of_1000_orders(benchmark: Any) -> None:
    """A whole day online: 1 000 orders, 170 couriers, 15 hours, minute by minute."""
    day = random_day(1, num_orders=1000, num_couriers=170, num_restaurants=150, minutes=900, metres=12_000)
    problem = day_problem(day)
    result = solve(problem, Weights(), SearchSettings())
    assert check_day(day, day_solution(day, result), tuple(result.refused)) == ()

    benchmark.group = "day"
    benchmark.pedantic(solve, (problem, Weights(), SearchSettings()), rounds=3, warmup_rounds=1)


def test_insertion(benchmark: Any) -> None:
    """The exact insertion of a fifth order into a bag of four."""
    board = lay_out(market_problem(1, market=ON_DEMAND), Weights())
    draft = np.empty(STOPS_MAX + 2, np.int32)
    for order in range(4):
        _, pickup, dropoff = best_insertion(board, 0, order, draft, NEVER)
        insert_order(board, 0, order, pickup, dropoff)

    benchmark.group = "one rider, five orders"
    benchmark(best_insertion, board, 0, 4, draft, NEVER)


def test_exact_sequence(benchmark: Any) -> None:
    """The exact sequence of the ten stops of five orders."""
    board = lay_out(market_problem(1, market=ON_DEMAND), Weights())

    benchmark.group = "one rider, five orders"
    benchmark(best_sequence, board, 0, np.arange(5))
