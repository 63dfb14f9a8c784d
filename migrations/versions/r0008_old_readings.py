"""Up to when version 0.1.0 wrote the ledger: what it wrote is read again as it read it."""

import sqlalchemy as sa
from alembic import op

revision = "r0008"
down_revision = "r0007"

_NEVER_US = -(2**63)


def upgrade() -> None:
    """Add the instant to the law; a database without entries has none."""
    op.add_column("law", sa.Column("old_until_us", sa.BigInteger))
    connection = op.get_bind()
    latest = [
        connection.scalar(sa.text("SELECT max(occurred_us) FROM entries")),
        connection.scalar(
            sa.text("SELECT max(until_us) FROM rider_state WHERE until_us > :never"), {"never": _NEVER_US}
        ),
    ]
    known = [us for us in latest if us is not None]
    if known:
        op.execute(sa.text("UPDATE law SET old_until_us = :us").bindparams(us=max(known)))


def downgrade() -> None:
    """Remove the column."""
    op.drop_column("law", "old_until_us")
