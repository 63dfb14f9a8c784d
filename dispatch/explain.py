"""Why an order went to a rider: what comes of it, what that costs, and the next best rider and why not.

Works facts and costs out stop by stop on its own; the solver adds up only totals. Tested to agree with `route`.

Invariant: the costs of an explanation add up to what the order adds to the cost of its rider's plan.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from dispatch.arrays import Ints, Record, Records, Stops, record_of
from dispatch.board import STOPS_MAX, Board
from dispatch.objective import (
    delivery_cost,
    food_waiting_cost,
    idle_travel_cost,
    lateness_cost,
    pay_cost,
)
from dispatch.route import (
    NEVER,
    best_insertion,
    times_multiplier,
)
from rules.compiled import compiled, compiled_with_runtime
from rules.text import Lang, text

# What happens, in seconds and minor units of money: of the order itself, of the rider, of the other orders in the plan.
FACTS = ("wait_s", "late_s", "food_s", "drive_s", "others_wait_s", "others_late_s", "pay")
# What that costs the plan, in thousandths of a second of waiting.
COSTS = ("wait", "late", "food", "idle", "detour", "pay", "imbalance", "priority")
# The facts and costs of one plan.
PLAN_TOTALS = record_of(*FACTS, *(f"{cost}_cost" for cost in COSTS))
# The facts behind each cost; a toll and a tier's priority have none.
_FACTS_OF = {
    "wait": ("wait_s",), "late": ("late_s",), "food": ("food_s",), "idle": ("drive_s",),
    "detour": ("others_wait_s", "others_late_s"), "pay": ("pay",), "imbalance": (), "priority": (),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Choice:
    """A rider (-1: nobody) for an order: each of FACTS and of COSTS that the order adds to the rider's plan."""

    rider: int
    facts: tuple[int, ...]
    costs: tuple[int, ...]

    @property
    def cost(self) -> int:
        """All costs together."""
        return sum(self.costs)

    def fact(self, name: str) -> int:
        """One of FACTS."""
        return self.facts[FACTS.index(name)]


@dataclass(frozen=True, slots=True)
class Explanation:
    """One assignment: index of the order, who takes it, and who would be next best.

    Parameters
    ----------
    order
        Index of the order.
    at_s
        When it was assigned, seconds.
    chosen
        Who takes it.
    next
        Who would be next best.
    """

    order: int
    at_s: int
    chosen: Choice
    next: Choice

    @property
    def deciding_cost(self) -> str:
        """The cost in which the next best rider is most behind."""
        gaps = [theirs - ours for theirs, ours in zip(self.next.costs, self.chosen.costs, strict=True)]
        return COSTS[gaps.index(max(gaps))]


def explain_orders(board: Board, orders: Ints, crew: Ints, now_s: int) -> Iterator[Explanation]:
    """Explain orders as the plans stand, before their riders leave; `crew` are the riders who could take them."""
    if not len(orders):
        return
    others, totals = totals_of_choices(board, orders, crew)
    added = totals.view(np.int64).reshape(*totals.shape, -1)
    holders = board.orders["holder"][orders]
    for i, order in enumerate(orders.tolist()):
        chosen = _choice(holders[i], added[i, 0] - added[i, 1])
        yield Explanation(order, now_s, chosen, _choice(others[i], added[i, 2] - added[i, 3]))


def _choice(rider: int, added: Ints) -> Choice:
    return Choice(int(rider), tuple(added[: len(FACTS)].tolist()), tuple(added[len(FACTS) :].tolist()))


