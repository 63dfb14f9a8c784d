"""The on-demand market played online: several merchants a trip, orders added while carrying, riders who may decline.

The same rounds as `horizon`, with people in them: who must rest is given nothing new, pay per hour is evened out, a
tier's multiplier counts within the offer floor, and a declined order goes to somebody else. What riders answer comes
in as a function; nothing here knows their minds.

Invariant: every order ends delivered or refused with a reason; no rider loses more offers than the floor allows.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from dispatch.arrays import Flags, Ints, Records, Stops
from dispatch.board import CARRIED, OPEN, SENT, Board
from dispatch.execution import (
    arrive_stops,
    depart,
    due_to_leave,
    empty_log,
    on_shift,
    open_orders,
    open_placed,
    orders_leaving,
    record_sent,
    release_order,
    set_surcharges,
)
from dispatch.explain import Explanation, explain_orders
from dispatch.fairness import OfferFloor, income_surcharges, no_floor
from dispatch.fatigue import Prompt, WorkedHours, ask_to_go_on, fresh_hours, hours_after, withholding_clauses
from dispatch.horizon import RoundResult, SearchSettings, plan_round, refusals, refuse
from dispatch.layout import lay_out
from dispatch.objective import Weights
from dispatch.problem import PRIORITY_NEUTRAL, DispatchProblem, InsertionRule, cost_multiplier
from dispatch.route import set_sunk_costs, update_costs
from dispatch.sequence import resequence
from rules.compiled import compiled_with_runtime

OfferAnswer = Callable[[int, int, int], bool]
# (board, crew, waiting, settings, round number, now_s, period_s): plans a round and says what is left over.
Planner = Callable[[Board, Ints, Ints, SearchSettings, int, int, int], RoundResult]


def accept_always(rider: int, order: int, now_s: int) -> bool:  # noqa: ARG001 - the shape of an answer
    """Accept every order."""
    return True


@dataclass(frozen=True, slots=True)
class RiderResponses:
    """How riders answer and what the book says of them.

    ``accepts`` (rider, order, now_s): takes the order offered. ``goes_on`` (rider): works beyond 8 hours when asked.
    ``days_in_a_row``: days worked before today, one a rider. ``lose_pm_max``: the most a low score may lose of its
    offers, per mille.
    """

    accepts: OfferAnswer = accept_always
    goes_on: Callable[[int], bool] = bool
    days_in_a_row: Ints | None = None
    lose_pm_max: int = 100


@dataclass(frozen=True, slots=True)
class MarketDay:
    """What became of an on-demand day; as `horizon.Day`, with what concerns people beside.

    ``declined``: (order, rider, at_s) of every refusal by a rider; ``prompts``: who was asked at 8 hours; ``hours`` and
    ``floor`` at the end; ``withheld_rounds`` (riders,): rounds in which the hours withheld new orders.
    """

    problem: DispatchProblem
    log: Records
    refused: dict[str, str]
    explanations: tuple[Explanation, ...]
    declined: tuple[tuple[int, int, int], ...]
    prompts: tuple[Prompt, ...]
    hours: WorkedHours
    floor: OfferFloor
    withheld_rounds: Ints
    rounds: int


def solve_on_demand(
    problem: DispatchProblem, weights: Weights, settings: SearchSettings, people: RiderResponses
) -> MarketDay:
    """Play an on-demand market online until every order is delivered or refused.

    Parameters
    ----------
    problem
        A day from `now_s` on, orders sorted by placement.
    weights, settings
        What plans cost, and how hard to look.
    people
        How riders answer offers and the question at 8 hours, and what the book says of them.

    Returns
    -------
    MarketDay
        What became of every order, in seconds, and of the riders' hours.

    Raises
    ------
    ValueError
        If the problem's market goes by trips.
    """
    if problem.market.rule != InsertionRule.BAG:
        raise ValueError(f"market {problem.market.name} goes by trips: use horizon.solve")
    board = lay_out(problem, weights)
    num, period_s = problem.orders.num, problem.market.period_s
    log = empty_log(num)
    log["rider"] = problem.orders.holder
    hours, floor = (
        fresh_hours(problem.riders.worked_s, people.days_in_a_row),
        no_floor(problem.riders.num, people.lose_pm_max),
    )
    explanations: list[Explanation] = []
    declined: list[tuple[int, int, int]] = []
    prompts: tuple[Prompt, ...] = ()
    withheld_rounds = np.zeros(problem.riders.num, np.int64)
    now_s, known, finished, rounds = problem.now_s, 0, 0, 0
    while finished < num:
        finished += arrive_stops(board, log, now_s)
        known = open_placed(board, now_s, known)
        hours, asked = ask_to_go_on(hours_after(hours, busy_riders(board, now_s), now_s), now_s, people.goes_on)
        prompts += asked
        on_duty = on_shift(board, now_s)
        resting = withholding_clauses(hours) > 0 if problem.market.hours else np.zeros(problem.riders.num, np.bool_)
        withheld_rounds += resting
        take_back(board, open_orders(board, known), resting)
        crew, waiting = on_duty[~resting[on_duty]], open_orders(board, known)
        set_surcharges(
            board, income_surcharges(board.riders["earned"], hours.today_s, hours.today_s > 0, weights.imbalance)
        )
        done, floor = fair_round(board, crew, waiting, settings, floor, problem, now_s)
        declined += offer(board, log, crew, people.accepts, now_s, period_s, explanations)
        finished += refuse(board, on_duty, done.left_over)
        now_s += period_s
        rounds += 1
    return MarketDay(
        problem, log, refusals(board, problem), tuple(explanations), tuple(declined), prompts, hours, floor,
        withheld_rounds, rounds,
    )  # fmt: skip


def offer(
    board: Board,
    log: Records,
    crew: Ints,
    accepts: OfferAnswer,
    now_s: int,
    period_s: int,
    explanations: list[Explanation],
) -> list[tuple[int, int, int]]:
    """Offer the orders that must go now; riders who accept leave. Return the refusals.

    A declined order is open again and barred from that rider, who stays until the next round.
    """
    declined = []
    for order in orders_leaving(board, due_to_leave(board, now_s, period_s)).tolist():
        rider = int(board.orders["holder"][order])
        if not accepts(rider, order, now_s):
            declined.append((order, rider, now_s))
            board.barred[order, rider] = True
            release_order(board, order)
    # Who declined may now be due for orders not offered yet: those go next round.
    staying = np.array([rider for _, rider, _ in declined], np.int64)
    leaving = np.setdiff1d(due_to_leave(board, now_s, period_s), staying)
    sent = orders_leaving(board, leaving)
    waits = np.isin(board.orders["holder"][sent], staying) & (
        board.riders["arrival_s"][board.orders["holder"][sent]] < 0
    )
    sent = sent[~waits]
    explanations += explain_orders(board, sent, crew, now_s)
    depart(board, leaving, now_s)
    record_sent(board, log, sent, now_s)
    return declined


def fair_round(
    board: Board,
    crew: Ints,
    waiting: Ints,
    settings: SearchSettings,
    floor: OfferFloor,
    problem: DispatchProblem,
    now_s: int,
    planner: Planner | None = None,
) -> tuple[RoundResult, OfferFloor]:
    """Plan a round under the tiers' multipliers, and again without those that would break the floor.

    `planner` is how a round is planned, `plan_stops` unless said otherwise. The shadow is the same round from the same plans with every multiplier 1; an order about to be sent counts for the
    rider who holds it here and for the rider who holds it there.

    Parameters
    ----------
    board
        The planning state.
    crew
        Riders who may be given orders, by index.
    waiting
        Open orders, by index.
    settings
        How hard to look.
    floor
        What low scores may lose, and have lost so far.
    problem
        Riders, orders and the market's rules.
    now_s
        The present instant, seconds.
    planner
        How a round is planned; `plan_stops` unless said otherwise.

    Returns
    -------
    tuple[RoundResult, OfferFloor]
        What the round left over, and the floor after it.
    """
    planned = plan_stops if planner is None else planner
    wanted = problem.riders.priority
    period_s = problem.market.period_s
    number = now_s // period_s
    if (wanted == PRIORITY_NEUTRAL).all() or not len(waiting):
        done = planned(board, crew, waiting, settings, number, now_s, period_s)
        offers = orders_per_rider(board, orders_leaving(board, due_to_leave(board, now_s, period_s)))
        return done, floor.with_round(offers, offers)
    set_sunk_costs(board, now_s)
    before = copy_plans(board)
    neutral = np.full(problem.riders.num, PRIORITY_NEUTRAL, np.int64)
    plan_with(board, before, neutral, crew, waiting, settings, number, now_s, period_s, planned)
    shadow_holder = board.orders["holder"].copy()
    tried = floor
    while True:
        done = plan_with(
            board, before, tried.priorities(wanted), crew, waiting, settings, number, now_s, period_s, planned
        )
        sent = orders_leaving(board, due_to_leave(board, now_s, period_s))
        shadow = np.bincount(shadow_holder[sent][shadow_holder[sent] >= 0], minlength=problem.riders.num)
        after_round = tried.with_round(orders_per_rider(board, sent), shadow)
        losers = after_round.losers()
        if not losers.any():
            return done, after_round
        spared = losers & ~tried.neutral
        if not spared.any():
            break
        tried = tried.with_neutral(spared)
    done = plan_with(board, before, neutral, crew, waiting, settings, number, now_s, period_s, planned)
    offers = orders_per_rider(board, orders_leaving(board, due_to_leave(board, now_s, period_s)))
    return done, tried.with_round(offers, offers)


class Plans(NamedTuple):
    """All plans as they were before a round: copies of the board's arrays of the same names."""

    orders: Records
    riders: Records
    stops: Stops


