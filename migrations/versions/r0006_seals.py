"""A chain of seals over decisions and the audit trail; what is there already is sealed as it stands."""

import hashlib
import json
from typing import Any

import sqlalchemy as sa
from alembic import op

from migrations.append_only import seal
from migrations.sealing import forget_rows, note_rows

revision = "r0006"
down_revision = "r0005"

ID = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
SERIAL = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
GENESIS = bytes(32)
_AT_ONCE = 1_000
# Of each table what is sealed; the key comes first. As `api.store.seals.SEALED` was when this was written.
_SEALED = {
    "approvals": ("approval_id", "draft_id", "revision", "content_digest", "decision", "approver", "reason", "impact_id", "recorded_us"),
    "appeal_decisions": ("appeal_id", "decision", "decided_by", "reason_code", "decided_us"),
    "review_decisions": ("review_id", "outcome", "decided_by", "is_safety", "from_us", "decided_us"),
    "suspension_lifts": ("review_id", "lifted_by", "event_id", "lifted_us"),
    "audit": ("audit_id", "recorded_us", "actor", "action", "subject", "detail", "city"),
}  # fmt: skip


def upgrade() -> None:
    """Create the tables, seal what is there, and note from now on what is added."""
    seals = op.create_table(
        "seals",
        sa.Column("number", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("sealed_table", ID, nullable=False),
        sa.Column("row_key", ID, nullable=False),
        sa.Column("digest", sa.LargeBinary, nullable=False),
        sa.Column("chain", sa.LargeBinary, nullable=False),
        sa.UniqueConstraint("sealed_table", "row_key", name="seals_of_rows"),
    )
    head = op.create_table(
        "seal_head",
        sa.Column("head_id", sa.SmallInteger, primary_key=True, autoincrement=False),
        sa.Column("number", sa.BigInteger, nullable=False),
        sa.Column("chain", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "seal_queue",
        sa.Column("queue_id", SERIAL, primary_key=True),
        sa.Column("sealed_table", ID, nullable=False),
        sa.Column("row_key", ID, nullable=False),
    )
    number, chain = 0, GENESIS
    for table, columns in _SEALED.items():
        number, chain = _seal_rows(seals, table, columns, number, chain)
    op.bulk_insert(head, [{"head_id": 1, "number": number, "chain": chain}])
    seal("seals", ("number",))
    for table, columns in _SEALED.items():
        note_rows(table, columns[0])


def _seal_rows(seals: sa.Table, table: str, columns: tuple[str, ...], number: int, chain: bytes) -> tuple[int, bytes]:
    """Seal the rows of a table by key, in pages; the chain's new end."""
    rows = sa.table(table, *(sa.column(name) for name in columns))
    key = rows.c[columns[0]]
    bind, after = op.get_bind(), None
    while True:
        query = sa.select(rows).order_by(key).limit(_AT_ONCE)
        page = bind.execute(query if after is None else query.where(key > after)).all()
        if not page:
            return number, chain
        sealed: list[dict[str, Any]] = []
        for row in page:
            content = json.dumps([table, *row], ensure_ascii=False, separators=(",", ":")).encode()
            digest = hashlib.sha256(content).digest()
            number, chain = number + 1, hashlib.sha256(chain + digest).digest()
            sealed.append(
                {"number": number, "sealed_table": table, "row_key": str(row[0]), "digest": digest, "chain": chain}
            )
        op.bulk_insert(seals, sealed)
        after = page[-1][0]


def downgrade() -> None:
    """Drop the seals."""
    for table in _SEALED:
        forget_rows(table)
    for table in ("seal_queue", "seal_head", "seals"):
        op.drop_table(table)
