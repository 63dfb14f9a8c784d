"""Ids that a carried state holds: they stay valid, although ids like them are refused today.

Asked for only where a file has such an id, and then only of those riders: most states are never looked through.
"""

import json
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from api.files.atomic import STATE_MARKER
from api.files.reading_options import ReadingOptions, RiderAndId
from rules.ids import is_never_id


@dataclass(frozen=True, slots=True)
class StateIds:
    """The ids of a state folder, in one piece or by buckets."""

    folder: Path

    def filter_known(self, column: str, named: Collection[RiderAndId]) -> Collection[RiderAndId]:
        """Which of some (rider id, id) the state knows, from its riders or from any event that it accepted."""
        owners = pa.array(sorted({rider for rider, _ in named}), pa.string())
        known: set[RiderAndId] = set()
        for piece in _pieces(self.folder):
            if column in ("rider_id", "city"):
                known |= _pairs(piece / "riders.parquet", column, owners)
                continue
            for path in sorted((piece / "archive").glob("*.parquet")):
                known |= _pairs(path, "event_id" if column == "ref_event_id" else column, owners)
        return known & set(named)


def with_state_ids(reading: ReadingOptions, state: Path | None) -> ReadingOptions:
    """A reading that knows the ids of a state."""
    return reading if state is None else replace(reading, known_ids=StateIds(state))


def city_acceptor(reading: ReadingOptions, state: Path | None) -> Callable[[str], bool]:
    """Whether a deployment table may name a city that is no id: a state holds it, or ids are taken as they are."""

    @cache
    def known_cities() -> frozenset[str]:
        pieces = [] if state is None else _pieces(state)
        return frozenset(city for piece in pieces for city in _cities(piece / "riders.parquet"))

    return lambda city: (reading.ids_as_they_are and not is_never_id(city)) or city in known_cities()


def _cities(path: Path) -> set[str]:
    try:
        return set(pc.unique(pq.read_table(path, columns=["city"])["city"].cast(pa.string())).to_pylist())
    except (OSError, pa.ArrowException, KeyError):
        return set()


def _pieces(folder: Path) -> Iterator[Path]:
    try:
        header = json.loads((folder / STATE_MARKER).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        # Whoever reads the state itself says what is wrong with it.
        return
    number = header.get("buckets") if isinstance(header, dict) else None
    yield from [folder] if number is None else [folder / f"bucket-{k:05d}" for k in range(number)]


def _pairs(path: Path, column: str, owners: pa.Array) -> set[RiderAndId]:
    """(rider id, value) of the rows of some riders."""
    try:
        names = list(dict.fromkeys(["rider_id", column]))
        table = pq.read_table(path, columns=names, filters=pc.field("rider_id").isin(owners))
    except (OSError, pa.ArrowException, KeyError):
        return set()
    riders, values = (table[name].cast(pa.string()).to_pylist() for name in ("rider_id", column))
    return set(zip(riders, values, strict=True))
