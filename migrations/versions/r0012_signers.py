"""Sessions hold what their token was signed with; those that do not say it end."""

import sqlalchemy as sa
from alembic import op

revision = "r0012"
down_revision = "r0011"


def upgrade() -> None:
    """Add the column."""
    op.add_column("sessions", sa.Column("signed_by", sa.Text))
    op.execute("DELETE FROM sessions WHERE key_id IS NULL")


def downgrade() -> None:
    """Remove it."""
    op.drop_column("sessions", "signed_by")
