"""The assignment: optimal, whole, and never worse for one rider more."""

from dataclasses import fields, replace
from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatch.assign import Pairs, assign_open, choose_plans, insertion_costs, match
from dispatch.execution import on_shift, open_orders, open_placed
from dispatch.layout import lay_out
from dispatch.objective import UNSERVED, Weights
from dispatch.problem import ON_DEMAND, DispatchProblem, Riders
from dispatch.search import candidates
from tests.dispatch.worlds import market_problem, small_market


def opened(problem, weights=Weights()):  # noqa: B008 - frozen
    """A board with every order open, its riders and its orders."""
    board = lay_out(problem, weights)
    open_placed(board, 10**9, 0)
    return board, on_shift(board, problem.now_s), open_orders(board, problem.orders.num)


def optimum(problem):
    """Least total cost of giving every rider at most one order, all pairs candidates."""
    board, crew, waiting = opened(problem, Weights(imbalance=0))
    near = candidates(board, crew, waiting, len(crew))
    left, right, cost = insertion_costs(board, waiting, near)
    chosen = match(Pairs(left, right, cost), len(waiting))
    return int(cost[chosen[chosen >= 0]].sum()) + UNSERVED * int((chosen < 0).sum())


def without_rider(problem, rider):
    keep = np.arange(problem.riders.num) != rider
    columns = {}
    for field in fields(Riders):
        column = getattr(problem.riders, field.name)
        rows = [value for value, kept in zip(column, keep, strict=True) if kept]
        columns[field.name] = column[keep] if isinstance(column, np.ndarray) else tuple(rows)
    return replace(problem, riders=Riders(**columns))


@given(costs=st.lists(st.lists(st.integers(0, 50), min_size=4, max_size=4), min_size=1, max_size=4))
def test_match_is_the_best_permutation(costs):
    """The matching costs what the cheapest of all matchings costs."""
    table = np.array(costs)
    left, right = (side.ravel() for side in np.indices(table.shape))

    chosen = match(Pairs(left, right, table.ravel()), len(table))

    assert len(set(right[chosen].tolist())) == len(table)
    assert table.ravel()[chosen].sum() == min(
        sum(table[row, column] for row, column in enumerate(columns)) for columns in permutations(range(4), len(table))
    )


@given(
    first=st.integers(0, 10**13),
    both=st.tuples(st.integers(0, 10**13), st.integers(0, 10**13)),
    last=st.integers(0, 10**13),
)
def test_no_cost_leaves_a_row_out_that_could_have_a_pair(first, both, last):
    """Three rows for three columns, two of the rows with one choice alone: each has its pair, whatever it costs."""
    pairs = Pairs(np.array([0, 1, 1, 2]), np.array([0, 0, 1, 2]), np.array([first, *both, last]))

    chosen = match(pairs, 3)

    assert pairs.right[chosen].tolist() == [0, 1, 2]


@pytest.mark.parametrize("dearest", [10**7, 10**13, 10**15])
def test_large_and_dear_matchings_are_solved(dearest):
    """1 500 rows and 6 000 columns, however dear: everybody has a pair, at no more than what each row alone would choose."""
    draw = np.random.default_rng(7)
    left = np.repeat(np.arange(1500), 20)
    pairs = Pairs(left, draw.integers(0, 6000, len(left)), draw.integers(0, dearest, len(left)))

    chosen = match(pairs, 1500)

    assert (chosen >= 0).all()
    assert len(set(pairs.right[chosen].tolist())) == 1500
    assert pairs.cost[chosen].mean() < dearest / 5


@given(seed=st.integers(0, 5000), rider=st.integers(0, 4))
def test_one_rider_more_never_worsens_the_optimum(seed, rider):
    """With complete candidates and no fairness weight, the optimum of a round falls or stays with another rider."""
    problem = market_problem(seed, num_orders=7, num_riders=5, off_s=np.full(5, 2400))

    assert optimum(problem) <= optimum(without_rider(problem, rider))


@pytest.mark.parametrize("width", [1, 3, 20])
@given(seed=st.integers(0, 5000))
def test_every_order_is_given_whatever_the_width(width, seed):
    """Sparse candidates are widened for what is left over until every order that fits is in a plan."""
    problem = market_problem(seed, market=small_market(ON_DEMAND), num_orders=10, num_riders=4)
    board, crew, waiting = opened(problem)

    left = assign_open(board, crew, waiting, width)

    assert len(left) == 0
    assert (board.orders["holder"] >= 0).all()


def test_nobody_on_shift_leaves_everything_over():
    """Without riders on shift all orders are left over, and nothing breaks."""
    problem = market_problem(1, off_s=np.zeros(4, np.int64))
    board, _, waiting = opened(problem)

    left = assign_open(board, np.zeros(0, np.int64), waiting, 5)

    assert left.tolist() == waiting.tolist()


@given(seed=st.integers(0, 5000))
def test_exchange_of_plans_never_costs(seed):
    """Letting whole plans change rider lowers the total cost or leaves it."""
    problem = market_problem(seed, num_orders=8, num_riders=5)
    board, crew, waiting = opened(problem)
    for order, rider in zip(waiting.tolist(), [0, 0, 0, 1, 1, 1, 2, 2], strict=True):
        assign_open(board, np.array([rider]), np.array([order]), 1)
    before = int(board.riders["plan_cost"].sum())

    choose_plans(board, crew, 5)

    assert int(board.riders["plan_cost"].sum()) <= before
    assert (board.orders["holder"] >= 0).all()


def test_problem_is_frozen():
    """A problem cannot be changed once it exists."""
    problem = market_problem(1)

    with pytest.raises(AttributeError):
        problem.now_s = 5  # type: ignore[misc]
    assert isinstance(problem, DispatchProblem)
