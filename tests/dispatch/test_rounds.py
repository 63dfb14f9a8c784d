"""One round as a library call."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatch.check_market import check_round
from dispatch.explain import sentence
from dispatch.horizon import SearchSettings
from dispatch.objective import Weights
from dispatch.problem import BENCHMARK, ON_DEMAND
from dispatch.rounds import ALL_WITHHELD, FULL, NO_RIDERS, OFF_SHIFT, plan_ends, solve_large_round, solve_round
from rules.text import LANGS
from tests.dispatch.worlds import market_problem, small_market

WEIGHTS, SETTINGS = Weights(), SearchSettings()
NOW_S = 1800


def standing_problem(seed, num_orders=10, num_riders=4, **columns):
    """A round at half past: every order placed, riders as the columns say."""
    return replace(market_problem(seed, num_orders, num_riders, market=small_market(ON_DEMAND), **columns), now_s=NOW_S)


def with_hands_full(seed):
    """Rider 0 carries order 0 and is to fetch order 1."""
    holder = np.full(10, -1)
    holder[:2] = 0
    carried = np.zeros(10, np.bool_)
    carried[0] = True
    return standing_problem(seed, holder=holder, carried=carried, stops=((~0, 1, ~1), (), (), ()))


@pytest.mark.parametrize("solver", [solve_round, solve_large_round], ids=["exact", "large"])
@given(
    seed=st.integers(0, 5000), num_orders=st.integers(0, 12), num_riders=st.integers(0, 5), off_s=st.integers(0, 6000)
)
def test_no_order_is_lost(solver, seed, num_orders, num_riders, off_s):
    """Every order is in exactly one rider's plan, or waiting with a reason."""
    problem = standing_problem(seed, num_orders, num_riders, off_s=np.full(num_riders, off_s))

    answer = solver(problem, WEIGHTS, SETTINGS) if solver is solve_round else solver(problem, WEIGHTS)

    assert check_round(problem, answer.stops, set(answer.waiting)) == ()
    planned = [stop for row in answer.stops for stop in row if stop >= 0]
    waiting = {problem.orders.names.index(name) for name in answer.waiting}
    assert sorted(planned) == sorted(set(planned))
    assert set(planned) | waiting == set(range(num_orders))
    assert not set(planned) & waiting
    assert {why.key for why in answer.waiting.values()} <= {NO_RIDERS, OFF_SHIFT, FULL}
    assert {why.withheld + why.off_shift + why.full for why in answer.waiting.values()} <= {num_riders}
    for rider, row in enumerate(answer.stops):
        assert all(answer.holder[stop] == rider for stop in row if stop >= 0)
        assert all(row.index(stop) < row.index(~stop) for stop in row if stop >= 0)


@pytest.mark.parametrize("solver", [solve_round, solve_large_round], ids=["exact", "large"])
def test_orders_in_hand_stay_with_their_rider(solver):
    """What a rider carries or has accepted is never given to another, whatever the round decides."""
    problem = with_hands_full(3)

    answer = solver(problem, WEIGHTS, SETTINGS) if solver is solve_round else solver(problem, WEIGHTS)

    assert check_round(problem, answer.stops, set(answer.waiting)) == ()
    assert answer.holder[:2].tolist() == [0, 0]
    assert [stop for stop in answer.stops[0] if stop in {~0, 1, ~1}] == [~0, 1, ~1]


def test_riders_who_may_not_take_orders_get_none():
    """A flag keeps a rider out of the round."""
    problem = standing_problem(5)

    answer = solve_round(problem, WEIGHTS, SETTINGS, may_take=np.array([True, False, True, True]))

    assert answer.stops[1] == ()


def test_a_stopped_round_is_feasible_and_says_so():
    """A caller's stop keeps the assignment, complete is false, and nothing is lost."""
    problem = standing_problem(6)

    answer = solve_round(problem, WEIGHTS, SETTINGS, stop=lambda: True)
    searched = solve_round(problem, WEIGHTS, SETTINGS, stop=lambda: False)

    assert not answer.complete
    assert not answer.waiting
    assert searched.complete
    assert searched.cost <= answer.cost


def test_every_planned_order_is_explained():
    """Each newly planned order has its facts and costs, and the next best rider's."""
    problem = with_hands_full(8)

    answer = solve_round(problem, WEIGHTS, SETTINGS)

    assert {one.order for one in answer.explanations} == set(range(2, 10))
    assert all(one.chosen.rider == answer.holder[one.order] for one in answer.explanations)
    assert all(one.next.rider != one.chosen.rider for one in answer.explanations)


