"""Units of work: a read unit cannot write, a write unit commits once, at its edge. `api.db.store` opens them."""

from dataclasses import dataclass

from sqlalchemy import Connection


@dataclass(frozen=True, slots=True)
class ReadUnit:
    """One consistent look at the store."""

    connection: Connection


@dataclass(frozen=True, slots=True)
class WriteUnit:
    """One transaction; `recorded_us` is the store's clock (µs UTC) when it began."""

    connection: Connection
    recorded_us: int
