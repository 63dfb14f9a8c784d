"""Messages by rider, for what is held on a rider: without it an export reads every message that was sent."""

from alembic import op

revision = "r0017"
down_revision = "r0016"


def upgrade() -> None:
    """Create the index."""
    op.create_index("outbox_of_rider", "outbox", ["rider_id", "outbox_id"])


def downgrade() -> None:
    """Remove it."""
    op.drop_index("outbox_of_rider", "outbox")
