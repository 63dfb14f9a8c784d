"""The on-demand market: drivable, fair, humane, and nothing lost."""

from dataclasses import fields, replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatch.check_market import check_market
from dispatch.fatigue import CONTINUOUS_S, DAILY_S, PAUSE_S
from dispatch.horizon import SearchSettings
from dispatch.objective import Weights
from dispatch.ondemand import RiderResponses, solve_on_demand
from dispatch.problem import ON_DEMAND
from tests.dispatch.worlds import market_problem, small_market

pytestmark = pytest.mark.slow

WEIGHTS = Weights(wait=200, late=3000, food=100, idle=100, pay=0, imbalance=5)
SETTINGS = SearchSettings(repairs_per_order=3)
FRESH = small_market(ON_DEMAND, period_s=60)
NO_HOURS = small_market(ON_DEMAND, period_s=60, hours=False)


def played(problem, people=RiderResponses()):  # noqa: B008 - frozen
    return solve_on_demand(problem, WEIGHTS, SETTINGS, people)


def busy(seed, **columns):
    """A market with more to do than its riders can: twenty orders, three riders, one hour."""
    return market_problem(seed, 20, 3, market=FRESH, span_s=3600, **columns)


@given(
    seed=st.integers(0, 5000), num_orders=st.integers(0, 15), num_riders=st.integers(0, 4), off_s=st.integers(0, 9000)
)
def test_every_day_can_be_driven(seed, num_orders, num_riders, off_s):
    """Whatever the day, the independent checker finds nothing."""
    problem = market_problem(seed, num_orders, num_riders, market=FRESH, off_s=np.full(num_riders, off_s))

    day = played(problem)

    assert check_market(problem, day.log, set(day.refused)) == ()


@given(seed=st.integers(0, 5000), modulus=st.integers(2, 9))
def test_declined_orders_go_to_somebody_else(seed, modulus):
    """A rider who declined an order never brings it, and the order is not lost."""
    problem = busy(seed)

    day = played(problem, RiderResponses(accepts=lambda rider, order, _: (rider + order) % modulus != 0))

    assert check_market(problem, day.log, set(day.refused)) == ()
    for order, rider, _ in day.declined:
        assert day.log["rider"][order] != rider


@given(seed=st.integers(0, 5000))
def test_capacity_is_the_riders_own(seed):
    """A rider who can carry one order never has two in the bag."""
    problem = busy(seed, capacity=np.array([1, 5, 2]))

    day = played(problem)

    assert check_market(problem, day.log, set(day.refused)) == ()
    picked, dropped = (np.sort(day.log[day.log["rider"] == 0][name]) for name in ("picked_up_s", "delivered_s"))
    assert (picked[1:] >= dropped[:-1]).all()


def test_all_riders_decline_everything():
    """If nobody takes anything, every order is refused with a reason when the shifts end."""
    problem = market_problem(1, 4, 2, market=FRESH, off_s=np.full(2, 4000))

    day = played(problem, RiderResponses(accepts=lambda *_: False))

    assert set(day.refused) == set(problem.orders.names)
    assert len(day.declined) == 8


def test_orders_are_added_while_carrying():
    """On a busy hour some rider picks up an order with another one in the bag."""
    day = played(busy(3))
    picked, dropped = day.log["picked_up_s"], day.log["delivered_s"]

    carried_together = [
        (a, b)
        for a in range(20)
        for b in range(20)
        if a != b and day.log["rider"][a] == day.log["rider"][b] and picked[a] < picked[b] < dropped[a]
    ]

    merchants = day.problem.orders.merchant
    assert carried_together
    assert any(merchants[a] != merchants[b] for a, b in carried_together)


def test_same_seed_same_market_day():
    """Twice the same day gives the same log, refusals by riders included."""
    people = RiderResponses(accepts=lambda rider, order, _: (rider * 7 + order) % 5 != 0)

    one, two = played(busy(5), people), played(busy(5), people)

    assert np.array_equal(one.log, two.log)
    assert one.declined == two.declined


@pytest.mark.parametrize("last_s", [600, 1500, 2700])
def test_no_foresight_in_the_market(last_s):
    """With all orders placed after T removed, who was sent by T is the same."""
    problem = busy(9)
    known = int((problem.orders.placed_s <= last_s).sum())

    whole, part = (day.log[["rider", "sent_s"]] for day in (played(problem), played(until(problem, known))))
    whole = whole[:known]

    sent = (whole["sent_s"] >= 0) & (whole["sent_s"] <= last_s)
    assert np.array_equal(sent, (part["sent_s"] >= 0) & (part["sent_s"] <= last_s))
    assert np.array_equal(whole[sent], part[sent])


def until(problem, known):
    """The same market with only its first orders."""
    columns = {field.name: getattr(problem.orders, field.name)[:known] for field in fields(problem.orders)}
    return replace(problem, orders=type(problem.orders)(**columns))


@pytest.mark.parametrize("lose_pm", [0, 100, 300])
@given(seed=st.integers(0, 2000))
def test_low_score_never_loses_more_than_the_floor(lose_pm, seed):
    """Riders with a bad multiplier keep their share of offered orders against the shadow assignment."""
    problem = market_problem(seed, 20, 4, market=NO_HOURS, span_s=3600, priority=[1600, 1600, 1000, 800])

    day = played(problem, RiderResponses(lose_pm_max=lose_pm))

    lost = day.floor.shadow - day.floor.offered
    assert (lost * 1000 <= lose_pm * day.floor.shadow).all()
    assert day.floor.offered.sum() >= 20 - len(day.refused)


