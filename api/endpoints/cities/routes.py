"""How a city is doing: riders by tier, lateness and whose it was, fines avoided, work and income by tier."""

import datetime as dt
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Query
from pydantic import AliasGenerator, AliasPath, ConfigDict, Field

from api.access.requester import need_cities
from api.books.in_force import rules_in_force
from api.cities.daily_figures import NUM_DAYS
from api.cities.dashboard import dashboard_of
from api.endpoints.common.auth import require
from api.endpoints.common.problems import Problem
from api.endpoints.common.schemas import IdText, Model, TitleShown
from api.service import Actor, ServiceDep
from api.words import city_words

router = APIRouter(prefix="/v1/cities", tags=["dashboard"])
Reader = Annotated[Actor, Depends(require("dashboard:read"))]
DAYS_DEFAULT = 7
Days = Annotated[int, Query(ge=1, le=NUM_DAYS, description="Local days, up to the newest that was counted.")]


def _within(part: str, *names: str) -> AliasGenerator:
    """Reads some fields of an answer from a part of the value that it is made of."""
    return AliasGenerator(validation_alias=lambda name: AliasPath(part, name) if name in names else name)


_OF_FIGURES: Final = _within(
    "figures", "num_delivered", "num_on_time", "num_late", "num_exempt", "late_s", "exempted_s", "fines_fen",
    "fines_not_liable_fen", "num_fined",
)  # fmt: skip
_OF_WORK: Final = _within("work", "rider_days", "num_delivered", "worked_s", "fees_fen", "income_fen")


class CauseFigures(Model):
    """Lateness that was not the rider's, of one cause."""

    cause: str = Field(
        description="A cause of delay; `appeal`: an upheld appeal; `report`: a verified report.",
        examples=["merchant_slow"],
    )
    num_orders: int
    late_s: int


class TierFigures(Model):
    """Riders of one tier; work counts where a rider stood when the day began."""

    model_config = ConfigDict(alias_generator=_OF_WORK)
    tier: str = Field(examples=["normal"])
    title: TitleShown
    priority_permille: int = Field(description="Dispatch priority; 1000 is as everybody.", examples=[1000])
    num_riders: int = Field(description="Standing in the tier now.")
    rider_days: int = Field(description="Days worked by riders of the tier.")
    num_delivered: int
    worked_s: int = Field(
        description="From taking the first order to handing over the last, without breaks of two hours or more."
    )
    fees_fen: int
    income_fen: int = Field(description="Fees and what the ledger added or took.")


class CountedDay(Model):
    """One local day."""

    model_config = ConfigDict(alias_generator=_OF_FIGURES)
    day: dt.date
    num_delivered: int
    num_on_time: int
    num_late: int
    num_exempt: int
    fines_fen: int


class CityDashboard(Model):
    """A city's last days."""

    model_config = ConfigDict(
        alias_generator=_OF_FIGURES,
        json_schema_extra={
            "examples": [
                {
                    "city": "hangzhou",
                    "num_riders": 1,
                    "num_under_review": 0,
                    "counted_us": 1_768_915_800_000_000,
                    "num_delivered": 3,
                    "num_on_time": 1,
                    "num_late": 1,
                    "num_exempt": 1,
                    "late_s": 960,
                    "exempted_s": 720,
                    "causes": [{"cause": "merchant_slow", "num_orders": 1, "late_s": 720}],
                    "fines_avoided_fen": 450,
                    "fines_not_liable_fen": 250,
                    "num_fined": 2,
                    "tiers": [],
                    "days": [],
                    "num_appeals": 0,
                    "num_appeals_due": 0,
                    "num_appeals_late": 0,
                    "num_reviews": 0,
                    "num_shared_orders": 0,
                }
            ]
        },
    )
    city: str
    num_riders: int
    num_under_review: int
    counted_us: int | None = Field(description="When the oldest of the days' figures was counted; null while none is.")
    num_delivered: int
    num_on_time: int
    num_late: int = Field(description="Late, and the rider's.")
    num_exempt: int = Field(description="Late, and none of it the rider's.")
    late_s: int
    exempted_s: int
    causes: tuple[CauseFigures, ...] = Field(validation_alias=AliasPath("figures", "causes_by_time"))
    fines_avoided_fen: int = Field(
        validation_alias=AliasPath("figures", "fines_fen"),
        description="What the book `legacy-fine` would have taken from the same deliveries.",
    )
    fines_not_liable_fen: int = Field(description="Of it, where the rider does not answer for the lateness.")
    num_fined: int
    tiers: tuple[TierFigures, ...] = Field(description="Lowest first.")
    days: tuple[CountedDay, ...] = Field(description="Oldest first.")
    num_appeals: int
    num_appeals_due: int = Field(description="Due within a day.")
    num_appeals_late: int
    num_reviews: int
    num_shared_orders: int = Field(description="Orders that two riders delivered; one of them at least is of the city.")


@router.get("/{city}/dashboard", operation_id="get_dashboard")
def read_dashboard(city: IdText, actor: Reader, service: ServiceDep, days: Days = DAYS_DEFAULT) -> CityDashboard:
    """A city's figures: counted in the background, read in a few rows."""
    need_cities(actor, {city})
    with service.reading() as unit:
        dashboard = dashboard_of(unit, rules_in_force(unit), city, days, service.clock())
    if dashboard is None:
        raise Problem("city_unknown", city=city_words(city))
    return CityDashboard.of(dashboard)
