"""Rule books, where they are in force, what carried positions mean, personal fields, audit."""

import sqlalchemy as sa
from alembic import op

from migrations.append_only import create_function, drop_function, seal

revision = "r0001"
down_revision = None

ID = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
SERIAL = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Create the tables and seal those that are written once."""
    create_function()
    op.create_table(
        "books",
        sa.Column("digest", sa.Text, primary_key=True),
        sa.Column("book_id", sa.Text, nullable=False),
        sa.Column("effective_from", sa.Date, nullable=False),
        sa.Column("document", sa.Text, nullable=False),
        sa.Column("recorded_us", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "deployments",
        sa.Column("city", sa.Text, primary_key=True),
        sa.Column("rider_kind", sa.Text, primary_key=True),
        sa.Column("from_date", sa.Date, primary_key=True),
        sa.Column("book_id", sa.Text, nullable=False),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("confidence", sa.Text, nullable=False),
        sa.Column("recorded_us", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "layouts",
        sa.Column("digest", sa.Text, primary_key=True),
        sa.Column("document", sa.Text, nullable=False),
    )
    op.create_table(
        "people",
        sa.Column("rider_id", ID, primary_key=True),
        sa.Column("name", sa.Text),
        sa.Column("phone", sa.Text),
        sa.Column("recorded_us", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "audit",
        sa.Column("audit_id", SERIAL, primary_key=True),
        sa.Column("recorded_us", sa.BigInteger, nullable=False),
        sa.Column("actor", sa.Text, nullable=False),
        sa.Column("action", sa.Text, nullable=False),
        sa.Column("subject", ID, nullable=False),
        sa.Column("detail", sa.Text, nullable=False),
    )
    op.create_index("ix_audit_subject", "audit", ["subject"])
    seal("books", ("digest",))
    seal("deployments", ("city", "rider_kind", "from_date"))
    seal("layouts", ("digest",))
    seal("audit", ("audit_id",))


def downgrade() -> None:
    """Drop all; what they held is gone."""
    for table in ("audit", "people", "layouts", "deployments", "books"):
        op.drop_table(table)
    drop_function()
