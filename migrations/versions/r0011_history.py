"""Long histories: checkpoints, corrections and appeals that wait for their replay, and ways into a rider's rows.

The indexes read every event and entry once: minutes on a large database.
"""

import sqlalchemy as sa
from alembic import op

revision = "r0011"
down_revision = "r0010"

ID = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
_HAS_REF = sa.text("ref_event_id IS NOT NULL")
_HAS_MONEY = sa.text("money_fen <> 0")


def upgrade() -> None:
    """Create the tables and indexes."""
    op.create_table(
        "checkpoints",
        sa.Column("rider_id", ID, primary_key=True),
        sa.Column("at_us", sa.BigInteger, primary_key=True),
        sa.Column("layout", sa.Text, nullable=False),
        sa.Column("part", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "replays",
        sa.Column("rider_id", ID, primary_key=True),
        sa.Column("event_id", ID, primary_key=True),
        sa.Column("about_us", sa.BigInteger, nullable=False),
        sa.Column("recorded_us", sa.BigInteger, nullable=False),
    )
    op.create_index("ix_replays_recorded_us", "replays", ["recorded_us"])
    op.create_index("events_by_time", "events", ["rider_id", "occurred_us"])
    op.create_index(
        "events_about", "events", ["rider_id", "ref_event_id"], sqlite_where=_HAS_REF, postgresql_where=_HAS_REF
    )
    op.create_index("entries_of_event", "entries", ["rider_id", "event_id"])
    op.create_index(
        "entries_of_money", "entries", ["rider_id", "occurred_us"],
        sqlite_where=_HAS_MONEY, postgresql_where=_HAS_MONEY,
    )  # fmt: skip


def downgrade() -> None:
    """Remove them."""
    op.drop_index("entries_of_money", "entries")
    op.drop_index("entries_of_event", "entries")
    op.drop_index("events_about", "events")
    op.drop_index("events_by_time", "events")
    op.drop_table("replays")
    op.drop_table("checkpoints")
