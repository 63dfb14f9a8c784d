"""What a rider earned in a stretch of time: fees of deliveries, and what the ledger gave and took."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from sqlalchemy import or_, select, text

from api.db.tables import entries, events
from api.db.unit_of_work import ReadUnit, WriteUnit
from scoring.ledger import net_taken_and_given

# Word for word the condition of the index `entries_of_money`.
_HAS_MONEY = text("money_fen <> 0")


@dataclass(frozen=True, slots=True)
class Earnings:
    """Orders and money (fen) of a stretch of time; fines and bonus are at least 0, income = fees + bonus − fines."""

    orders: int
    fees_fen: int
    bonus_fen: int
    fines_fen: int

    @property
    def income_fen(self) -> int:
        """All that the rider has of it."""
        return self.fees_fen + self.bonus_fen - self.fines_fen


def earnings_since(unit: ReadUnit | WriteUnit, rider_id: str, *since_us: int) -> tuple[Earnings, ...]:
    """Money of a rider from each of some instants on, by the times of deliveries and entries."""
    first_us = min(since_us)
    delivered = _fees(unit, rider_id, first_us)
    query = select(entries.c.occurred_us, entries.c.kind, entries.c.money_fen).where(
        entries.c.rider_id == rider_id, entries.c.occurred_us >= first_us, _HAS_MONEY
    )
    moved = unit.connection.execute(query).all()
    return tuple(_money(delivered, moved, from_us) for from_us in since_us)


def _fees(unit: ReadUnit | WriteUnit, rider_id: str, since_us: int) -> list[tuple[int, int]]:
    """Time and fee of each delivery, as last corrected."""
    query = select(
        events.c.event_id, events.c.kind, events.c.ref_event_id, events.c.occurred_us, events.c.fee_fen
    ).where(
        events.c.rider_id == rider_id,
        events.c.occurred_us >= since_us,
        or_(events.c.kind == "delivered", events.c.kind == "correction"),
    )
    # Unpacked rather than asked for by name: a rider may have thousands of orders a week.
    rows = unit.connection.execute(query.order_by(events.c.occurred_us, events.c.event_id)).all()
    fees = {event_id: (at_us, fen or 0) for event_id, kind, _, at_us, fen in rows if kind == "delivered"}
    # A correction of a correction is about the delivery, too.
    about: dict[str, str] = {}
    for event_id, kind, ref_id, _, fen in rows:
        if kind == "correction":
            target = about[event_id] = about.get(ref_id, ref_id)
            if target in fees:
                fees[target] = fees[target][0], fen or 0
    return list(fees.values())


def _money(delivered: list[tuple[int, int]], moved: Sequence[Any], from_us: int) -> Earnings:
    fees = [fee for at_us, fee in delivered if at_us >= from_us]
    taken = added = 0
    for at_us, kind, fen in moved:
        if at_us < from_us:
            continue
        # A reversal counts on the side of what it takes back.
        sign = -1 if kind == "reverse" else 1
        if fen * sign < 0:
            taken -= fen
        else:
            added += fen
    fines, bonus = net_taken_and_given(np.array([taken]), np.array([added]))
    return Earnings(len(fees), sum(fees), int(bonus[0]), int(fines[0]))
