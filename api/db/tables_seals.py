"""Tables of the seals over decisions and the audit trail; `api.db.tables` lists them all."""

from typing import Final

from sqlalchemy import BigInteger, Column, LargeBinary, SmallInteger, Table, UniqueConstraint

from api.db.table_types import Id, Serial, metadata

# One chain over all rows that record what people decided or did, in the order in which they were committed: `digest` =
# SHA-256 of the row, `chain` = SHA-256 of the chain value before and the digest (`api.db.seals`).
seals: Final = Table(
    "seals",
    metadata,
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("sealed_table", Id, nullable=False),
    Column("row_key", Id, nullable=False),
    Column("digest", LargeBinary, nullable=False),
    Column("chain", LargeBinary, nullable=False),
    UniqueConstraint("sealed_table", "row_key", name="seals_of_rows"),
)

# One row: where the chain ends. Whoever adds to it holds this row, as the last one before the commit.
seal_head: Final = Table(
    "seal_head",
    metadata,
    Column("head_id", SmallInteger, primary_key=True, autoincrement=False),
    Column("number", BigInteger, nullable=False),
    Column("chain", LargeBinary, nullable=False),
)

# Rows that a transaction has added and not sealed yet, put here by triggers; empty after each commit.
seal_queue: Final = Table(
    "seal_queue",
    metadata,
    Column("queue_id", Serial, primary_key=True),
    Column("sealed_table", Id, nullable=False),
    Column("row_key", Id, nullable=False),
)
