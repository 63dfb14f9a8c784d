"""That something about a rider's past is stored and not entered yet: what card, entries and appeals say of it."""

from dataclasses import dataclass

from sqlalchemy import func, select

from api.db.tables import replays
from api.db.unit_of_work import ReadUnit, WriteUnit
from api.words import Translated, translated
from rules.text import text


@dataclass(frozen=True, slots=True)
class Recalculation:
    """What waits about a rider.

    Parameters
    ----------
    since_us
        When the oldest of it was stored.
    from_us
        When that was which it is about: entries of then and later may change.
    """

    since_us: int
    from_us: int

    @property
    def words(self) -> Translated:
        """What the rider is told."""
        return translated(lambda lang: text(lang, "recalculating.card"))

    @property
    def list_words(self) -> Translated:
        """What stands above a list of entries."""
        return translated(lambda lang: text(lang, "recalculating.list"))


def recalculation_of(unit: ReadUnit | WriteUnit, rider_id: str) -> Recalculation | None:
    """What waits about a rider; None if nothing does."""
    query = select(func.min(replays.c.recorded_us), func.min(replays.c.about_us)).where(replays.c.rider_id == rider_id)
    since_us, from_us = unit.connection.execute(query).one()
    return None if since_us is None else Recalculation(since_us, from_us)
