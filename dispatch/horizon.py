"""The rolling loop: a day played minute by minute, deciding whom to send and when.

Each round sees only what is known by then. Orders nobody has left for stay open: their plans are made anew every
round, and a rider leaves when leaving later would make a meal wait. Nothing here reads a clock: budgets
count repairs; a caller's cut-off comes in as a function and is reported in the result.

Invariant: every order of the day ends delivered or refused with a reason.
"""

from collections.abc import Callable
from dataclasses import dataclass, fields

import numpy as np

from dispatch.assign import assign_open, choose_plans
from dispatch.board import lay_out
from dispatch.compiled import Ints
from dispatch.objective import Weights
from dispatch.problem import Problem
from dispatch.road import (
    LOG_COLUMNS,
    arrive_trips,
    due,
    fix_first_visits,
    leave,
    on_shift,
    open_orders,
    reveal,
    set_pace,
)
from dispatch.route import HOLDER, REFUSED, STANDING, Board
from dispatch.search import generator, improve


@dataclass(frozen=True, slots=True)
class Settings:
    """How hard to look: one set for all instances, tuned on the public ones.

    ``repairs_per_order`` and ``repairs_max``: destroy-and-repair steps a round; ``ruin_max``: orders taken out at
    once; ``width``: candidate riders an order; ``seed``: of the random choices.
    """

    repairs_per_order: int = 10
    repairs_max: int = 4000
    ruin_max: int = 8
    width: int = 20
    choose: int = 1
    lead_s: int = 1800
    seed: int = 0

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if not isinstance(value, int) or isinstance(value, bool) or value < 0:
                raise ValueError(f"setting {field.name} = {value!r}: use a whole number of at least 0")
        if min(self.ruin_max, self.width) < 1:
            raise ValueError("settings ruin_max and width: use at least 1")


@dataclass(frozen=True, slots=True)
class Day:
    """What became of a day's orders.

    ``log`` int64 (n, LOG_COLUMNS), seconds, -1 unset; ``refused``: reason by order name; ``rounds``, ``repairs``: work
    done; ``cut_off``: the caller's limit ended the search early at least once, so the seed promises nothing.
    """

    problem: Problem
    log: Ints
    refused: dict[str, str]
    rounds: int
    repairs: int
    cut_off: bool


def solve(problem: Problem, weights: Weights, settings: Settings, stop: Callable[[], bool] | None = None) -> Day:
    """Play a whole day online by the trip rule.

    Parameters
    ----------
    problem
        A day from `now_s` on, orders sorted by placement.
    weights, settings
        What plans cost, and how hard to look.
    stop
        Asked before each search; true skips it, and the result says so.
    """
    board = lay_out(problem, weights)
    log = np.full((problem.orders.num, LOG_COLUMNS), -1, np.int64)
    now_s, known, finished, rounds, repairs, cut_off = problem.now_s, 0, 0, 0, 0, False
    shift = np.maximum(problem.riders.off_s - problem.riders.free_s, 1)
    while finished < problem.orders.num:
        finished += arrive_trips(board, log, now_s)
        known = reveal(board, now_s, known)
        if settings.lead_s:
            pace = (
                problem.riders.guarantee * np.clip(now_s + settings.lead_s - problem.riders.free_s, 0, shift) // shift
            )
            set_pace(board, pace)
        crew, waiting = on_shift(board, now_s), open_orders(board, known)
        if len(waiting):
            left_over = assign_open(board, crew, waiting[board.orders[waiting, HOLDER] < 0], settings.width)
            if stop is not None and stop():
                cut_off = True
            else:
                repairs += search(board, crew, waiting, settings, now_s // problem.market.period_s)
            leave(board, due(board, now_s), now_s)
            fix_first_visits(board, log, now_s)
            finished += refuse(board, crew, left_over)
        now_s += problem.market.period_s
        rounds += 1
    refused = {problem.orders.names[i]: "off_shift" for i in np.flatnonzero(board.orders[:, STANDING] == REFUSED)}
    return Day(problem, log, refused, rounds, repairs, cut_off)


def search(board: Board, crew: Ints, waiting: Ints, settings: Settings, round_number: int) -> int:
    """Improve all plans still open: destroy and repair, then exchange whole plans; return the repairs done."""
    if len(waiting) < 2 or not len(crew):
        return 0
    repairs = min(settings.repairs_max, settings.repairs_per_order * len(waiting))
    state = generator(settings.seed, round_number)
    improve(board, crew, waiting, repairs, settings.ruin_max, settings.width, state)
    if settings.choose:
        choose_plans(board, crew, settings.width)
    return repairs


def refuse(board: Board, crew: Ints, left_over: Ints) -> int:
    """Refuse what no rider can ever take: nobody left whose shift allows a pickup; return how many."""
    if len(crew):
        return 0
    board.orders[left_over, STANDING] = REFUSED
    return len(left_over)
