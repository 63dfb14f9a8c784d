"""Insertion and sequence: equal to enumeration, equal to the explanation's sums."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatch.board import STOPS_MAX
from dispatch.execution import arrive_stops, depart, due_to_leave, empty_log, on_shift, open_orders, open_placed
from dispatch.explain import COSTS, PLAN_TOTALS, total_plan
from dispatch.layout import lay_out
from dispatch.objective import Weights
from dispatch.problem import BENCHMARK, ON_DEMAND
from dispatch.route import NEVER, best_insertion, evaluate_route, insert_order, remove_order, update_cost
from dispatch.sequence import best_sequence, resequence
from tests.dispatch.worlds import feasible_sequences, market_problem, small_market

WEIGHTS = Weights(wait=700, late=2000, food=50, idle=30, pay=40)
TRIPS = small_market(BENCHMARK, orders_max=3)
BAGS = small_market(ON_DEMAND, orders_max=3)


def draft():
    return np.empty(STOPS_MAX + 2, np.int32)


def cost_of(board, rider, stops):
    row = board.riders[rider]
    cost, _, _ = evaluate_route(
        board.travel_s, board.orders, board.weights[0], np.array(stops, np.int32), 0, len(stops),
        row["place"], row["free_s"], row["arrival_s"], row["off_s"], NEVER,
    )  # fmt: skip
    return cost


def explained_costs(board, rider, stops, order):
    """Each cost of a plan, as the explanation works it out."""
    totals = np.zeros(1, PLAN_TOTALS)
    total_plan(board, rider, np.array(stops, np.int32), len(stops), order, totals[0])
    return {name: int(totals[f"{name}_cost"][0]) for name in COSTS}


def obeys(board, stops, market):
    """Whether a sequence keeps the market's rule and capacity."""
    bag, merchants, dropping = 0, set(), False
    for stop in stops:
        if stop >= 0:
            bag += 1
            merchants.add(int(board.orders["merchant"][stop]))
            if market.rule == BENCHMARK.rule and (dropping or len(merchants) > 1):
                return False
        else:
            bag -= 1
            dropping = bag > 0
            if bag == 0:
                merchants = set()
        if bag > market.orders_max:
            return False
    return True


def planned(board, rider, num):
    """Insert orders 0..num-1 one by one, wherever they fit best."""
    for order in range(num):
        increase, pickup, dropoff = best_insertion(board, rider, order, draft(), NEVER)
        if increase < NEVER:
            insert_order(board, rider, order, pickup, dropoff)
    return [int(stop) for stop in board.stops[rider, : board.riders["num_stops"][rider]]]


@pytest.mark.parametrize("market", [TRIPS, BAGS], ids=["trip", "bag"])
@given(seed=st.integers(0, 5000), num=st.integers(0, 4))
def test_insertion_is_enumeration(market, seed, num):
    """The best insertion costs what trying every pair of places costs."""
    problem = market_problem(seed, market=market, num_merchants=2, off_s=np.full(4, 7000))
    board = lay_out(problem, WEIGHTS)
    stops = planned(board, 0, num)
    order = num

    increase, _, _ = best_insertion(board, 0, order, draft(), NEVER)

    tried = [
        cost_of(board, 0, (*stops[:i], order, *stops[i:j], ~order, *stops[j:]))
        for i in range(len(stops) + 1)
        for j in range(i, len(stops) + 1)
        if obeys(board, (*stops[:i], order, *stops[i:j], ~order, *stops[j:]), market)
    ]
    best = min(tried, default=NEVER)
    costs = explained_costs(board, 0, (order, ~order), order)
    assert (increase >= NEVER) == (best >= NEVER)
    if best < NEVER:
        pay = int(costs["pay"]) if not stops else WEIGHTS.pay * 500
        assert increase == best - board.riders["route_cost"][0] + pay


@pytest.mark.parametrize("market", [TRIPS, BAGS], ids=["trip", "bag"])
@given(seed=st.integers(0, 5000), extra=st.integers(1, 2))
def test_best_sequence_is_enumeration(market, seed, extra):
    """The exact sequence of up to four orders costs what the best permutation costs."""
    problem = market_problem(seed, num_orders=4, market=market, num_merchants=2)
    board = lay_out(problem, WEIGHTS)
    stops = planned(board, 0, 4 - extra)[: 2 * (4 - extra)]
    new = np.arange(4 - extra, 4)

    cost, found = best_sequence(board, 0, new)

    every = [*stops, *new.tolist(), *(~new).tolist()]
    if len(every) <= 6:
        best = min(cost_of(board, 0, row) for row in feasible_sequences(every) if obeys(board, row, market))
        assert cost == best
    assert cost == cost_of(board, 0, found.tolist())
    assert obeys(board, found.tolist(), market)
    assert sorted(found.tolist()) == sorted(every)


