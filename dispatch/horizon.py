"""The rolling loop: a day played minute by minute, deciding whom to send and when.

Each round sees only what is known by then. Orders nobody has left for stay open: their plans are made anew every
round, and a rider leaves when leaving later would make a meal wait. Nothing here reads a clock: budgets
count repairs; a caller's cut-off comes in as a function and is reported in the result.

Invariant: every order of the day ends delivered or refused with a reason.
"""

from collections.abc import Callable
from dataclasses import dataclass, fields

import numpy as np

from dispatch.arrays import Ints, Records
from dispatch.assign import assign_open, choose_plans
from dispatch.board import REFUSED, Board
from dispatch.execution import (
    arrive_trips,
    depart,
    due_to_leave,
    empty_log,
    on_shift,
    open_orders,
    open_placed,
    orders_leaving,
    record_sent,
    set_guarantees,
    set_surcharges,
)
from dispatch.explain import Explanation, explain_orders
from dispatch.fairness import income_surcharges
from dispatch.layout import lay_out
from dispatch.objective import Weights
from dispatch.problem import DispatchProblem, InsertionRule
from dispatch.search import generator, improve

REFUSED_OFF_SHIFT = "dispatch.refused_off_shift"


@dataclass(frozen=True, slots=True)
class SearchSettings:
    """How hard to look: one set for all instances, tuned on the public ones.

    Parameters
    ----------
    repairs_per_order
        Destroy-and-repair steps an open order and round.
    repairs_max
        The most of them a round.
    ruin_max
        Orders taken out at once.
    width
        Candidate riders an order.
    exchange_every
        Rounds between exchanges of whole plans, 0 never.
    pay_lead_s
        How far ahead of the clock the pace of pay is, seconds.
    seed
        Of the random choices.
    """

    repairs_per_order: int = 8
    repairs_max: int = 4000
    ruin_max: int = 6
    width: int = 20
    exchange_every: int = 1
    pay_lead_s: int = 1800
    seed: int = 0

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if not isinstance(value, int) or isinstance(value, bool) or value < 0:
                raise ValueError(f"setting {field.name} = {value!r}: use a whole number of at least 0")
        if min(self.ruin_max, self.width) < 1:
            raise ValueError("settings ruin_max and width: use at least 1")


@dataclass(frozen=True, slots=True)
class PlayedDay:
    """What became of a day's orders.

    ``log`` int64 (n, LOG_COLUMNS), seconds, -1 unset; ``refused``: key of the reason by order name; ``explanations``
    in order of sending; ``rounds``, ``repairs``: work done; ``cut_off``: the caller's limit ended the search early at
    least once, so the seed promises nothing.
    """

    problem: DispatchProblem
    log: Records
    refused: dict[str, str]
    explanations: tuple[Explanation, ...]
    rounds: int
    repairs: int
    cut_off: bool


