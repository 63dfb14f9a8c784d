"""What a person who decides looks at: the times of an order beside its deadline, and where the visitor may act."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from api.access.requester import need_cities
from api.cities.daily_figures import cities
from api.db.unit_of_work import ReadUnit
from api.endpoints.common.formats import MINUTE_US
from api.endpoints.common.pages import Visit
from api.endpoints.common.problems import Problem

TIMES: Final = (
    "placed_us",
    "accepted_us",
    "arrived_store_us",
    "merchant_promised_ready_us",
    "merchant_ready_us",
    "picked_up_us",
    "promised_us",
    "assess_deadline_us",
    "delivered_us",
)


@dataclass(frozen=True, slots=True)
class EventTime:
    """One time of an order; `minutes` after its deadline (negative: before), None where no deadline is known."""

    name: str
    at_us: int
    minutes: int | None


def moments_of(event: Mapping[str, Any] | None) -> tuple[EventTime, ...]:
    """The times of an event in their order."""
    if event is None:
        return ()
    deadline = event["assess_deadline_us"] or event["promised_us"]
    known = sorted((event[name], place, name) for place, name in enumerate(TIMES) if event[name] is not None)
    return tuple(
        EventTime(name.removesuffix("_us"), at_us, None if deadline is None else _minutes(at_us - deadline))
        for at_us, _, name in known
    )


def _minutes(us: int) -> int:
    return us // MINUTE_US if us >= 0 else -(-us // MINUTE_US)


def own_cities(visit: Visit, unit: ReadUnit) -> tuple[str, ...]:
    """Cities with riders where the visitor may act."""
    return tuple(city for city in cities(unit) if visit.who.in_city(city))


def chosen_cities(visit: Visit, city: str) -> tuple[str, ...]:
    """Cities of a list: the one chosen, else all that the visitor may see (empty: every city).

    Raises
    ------
    Refused
        `city_unknown` for one that is not theirs.
    """
    if not city:
        return visit.who.cities
    need_cities(visit.who, {city})
    return (city,)


def need_city(visit: Visit, city: str | None) -> None:
    """End with "not found" for what belongs to a city that is not the visitor's."""
    if not visit.who.in_city(city):
        raise Problem("not_found")