def test_a_bad_multiplier_costs_orders_when_the_book_allows_it():
    """Without a floor a low score is offered fewer orders than its shadow: the multiplier does something."""
    lost = 0
    for seed in range(8):
        problem = market_problem(seed, 20, 4, market=NO_HOURS, span_s=3600, priority=[500, 1000, 1000, 1000])
        day = played(problem, RiderResponses(lose_pm_max=1000))
        lost += int(day.floor.shadow[0] - day.floor.offered[0])

    assert lost > 0


def test_nothing_new_after_four_hours_until_the_pause_is_over():
    """After four hours without a pause a rider gets nothing for 20 minutes from the end of the order in hand."""
    placed = np.arange(0, 6 * 3600, 900)
    num = len(placed)
    problem = market_problem(2, num, 1, market=FRESH, placed_s=placed, ready_s=placed, promised_s=placed + 3600)

    log = played(problem).log
    sent, dropped = np.sort(log["sent_s"]), np.sort(log["delivered_s"])

    pauses = sent[1:] - [dropped[dropped <= at].max(initial=0) for at in sent[1:]]
    began = np.flatnonzero(pauses >= PAUSE_S)
    assert len(began)
    assert sent[began[0]] - sent[0] <= CONTINUOUS_S + 3600
    for start, end in zip([0, *(began + 1)], [*began, num - 1], strict=True):
        assert sent[end] - sent[start] < CONTINUOUS_S + 120


def test_eight_hours_are_asked_and_obeyed():
    """At 8 hours the rider is asked; who says no gets no more that day, who says yes goes on."""
    placed = np.arange(0, 11 * 3600, 600)
    columns = {"placed_s": placed, "ready_s": placed, "promised_s": placed + 3600, "off_s": np.full(1, 14 * 3600)}
    problem = market_problem(2, len(placed), 1, market=FRESH, **columns)

    no, yes = played(problem), played(problem, RiderResponses(goes_on=lambda _: True))

    assert len(no.prompts) == len(yes.prompts) == 1
    assert not no.prompts[0].consents
    assert len(yes.refused) < len(no.refused)
    assert no.hours.today_s[0] < DAILY_S + 2400


def test_seventh_day_is_rest():
    """A rider who worked six days in a row is given nothing on the seventh."""
    problem = market_problem(4, 6, 2, market=FRESH, off_s=np.full(2, 7000))

    day = played(problem, RiderResponses(days_in_a_row=np.array([6, 2])))

    assert set(day.log["rider"].tolist()) <= {1, -1}
    assert day.withheld_rounds[0] == day.rounds


def test_hours_are_off_where_the_market_says_so():
    """With the hours off, as the benchmark demands, nobody is withheld."""
    problem = market_problem(4, 6, 2, market=NO_HOURS, off_s=np.full(2, 7000))

    day = played(problem, RiderResponses(days_in_a_row=np.array([6, 6])))

    assert not day.refused


@pytest.mark.parametrize(
    ("order", "column", "value", "rule"),
    [
        (0, "rider", 99, "known_rider"),
        (1, "sent_s", -5, "known_when_sent"),
        (2, "picked_up_s", 1, "ready_at_pickup"),
        (3, "delivered_s", 1, "in_sequence"),
        (4, "delivered_s", -1, "no_order_lost"),
    ],
)
def test_planted_fault_in_a_market_log_is_caught(order, column, value, rule):
    """The checker of the market names the rule a broken log breaks."""
    day = played(busy(3))
    log = day.log.copy()
    log[column][order] = value

    assert rule in {one.rule for one in check_market(day.problem, log, set(day.refused))}


def test_a_faster_ride_than_the_road_is_caught():
    """A drop-off a minute earlier than the drive takes is caught."""
    day = played(busy(3))
    log = day.log.copy()
    log["delivered_s"] -= 60

    assert "time_to_drive" in {one.rule for one in check_market(day.problem, log, set(day.refused))}


class Matrix:
    """Travel by a given table of seconds, which need not obey the triangle inequality."""

    def __init__(self, seconds):
        self.seconds = seconds.astype(np.int32)

    @property
    def num_places(self):
        return len(self.seconds)

    def table(self, origins, destinations):
        return self.seconds[np.ix_(origins, destinations)]

    def pairs(self, origins, destinations):
        return self.seconds[origins, destinations].astype(np.int64)

    def nearest(self, origins, destinations, width):
        return np.argsort(self.table(origins, destinations), axis=0, kind="stable")[:width].T


@pytest.mark.case
@given(seed=st.integers(0, 300))
def test_travel_that_breaks_the_triangle_inequality_is_driven(seed):
    """Where a detour is shorter than the way, short shifts and declined orders included, the day is played to its end."""
    draw = np.random.default_rng(seed)
    problem = market_problem(seed, 40, 4, market=NO_HOURS, off_s=draw.integers(2000, 9000, 4))
    num = problem.travel.num_places
    seconds = draw.integers(0, [600, 2000, 4000][seed % 3], (num, num))
    np.fill_diagonal(seconds, 0)
    problem = replace(problem, travel=Matrix(seconds))

    day = played(
        problem, RiderResponses(accepts=lambda rider, order, now_s: (7 * rider + 13 * order + now_s // 60) % 3 > 0)
    )

    assert check_market(problem, day.log, set(day.refused)) == ()


@pytest.mark.case
@given(late_on_s=st.integers(0, 80_000), span_s=st.integers(1, 1000))
def test_an_order_before_its_riders_shift_is_brought(late_on_s, span_s):
    """An order is refused for the end of shifts only where no rider is left, however early it was."""
    problem = market_problem(
        1, 3, 1, market=NO_HOURS, span_s=span_s, free_s=np.array([late_on_s]), off_s=np.array([late_on_s + 40_000])
    )

    day = played(problem)

    assert not day.refused
