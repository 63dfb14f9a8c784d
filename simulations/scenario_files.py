"""From a scenario file and settings to a `Scenario`, or to every fault in it at once.

A value is written as `{ value = 7, source = "…" }`, a distribution as `{ quantiles = [[0, 3], [1000, 9]], source = "…" }`. A file
may extend another; settings (`behaviour.belief_permille=500`) come last. What values mean is `simulations.scenario`.
"""

import datetime as dt
import difflib
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from itertools import pairwise
from pathlib import Path
from typing import Any
from zoneinfo import available_timezones

from rules import nested
from rules.errors import BookError, Fault
from rules.events import REPORT_KINDS
from rules.ids import digest
from rules.validation import as_written
from simulations.counter_random import MILLION, Quantiles
from simulations.scenario import (
    Behaviour,
    Demand,
    DispatchRules,
    Doors,
    Feedback,
    Pairs,
    People,
    Promise,
    Scenario,
    Streets,
    Town,
)
from simulations.surroundings import Kitchens, Obstacle, Weather

SCENARIOS_DIR = Path(__file__).parent / "scenarios"
PARTS: dict[str, type] = {
    "": Town,
    "demand": Demand,
    "promise": Promise,
    "streets": Streets,
    "kitchens": Kitchens,
    "weather": Weather,
    "doors": Doors,
    "people": People,
    "sending": DispatchRules,
    "feedback": Feedback,
    "behaviour": Behaviour,
}
WORDS = ("title", "city", "time_zone", "extends")
SET_BY = "--set"
# Least and most by the end of the name, the longest that fits.
_RANGES: dict[str, tuple[int, int]] = {
    "per_million": (0, MILLION),
    "permille": (0, 10_000),
    "_s": (0, 100_800),
    "_fen": (0, 1_000_000),
    "fen_per_h": (0, 100_000),
    "fen_per_km": (0, 10_000),
    "s_per_km": (60, 3_600),
    "_m": (0, 100_000),
    "_mp": (0, 1_000_000),
    "_days": (0, 10_000),
    "riders": (1, 99_999),
    "orders_per_day": (0, 5_000_000),
    "warm_up_days": (0, 366),
    "first_day": (20000103, 20980101),
    "riders_per_area": (1, 2_000),
    "merchants_per_area": (1, 5_000),
    "city_seed": (0, 2**31 - 1),
    "area_m": (100, 100_000),
    "shift_s": (0, 16 * 3_600),
    "shift_start_s": (14_400, 86_400),
    "noon_start_s": (14_400, 86_400),
    "evening_start_s": (14_400, 86_400),
    "last_end_s": (14_400, 97_200),
    "placed_s": (14_400, 97_200),
    "period_s": (10, 600),
    "spread_mp": (1, 1_000_000),
    "horizon_days": (0, 365),
    "detour_permille": (1_000, 3_000),
    "noise_permille": (100, 10_000),
    "congestion_permille": (100, 10_000),
    "skill_permille": (100, 10_000),
    "first_month_permille": (500, 10_000),
    "first_year_permille": (500, 10_000),
    "pace_permille": (1_000, 10_000),
    "rush_permille": (0, 500),
    "rush_half_fen": (1, 100_000),
    "jump_half_fen": (1, 100_000),
    "lose_permille": (0, 1_000),
    "popularity_permille": (0, 999),
    "block_m": (10, 100_000),
    "wage_fen_per_h": (1, 100_000),
    "unsure_first_month_s": (1, 3_600),
    "unsure_first_year_s": (1, 3_600),
    "unsure_later_s": (1, 3_600),
    "capacity": (1, 8),
    "capacity_first_month": (1, 8),
    "width": (1, 300),
    "repairs_per_order": (0, 1_000),
    "exchange_every": (0, 1_000),
    "_weight": (0, 100_000),
    "hours": (0, 1),
    "lights_per_1000_km": (0, 100_000),
    "orders_believed": (0, 1_000),
    "floors": (0, 200),
    "level": (1, 15),
}
_ANY = (-(2**31), 2**31)


