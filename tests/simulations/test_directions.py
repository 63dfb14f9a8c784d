"""Which way each priority and multiplier pulls: a tier, a month of service, rain, what riders believe; and who leaves."""

from dataclasses import replace
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from dispatch.problem import cost_multiplier
from rules.amend import amend
from simulations.counter_random import MILLION, CounterRandom
from simulations.population import slowness_permille
from simulations.price import point_values
from simulations.run import _crew, _DrawnCity, _leaves, _RiderStates
from simulations.scenario_files import read
from simulations.world import BookSwitch
from tests.simulations.cities import SCORE, SMALL, books

pytestmark = pytest.mark.slow

SCENARIO = read("ordinary-week", SMALL)
SCORES = np.array([72_000])


def test_a_tiers_priority_reaches_the_dispatcher_as_it_is() -> None:
    """A book's priority is a multiplier of being offered work; the dispatcher takes it so, and the solver its inverse."""
    book = books(SCORE)[0]
    permille = np.array([tier.priority_permille for tier in book.model.tier])
    lived = _DrawnCity.drawn(SCENARIO, CounterRandom(1), 1, None)
    num = lived.people.num
    zeros = np.zeros(num, np.int64)
    tier = np.arange(num) % len(permille)
    state = _RiderStates(zeros + 70_000, tier, np.zeros(num, np.bool_), zeros, zeros, zeros, None)

    priority = _crew(lived, book, BookSwitch((book,), (book,)), state, 0).priority
    blind = _crew(lived, book, BookSwitch((book,), (book,), blind=True), state, 0).priority

    assert sorted(set(permille.tolist())) == [900, 1_000, 1_100]
    assert (priority == permille[tier]).all()
    assert cost_multiplier(np.array([900, 1_000, 1_100])).tolist() == [1_111, 1_000, 909]
    assert (blind == 1_000).all()


@pytest.mark.parametrize(
    ("more", "sign"),
    [
        ({"tier.reward.bonus_fen": 100}, 1),
        ({"tier.reward.priority": Decimal("1.3")}, 1),
        ({"tier.reward.priority": Decimal("0.95")}, -1),
    ],
)
def test_what_a_tier_gives_makes_a_point_worth_more(more: dict[str, Any], sign: int) -> None:
    """More bonus or more priority above a threshold: more for a point below it; less priority: less."""
    book = books(SCORE)[0]
    believing = replace(SCENARIO.behaviour, priority_believed_permille=1_000)

    before, after = (point_values(each, believing, SCORES)[0] for each in (book, amend(book, more)))

    assert (after - before) * sign > 0


@pytest.mark.parametrize(
    ("name", "score_mp"), [("priority_believed_permille", 72_000), ("review_believed_permille", 59_000)]
)
def test_what_riders_believe_makes_a_point_worth_more(name: str, score_mp: int) -> None:
    """Who believes that priority brings orders, or that a review costs some, rides for points near that threshold."""
    scores = np.array([score_mp])
    less, more = (replace(SCENARIO.behaviour, **{name: value}) for value in (0, 1_000))

    assert point_values(books(SCORE)[0], more, scores)[0] > point_values(books(SCORE)[0], less, scores)[0]


def test_practice_makes_faster() -> None:
    """The first month rides slower than the first year, and that slower than the practised."""
    first_month, first_year, practised = slowness_permille(SCENARIO, np.array([0, 1, 2])).tolist()

    assert first_month > first_year > practised == 1_000


def town(chance_permille: int, rank: int) -> Any:
    """A town in which leaving has one chance whatever is earned, and everybody draws the same rank."""
    per_million = chance_permille * 1_000
    behaviour = SimpleNamespace(
        wage_fen_per_h=2_000, leave_per_million=per_million, leave_gain_permille=0, leave_most_per_million=per_million
    )
    rng = SimpleNamespace(below=lambda _limit, _name, who, _day: np.full(who.size, rank))
    return SimpleNamespace(scenario=SimpleNamespace(behaviour=behaviour), rng=rng)


@pytest.mark.parametrize(
    ("chance_permille", "rank", "leaves"),
    [(1_000, MILLION - 1, True), (500, 499_999, True), (500, 500_000, False), (0, 0, False)],
)
def test_who_worked_leaves_by_the_chance_that_is_stated(chance_permille: int, rank: int, leaves: bool) -> None:
    """So many ranks of a million leave, not one more; who did not work on a day does not leave on it."""
    worked = np.array([3_600, 0])

    found = _leaves(town(chance_permille, rank), np.array([2_000, 0]), worked, 0)

    assert found.tolist() == [leaves, False]
