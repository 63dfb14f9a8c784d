"""Problems and travel refuse what makes no sense, and say what to use."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatch.problem import Market, stairs_s
from dispatch.travel import GreatCircleTravel, MatrixTravel, PlanarTravel, SlowedTravel
from tests.dispatch.worlds import market_problem

PEKING = np.array([[39.9042, 116.4074], [39.9142, 116.4074], [39.9042, 116.5074]])
TRAVELS = [
    PlanarTravel(np.array([[0.0, 0.0], [300.0, 400.0], [0.0, 90.0]]), 100.0),
    GreatCircleTravel(PEKING),
    MatrixTravel(np.array([[0, 5, 9], [5, 0, 4], [9, 4, 0]], np.int32)),
    SlowedTravel(MatrixTravel(np.array([[0, 5, 9], [5, 0, 4], [9, 4, 0]], np.int32)), 1250),
]
ALL = np.arange(3)


def with_orders(**columns):
    problem = market_problem(1)
    return replace(problem, orders=replace(problem.orders, **columns))


def with_riders(**columns):
    problem = market_problem(1)
    return replace(problem, riders=replace(problem.riders, **columns))


@pytest.mark.parametrize("travel", TRAVELS, ids=lambda travel: type(travel).__name__)
def test_pairs_and_table_agree(travel):
    """Times pair by pair are those of the table, zero from a place to itself."""
    table = travel.table(ALL, ALL)

    for i in ALL:
        assert travel.pairs(np.full(3, i), ALL).tolist() == table[i].tolist()
    assert np.diagonal(table).tolist() == [0, 0, 0]


@pytest.mark.parametrize("travel", TRAVELS, ids=lambda travel: type(travel).__name__)
def test_nearest_is_sorted_by_time(travel):
    """The nearest places come by rising time."""
    table = travel.table(ALL, ALL)

    nearest = travel.nearest(ALL, ALL, 2)

    for column, row in enumerate(nearest.tolist()):
        assert row[0] == column
        assert table[row[1], column] == min(table[i, column] for i in range(3) if i != column)


def test_planar_rounds_up_to_whole_minutes():
    """Half a kilometre at 100 m a minute is five minutes, a metre more is six."""
    travel = PlanarTravel(np.array([[0.0, 0.0], [300.0, 400.0], [0.0, 501.0]]), 100.0)

    assert travel.table(ALL, ALL)[0].tolist() == [0, 300, 360]


def test_great_circle_by_hand():
    """A hundredth of a degree north is 1112 m, with the detour 1446 m, at 15 km/h 347 s."""
    travel = GreatCircleTravel(PEKING)

    assert travel.table(ALL, ALL)[0, 1] == 347


def test_weather_adds_time():
    """A quarter more time for every ride, rounded up."""
    assert TRAVELS[3].table(ALL, ALL)[0].tolist() == [0, 7, 12]


def test_stairs_add_time_only_without_a_lift():
    """Six floors cost two minutes unless there is a lift."""
    assert (stairs_s(6, has_lift=False), stairs_s(6, has_lift=True)) == (120, 0)


@given(metres=st.integers(0, 100_000))
def test_faster_than_the_standard_must_be_said(metres):
    """An e-bike beyond 15 km/h is refused with the clause; another vehicle is the caller's word."""
    speed = 15.1 + metres / 10_000

    with pytest.raises(ValueError, match=r"7\.4\.4"):
        GreatCircleTravel(PEKING, km_per_hour=speed)
    with pytest.raises(ValueError, match=r"7\.4\.4"):
        PlanarTravel(np.zeros((1, 2)), speed * 1000 / 60)
    assert GreatCircleTravel(PEKING, km_per_hour=speed, other_vehicle=True).num_places == 3


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: PlanarTravel(np.zeros((2, 3)), 100.0), "shape"),
        (lambda: PlanarTravel(np.array([[0.0, np.nan]]), 100.0), "finite"),
        (lambda: PlanarTravel(np.zeros((2, 2)), 0.0), "speed"),
        (lambda: PlanarTravel(np.zeros((2, 2)), 1.0, step_s=7), "divisor"),
        (lambda: GreatCircleTravel(np.array([[91.0, 0.0]])), "latitude"),
        (lambda: GreatCircleTravel(PEKING, detour=0.9), "detour"),
        (lambda: MatrixTravel(np.array([[0, -1], [1, 0]])), "negative"),
        (lambda: MatrixTravel(np.zeros((2, 2))), "whole"),
        (lambda: MatrixTravel(np.zeros((2, 3), np.int32)), "shape"),
        (lambda: SlowedTravel(TRAVELS[2], 900), "adds time"),
        (lambda: Market("m", TRAVELS and market_problem(1).market.rule, orders_max=0), "orders_max"),
        (lambda: with_orders(fee=np.full(12, -1)), "fee"),
        (lambda: with_orders(placed_s=np.zeros(11, np.int64)), "rows"),
        (lambda: with_orders(ready_s=np.zeros(12)), "int64"),
        (lambda: with_orders(names=("o",) * 12), "twice"),
        (lambda: with_orders(merchant=np.full(12, 99)), "merchant"),
        (lambda: with_orders(holder=np.full(12, 7)), "holder"),
        (lambda: with_orders(holder=np.zeros(12, np.int64)), "nobody's stops"),
        (lambda: with_riders(priority=np.full(4, 100)), "priority"),
        (lambda: with_riders(stops=((3,), (), (), ())), "not an order the rider holds"),
        (lambda: replace(market_problem(1), now_s=-1), "now_s"),
        (lambda: stairs_s(-1, has_lift=False), "floors"),
    ],
)
def test_nonsense_is_refused(make, words):
    """Each wrong shape, type or range is refused by a message that names it."""
    with pytest.raises(ValueError, match=words):
        make()


@pytest.mark.parametrize(
    ("stops", "carried", "words"),
    [
        (((0, ~0, ~0), (), (), ()), False, "twice"),
        (((~0, 0), (), (), ()), False, "after its pickup"),
        (((~0,), (), (), ()), False, "pickup exactly"),
        (((0, ~0), (), (), ()), True, "pickup exactly"),
        (((0,), (), (), ()), False, "no drop-off"),
    ],
)
def test_stops_in_hand_are_checked(stops, carried, words):
    """A rider's remaining stops must hold each order once, pickup before drop-off, none if already carried."""
    holder, flags = np.full(12, -1), np.zeros(12, np.bool_)
    holder[0], flags[0] = 0, carried

    with pytest.raises(ValueError, match=words):
        market_problem(1, holder=holder, carried=flags, stops=stops)
