"""Why an order went to a rider: the terms of its cost, and the next best rider and why not.

Works the terms out stop by stop on its own; the solver adds up only totals. Tested to agree with `route`.

Invariant: the terms of an explanation add up to its cost.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from dispatch.compiled import Ints, Stops, compiled
from dispatch.objective import (
    HALF_DROPOFF,
    HALF_PICKUP,
    delivery_cost,
    food_waiting_cost,
    idle_travel_cost,
    lateness_cost,
    pay_cost,
)
from dispatch.route import (
    ARRIVAL,
    DOOR,
    EARNED,
    FEE,
    FREE,
    GUARANTEE,
    HANDOVER,
    HOLDER,
    MERCHANT,
    NEVER,
    NUM_STOPS,
    PER_MILLE,
    PLACE,
    PLACED,
    PRIORITY,
    PROMISED,
    READY,
    STOPS_MAX,
    TOLL,
    Board,
    fit,
)
from rules.text import Lang, text

TERMS = ("wait", "late", "food", "idle", "detour", "pay", "imbalance", "priority")
T_WAIT, T_LATE, T_FOOD, T_IDLE, T_DETOUR, T_PAY, T_IMBALANCE, T_PRIORITY = range(8)


@dataclass(frozen=True, slots=True)
class Explanation:
    """One assignment: indices of order and rider, the cost of each of TERMS, and the next best rider's (-1: nobody)."""

    order: int
    rider: int
    at_s: int
    terms: tuple[int, ...]
    next_rider: int
    next_terms: tuple[int, ...]

    @property
    def cost(self) -> int:
        """What the order costs in this rider's plan."""
        return sum(self.terms)

    @property
    def next_cost(self) -> int:
        """What it would cost in the next best rider's plan."""
        return sum(self.next_terms)

    @property
    def deciding_term(self) -> str:
        """The term in which the next best rider is most behind."""
        gaps = [theirs - ours for theirs, ours in zip(self.next_terms, self.terms, strict=True)]
        return TERMS[gaps.index(max(gaps))]


def explain_orders(board: Board, orders: Ints, crew: Ints, now_s: int) -> Iterator[Explanation]:
    """Explain orders as the plans stand, before their riders leave; `crew` are the riders who could take them."""
    if not len(orders):
        return
    for order, row in zip(orders.tolist(), explanation_rows(board, orders, crew).tolist(), strict=True):
        yield Explanation(order, row[0], now_s, tuple(row[2:10]), row[1], tuple(row[10:18]) if row[1] >= 0 else ())


def explanation_document(
    explanation: Explanation, orders: tuple[str, ...], riders: tuple[str, ...]
) -> Mapping[str, object]:
    """Return an explanation as a JSON object, names for indices, costs in thousandths of a second of waiting."""
    document: dict[str, object] = {
        "order": orders[explanation.order],
        "rider": riders[explanation.rider],
        "at_s": explanation.at_s,
        "cost": explanation.cost,
        "terms": dict(zip(TERMS, explanation.terms, strict=True)),
        "next_rider": None,
    }
    if explanation.next_rider >= 0:
        document |= {
            "next_rider": riders[explanation.next_rider],
            "next_cost": explanation.next_cost,
            "next_terms": dict(zip(TERMS, explanation.next_terms, strict=True)),
            "why_not": explanation.deciding_term if explanation.next_cost >= explanation.cost else "dearer_together",
        }
    return document


def sentence(explanation: Explanation, orders: tuple[str, ...], riders: tuple[str, ...], lang: Lang) -> str:
    """Return an explanation in words: who got the order at what cost, who came next and why not."""
    named = [
        f"{text(lang, f'dispatch.term_{term}')} {cost // PER_MILLE}"
        for term, cost in zip(TERMS, explanation.terms, strict=True)
        if cost
    ]
    said = text(
        lang,
        "dispatch.explain_chosen",
        order=orders[explanation.order],
        rider=riders[explanation.rider],
        cost=explanation.cost // PER_MILLE,
        terms=", ".join(named),
    )
    if explanation.next_rider < 0:
        return f"{said}; {text(lang, 'dispatch.explain_only')}"
    rider, more = riders[explanation.next_rider], explanation.next_cost - explanation.cost
    if more < 0:
        return f"{said}; {text(lang, 'dispatch.explain_next_combined', rider=rider, fewer=-more // PER_MILLE)}"
    term = text(lang, f"dispatch.term_{explanation.deciding_term}")
    return f"{said}; {text(lang, 'dispatch.explain_next', rider=rider, more=more // PER_MILLE, term=term)}"


