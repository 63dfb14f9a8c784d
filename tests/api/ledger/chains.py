"""Checks of whole ledgers that tests ask for."""

from collections.abc import Iterator

from sqlalchemy import select

from api.db.tables import entries, rider_state
from api.db.unit_of_work import ReadUnit, WriteUnit
from api.ledger.chain import ChainBreak, breaks_in


def verify_chain(unit: ReadUnit | WriteUnit) -> Iterator[ChainBreak]:
    """Every break of every rider's chain, by rider; nothing where the ledger is whole."""
    heads = {
        row.rider_id: row
        for row in unit.connection.execute(
            select(rider_state.c.rider_id, rider_state.c.seq, rider_state.c.chain, rider_state.c.score_mp)
        )
    }
    lines = unit.connection.execute(
        select(entries).order_by(entries.c.rider_id, entries.c.seq).execution_options(yield_per=5_000)
    )
    yield from breaks_in((dict(row) for row in lines.mappings()), heads)
