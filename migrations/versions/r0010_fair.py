"""What is due for one receiver is found without looking at all others'; seals hold the digests of people's words too."""

import hashlib
import json
from typing import Any

import sqlalchemy as sa
from alembic import op

from migrations.append_only import seal

revision = "r0010"
down_revision = "r0009"

ID = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
GENESIS = bytes(32)
_AT_ONCE = 1_000
# Of each table what is sealed; the key comes first. As `api.store.seals.SEALED` was when this was written.
_SEALED = {
    "approvals": ("approval_id", "draft_id", "revision", "content_digest", "decision", "approver", "reason", "impact_id", "recorded_us"),
    "appeal_decisions": ("appeal_id", "decision", "decided_by", "reason_code", "reason_digest", "decided_us"),
    "review_decisions": ("review_id", "outcome", "decided_by", "reason_digest", "is_safety", "from_us", "decided_us"),
    "suspension_lifts": ("review_id", "lifted_by", "reason_digest", "event_id", "lifted_us"),
    "audit": ("audit_id", "recorded_us", "actor", "action", "subject", "detail", "city"),
}  # fmt: skip


def upgrade() -> None:
    """Create the index; make the seals anew, now that decisions hold digests of words."""
    op.create_index("webhook_attempts_of_one", "webhook_attempts", ["webhook_id", "state", "next_us"])
    op.drop_table("seals")
    op.execute("DELETE FROM seal_queue")
    seals = op.create_table(
        "seals",
        sa.Column("number", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("sealed_table", ID, nullable=False),
        sa.Column("row_key", ID, nullable=False),
        sa.Column("digest", sa.LargeBinary, nullable=False),
        sa.Column("chain", sa.LargeBinary, nullable=False),
        sa.UniqueConstraint("sealed_table", "row_key", name="seals_of_rows"),
    )
    number, chain = 0, GENESIS
    for table, columns in _SEALED.items():
        number, chain = _seal_rows(seals, table, columns, number, chain)
    head = sa.table("seal_head", sa.column("number"), sa.column("chain", sa.LargeBinary))
    op.get_bind().execute(sa.update(head).values(number=number, chain=chain))
    seal("seals", ("number",))


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
    """Drop the index; the seals stay as they are."""
    op.drop_index("webhook_attempts_of_one", "webhook_attempts")
