"""Events, the ledger and where each rider stands."""

import sqlalchemy as sa
from alembic import op

from migrations.append_only import seal

revision = "r0002"
down_revision = "r0001"

ID = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    """Create the tables and seal events and entries."""
    _create_events()
    _create_entries()
    op.create_table(
        "rider_state",
        sa.Column("rider_id", ID, primary_key=True),
        sa.Column("city", sa.Text),
        sa.Column("rider_kind", sa.SmallInteger, nullable=False),
        sa.Column("book_digest", sa.Text),
        sa.Column("score_mp", sa.BigInteger, nullable=False),
        sa.Column("review_required", sa.SmallInteger, nullable=False),
        sa.Column("seq", sa.BigInteger, nullable=False),
        sa.Column("chain", sa.LargeBinary, nullable=False),
        sa.Column("until_us", sa.BigInteger, nullable=False),
        sa.Column("keep_us", sa.BigInteger, nullable=False),
        sa.Column("due_us", sa.BigInteger, nullable=False),
        sa.Column("layout", sa.Text),
        sa.Column("carried", sa.LargeBinary),
    )
    op.create_index("ix_rider_state_due_us", "rider_state", ["due_us"])
    seal("events", ("rider_id", "event_id"))
    seal("entries", ("rider_id", "seq"))


def _create_events() -> None:
    op.create_table(
        "events",
        sa.Column("rider_id", ID, primary_key=True),
        sa.Column("event_id", ID, primary_key=True),
        sa.Column("city", sa.Text, nullable=False),
        sa.Column("rider_kind", sa.Text, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("order_id", sa.Text),
        sa.Column("occurred_us", sa.BigInteger, nullable=False),
        sa.Column("placed_us", sa.BigInteger),
        sa.Column("promised_us", sa.BigInteger),
        sa.Column("assess_deadline_us", sa.BigInteger),
        sa.Column("accepted_us", sa.BigInteger),
        sa.Column("arrived_store_us", sa.BigInteger),
        sa.Column("merchant_ready_us", sa.BigInteger),
        sa.Column("merchant_promised_ready_us", sa.BigInteger),
        sa.Column("picked_up_us", sa.BigInteger),
        sa.Column("delivered_us", sa.BigInteger),
        sa.Column("distance_m", sa.BigInteger),
        sa.Column("fee_fen", sa.BigInteger),
        sa.Column("reports", sa.Text),
        sa.Column("cause", sa.Text),
        sa.Column("extend_s", sa.BigInteger),
        sa.Column("party", sa.Text),
        sa.Column("level", sa.BigInteger),
        sa.Column("rider_joined_us", sa.BigInteger),
        sa.Column("ref_event_id", sa.Text),
        sa.Column("content", sa.BigInteger, nullable=False),
        sa.Column("book_digest", sa.Text, nullable=False),
        sa.Column("recorded_us", sa.BigInteger, nullable=False),
    )
    op.create_index("events_by_order", "events", ["rider_id", "order_id"])


def _create_entries() -> None:
    op.create_table(
        "entries",
        sa.Column("rider_id", ID, primary_key=True),
        sa.Column("seq", sa.BigInteger, primary_key=True),
        sa.Column("entry_id", ID, nullable=False, unique=True),
        sa.Column("event_id", ID, nullable=False),
        sa.Column("rule_id", sa.Text, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("delta_mp", sa.BigInteger, nullable=False),
        sa.Column("score_after_mp", sa.BigInteger, nullable=False),
        sa.Column("money_fen", sa.BigInteger, nullable=False),
        sa.Column("liable_party", sa.Text, nullable=False),
        sa.Column("late_s", sa.BigInteger, nullable=False),
        sa.Column("time_given_back_s", sa.BigInteger, nullable=False),
        sa.Column("book_digest", sa.Text, nullable=False),
        sa.Column("occurred_us", sa.BigInteger, nullable=False),
        sa.Column("recorded_us", sa.BigInteger, nullable=False),
        sa.Column("of_kind", sa.Text, nullable=False),
        sa.Column("cause_event_id", sa.Text),
        sa.Column("of_us", sa.BigInteger),
        sa.Column("chain", sa.LargeBinary, nullable=False),
    )


def downgrade() -> None:
    """Drop all; what they held is gone."""
    for table in ("rider_state", "entries", "events"):
        op.drop_table(table)