def explanation_document(
    explanation: Explanation, orders: tuple[str, ...], riders: tuple[str, ...]
) -> Mapping[str, object]:
    """Return an explanation as a JSON object: names for indices, facts in seconds and minor units, costs beside them."""
    chosen, other = explanation.chosen, explanation.next
    document: dict[str, object] = {
        "order": orders[explanation.order],
        "rider": riders[chosen.rider],
        "at_s": explanation.at_s,
        "facts": facts_document(chosen),
        "cost": chosen.cost,
        "costs": costs_document(chosen),
        "next_rider": None,
    }
    if other.rider >= 0:
        document |= {
            "next_rider": riders[other.rider],
            "next_facts": facts_document(other),
            "next_cost": other.cost,
            "next_costs": costs_document(other),
            "why_not": explanation.deciding_cost if other.cost >= chosen.cost else "dearer_together",
        }
    return document


def facts_document(choice: Choice) -> dict[str, int]:
    """Facts by name.

    Parameters
    ----------
    choice
        A rider for an order.

    Returns
    -------
    dict[str, int]
        Seconds and minor units by name, in the order of FACTS.
    """
    return dict(zip(FACTS, choice.facts, strict=True))


def costs_document(choice: Choice) -> dict[str, int]:
    """Costs by name.

    Parameters
    ----------
    choice
        A rider for an order.

    Returns
    -------
    dict[str, int]
        Thousandths of a second of waiting by name, in the order of COSTS.
    """
    return dict(zip(COSTS, choice.costs, strict=True))


def sentence(explanation: Explanation, orders: tuple[str, ...], riders: tuple[str, ...], lang: Lang) -> str:
    """Return an explanation in words: who got the order and what comes of it, who came next and why not.

    Parameters
    ----------
    explanation
        Of one order.
    orders
        Names of the orders.
    riders
        Names of the riders.
    lang
        `zh` or `en`.

    Returns
    -------
    str
        One sentence.
    """
    chosen, other = explanation.chosen, explanation.next
    facts = [
        text(lang, f"dispatch.fact_{name}", value=value)
        for name, value in zip(FACTS, chosen.facts, strict=True)
        if value > 0 or name == "wait_s"
    ]
    separator = text(lang, "dispatch.fact_separator")
    said = text(
        lang,
        "dispatch.explain_chosen",
        order=orders[explanation.order],
        rider=riders[chosen.rider],
        facts=separator.join(facts),
    )
    if other.rider < 0:
        return f"{said}; {text(lang, 'dispatch.explain_only')}"
    rider = riders[other.rider]
    if other.cost < chosen.cost:
        return f"{said}; {text(lang, 'dispatch.explain_next_combined', rider=rider)}"
    why = [
        text(lang, f"dispatch.fact_{name}", value=f"{other.fact(name)} ({more:+d})")
        for name in _FACTS_OF[explanation.deciding_cost]
        if (more := other.fact(name) - chosen.fact(name))
    ] or [text(lang, f"dispatch.cost_{explanation.deciding_cost}")]
    return f"{said}; {text(lang, 'dispatch.explain_next', rider=rider, why=separator.join(why))}"


@compiled_with_runtime()
def totals_of_choices(board: Board, orders: Ints, crew: Ints) -> tuple[Ints, Records]:
    """Return the next best rider of each planned order (-1: nobody), and PLAN_TOTALS (orders, 4).

    The totals are those of the holder's plan with the order and without it, then of the next best rider's.
    """
    others = np.full(orders.shape[0], -1, np.int64)
    totals = np.zeros((orders.shape[0], 4), PLAN_TOTALS)
    draft = np.empty(STOPS_MAX + 2, np.int32)
    without = np.empty(STOPS_MAX + 2, np.int32)
    for i in range(orders.shape[0]):
        order = orders[i]
        holder = board.orders[order].holder
        stops, num_stops = board.stops[holder], board.riders[holder].num_stops
        kept = 0
        for j in range(num_stops):
            if stops[j] != order and stops[j] != ~order:
                without[kept] = stops[j]
                kept += 1
        total_plan(board, holder, stops, num_stops, order, totals[i, 0])
        total_plan(board, holder, without, kept, order, totals[i, 1])
        best, best_pickup, best_dropoff, chosen = NEVER, 0, 0, -1
        for rider in crew:
            if rider == holder:
                continue
            increase, pickup, dropoff = best_insertion(board, rider, order, draft, best)
            if increase < best:
                best, best_pickup, best_dropoff, chosen = increase, pickup, dropoff, rider
        others[i] = chosen
        if chosen < 0:
            continue
        theirs, num_theirs = board.stops[chosen], board.riders[chosen].num_stops
        taken = 0
        for j in range(num_theirs + 2):
            if j == best_pickup:
                draft[j] = order
            elif j == best_dropoff:
                draft[j] = ~order
            else:
                draft[j] = theirs[taken]
                taken += 1
        total_plan(board, chosen, draft, num_theirs + 2, order, totals[i, 2])
        total_plan(board, chosen, theirs, num_theirs, order, totals[i, 3])
    return others, totals


