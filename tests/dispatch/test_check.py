"""The independent checker: correct on what is correct, and it catches every planted fault."""

from dataclasses import replace

import pytest

from dispatch.check import check_day, gini, measure_day
from dispatch.mdrp import CourierMove, Solution
from tests.dispatch.hand_checked import BUNDLE, DAY, GOOD, RESTAURANTS
from tests.dispatch.worlds import courier, instance


def changed(part, position, **values):
    rows = list(getattr(GOOD, part))
    rows[position] = replace(rows[position], **values)
    return replace(GOOD, **{part: tuple(rows)})


def rules(solution, day=DAY, declared=()):
    return {violation.rule for violation in check_day(day, solution, declared)}


def test_correct_solution_passes():
    """A day worked out by hand breaks no rule."""
    assert check_day(DAY, GOOD) == ()


@pytest.mark.parametrize(
    ("solution", "rule"),
    [
        (changed("assignments", 1, courier="ghost"), "known_courier"),
        (changed("outcomes", 2, dropoff_min=52), "dropoff_time"),
        (changed("assignments", 0, pickup_min=13), "ready_at_pickup"),
        (changed("moves", 3, departure_min=29), "no_diversion"),
        (changed("moves", 3, origin="o1"), "moves_join_up"),
        (changed("moves", 2, departure_min=25), "moves_join_up"),
        (changed("outcomes", 1, dropoff_min=float("nan")), "finite_times"),
        (changed("moves", 1, departure_min=float("inf")), "finite_times"),
        (changed("outcomes", 2, placed_min=31), "agrees_with_instance"),
        (changed("outcomes", 2, courier="c2"), "files_agree"),
        (changed("assignments", 1, assigned_min=29), "known_when_assigned"),
        (replace(GOOD, outcomes=GOOD.outcomes[:2]), "served_once"),
        (replace(GOOD, moves=GOOD.moves[:4]), "every_move_listed"),
        (replace(GOOD, moves=(*GOOD.moves, CourierMove("c2", 3, "0", "r1"))), "idle_courier_moves"),
        (replace(GOOD, moves=(GOOD.moves[0], CourierMove("c2", 3, "0", "r1"), *GOOD.moves[1:])), "moves_together"),
        (replace(GOOD, assignments=(*GOOD.assignments, BUNDLE)), "served_once"),
        (changed("moves", 0, destination="nowhere"), "known_place"),
    ],
)
def test_planted_fault_is_caught(solution, rule):
    """A solution broken in one place is reported by the rule it breaks."""
    assert rule in rules(solution)


def test_halved_service_is_caught():
    """Handing over in half the time shows in the drop-off time."""
    hurried = replace(
        GOOD,
        outcomes=(GOOD.outcomes[0], GOOD.outcomes[1], replace(GOOD.outcomes[2], dropoff_min=52)),
        moves=(*GOOD.moves[:4], CourierMove("c1", 46, "r2", "o3")),
    )

    assert {"moves_join_up", "dropoff_time"} <= rules(hurried)


def test_clairvoyant_move_is_caught():
    """Leaving for a restaurant before any of its orders was placed is clairvoyant."""
    day = replace(DAY, orders=(*DAY.orders[:2], replace(DAY.orders[2], placed_min=33)))
    early = replace(GOOD, outcomes=(*GOOD.outcomes[:2], replace(GOOD.outcomes[2], placed_min=33)))

    assert "no_clairvoyance" in rules(early, day)


def test_mixed_restaurants_are_caught():
    """Two restaurants in one assignment break the rule, wherever the second stands."""
    mixed = replace(GOOD, assignments=(replace(BUNDLE, orders=("o1", "o2", "o3")),))

    assert "one_restaurant" in rules(mixed)


def test_order_that_joined_after_arrival_is_caught():
    """An order placed after the courier reached the restaurant cannot be in the bundle."""
    day = replace(DAY, orders=(DAY.orders[0], replace(DAY.orders[1], placed_min=8), DAY.orders[2]))
    late = changed("assignments", 0, assigned_min=8)
    late = replace(late, outcomes=(GOOD.outcomes[0], replace(GOOD.outcomes[1], placed_min=8), GOOD.outcomes[2]))

    assert "joined_before_arrival" in rules(late, day)


def test_missing_late_orders_are_caught():
    """An order that is in no file must have been declared undelivered."""
    without = Solution((BUNDLE,), GOOD.outcomes[:2], GOOD.moves[:3])

    assert rules(without) == {"no_order_lost"}
    assert rules(without, declared=("o3",)) == set()
    assert rules(GOOD, declared=("o3",)) == {"no_order_lost"}


def test_pickup_after_the_shift_is_caught():
    """A courier picks up nothing after off_time but may deliver after it."""
    ends = instance(DAY.orders, [courier("c1", off=45), courier("c2")], RESTAURANTS)
    ended = instance(DAY.orders, [courier("c1", off=44), courier("c2")], RESTAURANTS)

    assert rules(GOOD, ends) == set()
    assert rules(GOOD, ended) == {"pickup_in_shift"}


def test_measures_by_hand():
    """The measures of a small day are those worked out by hand."""
    metrics = measure_day(DAY, GOOD)

    assert metrics.click_to_door_mean == pytest.approx((22 + 24 + 24) / 3)
    assert metrics.overage_mean == 0
    assert metrics.orders_per_bundle == 1.5
    assert metrics.compensation == 15 * 10 + 15 * 100 / 60
    assert metrics.fraction_at_minimum == 1
    assert metrics.utilisation == pytest.approx(((30 - 0) + (56 - 31)) / 700)


def test_undelivered_counts_as_two_hours():
    """An order in no file counts as 120 minutes beside the mean of the delivered."""
    metrics = measure_day(DAY, Solution((BUNDLE,), GOOD.outcomes[:2], GOOD.moves[:3]))

    assert metrics.click_to_door_undelivered_120 == pytest.approx((22 + 24 + 120) / 3)


def test_gini_of_equal_and_of_one_taker():
    """The Gini coefficient is 0 when all are equal and (n - 1)/n when one has everything."""
    assert gini([3.0, 3.0, 3.0]) == pytest.approx(0)
    assert gini([0.0, 0.0, 9.0]) == pytest.approx(2 / 3)
