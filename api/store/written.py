"""The entries that one transaction wrote: the answer to whoever posted the events."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import BigInteger, Text, column, func, literal, select, values
from sqlalchemy.dialects import postgresql

from api.store.bulk import among, in_chunks
from api.store.tables import entries, rider_state
from api.store.units import WriteUnit

_SHOWN = ("entry_id", "event_id", "rider_id", "seq", "rule_id", "kind", "delta_mp", "score_after_mp", "money_fen")


def numbers_of(unit: WriteUnit, rider_ids: Iterable[str]) -> dict[str, int]:
    """The number of the last entry of each rider; 0 for one not seen yet."""
    found = dict.fromkeys(rider_ids, 0)
    for some in in_chunks(found):
        rows = unit.connection.execute(
            select(rider_state.c.rider_id, rider_state.c.seq).where(among(unit, rider_state.c.rider_id, some))
        )
        found |= {row.rider_id: row.seq for row in rows}
    return found


def entries_since(unit: WriteUnit, numbers: Mapping[str, int]) -> dict[tuple[str, str], list[dict[str, Any]]]:
    """Entries after a number of each rider, by (rider, event); one that an event brought about in another stands under both."""
    found: dict[tuple[str, str], list[dict[str, Any]]] = defaultdict(list)
    for some in in_chunks(numbers.items()):
        since = _as_rows(unit, some)
        rows = unit.connection.execute(
            select(*(entries.c[name] for name in _SHOWN), entries.c.cause_event_id)
            .join(since, (entries.c.rider_id == since.c.rider_id) & (entries.c.seq > since.c.seq))
            .order_by(entries.c.rider_id, entries.c.seq)
        )
        for row in rows:
            entry = {name: getattr(row, name) for name in _SHOWN}
            found[row.rider_id, row.event_id].append(entry)
            if row.cause_event_id not in (None, row.event_id):
                found[row.rider_id, row.cause_event_id].append(entry)
    return found


def _as_rows(unit: WriteUnit, numbers: Iterable[tuple[str, int]]) -> Any:
    pairs = list(numbers)
    if unit.connection.dialect.name == "postgresql":
        riders = literal([rider for rider, _ in pairs], postgresql.ARRAY(Text))
        seqs = literal([seq for _, seq in pairs], postgresql.ARRAY(BigInteger))
        return func.unnest(riders, seqs).table_valued("rider_id", "seq").render_derived()
    return values(column("rider_id", Text), column("seq", BigInteger), name="since").data(pairs).cte("since")
