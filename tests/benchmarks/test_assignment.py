"""Seconds of one sparse assignment by each solver of OR-Tools, all to the same optimum.

What `dispatch.assign.match` is chosen from: min-cost flow, linear sum assignment, CP-SAT. Times are reported, never
asserted; that the answers cost the same is asserted.
"""

from typing import Any

import numpy as np
import pytest
from ortools.graph.python import linear_sum_assignment
from ortools.sat.python import cp_model

from dispatch.assign import Pairs, match

WIDTH = 20
LEAVE_OUT = 1_000_000
SIZES = [(500, 1_500), (2_000, 6_000), (5_000, 15_000)]
# CP-SAT needs 12 s at 2 000 x 6 000.
SMALL = SIZES[:1]


def near_pairs(num_orders: int, num_riders: int) -> Pairs:
    """Every order with its nearest riders on a plane; costs in whole metres."""
    chance = np.random.default_rng(1)
    orders, riders = (chance.integers(0, 10_000, (n, 2)) for n in (num_orders, num_riders))
    apart = np.abs(orders[:, None] - riders[None]).sum(axis=2)
    near = np.argpartition(apart, WIDTH, axis=1)[:, :WIDTH]
    left = np.repeat(np.arange(num_orders), WIDTH)
    return Pairs(left, near.ravel(), apart[left, near.ravel()])


def cost_of(pairs: Pairs, chosen: np.ndarray) -> int:
    """Total cost of chosen positions, -1 for an order left out."""
    return int(pairs.cost[chosen[chosen >= 0]].sum()) + LEAVE_OUT * int((chosen < 0).sum())


def by_linear_sum(pairs: Pairs, num_orders: int, num_riders: int) -> int:
    """Least cost by linear sum assignment, made square: each order has a place of its own for being left out."""
    solver = linear_sum_assignment.SimpleLinearSumAssignment()
    left_out = np.arange(num_orders)
    idle = np.arange(num_riders)
    solver.add_arcs_with_cost(pairs.left, pairs.right, pairs.cost)
    solver.add_arcs_with_cost(left_out, num_riders + left_out, np.full(num_orders, LEAVE_OUT))
    solver.add_arcs_with_cost(num_orders + idle, idle, np.zeros(num_riders, np.int64))
    solver.add_arcs_with_cost(num_orders + pairs.right, num_riders + pairs.left, np.zeros(pairs.left.size, np.int64))
    assert solver.solve() == solver.OPTIMAL
    return int(solver.optimal_cost())


def by_cp_sat(pairs: Pairs, num_orders: int, num_riders: int) -> int:
    """Least cost by CP-SAT, one Boolean a pair."""
    model = cp_model.CpModel()
    takes = [model.new_bool_var("") for _ in range(pairs.left.size)]
    leaves = [model.new_bool_var("") for _ in range(num_orders)]
    of_order: list[list[Any]] = [[leave] for leave in leaves]
    of_rider: list[list[Any]] = [[] for _ in range(num_riders)]
    for take, order, rider in zip(takes, pairs.left.tolist(), pairs.right.tolist(), strict=True):
        of_order[order].append(take)
        of_rider[rider].append(take)
    for choice in of_order:
        model.add_exactly_one(choice)
    for choice in of_rider:
        model.add_at_most_one(choice)
    costs = [*pairs.cost.tolist(), *[LEAVE_OUT] * num_orders]
    model.minimize(sum(cost * chosen for cost, chosen in zip(costs, [*takes, *leaves], strict=True)))
    solver = cp_model.CpSolver()
    solver.parameters.num_workers = 1
    assert solver.solve(model) == cp_model.OPTIMAL
    return int(solver.objective_value)


@pytest.mark.parametrize(("num_orders", "num_riders"), SIZES)
def test_min_cost_flow(benchmark: Any, num_orders: int, num_riders: int) -> None:
    """The solver in use."""
    pairs = near_pairs(num_orders, num_riders)
    benchmark.group = f"assignment {num_orders}x{num_riders}"

    chosen = benchmark.pedantic(match, (pairs, num_orders, LEAVE_OUT), rounds=5, warmup_rounds=1)

    assert cost_of(pairs, chosen) < LEAVE_OUT * num_orders


@pytest.mark.parametrize(("num_orders", "num_riders"), SIZES)
def test_linear_sum_assignment(benchmark: Any, num_orders: int, num_riders: int) -> None:
    """Linear sum assignment finds the same cost."""
    pairs = near_pairs(num_orders, num_riders)
    benchmark.group = f"assignment {num_orders}x{num_riders}"

    found = benchmark.pedantic(by_linear_sum, (pairs, num_orders, num_riders), rounds=5, warmup_rounds=1)

    assert found == cost_of(pairs, match(pairs, num_orders, LEAVE_OUT))


@pytest.mark.parametrize(("num_orders", "num_riders"), SMALL)
def test_cp_sat(benchmark: Any, num_orders: int, num_riders: int) -> None:
    """CP-SAT finds the same cost."""
    pairs = near_pairs(num_orders, num_riders)
    benchmark.group = f"assignment {num_orders}x{num_riders}"

    found = benchmark.pedantic(by_cp_sat, (pairs, num_orders, num_riders), rounds=2, warmup_rounds=0)

    assert found == cost_of(pairs, match(pairs, num_orders, LEAVE_OUT))
