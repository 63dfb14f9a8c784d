"""Who posted what waits for its replay, and with which key: they do not decide what it opens."""

import sqlalchemy as sa
from alembic import op

revision = "r0013"
down_revision = "r0012"

ID = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    """Add the columns."""
    op.add_column("replays", sa.Column("filed_by", ID))
    op.add_column("replays", sa.Column("filed_key", ID))


def downgrade() -> None:
    """Remove them."""
    op.drop_column("replays", "filed_key")
    op.drop_column("replays", "filed_by")