@pytest.mark.parametrize(
    ("stops", "rule"),
    [
        (((~0, 1, ~1, 2, ~2), (2, ~2), (), ()), "no_order_lost"),
        (((~0, 1, ~1), (), (), ()), "no_order_lost"),
        (((~0, ~1, 1), (), (), ()), "in_sequence"),
        (((~0,), (1, ~1), (), ()), "keeps_orders_in_hand"),
        (((~0, 1, 2, 3, 4, 5, 6, ~1, ~2, ~3, ~4, ~5, ~6), (), (), ()), "room_in_the_bag"),
    ],
)
def test_planted_fault_in_a_round_is_caught(stops, rule):
    """The checker of rounds names the rule a broken plan breaks."""
    assert rule in {one.rule for one in check_round(with_hands_full(3), stops, set())}


@pytest.mark.parametrize("lang", LANGS)
def test_explanations_read_as_sentences(lang):
    """An explanation in words names the order, its rider and the next best."""
    problem = with_hands_full(8)
    answer = solve_round(problem, WEIGHTS, SETTINGS)

    for one in answer.explanations:
        words = sentence(one, problem.orders.names, problem.riders.names, lang)

        assert problem.orders.names[one.order] in words
        assert problem.riders.names[one.chosen.rider] in words
        assert one.next.rider < 0 or problem.riders.names[one.next.rider] in words
        assert str(one.chosen.fact("wait_s")) in words


def test_an_only_rider_is_said_to_be_the_only_one():
    """With one rider there is no next best, and the sentence says so."""
    problem = standing_problem(8, 1, 1)

    answer = solve_round(problem, WEIGHTS, SETTINGS)

    assert "no other rider" in sentence(answer.explanations[0], problem.orders.names, problem.riders.names, "en")


def test_a_round_by_itself_lets_whole_plans_change_rider():
    """However seldom a day's rounds do; here that saves something, and without it the plans stay as assigned."""
    problem = standing_problem(4, 8, 3)

    never, seldom, always = (
        solve_round(problem, WEIGHTS, SearchSettings(repairs_max=0, exchange_every=every)).cost for every in (0, 5, 1)
    )

    assert seldom == always < never


def test_orders_not_yet_placed_stay_out():
    """A round knows nothing of an order placed later."""
    problem = replace(standing_problem(9), now_s=0)
    later = set(np.flatnonzero(problem.orders.placed_s > 0).tolist())

    answer = solve_round(problem, WEIGHTS, SETTINGS)

    assert later
    assert (answer.holder[list(later)] == -1).all()
    assert not {problem.orders.names[order] for order in later} & set(answer.waiting)


def test_plan_ends_by_hand():
    """Who carries one order is free after the drive, the handing over and the stairs."""
    problem = standing_problem(
        2, 2, 1, holder=np.array([0, -1]), carried=np.array([True, False]), stops=((~0,),), handover_s=np.array([40, 0])
    )
    drive_s = int(problem.travel.pairs(np.array([5]), np.array([0]))[0])

    place, at_s = plan_ends(problem)

    assert place.tolist() == [0]
    assert at_s.tolist() == [NOW_S + drive_s + 120 + 40]


@pytest.mark.parametrize("ready_s", [0, NOW_S + 9_000])
def test_plan_ends_by_hand_with_a_pickup(ready_s):
    """Who is to fetch an order waits for the food, if they are there first; two minutes at the counter, two at the door."""
    problem = standing_problem(
        2, 2, 1, holder=np.array([0, -1]), stops=((0, ~0),), ready_s=np.full(2, ready_s), free_s=np.array([NOW_S + 7])
    )
    drive_s, ride_s = (
        int(problem.travel.pairs(*map(np.array, ([start], [end])))[0])
        for start, end in (
            (problem.riders.place[0], problem.orders.merchant[0]),
            (problem.orders.merchant[0], problem.orders.door[0]),
        )
    )

    place, at_s = plan_ends(problem)

    picked_s = max(NOW_S + 7 + drive_s + 60, ready_s) + 60
    assert place.tolist() == [problem.orders.door[0]]
    assert at_s.tolist() == [picked_s + ride_s + 120 + int(problem.orders.handover_s[0])]


