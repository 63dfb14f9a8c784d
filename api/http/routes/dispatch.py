"""One round of dispatch: riders and orders as they stand, and who should take what, with the reason of each."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Request
from pydantic import Field

from api.http.auth import require
from api.http.context import Actor, LangDep, Service, ServiceDep
from api.http.meters import Meters
from api.http.problems import FieldError, Problem, problem_of_refusal
from api.http.schemas import Model, PlainText
from api.http.threads import run_in_turn
from api.store.held_ids import HeldByStore
from api.store.new_ids import bad_id
from api.store.suspensions import suspended_among
from rules.ids import id_fault
from rules.text import Lang, text

router = APIRouter(prefix="/v1/dispatch", tags=["dispatch"])
Platform = Annotated[Actor, Depends(require("dispatch:solve"))]

NUM_MAX = 1_000
IN_HAND_MAX = 5
Seconds = Annotated[int, Field(ge=0, le=4_102_444_800)]
Fen = Annotated[int, Field(ge=0, le=1_000_000_000)]


class Place(Model):
    """Where something is."""

    latitude: float = Field(ge=-90, le=90, allow_inf_nan=False, examples=[30.27])
    longitude: float = Field(ge=-180, le=180, allow_inf_nan=False, examples=[120.15])


class Stop(Model):
    """A stop of a rider's plan."""

    order_id: PlainText
    kind: Literal["pickup", "dropoff"]


class RoundRider(Model):
    """A rider as they stand."""

    rider_id: PlainText
    at: Place = Field(description="Where they are, or where the leg under way ends.")
    free_s: Seconds = Field(description="When they can leave there.")
    off_s: Seconds = Field(description="No pickup later than this.")
    earned_fen: Fen = 0
    guarantee_fen: Fen = 0
    worked_s: int = Field(default=0, ge=0, le=86_400, description="Order-taking today, the present stretch included.")
    continuous_s: int = Field(default=0, ge=0, le=86_400, description="The present stretch without a pause of 20 min.")
    days_in_a_row: int = Field(default=0, ge=0, le=366, description="Days worked before today.")
    goes_on: bool = Field(default=False, description="Asked at 8 hours, the rider wants to go on.")
    priority_permille: int = Field(
        default=1_000,
        ge=500,
        le=2_000,
        description="Of the tier, as the book states it: higher is offered sooner, 1000 is neutral.",
    )
    capacity: int = Field(default=IN_HAND_MAX, ge=1, le=IN_HAND_MAX)
    stops: list[Stop] = Field(default=[], max_length=2 * IN_HAND_MAX, description="Left of the orders in hand.")


class RoundOrder(Model):
    """An order as it stands."""

    order_id: PlainText
    merchant: Place
    door: Place
    placed_s: Seconds
    ready_s: Seconds
    promised_s: Seconds
    handover_s: int = Field(default=0, ge=0, le=7_200, description="Time added at the door: floors, gates.")
    fee_fen: Fen = 0
    rider_id: PlainText | None = Field(default=None, description="Who must bring it already.")
    is_carried: bool = Field(default=False, description="Already picked up.")


class RoundWanted(Model):
    """One moment of a market. Instants are seconds of one clock of yours, such as Unix time."""

    now_s: Seconds
    riders: list[RoundRider] = Field(max_length=NUM_MAX)
    orders: list[RoundOrder] = Field(max_length=NUM_MAX)
    effort: int = Field(
        default=2_000, ge=0, le=20_000, description="Steps of search: work, not time. 0 assigns and does not search."
    )
    seed: int = Field(default=0, ge=0, le=2**31 - 1, description="The same request and seed give the same answer.")
    km_per_hour: float = Field(default=15.0, gt=1, le=15, description="GB/T 46862-2025 7.4.4: at most 15.")


class RoundFacts(Model):
    """What comes of giving an order to a rider."""

    wait_s: int = Field(description="Seconds from order to door.")
    late_s: int = Field(description="Seconds beyond the promise.")
    food_s: int = Field(description="Seconds that ready meals wait at merchants more than without the order.")
    drive_s: int = Field(description="Seconds more that the rider drives to merchants.")
    others_wait_s: int = Field(description="Seconds more, all together, until the rider's other orders arrive.")
    others_late_s: int = Field(description="Seconds more of those beyond their promises.")
    pay: int = Field(description="Fen more above the rider's guarantee.")


class Assignment(Model):
    """An order and who takes it, in words too."""

    order_id: str
    rider_id: str
    facts: RoundFacts
    cost: int = Field(description="What the order adds to the plan, in thousandths of a second of waiting.")
    costs: dict[str, int] = Field(description="The parts of `cost`: each fact times its weight.")
    next_rider_id: str | None
    next_facts: RoundFacts | None
    next_cost: int | None
    words: str


class Plan(Model):
    """All that is left to do for a rider, orders in hand first where they must be."""

    rider_id: str
    stops: list[Stop]


class Waiting(Model):
    """An order that nobody takes in this round."""

    order_id: str
    reason: str
    words: str


class Withheld(Model):
    """A rider who may be given nothing new."""

    rider_id: str
    reason: str
    words: str


class RoundAnswer(Model):
    """Who should take what."""

    assignments: list[Assignment]
    plans: list[Plan]
    waiting: list[Waiting]
    withheld: list[Withheld]
    cost: int = Field(description="Of all plans, in thousandths of a second of waiting.")