def solve(
    problem: DispatchProblem, weights: Weights, settings: SearchSettings, stop: Callable[[], bool] | None = None
) -> PlayedDay:
    """Play a whole day online by the trip rule.

    Parameters
    ----------
    problem
        A day from `now_s` on, orders sorted by placement.
    weights, settings
        What plans cost, and how hard to look.
    stop
        Asked before each search; true skips it, and the result says so.

    Returns
    -------
    PlayedDay
        What became of every order, in seconds; the same for the same arguments unless `cut_off`.

    Raises
    ------
    ValueError
        If the problem's market goes by bags.
    """
    if problem.market.rule != InsertionRule.TRIP:
        raise ValueError(f"market {problem.market.name} goes by bags: use ondemand.solve_on_demand")
    board = lay_out(problem, weights)
    log = empty_log(problem.orders.num)
    explanations: list[Explanation] = []
    period_s = problem.market.period_s
    now_s, known, finished, rounds, repairs, cut_off = problem.now_s, 0, 0, 0, 0, False
    while finished < problem.orders.num:
        finished += arrive_trips(board, log, now_s)
        known = open_placed(board, now_s, known)
        set_guarantees(board, paced_guarantee(problem, settings, now_s))
        set_surcharges(board, shift_surcharges(problem, board, weights, now_s))
        crew, waiting = on_shift(board, now_s), open_orders(board, known)
        if len(waiting):
            cut_off = cut_off or (stop is not None and stop())
            done = plan_round(board, crew, waiting, settings, now_s // period_s, cut_off=cut_off)
            leaving = due_to_leave(board, now_s, period_s)
            sent = orders_leaving(board, leaving)
            explanations += explain_orders(board, sent, crew, now_s)
            depart(board, leaving, now_s)
            record_sent(board, log, sent, now_s)
            finished += refuse(board, crew, done.left_over)
            repairs += done.repairs
        now_s += period_s
        rounds += 1
    return PlayedDay(problem, log, refusals(board, problem), tuple(explanations), rounds, repairs, cut_off)


@dataclass(frozen=True, slots=True)
class RoundResult:
    """What a round left over, and the repairs it did.

    Parameters
    ----------
    left_over
        Orders in nobody's plan, by index.
    repairs
        Destroy-and-repair steps done.
    """

    left_over: Ints
    repairs: int


def plan_round(
    board: Board, crew: Ints, waiting: Ints, settings: SearchSettings, round_number: int, *, cut_off: bool = False
) -> RoundResult:
    """Plan all open orders: assign what is in nobody's plan, destroy and repair, let whole plans change rider.

    Parameters
    ----------
    crew
        Riders who may be given orders.
    waiting
        Every open order.
    round_number
        Chooses the round's random numbers, with the seed.
    cut_off
        Assign only.
    """
    left_over = assign_open(board, crew, waiting[board.orders["holder"][waiting] < 0], settings.width)
    if cut_off or len(waiting) < 2 or not len(crew):
        return RoundResult(left_over, 0)
    repairs = min(settings.repairs_max, settings.repairs_per_order * len(waiting))
    state = generator(settings.seed, round_number)
    improve(board, crew, waiting, repairs, settings.ruin_max, settings.width, state)
    if settings.exchange_every and round_number % settings.exchange_every == 0:
        choose_plans(board, crew, settings.width)
    return RoundResult(waiting[board.orders["holder"][waiting] < 0], repairs)


def paced_guarantee(problem: DispatchProblem, settings: SearchSettings, now_s: int) -> Ints:
    """Return the share of each shift's guarantee that is due `pay_lead_s` from now.

    Pay above it has a price: who is ahead of their pace is given fewer orders long before the guarantee is reached.
    """
    riders = problem.riders
    shift_s = np.maximum(riders.off_s - riders.free_s, 1)
    due_s = np.clip(now_s + settings.pay_lead_s - riders.free_s, 0, shift_s)
    return np.asarray(riders.guarantee * due_s // shift_s, np.int64)


def shift_surcharges(problem: DispatchProblem, board: Board, weights: Weights, now_s: int) -> Ints:
    """Return the cost of one more order for riders who earn more an hour of their shift than those on shift do."""
    riders = problem.riders
    worked_s = np.clip(now_s - riders.free_s, 0, np.maximum(riders.off_s - riders.free_s, 0))
    present = (riders.free_s <= now_s) & (riders.off_s >= now_s)
    return income_surcharges(board.riders["earned"], worked_s, present, weights.imbalance)


def refuse(board: Board, crew: Ints, left_over: Ints) -> int:
    """Refuse what no rider can ever take: nobody is left whose shift allows a pickup; return how many."""
    if len(crew):
        return 0
    board.orders["status"][left_over] = REFUSED
    return len(left_over)


def refusals(board: Board, problem: DispatchProblem) -> dict[str, str]:
    """Return the key of the reason for every refused order."""
    refused = np.flatnonzero(board.orders["status"] == REFUSED)
    return {problem.orders.names[order]: REFUSED_OFF_SHIFT for order in refused}