def shipped() -> tuple[str, ...]:
    """List the scenarios that come with the package.

    Returns
    -------
    tuple[str, ...]
        Their names, sorted.
    """
    return tuple(sorted(path.stem for path in SCENARIOS_DIR.glob("*.toml")))


def read(reference: str, sets: Sequence[str] = ()) -> Scenario:
    """Read a scenario.

    Parameters
    ----------
    reference
        A shipped name, or a TOML file.
    sets
        `key=value`; the value as in the file, with or without its `{ value = … }`.

    Returns
    -------
    Scenario
        The city with all settings, the source of each value, and its digest.

    Raises
    ------
    BookError
        With every fault of the files and the settings.
    """
    reading = _Reading(reference)
    document = reading.load(reference)
    if document is None:
        raise BookError(tuple(reading.faults))
    for written in sets:
        reading.set(document, written)
    scenario = reading.scenario(document)
    if reading.faults or scenario is None:
        raise BookError(tuple(reading.faults))
    return scenario


def keys() -> tuple[str, ...]:
    """List every key that `--set` takes.

    Returns
    -------
    tuple[str, ...]
        Dotted keys, in the order of the sections.
    """
    return tuple(f"{part}.{name}" if part else name for part, model in PARTS.items() for name in _names(model))


def _names(model: type) -> tuple[str, ...]:
    return tuple(each.name for each in fields(model) if each.name != "num_merchants")


def allowed_range(name: str) -> tuple[int, int]:
    """Least and most of a value, by the longest ending of its name."""
    ends = [end for end in _RANGES if name == end or name.endswith(end)]
    return _RANGES[max(ends, key=len)] if ends else _ANY


