"""Ids that the store holds: they stay valid, although ids like them are refused today.

Asked for only where somebody posts such an id. Of cities where they may not post they learn nothing.
"""

from collections.abc import Callable, Collection
from contextlib import AbstractContextManager
from dataclasses import dataclass

from sqlalchemy import select

from api.db.bulk import rows_of_pairs
from api.db.rider_rows import cities_of
from api.db.tables import events
from api.db.unit_of_work import ReadUnit, WriteUnit
from api.files.reading_options import RiderAndId
from rules.ids import RESERVED_PREFIXES

# Posted events never have such an id, whatever decisions the store has written.
_OWN = RESERVED_PREFIXES[1]


@dataclass(frozen=True, slots=True)
class StoredIds:
    """The ids of a store, as far as the requester may post about their riders.

    Parameters
    ----------
    reading
        Opens a unit.
    cities
        Where they may post; empty for everywhere.
    """

    reading: Callable[[], AbstractContextManager[ReadUnit | WriteUnit]]
    cities: tuple[str, ...] = ()

    def filter_known(self, column: str, named: Collection[RiderAndId]) -> Collection[RiderAndId]:
        """Which of some (rider id, id) are stored of a rider of their cities."""
        # No database holds NUL in a text.
        wanted = [
            pair
            for pair in named
            if "\0" not in "".join(pair) and (column != "event_id" or not pair[1].startswith(_OWN))
        ]
        with self.reading() as unit:
            homes = cities_of(unit, {rider for rider, _ in wanted})
            known = {rider for rider, city in homes.items() if not self.cities or city in self.cities}
            allowed = sorted(pair for pair in wanted if pair[0] in known)
            if column == "rider_id":
                return set(allowed)
            if column == "city":
                return {(rider, city) for rider, city in allowed if homes[rider] == city}
            columns = (events.c.rider_id, events.c["event_id" if column == "ref_event_id" else column])
            return {(row[0], row[1]) for row in rows_of_pairs(unit, select(*columns), columns, allowed)}
