"""A round as the API says it → `dispatch.problem`, solved, and back in names and words. Imports the solver."""

from collections.abc import Collection

import numpy as np

from api.endpoints.dispatching.shapes import (
    PlannedStop,
    RoundAnswer,
    RoundAssignment,
    RoundFacts,
    RoundPlan,
    RoundWanted,
    WaitingOrder,
    Withheld,
)
from dispatch.explain import Explanation, costs_document, facts_document, sentence
from dispatch.fatigue import CLAUSE_TEXT, HoursClause, WorkedHours, withholding_clauses
from dispatch.horizon import SearchSettings
from dispatch.objective import ON_DEMAND_WEIGHTS
from dispatch.problem import ON_DEMAND, DispatchProblem, Orders, Riders, whole
from dispatch.rounds import Round, solve_round
from dispatch.travel import GreatCircleTravel
from rules.text import Lang, text

SUSPENDED = "suspended"


def solve(body: RoundWanted, suspended: Collection[str], lang: Lang) -> RoundAnswer:
    """Solve a round whose parts fit together."""
    problem = _problem(body)
    reasons = _reasons(body, suspended)
    may_take = np.array([rider.rider_id not in reasons for rider in body.riders], np.bool_)
    settings = SearchSettings(repairs_per_order=body.effort, repairs_max=body.effort, seed=body.seed)
    solved = solve_round(problem, ON_DEMAND_WEIGHTS, settings, may_take)
    orders, riders = problem.orders.names, problem.riders.names
    return RoundAnswer(
        assignments=[_assignment(explanation, orders, riders, lang) for explanation in solved.explanations],
        plans=[
            RoundPlan(rider_id=name, stops=_stops(row, orders))
            for name, row in zip(riders, solved.stops, strict=True)
            if row
        ],
        waiting=_waiting(body, solved, lang),
        withheld=[
            Withheld(rider_id=rider_id, reason=reason, words=withheld_words(reason, lang))
            for rider_id, reason in reasons.items()
        ],
        cost=solved.cost,
    )


def _problem(body: RoundWanted) -> DispatchProblem:
    orders, riders = body.orders, body.riders
    rider_at = {rider.rider_id: k for k, rider in enumerate(riders)}
    order_at = {order.order_id: k for k, order in enumerate(orders)}
    places = [order.merchant for order in orders] + [order.door for order in orders] + [rider.at for rider in riders]
    degrees = np.array([(place.latitude, place.longitude) for place in places], np.float64).reshape(-1, 2)
    num = len(orders)
    return DispatchProblem(
        ON_DEMAND,
        GreatCircleTravel(degrees, body.km_per_hour),
        Orders(
            names=tuple(order_at),
            merchant=np.arange(num),
            door=np.arange(num, 2 * num),
            placed_s=whole(order.placed_s for order in orders),
            ready_s=whole(order.ready_s for order in orders),
            promised_s=whole(order.promised_s for order in orders),
            handover_s=whole(order.handover_s for order in orders),
            fee=whole(order.fee_fen for order in orders),
            holder=whole(-1 if order.rider_id is None else rider_at[order.rider_id] for order in orders),
            carried=np.array([order.is_carried for order in orders], np.bool_),
        ),
        Riders(
            names=tuple(rider_at),
            place=np.arange(2 * num, 2 * num + len(riders)),
            free_s=whole(rider.free_s for rider in riders),
            off_s=whole(rider.off_s for rider in riders),
            earned=whole(rider.earned_fen for rider in riders),
            guarantee=whole(rider.guarantee_fen for rider in riders),
            worked_s=whole(rider.worked_s for rider in riders),
            priority=whole(rider.priority_permille for rider in riders),
            capacity=whole(rider.capacity for rider in riders),
            stops=tuple(
                tuple(order_at[stop.order_id] if stop.kind == "pickup" else ~order_at[stop.order_id] for stop in rider.stops)
                for rider in riders
            ),
        ),
        now_s=body.now_s,
    )  # fmt: skip


def _reasons(body: RoundWanted, suspended: Collection[str]) -> dict[str, str]:
    """Riders who may be given nothing new, and why."""
    now_s = body.now_s
    stretch = whole(rider.continuous_s for rider in body.riders)
    goes_on = np.array([rider.goes_on for rider in body.riders], np.bool_)
    hours = WorkedHours(
        before_s=whole(rider.worked_s for rider in body.riders) - stretch,
        since_s=np.where(stretch > 0, now_s - stretch, -1),
        busy_until_s=np.where(stretch > 0, now_s, -1),
        days_in_a_row=whole(rider.days_in_a_row for rider in body.riders),
        asked=goes_on,
        consents=goes_on,
    )
    reasons = {}
    for rider, clause in zip(body.riders, withholding_clauses(hours).tolist(), strict=True):
        if rider.rider_id in suspended:
            reasons[rider.rider_id] = SUSPENDED
        elif clause:
            reasons[rider.rider_id] = CLAUSE_TEXT[HoursClause(clause)].removeprefix("dispatch.clause_")
    return reasons


def _assignment(
    explanation: Explanation, orders: tuple[str, ...], riders: tuple[str, ...], lang: Lang
) -> RoundAssignment:
    has_next = explanation.next.rider >= 0
    return RoundAssignment(
        order_id=orders[explanation.order],
        rider_id=riders[explanation.chosen.rider],
        facts=RoundFacts(**facts_document(explanation.chosen)),
        cost=explanation.chosen.cost,
        costs=costs_document(explanation.chosen),
        next_rider_id=riders[explanation.next.rider] if has_next else None,
        next_facts=RoundFacts(**facts_document(explanation.next)) if has_next else None,
        next_cost=explanation.next.cost if has_next else None,
        words=sentence(explanation, orders, riders, lang),
    )


def _stops(row: tuple[int, ...], orders: tuple[str, ...]) -> list[PlannedStop]:
    return [
        PlannedStop(order_id=orders[stop], kind="pickup")
        if stop >= 0
        else PlannedStop(order_id=orders[~stop], kind="dropoff")
        for stop in row
    ]


def _waiting(body: RoundWanted, solved: Round, lang: Lang) -> list[WaitingOrder]:
    """Open orders that stay open: nobody takes them now, or they are not placed yet."""
    left = [
        WaitingOrder(
            order_id=name,
            reason=why.key.removeprefix("dispatch.refused_"),
            words=text(lang, why.key, withheld=why.withheld, off_shift=why.off_shift, full=why.full),
        )
        for name, why in solved.waiting.items()
    ]
    later = [order.order_id for order in body.orders if order.rider_id is None and order.placed_s > body.now_s]
    return left + [
        WaitingOrder(order_id=name, reason="not_placed", words=text(lang, "dispatch.refused_not_placed"))
        for name in later
    ]


def withheld_words(reason: str, lang: Lang) -> str:
    """Why a rider may be given nothing new."""
    if reason == "suspended":
        return text(lang, "dispatch.withheld_suspended")
    return text(lang, f"dispatch.clause_{reason}")