@dataclass(slots=True)
class _Reading:
    """One reading: the file's name, and the faults found so far."""

    file: str
    faults: list[Fault] = field(default_factory=list)
    ranges: dict[str, tuple[int, int]] = field(default_factory=dict)

    def fault(self, code: str, key: str = "", given: str = "", allowed: str = "", **params: str) -> None:
        self.faults.append(Fault(code, self.file, key=key, given=given, allowed=allowed, params=tuple(params.items())))

    def load(self, reference: str, depth: int = 0) -> dict[str, Any] | None:
        """The document of a reference, what it extends merged in."""
        path = Path(reference) if reference.endswith(".toml") else SCENARIOS_DIR / f"{reference}.toml"
        try:
            document = tomllib.loads(path.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError):
            near = difflib.get_close_matches(reference, shipped(), n=1)
            self.fault(
                "scenario_not_found",
                given=reference,
                allowed=", ".join(shipped()),
                near=near[0] if near else shipped()[0],
            )
            return None
        except tomllib.TOMLDecodeError as error:
            self.fault("scenario_not_toml", given=str(error))
            return None
        parent = document.pop("extends", None)
        if parent is None:
            return document
        if not isinstance(parent, str) or depth > 4:
            self.fault("scenario_extends", key="extends", given=as_written(parent))
            return None
        below = self.load(parent, depth + 1)
        return None if below is None else _merged(below, document)

    def set(self, document: dict[str, Any], written: str) -> None:
        """Put one setting into the document."""
        key, equals, text = (part.strip() for part in written.partition("="))
        if not equals or not key or not text:
            self.fault("scenario_bad_setting", given=written)
            return
        try:
            value = tomllib.loads(f"value = {text}")["value"]
        except tomllib.TOMLDecodeError:
            value = text
        if key not in keys():
            self.unknown(key)
            return
        entry = value if isinstance(value, dict) else {"quantiles" if _is_pairs(value) else "value": value}
        nested.put(document, key.split("."), {"source": SET_BY, **entry})

    def unknown(self, key: str) -> None:
        near = difflib.get_close_matches(key, keys(), n=1)
        self.fault("scenario_unknown_key", key=key, given=key, near=near[0] if near else keys()[0])

    def scenario(self, document: Mapping[str, Any]) -> Scenario | None:
        """The document as a scenario; None where a fault stands in the way."""
        sources: dict[str, str] = {}
        made = {name: self.part(name, model, document, sources) for name, model in PARTS.items()}
        obstacles = self.obstacles(document.get("obstacle", []), sources)
        for key in document:
            if key not in (*WORDS, *PARTS, *_names(Town), "obstacle"):
                self.unknown(key)
        title = document.get("title", {})
        if not isinstance(title, dict) or not all(isinstance(title.get(lang), str) for lang in ("zh", "en")):
            self.fault("scenario_title", key="title", given=as_written(title))
        zone, city = document.get("time_zone"), document.get("city")
        if zone not in available_timezones():
            self.fault("scenario_time_zone", key="time_zone", given=as_written(zone))
        if not isinstance(city, str) or not city:
            self.fault("scenario_no_city", key="city", given=as_written(city))
        if self.faults or any(part is None for part in made.values()):
            return None
        town = made[""]
        self.agree(made)
        if self.faults:
            return None
        kitchens = replace(made["kitchens"], num_merchants=num_areas(town) * town.merchants_per_area)
        plain = {key: value for key, value in document.items() if key != "title"}
        return Scenario(
            name=Path(self.file).stem, title=(title["zh"], title["en"]), city=str(city), time_zone=str(zone), town=town,
            demand=made["demand"], promise=made["promise"], streets=made["streets"], kitchens=kitchens,
            weather=made["weather"], doors=made["doors"], people=made["people"], sending=made["sending"],
            feedback=made["feedback"], behaviour=made["behaviour"], obstacles=obstacles, sources=sources, ranges=self.ranges,
            digest=digest(_values(plain)),
        )  # fmt: skip

    def part(self, name: str, model: type, document: Mapping[str, Any], sources: dict[str, str]) -> Any:
        """One part; None where a fault stands in the way."""
        table = document if not name else document.get(name, {})
        if not isinstance(table, dict):
            self.fault("scenario_not_a_table", key=name, given=as_written(table))
            return None
        before = len(self.faults)
        values = {}
        for each in fields(model):
            if each.name == "num_merchants":
                continue
            key = f"{name}.{each.name}" if name else each.name
            values[each.name] = self.value(key, each.name, each.type, table.get(each.name), sources)
        if name:
            for key in table:
                if key not in values:
                    self.unknown(f"{name}.{key}")
        return None if len(self.faults) > before else model(**values)

    def value(self, key: str, name: str, wanted: Any, entry: Any, sources: dict[str, str]) -> Any:
        """One value with its source; None where there is a fault."""
        if entry is None:
            return self.fault("scenario_missing_key", key=key)
        if not isinstance(entry, dict) or not isinstance(entry.get("source"), str) or not entry["source"].strip():
            return self.fault("scenario_no_source", key=key, given=as_written(entry))
        for extra in set(entry) - {"value", "quantiles", "source", "range"}:
            self.fault("scenario_unknown_key", key=f"{key}.{extra}", given=extra, near="value")
        sources[key] = entry["source"]
        low, high = allowed_range(name)
        if wanted is Quantiles:
            return self.quantiles(key, entry.get("quantiles"), low, high)
        if wanted == Pairs:
            return self.pairs(key, entry.get("value", entry.get("quantiles")), low, high)
        value, possible = entry.get("value"), entry.get("range")
        if possible is not None and not (_is_pair(possible) and low <= possible[0] <= possible[1] <= high):
            return self.fault("scenario_bad_range", key=key, given=as_written(possible), allowed=f"{low} … {high}")
        if possible is not None:
            self.ranges[key] = (possible[0], possible[1])
        if not isinstance(value, int) or isinstance(value, bool):
            return self.fault("scenario_expected_whole", key=key, given=as_written(value))
        if not low <= value <= high:
            return self.fault("scenario_out_of_range", key=key, given=str(value), allowed=f"{low} … {high}")
        if name == "first_day" and not _is_date(value):
            return self.fault("scenario_bad_date", key=key, given=str(value))
        return value

    def quantiles(self, key: str, value: Any, low: int, high: int) -> Quantiles | None:
        if not _is_pairs(value):
            self.fault("scenario_expected_quantiles", key=key, given=as_written(value))
            return None
        for _, at in value:
            if not low <= at <= high:
                self.fault("scenario_out_of_range", key=key, given=str(at), allowed=f"{low} … {high}")
                return None
        try:
            return Quantiles(tuple((share, at) for share, at in value))
        except ValueError:
            self.fault("scenario_expected_quantiles", key=key, given=as_written(value))
            return None

    def pairs(self, key: str, value: Any, low: int, high: int) -> Pairs | None:
        if not _is_pairs(value) or any(b[0] <= a[0] for a, b in pairwise(value)):
            self.fault("scenario_expected_pairs", key=key, given=as_written(value))
            return None
        for _, at in value:
            if not low <= at <= high:
                self.fault("scenario_out_of_range", key=key, given=str(at), allowed=f"{low} … {high}")
                return None
        return tuple((at, height) for at, height in value)

    def obstacles(self, rows: Any, sources: dict[str, str]) -> tuple[Obstacle, ...]:
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            self.fault("scenario_not_a_table", key="obstacle", given=as_written(rows))
            return ()
        found = []
        for row in rows:
            report = row.get("report")
            if report not in REPORT_KINDS:
                self.fault(
                    "scenario_unknown_report",
                    key="obstacle.report",
                    given=as_written(report),
                    allowed=", ".join(REPORT_KINDS),
                )
                continue
            values: dict[str, Any] = {}
            for name, wanted in (("per_million", int), ("delay_s", Quantiles), ("reported_per_million", int)):
                values[name] = self.value(f"obstacle.{report}.{name}", name, wanted, row.get(name), sources)
            for key in set(row) - {"report", *values}:
                self.unknown(f"obstacle.{report}.{key}")
            if None not in values.values():
                found.append(Obstacle(report=report, **values))
        if sum(obstacle.per_million for obstacle in found) > MILLION:
            self.fault("scenario_obstacles", key="obstacle.per_million", allowed=f"0 … {MILLION}")
        return tuple(found)

    def agree(self, made: Mapping[str, Any]) -> None:
        """What parts must agree on."""
        for code, key, bad in _disagreements(made):
            if bad:
                self.fault(code, key=key)


