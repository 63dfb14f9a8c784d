"""One round of dispatch: riders and orders as they stand, and who should take what, with the reason of each."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Request

from api.access.new_ids import bad_id
from api.endpoints.common.auth import require
from api.endpoints.common.metrics import Metrics
from api.endpoints.common.problems import FieldError, Problem, problem_of_refusal
from api.endpoints.common.threads import run_limited
from api.endpoints.dispatching.shapes import RoundAnswer, RoundWanted
from api.ledger.stored_ids import StoredIds
from api.ledger.suspensions import suspended_among
from api.service import Actor, LangDep, Service, ServiceDep
from rules.ids import id_fault
from rules.text import Lang

router = APIRouter(prefix="/v1/dispatch", tags=["dispatch"])
Platform = Annotated[Actor, Depends(require("dispatch:solve"))]


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
    unusual_ids = _unusual_ids(body)
    if unusual_ids:
        await run_limited(partial(_need_stored_ids, service, actor, unusual_ids), request.app.state.rounds)
    answer = await run_limited(partial(_solved, service, actor, body, lang), request.app.state.rounds)
    metrics: Metrics = request.app.state.metrics
    metrics.round_solved()
    return answer


def _solved(service: Service, actor: Actor, body: RoundWanted, lang: Lang) -> RoundAnswer:
    from api.endpoints.dispatching.round import solve

    with service.reading() as unit:
        asked = [rider.rider_id for rider in body.riders]
        # A rider of another city is to this key as one who is not known.
        suspended = suspended_among(unit, asked, service.clock(), actor.cities)
    return solve(body, suspended, lang)


@dataclass(frozen=True, slots=True)
class _UnusualId:
    """An id that only a store that holds it can vouch for: whose it is, and where it stands."""

    rider_id: str
    column: Literal["rider_id", "order_id"]
    value: str
    path: tuple[str | int, ...]


def _unusual_ids(body: RoundWanted) -> list[_UnusualId]:
    riders = [
        _UnusualId(x.rider_id, "rider_id", x.rider_id, ("riders", k, "rider_id")) for k, x in enumerate(body.riders)
    ]
    orders = [
        _UnusualId(x.rider_id or "", "order_id", x.order_id, ("orders", k, "order_id"))
        for k, x in enumerate(body.orders)
    ]
    return [unusual for unusual in (*riders, *orders) if id_fault(unusual.value) is not None]


def _need_stored_ids(service: Service, actor: Actor, unusual_ids: list[_UnusualId]) -> None:
    """Refuse ids that are none, unless the store holds them of a rider of the actor's cities."""
    store = StoredIds(service.reading, actor.cities)
    held = {
        (column, *pair)
        for column in ("rider_id", "order_id")
        for pair in store.filter_known(
            column, [(unusual.rider_id, unusual.value) for unusual in unusual_ids if unusual.column == column]
        )
    }
    bad = [
        bad_id(unusual.column, unusual.value, *unusual.path)
        for unusual in unusual_ids
        if (unusual.column, unusual.rider_id, unusual.value) not in held
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
    needed = {(order_id, "dropoff") for order_id in held}
    needed |= {(order_id, "pickup") for order_id, is_carried in held.items() if not is_carried}
    if len(stops) != len(needed) or set(stops) != needed:
        return False
    at = {stop: k for k, stop in enumerate(stops)}
    return all(at.get((order_id, "pickup"), -1) < at[order_id, "dropoff"] for order_id in held)
