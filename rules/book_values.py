"""The values of a rule book: exact numbers in their units, dates and times of day, words from closed sets.

A number is converted while it is read (points → milli-points, minutes → seconds, shares → per-mille); one that does not
fit exactly is a fault. JSON Schemas state it as people write it; `x-unit` says the unit.
"""

import datetime as dt
from decimal import Decimal
from functools import partial
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints, WithJsonSchema
from pydantic_core import PydanticCustomError

from rules.events import CANCEL_PARTIES, KINDS, PARTIES, RIDER_KINDS, CancelParty, EventKind, Party, RiderKind
from rules.units import MP_PER_POINT, PERMILLE, exact

MAX_POINTS_MP = 1_000 * MP_PER_POINT
FIRST_YEAR, LAST_YEAR = 2000, 2099


def _exact_number(value: object, scale: int, unit: str, decimals: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise PydanticCustomError("number_type", "expected a number", {"unit": unit})
    try:
        return exact(value, scale)
    except ValueError:
        raise PydanticCustomError(
            "too_many_decimals", "too many decimals", {"unit": unit, "decimals": decimals}
        ) from None


def _whole(value: object) -> object:
    if isinstance(value, bool) or not isinstance(value, int):
        raise PydanticCustomError("whole_number", "expected a whole number", {})
    return value


def _real_date(value: object) -> object:
    # TOML has real dates; a quoted date or a date with a time is a slip that lax parsing would hide.
    if isinstance(value, dt.datetime) or not isinstance(value, dt.date):
        raise PydanticCustomError("date_type", "expected a date", {})
    if not FIRST_YEAR <= value.year <= LAST_YEAR:
        raise PydanticCustomError("date_range", "year out of range", {})
    return value


def _real_time(value: object) -> object:
    if not isinstance(value, dt.time):
        raise PydanticCustomError("time_type", "expected a time of day", {})
    if value.second or value.microsecond:
        raise PydanticCustomError("whole_minutes", "expected whole minutes", {})
    return value


def _number(scale: int, unit: str, decimals: int, low: int, high: int, *, above_low: bool = False) -> tuple[Any, ...]:
    """Annotations of an int of 1/`scale` that is written as a decimal; `low` and `high` are in the unit that is held.

    With `above_low` the number must be more than `low`, not `low` itself.
    """
    schema = {
        "type": "number",
        "x-unit": unit,
        "x-decimals": decimals,
        # What a default is divided by where the schema is made for readers: pydantic states what is held.
        "x-scale": scale,
        "exclusiveMinimum" if above_low else "minimum": low // scale if low % scale == 0 else low / scale,
        "maximum": high // scale,
    }
    limits = Field(gt=low, le=high) if above_low else Field(ge=low, le=high)
    read = partial(_exact_number, scale=scale, unit=unit, decimals=decimals)
    return BeforeValidator(read), limits, WithJsonSchema(schema)


def _whole_number(low: int, high: int) -> tuple[Any, ...]:
    """Annotations of an int that is written as it is held."""
    schema = {"type": "integer", "minimum": low, "maximum": high}
    return BeforeValidator(_whole), Field(ge=low, le=high), WithJsonSchema(schema)


PointsMp = Annotated[int, *_number(MP_PER_POINT, "points", 3, -MAX_POINTS_MP, MAX_POINTS_MP)]
PositivePointsMp = Annotated[int, *_number(MP_PER_POINT, "points", 3, 0, MAX_POINTS_MP, above_low=True)]
MinutesAsS = Annotated[int, *_number(60, "minutes", 2, 0, 86_400)]
KilometresAsM = Annotated[int, *_number(1_000, "km", 3, 0, 1_000_000)]
SharePermille = Annotated[int, *_number(PERMILLE, "share", 3, -PERMILLE, PERMILLE)]
PositiveSharePermille = Annotated[int, *_number(PERMILLE, "share", 3, 0, PERMILLE)]
# A priority multiplier stays close to 1 by type: a book cannot starve a rider of orders.
PriorityPermille = Annotated[int, *_number(PERMILLE, "multiplier", 3, 500, 2_000)]
Whole = Annotated[int, *_whole_number(0, 1_000_000)]
PositiveWhole = Annotated[int, *_whole_number(1, 1_000_000)]
Fen = Annotated[int, *_whole_number(-1_000_000, 1_000_000)]
Level = Annotated[int, *_whole_number(0, 15)]
Id = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_.-]{0,63}$")]
BookId = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,63}$")]
Words = Annotated[str, StringConstraints(min_length=1, max_length=2_000, strip_whitespace=True)]

LocalDate = Annotated[
    dt.date,
    BeforeValidator(_real_date),
    WithJsonSchema({"type": "string", "format": "date", "pattern": r"^20[0-9]{2}-[0-9]{2}-[0-9]{2}$"}),
]
# A local time of day has no offset, so it is not the `time` of JSON Schema.
LocalTime = Annotated[
    dt.time,
    BeforeValidator(_real_time),
    WithJsonSchema(
        {"type": "string", "format": "time-local", "pattern": r"^([01][0-9]|2[0-3]):[0-5][0-9](:00(\.0{1,6})?)?$"}
    ),
]

Confidence = Literal["H", "M", "L", "ours"]


def _as_list(value: object) -> object:
    return [value] if isinstance(value, str) else value


def _not_empty(values: tuple[Any, ...]) -> tuple[Any, ...]:
    if not values:
        raise PydanticCustomError("empty_list", "the list is empty", {})
    if len(set(values)) != len(values):
        raise PydanticCustomError("repeated_value", "a value stands twice", {})
    return values


def _one_or_more(choices: tuple[str, ...]) -> tuple[Any, ...]:
    """Annotations of a list of different words, of which a single one may stand without a list."""
    word = {"type": "string", "enum": list(choices)}
    several = {"type": "array", "items": word, "minItems": 1, "uniqueItems": True}
    return BeforeValidator(_as_list), AfterValidator(_not_empty), WithJsonSchema({"anyOf": [word, several]})


RiderKinds = Annotated[tuple[RiderKind, ...], *_one_or_more(RIDER_KINDS)]
CancelParties = Annotated[tuple[CancelParty, ...], *_one_or_more(CANCEL_PARTIES)]
LiableParties = Annotated[tuple[Party, ...], *_one_or_more(PARTIES)]
EventKinds = Annotated[tuple[EventKind, ...], *_one_or_more(KINDS)]