def _disagreements(made: Mapping[str, Any]) -> Iterator[tuple[str, str, bool]]:
    people, behaviour, streets = made["people"], made["behaviour"], made["streets"]
    yield (
        "scenario_shift_too_long",
        "people.shift_s",
        people.shift_start_s.lowest + people.shift_s.corners[-1][1] > 28 * 3_600,
    )
    yield "scenario_shift_after_end", "people.shift_start_s", people.shift_start_s.corners[-1][1] > people.last_end_s
    yield (
        "scenario_jump_order",
        "behaviour.jump_most_per_million",
        behaviour.jump_most_per_million < behaviour.jump_per_million,
    )
    yield "scenario_fastest", "streets.fastest_s_per_km", streets.fastest_s_per_km > people.pace_s_per_km.lowest


def num_areas(town: Town) -> int:
    """Trade areas of a town."""
    return -(-town.riders // town.riders_per_area)


def _is_pairs(value: Any) -> bool:
    return isinstance(value, list) and len(value) > 1 and all(_is_pair(pair) for pair in value)


def _is_pair(value: Any) -> bool:
    return (
        isinstance(value, list)
        and len(value) == 2
        and all(isinstance(number, int) and not isinstance(number, bool) for number in value)
    )


def _is_date(number: int) -> bool:
    try:
        day_of(number)
    except ValueError:
        return False
    return True


def day_of(number: int) -> dt.date:
    """The date that YYYYMMDD names."""
    return dt.date(number // 10_000, number // 100 % 100, number % 100)


def _merged(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    """`above` over `below`; a table of values is replaced whole, a part is merged key by key."""
    out = dict(below)
    for key, value in above.items():
        mixed = key in PARTS and isinstance(value, dict) and isinstance(out.get(key), dict)
        out[key] = {**out[key], **value} if mixed else value
    return out


def _values(entry: Any) -> Any:
    """A document without its sources."""
    if isinstance(entry, dict):
        return {key: _values(value) for key, value in entry.items() if key not in ("source", "range")}
    return [_values(value) for value in entry] if isinstance(entry, list) else entry