@compiled
def explanation_rows(board: Board, orders: Ints, crew: Ints) -> Ints:
    """Return rows (rider, next rider, 8 terms, 8 terms of the next) of planned orders."""
    rows = np.zeros((orders.shape[0], 18), np.int64)
    draft = np.empty(STOPS_MAX + 2, np.int32)
    without = np.empty(STOPS_MAX + 2, np.int32)
    for i in range(orders.shape[0]):
        order = orders[i]
        holder = board.orders[order, HOLDER]
        stops, num_stops = board.stops[holder], board.riders[holder, NUM_STOPS]
        kept = 0
        for j in range(num_stops):
            if stops[j] != order and stops[j] != ~order:
                without[kept] = stops[j]
                kept += 1
        more = plan_terms(board, holder, stops, num_stops, order) - plan_terms(board, holder, without, kept, order)
        rows[i, 0] = holder
        rows[i, 2:10] = more
        best, best_pickup, best_dropoff, chosen = NEVER, 0, 0, -1
        for rider in crew:
            if rider == holder:
                continue
            increase, pickup, dropoff = fit(board, rider, order, draft, best)
            if increase < best:
                best, best_pickup, best_dropoff, chosen = increase, pickup, dropoff, rider
        rows[i, 1] = chosen
        if chosen < 0:
            continue
        theirs, num_theirs = board.stops[chosen], board.riders[chosen, NUM_STOPS]
        taken = 0
        for j in range(num_theirs + 2):
            if j == best_pickup:
                draft[j] = order
            elif j == best_dropoff:
                draft[j] = ~order
            else:
                draft[j] = theirs[taken]
                taken += 1
        rows[i, 10:18] = plan_terms(board, chosen, draft, num_theirs + 2, order) - plan_terms(
            board, chosen, theirs, num_theirs, order
        )
    return rows


@compiled
def plan_terms(board: Board, rider: int, stops: Stops, num_stops: int, order: int) -> Ints:
    """Return the cost of each of TERMS of a plan; waiting and lateness of orders but `order` are its detour."""
    weights, facts, riders = board.weights, board.orders, board.riders
    terms = np.zeros(8, np.int64)
    place, now_s, earned, planned = riders[rider, PLACE], riders[rider, FREE], riders[rider, EARNED], 0
    i = 0
    while i < num_stops:
        stop = stops[i]
        here = facts[stop, MERCHANT] if stop >= 0 else facts[~stop, DOOR]
        drive_s = board.travel_s[place, here]
        if i == 0 and riders[rider, ARRIVAL] >= 0:
            now_s = riders[rider, ARRIVAL]
        else:
            now_s += drive_s
            if stop >= 0:
                terms[T_IDLE] += idle_travel_cost(weights, drive_s)
        place = here
        if stop >= 0:
            last = i
            ready_s = facts[stop, READY]
            while last + 1 < num_stops and stops[last + 1] >= 0 and facts[stops[last + 1], MERCHANT] == here:
                last += 1
                ready_s = max(ready_s, facts[stops[last], READY])
            now_s = max(now_s + weights[HALF_PICKUP], ready_s)
            for k in range(i, last + 1):
                terms[T_FOOD] += food_waiting_cost(weights, now_s - facts[stops[k], READY])
            now_s += weights[HALF_PICKUP]
            i = last + 1
            continue
        done = ~stop
        now_s += weights[HALF_DROPOFF] + facts[done, HANDOVER]
        waited = delivery_cost(weights, now_s - facts[done, PLACED])
        late = lateness_cost(weights, now_s - facts[done, PROMISED])
        if done == order:
            terms[T_WAIT] += waited
            terms[T_LATE] += late
        else:
            terms[T_DETOUR] += waited + late
        now_s += weights[HALF_DROPOFF]
        earned += facts[done, FEE]
        planned += 1
        i += 1
    walked = terms.sum()
    terms[T_PRIORITY] = walked * riders[rider, PRIORITY] // PER_MILLE - walked
    terms[T_PAY] = pay_cost(weights, earned, riders[rider, GUARANTEE])
    terms[T_IMBALANCE] = riders[rider, TOLL] * planned
    return terms