@given(seed=st.integers(0, 5000))
def test_best_sequence_of_three_orders_is_the_best_permutation(seed):
    """With three orders every permutation is tried and none is cheaper."""
    board = lay_out(market_problem(seed, num_orders=3, market=BAGS, num_merchants=2), WEIGHTS)

    cost, _ = best_sequence(board, 0, np.arange(3))

    assert cost == min(
        cost_of(board, 0, row) for row in feasible_sequences((0, 1, 2, -1, -2, -3)) if obeys(board, row, BAGS)
    )


def test_six_orders_are_too_many_for_the_exact_sequence():
    """More than five orders are refused, not attempted."""
    board = lay_out(market_problem(1, num_orders=6), WEIGHTS)

    cost, stops = best_sequence(board, 0, np.arange(6))

    assert cost >= NEVER
    assert len(stops) == 0


@pytest.mark.parametrize("market", [TRIPS, BAGS], ids=["trip", "bag"])
@given(seed=st.integers(0, 5000), num=st.integers(1, 5), priority=st.integers(500, 2000))
def test_costs_add_up_to_the_cost(market, seed, num, priority):
    """What the explanation says cost by cost is what the solver adds up."""
    problem = market_problem(seed, market=market, priority=[priority] * 4, guarantee=np.full(4, 900))
    board = lay_out(problem, WEIGHTS)
    stops = planned(board, 0, num)

    costs = explained_costs(board, 0, stops, 0)

    assert sum(costs.values()) == board.riders["plan_cost"][0]


@given(seed=st.integers(0, 5000))
def test_taking_out_undoes_putting_in(seed):
    """An order taken out again leaves the plan's cost as it was."""
    board = lay_out(market_problem(seed, market=BAGS), WEIGHTS)
    planned(board, 0, 2)
    before = int(board.riders["plan_cost"][0])
    _, pickup, dropoff = best_insertion(board, 0, 5, draft(), NEVER)

    insert_order(board, 0, 5, pickup, dropoff)
    remove_order(board, 5)

    assert update_cost(board, 0) == before


def test_barred_rider_fits_nothing():
    """A rider barred from an order has no insertion for it."""
    board = lay_out(market_problem(1), WEIGHTS)
    board.barred[0, 0] = True

    assert best_insertion(board, 0, 0, draft(), NEVER)[0] >= NEVER
    assert best_insertion(board, 1, 0, draft(), NEVER)[0] < NEVER


def test_a_walk_by_hand():
    """Drive, wait for the meal, serve, drive, serve: the seconds are those on paper."""
    problem = market_problem(
        2, num_orders=1, num_riders=1, num_merchants=1, ready_s=np.array([1000]), placed_s=np.array([0])
    )
    board = lay_out(problem, Weights(wait=1, late=0, food=0, idle=0, pay=0))
    drive_s = int(board.travel_s[1, 0])

    cost = cost_of(board, 0, (0, ~0))

    picked_s = max(int(board.travel_s[2, 1]) + 120, 1000)
    assert cost == picked_s + 120 + drive_s + 120 + int(problem.orders.handover_s[0])


def test_riders_under_way_get_nothing_before_their_stop():
    """An order added while a rider is on the way comes behind the stop under way."""
    problem = market_problem(4, market=BAGS, placed_s=np.zeros(12, np.int64), ready_s=np.zeros(12, np.int64))
    board = lay_out(problem, WEIGHTS)
    open_placed(board, 0, 0)
    planned(board, 0, 1)
    depart(board, due_to_leave(board, 0, 60), 0)

    increase, pickup, _ = best_insertion(board, 0, 1, draft(), NEVER)

    assert increase < NEVER
    assert pickup >= 1
    assert len(open_orders(board, 12)) == 12
    assert len(on_shift(board, 0)) == 4
    assert arrive_stops(board, empty_log(12), 100_000) == 0


@given(seed=st.integers(0, 5000))
def test_resequencing_never_costs(seed):
    """The best sequence of a plan is no dearer than the plan, and holds the same stops."""
    board = lay_out(market_problem(seed, market=BAGS, num_merchants=2), WEIGHTS)
    stops = planned(board, 0, 4)
    before = int(board.riders["plan_cost"][0])

    resequence(board, np.array([0]))

    assert board.riders["plan_cost"][0] <= before
    assert sorted(board.stops[0, : len(stops)].tolist()) == sorted(stops)