@router.post("/rounds")
async def solve_round(
    body: RoundWanted, request: Request, actor: Platform, service: ServiceDep, lang: LangDep
) -> RoundAnswer:
    """Assign open orders to riders: hours of the standard, suspensions and tiers kept, each choice explained.

    A round knows what its request says. Evening out income between riders and the floor under the offers that a low score
    may lose need a memory of earlier rounds: they hold in the library and in studies, not here yet.
    """
    errors = list(_faults(body))
    if errors:
        raise Problem("round_contradicts", errors=errors, num=len(errors))
    doubtful = _doubtful(body)
    if doubtful:
        await run_in_turn(partial(_need_held, service, actor, doubtful), request.app.state.rounds)
    answer = await run_in_turn(partial(_solved, service, actor, body, lang), request.app.state.rounds)
    meters: Meters = request.app.state.meters
    meters.round_solved()
    return answer


def _solved(service: Service, actor: Actor, body: RoundWanted, lang: Lang) -> RoundAnswer:
    from api.http.rounds import solve

    with service.reading() as unit:
        asked = [rider.rider_id for rider in body.riders]
        # A rider of another city is to this key as one who is not known.
        suspended = suspended_among(unit, asked, service.clock(), actor.cities)
    return solve(body, suspended, lang)


@dataclass(frozen=True, slots=True)
class _Doubtful:
    """An id that only a store that holds it can vouch for: whose it is, and where it stands."""

    rider_id: str
    column: Literal["rider_id", "order_id"]
    value: str
    path: tuple[str | int, ...]


def _doubtful(body: RoundWanted) -> list[_Doubtful]:
    riders = [
        _Doubtful(x.rider_id, "rider_id", x.rider_id, ("riders", k, "rider_id")) for k, x in enumerate(body.riders)
    ]
    orders = [
        _Doubtful(x.rider_id or "", "order_id", x.order_id, ("orders", k, "order_id"))
        for k, x in enumerate(body.orders)
    ]
    return [one for one in (*riders, *orders) if id_fault(one.value) is not None]


def _need_held(service: Service, actor: Actor, doubtful: list[_Doubtful]) -> None:
    """Refuse ids that are none, unless the store holds them of a rider of the actor's cities."""
    store = HeldByStore(service.reading, actor.cities)
    held = {
        (column, *pair)
        for column in ("rider_id", "order_id")
        for pair in store.among(column, [(one.rider_id, one.value) for one in doubtful if one.column == column])
    }
    bad = [
        bad_id(one.column, one.value, *one.path)
        for one in doubtful
        if (one.column, one.rider_id, one.value) not in held
    ]
    if bad:
        errors = [error for refused in bad for error in problem_of_refusal(refused).errors]
        first = bad[0].params
        raise Problem("bad_id", errors=errors, column=first["column"], value=first["value"], hint=first["hint"])


def _faults(body: RoundWanted) -> Iterator[FieldError]:
    """What fits nothing else in the request."""
    riders = {rider.rider_id: k for k, rider in enumerate(body.riders)}
    orders = {order.order_id: k for k, order in enumerate(body.orders)}
    if len(riders) < len(body.riders):
        yield FieldError.at(["riders"], "name_twice")
    if len(orders) < len(body.orders):
        yield FieldError.at(["orders"], "name_twice")
    for k, order in enumerate(body.orders):
        if order.rider_id is not None and order.rider_id not in riders:
            yield FieldError.at(["orders", k, "rider_id"], "not_in_request")
        if order.is_carried and order.rider_id is None:
            yield FieldError.at(["orders", k, "rider_id"], "missing")
    in_hand: dict[str | None, dict[str, bool]] = {}
    for order in body.orders:
        in_hand.setdefault(order.rider_id, {})[order.order_id] = order.is_carried
    for k, rider in enumerate(body.riders):
        held = in_hand.get(rider.rider_id, {})
        if [stop for stop in rider.stops if stop.order_id not in held]:
            yield FieldError.at(["riders", k, "stops"], "not_in_request")
        elif not _is_plan([(stop.order_id, stop.kind) for stop in rider.stops], held):
            yield FieldError.at(["riders", k, "stops"], "no_plan")
        if rider.continuous_s > min(rider.worked_s, body.now_s):
            yield FieldError.at(["riders", k, "continuous_s"], "greater_than", le=min(rider.worked_s, body.now_s))


def _is_plan(stops: list[tuple[str, str]], held: dict[str, bool]) -> bool:
    """Whether every order in hand is dropped off once, after its pickup unless it is carried already."""
    wanted = {(order_id, "dropoff") for order_id in held}
    wanted |= {(order_id, "pickup") for order_id, is_carried in held.items() if not is_carried}
    if len(stops) != len(wanted) or set(stops) != wanted:
        return False
    at = {stop: k for k, stop in enumerate(stops)}
    return all(at.get((order_id, "pickup"), -1) < at[order_id, "dropoff"] for order_id in held)


def withheld_words(reason: str, lang: Lang) -> str:
    """Why a rider may be given nothing new."""
    if reason == "suspended":
        return text(lang, "dispatch.withheld_suspended")
    return text(lang, f"dispatch.clause_{reason}")
