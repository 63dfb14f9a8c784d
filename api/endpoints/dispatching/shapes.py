"""One round of dispatch as the API says it: riders and orders as they stand, and who should take what."""

from typing import Annotated, Literal

from pydantic import Field

from api.endpoints.common.schemas import Model, PlainText

NUM_MAX = 1_000
IN_HAND_MAX = 5
Seconds = Annotated[int, Field(ge=0, le=4_102_444_800)]
Fen = Annotated[int, Field(ge=0, le=1_000_000_000)]


class RoundPlace(Model):
    """Where something is."""

    latitude: float = Field(ge=-90, le=90, allow_inf_nan=False, examples=[30.27])
    longitude: float = Field(ge=-180, le=180, allow_inf_nan=False, examples=[120.15])


class RoundStop(Model):
    """A stop that is left of a rider's plan."""

    order_id: PlainText
    kind: Literal["pickup", "dropoff"]


class PlannedStop(Model):
    """A stop of a rider's new plan."""

    order_id: str
    kind: Literal["pickup", "dropoff"]


class RoundRider(Model):
    """A rider as they stand."""

    rider_id: PlainText
    at: RoundPlace = Field(description="Where they are, or where the leg under way ends.")
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
    stops: list[RoundStop] = Field(default=[], max_length=2 * IN_HAND_MAX, description="Left of the orders in hand.")


class RoundOrder(Model):
    """An order as it stands."""

    order_id: PlainText
    merchant: RoundPlace
    door: RoundPlace
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


class RoundAssignment(Model):
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


class RoundPlan(Model):
    """All that is left to do for a rider, orders in hand first where they must be."""

    rider_id: str
    stops: list[PlannedStop]


class WaitingOrder(Model):
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

    assignments: list[RoundAssignment]
    plans: list[RoundPlan]
    waiting: list[WaitingOrder]
    withheld: list[Withheld]
    cost: int = Field(description="Of all plans, in thousandths of a second of waiting.")