@compiled_with_runtime()
def copy_plans(board: Board) -> Plans:
    """Return a copy of all plans."""
    return Plans(board.orders.copy(), board.riders.copy(), board.stops.copy())


@compiled_with_runtime()
def restore_plans(board: Board, plans: Plans) -> None:
    """Put copied plans back; the caller works out their costs."""
    for order in range(board.orders.shape[0]):
        board.orders[order] = plans.orders[order]
    for rider in range(board.riders.shape[0]):
        board.riders[rider] = plans.riders[rider]
    board.stops[:] = plans.stops


def plan_with(
    board: Board,
    before: Plans,
    priorities: Ints,
    crew: Ints,
    waiting: Ints,
    settings: SearchSettings,
    number: int,
    now_s: int,
    period_s: int,
    planned: Planner,
) -> RoundResult:
    """Plan the round from the plans `before`, under the given multipliers."""
    restore_plans(board, before)
    board.riders["multiplier_permille"] = cost_multiplier(priorities)
    update_costs(board)
    return planned(board, crew, waiting, settings, number, now_s, period_s)


def plan_stops(
    board: Board, crew: Ints, waiting: Ints, settings: SearchSettings, number: int, now_s: int, period_s: int
) -> RoundResult:
    """Plan the round, and put the stops of riders about to leave into the best sequence there is.

    Parameters
    ----------
    board
        The planning state.
    crew
        Riders who may be given orders, by index.
    waiting
        Open orders, by index.
    settings
        How hard to look.
    number
        Of the round: chooses its random numbers, with the seed.
    now_s
        The present instant, seconds.
    period_s
        Seconds between two rounds.

    Returns
    -------
    RoundResult
        What the round left over.
    """
    done = plan_round(board, crew, waiting, settings, number)
    resequence(board, due_to_leave(board, now_s, period_s))
    return done


def orders_per_rider(board: Board, orders: Ints) -> Ints:
    """Return how many of the orders each rider holds."""
    return np.bincount(board.orders["holder"][orders], minlength=len(board.riders))


def busy_riders(board: Board, now_s: int) -> Flags:
    """Return who has an order in hand or is still handing one over."""
    held = board.orders["holder"][np.isin(board.orders["status"], (SENT, CARRIED))]
    busy = np.zeros(len(board.riders), np.bool_)
    busy[held] = True
    return busy | ((board.riders["free_s"] > now_s) & (board.riders["earned"] > 0))


def take_back(board: Board, waiting: Ints, resting: Flags) -> None:
    """Take open orders out of the plans of riders who must rest."""
    for order in waiting.tolist():
        rider = int(board.orders["holder"][order])
        if rider >= 0 and resting[rider] and board.orders["status"][order] == OPEN:
            release_order(board, order)
