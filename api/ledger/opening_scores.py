"""The opening scores of ledgers, read from their first entries."""

from collections.abc import Sequence

import numpy as np
from sqlalchemy import select

from api.db.bulk import among, in_chunks
from api.db.tables import entries
from api.db.unit_of_work import ReadUnit, WriteUnit
from rules.compile import Program
from scoring.columns import I64, NO_TIME


def openings_of(unit: ReadUnit | WriteUnit, program: Program, riders: Sequence[str]) -> I64:
    """With what the ledgers of riders opened; `NO_TIME` where there is no entry, or all books have one base."""
    opened = np.full(len(riders), NO_TIME, np.int64)
    if np.unique(program.tables.books["base_mp"]).size > 1:
        place = {rider: k for k, rider in enumerate(riders)}
        columns = (entries.c.rider_id, entries.c.score_after_mp - entries.c.delta_mp)
        for some in in_chunks(riders):
            own = select(*columns).where(among(unit, entries.c.rider_id, some), entries.c.seq == 1)
            for rider, opening_mp in unit.connection.execute(own):
                opened[place[rider]] = opening_mp
    return opened
