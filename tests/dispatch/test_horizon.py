"""The rolling loop: feasible, repeatable, without foresight, nothing lost."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatch.check import check_day, measure_day
from dispatch.greedy import solve_nearest
from dispatch.horizon import SearchSettings, solve
from dispatch.mdrp import Restaurant
from dispatch.mdrp_day import day_problem, day_solution
from dispatch.objective import Weights
from tests.dispatch.solved_days import SETTINGS, WEIGHTS, decisions_until, played
from tests.dispatch.worlds import courier, days, instance, order, placed_until, random_day

pytestmark = pytest.mark.slow


@given(day=days())
def test_every_day_keeps_the_rules(day):
    """Whatever the day, the independent checker finds nothing in its solution."""
    result, solution = played(day)

    assert check_day(day, solution, tuple(result.refused)) == ()


@given(day=days())
def test_no_order_is_lost(day):
    """Delivered and refused orders are all orders, and every refusal has a reason."""
    result, solution = played(day)

    assert {row.order for row in solution.outcomes} | set(result.refused) == {row.name for row in day.orders}
    assert len(solution.outcomes) + len(result.refused) == len(day.orders)
    assert all(result.refused.values())


@given(day=days())
def test_baseline_keeps_the_rules(day):
    """The nearest-rider baseline keeps the same rules."""
    result = solve_nearest(day_problem(day))

    assert check_day(day, day_solution(day, result), tuple(result.refused)) == ()


def test_same_seed_same_day():
    """Twice the same seed gives the same solution; the random choices matter elsewhere only."""
    day = random_day(11)

    assert played(day)[1] == played(day)[1]


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("last_min", [20, 60, 95, 150])
def test_no_decision_depends_on_later_orders(seed, last_min):
    """With all orders placed after T removed, every decision up to T is identical."""
    day = random_day(seed, num_orders=60)

    whole = decisions_until(played(day)[1], last_min)
    cut = decisions_until(played(placed_until(day, last_min))[1], last_min)

    assert cut == whole


def test_one_order_by_hand():
    """One courier, one order: the courier leaves just in time and the minutes are those on paper."""
    day = instance([order(x=300, ready=20)], [courier(x=500)], [Restaurant("r1", 0, 0)])

    _, solution = played(day)

    assert [(row.departure_min, row.destination) for row in solution.moves] == [(13, "r1"), (22, "o1")]
    assert (solution.outcomes[0].pickup_min, solution.outcomes[0].dropoff_min) == (20, 27)


def test_neighbours_share_a_trip():
    """Two orders of one restaurant to one house, and a single courier: one trip."""
    day = instance([order("o1", 900, 0), order("o2", 900, 0)], [courier()])

    _, solution = played(day)

    assert [row.orders for row in solution.assignments] in ([("o1", "o2")], [("o2", "o1")])


def test_two_restaurants_never_share_a_trip():
    """Orders of two restaurants next door are two trips under the trip rule."""
    day = instance(
        [order("o1", 900, 0), order("o2", 900, 0, restaurant="r2")],
        [courier()],
        [Restaurant("r1", 0, 0), Restaurant("r2", 0, 0)],
    )

    _, solution = played(day)

    assert len(solution.assignments) == 2


def test_late_order_is_refused_with_its_reason():
    """An order nobody can pick up before the end of the shift is refused, with the reason's key."""
    day = instance([order("o1", ready=5), order("o2", placed=50, ready=99)], [courier(off=60)])

    result, solution = played(day)

    assert result.refused == {"o2": "dispatch.refused_off_shift"}
    assert [row.order for row in solution.outcomes] == ["o1"]


def test_empty_day_is_an_empty_solution():
    """No orders: no rounds, no files but headers."""
    result, solution = played(instance([], [courier()]))

    assert result.rounds == 0
    assert solution.moves == ()


def test_cut_off_still_answers_and_says_so():
    """A caller who stops the search gets a day that keeps the rules, marked as cut off."""
    day = random_day(5)

    result = solve(day_problem(day), WEIGHTS, SETTINGS, stop=lambda: True)

    assert result.cut_off
    assert result.repairs == 0
    assert check_day(day, day_solution(day, result), tuple(result.refused)) == ()


def test_every_sent_order_is_explained():
    """Each delivered order has one explanation, whose rider is the one who brought it."""
    result, solution = played(random_day(7))
    by_order = {result.problem.orders.names[one.order]: one for one in result.explanations}

    assert len(result.explanations) == len(solution.outcomes)
    for row in solution.outcomes:
        assert result.problem.riders.names[by_order[row.order].chosen.rider] == row.courier


@given(seed=st.integers(0, 1000))
def test_search_beats_the_baseline(seed):
    """Planning is no worse than nearest-rider on the measure that counts undelivered orders, give or take five minutes."""
    day = random_day(seed, num_orders=25)
    nearest = day_solution(day, solve_nearest(day_problem(day)))

    ours = measure_day(day, played(day)[1]).click_to_door_undelivered_120

    assert ours <= measure_day(day, nearest).click_to_door_undelivered_120 + 5


@pytest.mark.parametrize("bad", [{"ruin_max": 0}, {"width": -1}, {"seed": 1.5}, {"repairs_max": True}])
def test_settings_validate_themselves(bad):
    """A setting out of range or of the wrong type is refused."""
    with pytest.raises(ValueError, match="use"):
        SearchSettings(**bad)


@pytest.mark.parametrize("bad", [{"wait": 0.5}, {"late": -1}])
def test_weights_are_whole_numbers(bad):
    """A float never enters the objective."""
    with pytest.raises(ValueError, match="whole number"):
        Weights(**bad)


def test_seed_is_in_the_settings():
    """Another seed is another stream of random choices, and keeps the rules too."""
    day = random_day(21, num_orders=60)

    result, solution = played(day, replace(SETTINGS, seed=9))

    assert check_day(day, solution, tuple(result.refused)) == ()
    assert np.array_equal(result.log, played(day, replace(SETTINGS, seed=9))[0].log)