@pytest.mark.parametrize("priority", [1_000, 2_000, 700])
@pytest.mark.parametrize("promised_s", [0, NOW_S + 90_000])
def test_what_a_large_round_costs_by_hand(priority, promised_s):
    """The wait from placing to the door and the lateness at the door; a priority divides what is not lost already."""
    problem = replace(
        market_problem(
            2, 1, 1, market=small_market(ON_DEMAND), priority=[priority], promised_s=np.array([promised_s]),
            off_s=np.array([90_000]),
        ),
        now_s=NOW_S,
    )  # fmt: skip
    orders, riders = problem.orders, problem.riders
    drive_s = int(problem.travel.pairs(riders.place, orders.merchant)[0])
    ride_s = int(problem.travel.pairs(orders.merchant, orders.door)[0])
    picked_s = max(NOW_S + drive_s + 60, int(orders.ready_s[0]))
    dropped_s = picked_s + 60 + ride_s + 60 + int(orders.handover_s[0])

    answer = solve_large_round(problem, WEIGHTS)

    cost, lost = (
        WEIGHTS.wait * (at_s - int(orders.placed_s[0])) + WEIGHTS.late * max(at_s - promised_s, 0)
        for at_s in (dropped_s, NOW_S)
    )
    assert answer.cost == lost + (cost - lost) * (1_000_000 // priority) // 1_000


def test_a_large_round_looks_wider_for_orders_left_over():
    """Four orders whose one candidate is the same rider go to four riders."""
    problem = standing_problem(4, 4, 5)
    points = problem.travel.points_m.copy()
    points[problem.orders.merchant] = points[problem.orders.merchant[0]]
    problem = replace(problem, travel=replace(problem.travel, points_m=points))

    answer = solve_large_round(problem, WEIGHTS, width=1)

    assert not answer.waiting
    assert len(set(answer.holder.tolist())) == 4


def test_large_round_is_no_worse_than_first_come():
    """With complete candidates the assignment costs no more than giving each order in turn to its nearest free rider."""
    problem = standing_problem(4, 30, 40)

    answer = solve_large_round(problem, WEIGHTS, width=40)

    free, total = list(range(40)), 0
    for order in range(30):
        merchant, door = problem.orders.merchant[order : order + 1], np.array([order])
        places = problem.riders.place[free]
        drive_s = problem.travel.pairs(places, np.repeat(merchant, len(free)))
        rider = int(np.argmin(drive_s))
        picked_s = max(NOW_S + int(drive_s[rider]) + 60, int(problem.orders.ready_s[order]))
        ride_s = int(problem.travel.pairs(merchant, door)[0])
        at_s = picked_s + 120 + ride_s + int(problem.orders.handover_s[order])
        total += WEIGHTS.wait * (at_s - int(problem.orders.placed_s[order]))
        total += WEIGHTS.late * max(0, at_s - int(problem.orders.promised_s[order]))
        free.pop(rider)
    assert not answer.waiting
    assert answer.cost <= total


def test_trip_rule_holds_in_a_round():
    """Under the benchmark's rule a round never mixes merchants in a trip."""
    problem = replace(market_problem(4, 12, 2, market=BENCHMARK), now_s=NOW_S)

    answer = solve_round(problem, WEIGHTS, SETTINGS)

    for row in answer.stops:
        load = set()
        for stop in row:
            if stop >= 0:
                load.add(int(problem.orders.merchant[stop]))
                assert len(load) == 1
            elif row.index(stop) + 1 == len(row) or row[row.index(stop) + 1] >= 0:
                load = set()


SOLVERS = pytest.mark.parametrize("solver", [solve_round, solve_large_round], ids=["exact", "large"])


def solved(solver, problem, weights=WEIGHTS, may_take=None):
    """A round by either solver."""
    return solver(problem, weights, SETTINGS, may_take) if solver is solve_round else solver(problem, weights)


def two_alike(waited_s=0, **columns):
    """One order and two riders at one place; nothing but what the columns say tells the riders apart."""
    problem = market_problem(3, 1, 2, market=small_market(ON_DEMAND), **columns)
    points = problem.travel.points_m.copy()
    points[problem.riders.place] = points[problem.orders.merchant[0]]
    return replace(problem, travel=replace(problem.travel, points_m=points), now_s=NOW_S + waited_s)


@pytest.mark.case
@SOLVERS
@given(low=st.integers(500, 1999), more=st.integers(1, 500), waited_s=st.sampled_from([0, 600, 20_000]))
def test_who_has_the_higher_priority_is_offered_the_order(solver, low, more, waited_s):
    """Of two like riders the one whose tier's multiplier is higher takes the order, however late it is already."""
    high = min(low + more, 2000)
    if 1_000_000 // low == 1_000_000 // high:
        return
    for priority, wanted in (([low, high], 1), ([high, low], 0)):
        answer = solved(solver, two_alike(waited_s, priority=priority))

        assert answer.holder.tolist() == [wanted]


@SOLVERS
def test_a_priority_weighs_what_a_rider_adds_and_not_what_is_lost(solver):
    """A tenth more priority buys a tenth of the way, for an order three hours late as for a fresh one."""
    holders = []
    for waited_s in (0, 3 * 3600):
        problem = two_alike(waited_s, priority=[900, 1100])
        points = problem.travel.points_m.copy()
        points[problem.riders.place[1]] += 2_000
        near_is_low = replace(problem, travel=replace(problem.travel, points_m=points))
        holders.append(solved(solver, near_is_low).holder.tolist())

    assert holders == [[0], [0]]


@pytest.mark.case
@SOLVERS
@given(late_s=st.integers(0, 10**6), lead_s=st.integers(0, 80_000))
def test_however_late_an_order_is_an_idle_rider_takes_it(solver, late_s, lead_s):
    """Neither lateness nor a rider who is free only later costs more than leaving the order."""
    problem = two_alike(late_s, free_s=np.full(2, NOW_S + late_s + lead_s), off_s=np.full(2, NOW_S + late_s + 90_000))

    answer = solved(solver, problem)

    assert not answer.waiting
    assert answer.holder[0] >= 0


@SOLVERS
@pytest.mark.parametrize(
    ("columns", "key"),
    [
        ({"off_s": np.full(2, NOW_S - 1)}, OFF_SHIFT),
        ({"off_s": np.full(2, NOW_S)}, OFF_SHIFT),
        ({"off_s": np.full(2, NOW_S + 30)}, OFF_SHIFT),
    ],
)
def test_the_reason_of_an_order_left_over_is_the_true_one(solver, columns, key):
    """Who has gone, or could not be there before going, is counted as such."""
    answer = solved(solver, two_alike(**columns))

    assert [(why.key, why.off_shift) for why in answer.waiting.values()] == [(key, 2)]


@SOLVERS
@pytest.mark.parametrize(("off_s", "is_taken"), [(NOW_S + 900, True), (NOW_S + 899, False)])
def test_an_order_may_be_picked_up_to_the_end_of_a_shift(solver, off_s, is_taken):
    """Ready at the second at which the rider goes, it is still theirs; a second later it is not."""
    answer = solved(solver, two_alike(ready_s=np.full(1, NOW_S + 900), off_s=np.full(2, off_s)))

    assert bool(answer.holder[0] >= 0) is is_taken


@SOLVERS
def test_who_takes_another_order_at_the_end_of_their_shift_has_no_room(solver):
    """Two orders are ready at the second at which the only rider goes: one is theirs, and the other found them full."""
    problem = market_problem(
        3,
        2,
        1,
        market=small_market(ON_DEMAND, orders_max=1),
        ready_s=np.full(2, NOW_S + 900),
        off_s=np.array([NOW_S + 900]),
    )

    answer = solved(solver, replace(problem, now_s=NOW_S))

    assert answer.complete
    assert [(why.key, why.off_shift, why.full) for why in answer.waiting.values()] == [(FULL, 0, 1)]


def test_riders_who_may_take_nothing_are_the_reason():
    """Rest and suspension are no end of a shift; without riders there is nobody to name."""
    problem = two_alike()

    resting = solve_round(problem, WEIGHTS, SETTINGS, np.zeros(2, np.bool_))
    nobody = solve_round(market_problem(3, 1, 0, market=ON_DEMAND), WEIGHTS, SETTINGS)

    assert [(why.key, why.withheld) for why in resting.waiting.values()] == [(ALL_WITHHELD, 2)]
    assert [why.key for why in nobody.waiting.values()] in ([NO_RIDERS], [])


def test_a_pickup_in_hand_after_the_shift_is_brought_and_counted():
    """A plan that goes beyond the shift costs what it takes, not a number that means never; nothing new is added to it."""
    problem = replace(
        standing_problem(
            4, 2, 1, holder=np.array([0, -1]), stops=((0, ~0),), off_s=np.array([NOW_S + 1]),
            ready_s=np.array([NOW_S + 900, NOW_S]),
        )
    )  # fmt: skip

    answer = solve_round(problem, WEIGHTS, SETTINGS)

    assert answer.stops == ((0, ~0),)
    assert 0 < answer.cost < 10**8
    assert len(answer.waiting) == 1
