"""The heartbeat of the clock guard."""

import sqlalchemy as sa
from alembic import op

revision = "r0004"
down_revision = "r0003"


def upgrade() -> None:
    """Create the table and its one row; the first tick believes the clock it finds."""
    clock = op.create_table(
        "clock",
        sa.Column("clock_id", sa.SmallInteger, primary_key=True, autoincrement=False),
        sa.Column("heartbeat_us", sa.BigInteger),
        sa.Column("confirmations", sa.BigInteger, nullable=False),
        sa.Column("held_us", sa.BigInteger),
        sa.Column("why", sa.Text),
    )
    op.bulk_insert(clock, [{"clock_id": 1, "confirmations": 0}])


def downgrade() -> None:
    """Remove the table."""
    op.drop_table("clock")
