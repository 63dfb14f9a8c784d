"""Why an order went to a rider: what comes of it, what that costs, and the next best rider and why not.

Works facts and costs out stop by stop on its own; the solver adds up only totals. Tested to agree with `route`.

Invariant: the costs of an explanation add up to what the order adds to the cost of its rider's plan.
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
    LOST,
    MERCHANT,
    MULTIPLIER,
    NEVER,
    NUM_STOPS,
    PLACE,
    PLACED,
    PROMISED,
    READY,
    STOPS_MAX,
    TOLL,
    Board,
    fit,
    times_multiplier,
)
from rules.text import Lang, text

# What happens, in seconds and minor units of money: of the order itself, of the rider, of the other orders in the plan.
FACTS = ("wait_s", "late_s", "food_s", "drive_s", "others_wait_s", "others_late_s", "pay")
F_WAIT, F_LATE, F_FOOD, F_DRIVE, F_OTHERS_WAIT, F_OTHERS_LATE, F_PAY = range(7)
NUM_FACTS = 7
# What that costs the plan, in thousandths of a second of waiting.
COSTS = ("wait", "late", "food", "idle", "detour", "pay", "imbalance", "priority")
C_WAIT, C_LATE, C_FOOD, C_IDLE, C_DETOUR, C_PAY, C_IMBALANCE, C_PRIORITY = range(8)
NUM_COSTS = 8
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
    """One assignment: index of the order, who takes it, and who would be next best."""

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
    rows = explanation_rows(board, orders, crew)
    for order, row in zip(orders.tolist(), rows, strict=True):
        chosen, other = (_choice(part.tolist()) for part in np.split(row, 2))
        yield Explanation(order, now_s, chosen, other)


def _choice(row: list[int]) -> Choice:
    return Choice(row[0], tuple(row[1 : 1 + NUM_FACTS]), tuple(row[1 + NUM_FACTS :]))


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
    """Facts by name."""
    return dict(zip(FACTS, choice.facts, strict=True))


def costs_document(choice: Choice) -> dict[str, int]:
    """Costs by name."""
    return dict(zip(COSTS, choice.costs, strict=True))


def sentence(explanation: Explanation, orders: tuple[str, ...], riders: tuple[str, ...], lang: Lang) -> str:
    """Return an explanation in words: who got the order and what comes of it, who came next and why not."""
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


@compiled
def explanation_rows(board: Board, orders: Ints, crew: Ints) -> Ints:
    """Return rows of planned orders: rider, facts, costs, then the same of the next best rider (-1: nobody)."""
    half = 1 + NUM_FACTS + NUM_COSTS
    rows = np.zeros((orders.shape[0], 2 * half), np.int64)
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
        rows[i, 0] = holder
        rows[i, 1:half] = plan_row(board, holder, stops, num_stops, order) - plan_row(
            board, holder, without, kept, order
        )
        best, best_pickup, best_dropoff, chosen = NEVER, 0, 0, -1
        for rider in crew:
            if rider == holder:
                continue
            increase, pickup, dropoff = fit(board, rider, order, draft, best)
            if increase < best:
                best, best_pickup, best_dropoff, chosen = increase, pickup, dropoff, rider
        rows[i, half] = chosen
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
        rows[i, half + 1 :] = plan_row(board, chosen, draft, num_theirs + 2, order) - plan_row(
            board, chosen, theirs, num_theirs, order
        )
    return rows


@compiled
def plan_row(board: Board, rider: int, stops: Stops, num_stops: int, order: int) -> Ints:
    """Return each of FACTS and of COSTS of a plan; waiting and lateness of orders but `order` are those of others."""
    weights, riders = board.weights, board.riders
    row = np.zeros(NUM_FACTS + NUM_COSTS, np.int64)
    facts, costs = row[:NUM_FACTS], row[NUM_FACTS:]
    fees, planned, lost = plan_facts(board, rider, stops, num_stops, order, facts)
    costs[C_WAIT] = delivery_cost(weights, facts[F_WAIT])
    costs[C_LATE] = lateness_cost(weights, facts[F_LATE])
    costs[C_FOOD] = food_waiting_cost(weights, facts[F_FOOD])
    costs[C_IDLE] = idle_travel_cost(weights, facts[F_DRIVE])
    costs[C_DETOUR] = delivery_cost(weights, facts[F_OTHERS_WAIT]) + lateness_cost(weights, facts[F_OTHERS_LATE])
    walked = costs.sum()
    costs[C_PRIORITY] = times_multiplier(walked - lost, riders[rider, MULTIPLIER]) - (walked - lost)
    costs[C_PAY] = pay_cost(weights, riders[rider, EARNED] + fees, riders[rider, GUARANTEE])
    facts[F_PAY] = max(riders[rider, EARNED] + fees - riders[rider, GUARANTEE], 0)
    costs[C_IMBALANCE] = riders[rider, TOLL] * planned
    return row


@compiled
def plan_facts(board: Board, rider: int, stops: Stops, num_stops: int, order: int, facts: Ints) -> tuple[int, int, int]:
    """Add what happens in a plan to `facts`; return the fees of its orders, how many they are, what is lost of them."""
    weights, orders, riders = board.weights, board.orders, board.riders
    place, now_s, fees, planned, lost = riders[rider, PLACE], riders[rider, FREE], 0, 0, 0
    i = 0
    while i < num_stops:
        stop = stops[i]
        here = orders[stop, MERCHANT] if stop >= 0 else orders[~stop, DOOR]
        drive_s = board.travel_s[place, here]
        if i == 0 and riders[rider, ARRIVAL] >= 0:
            now_s = riders[rider, ARRIVAL]
        else:
            now_s += drive_s
            if stop >= 0:
                facts[F_DRIVE] += drive_s
        place = here
        if stop >= 0:
            last = i
            ready_s = orders[stop, READY]
            while last + 1 < num_stops and stops[last + 1] >= 0 and orders[stops[last + 1], MERCHANT] == here:
                last += 1
                ready_s = max(ready_s, orders[stops[last], READY])
            now_s = max(now_s + weights[HALF_PICKUP], ready_s)
            for k in range(i, last + 1):
                facts[F_FOOD] += now_s - orders[stops[k], READY]
            now_s += weights[HALF_PICKUP]
            i = last + 1
            continue
        done = ~stop
        now_s += weights[HALF_DROPOFF] + orders[done, HANDOVER]
        is_own = done == order
        facts[F_WAIT if is_own else F_OTHERS_WAIT] += now_s - orders[done, PLACED]
        facts[F_LATE if is_own else F_OTHERS_LATE] += max(now_s - orders[done, PROMISED], 0)
        now_s += weights[HALF_DROPOFF]
        fees += orders[done, FEE]
        lost += orders[done, LOST]
        planned += 1
        i += 1
    return fees, planned, lost