@compiled()
def total_plan(board: Board, rider: int, stops: Stops, num_stops: int, order: int, total: Record) -> None:
    """Fill a PLAN_TOTALS record of a plan; waiting and lateness of orders but `order` are those of others."""
    weights, riders = board.weights[0], board.riders
    fees, planned, sunk = total_facts(board, rider, stops, num_stops, order, total)
    total.wait_cost = delivery_cost(weights, total.wait_s)
    total.late_cost = lateness_cost(weights, total.late_s)
    total.food_cost = food_waiting_cost(weights, total.food_s)
    total.idle_cost = idle_travel_cost(weights, total.drive_s)
    total.detour_cost = delivery_cost(weights, total.others_wait_s) + lateness_cost(weights, total.others_late_s)
    route_cost = total.wait_cost + total.late_cost + total.food_cost + total.idle_cost + total.detour_cost
    total.priority_cost = times_multiplier(route_cost - sunk, riders[rider].multiplier_permille) - (route_cost - sunk)
    total.pay_cost = pay_cost(weights, riders[rider].earned + fees, riders[rider].guarantee)
    total.pay = max(riders[rider].earned + fees - riders[rider].guarantee, 0)
    total.imbalance_cost = riders[rider].surcharge * planned


@compiled()
def total_facts(
    board: Board, rider: int, stops: Stops, num_stops: int, order: int, total: Record
) -> tuple[int, int, int]:
    """Add what happens in a plan to a PLAN_TOTALS record; return the fees of its orders, how many they are, what is lost of them."""
    weights, orders, riders = board.weights[0], board.orders, board.riders
    place, now_s, fees, planned, lost = riders[rider].place, riders[rider].free_s, 0, 0, 0
    i = 0
    while i < num_stops:
        stop = stops[i]
        here = orders[stop].merchant if stop >= 0 else orders[~stop].door
        drive_s = board.travel_s[place, here]
        if i == 0 and riders[rider].arrival_s >= 0:
            now_s = riders[rider].arrival_s
        else:
            now_s += drive_s
            if stop >= 0:
                total.drive_s += drive_s
        place = here
        if stop >= 0:
            last = i
            ready_s = orders[stop].ready_s
            while last + 1 < num_stops and stops[last + 1] >= 0 and orders[stops[last + 1]].merchant == here:
                last += 1
                ready_s = max(ready_s, orders[stops[last]].ready_s)
            now_s = max(now_s + weights.half_pickup_s, ready_s)
            for k in range(i, last + 1):
                total.food_s += now_s - orders[stops[k]].ready_s
            now_s += weights.half_pickup_s
            i = last + 1
            continue
        done = ~stop
        now_s += weights.half_dropoff_s + orders[done].handover_s
        wait_s, late_s = now_s - orders[done].placed_s, max(now_s - orders[done].promised_s, 0)
        if done == order:
            total.wait_s += wait_s
            total.late_s += late_s
        else:
            total.others_wait_s += wait_s
            total.others_late_s += late_s
        now_s += weights.half_dropoff_s
        fees += orders[done].fee
        lost += orders[done].sunk_cost
        planned += 1
        i += 1
    return fees, planned, lost
