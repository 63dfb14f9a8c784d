"""Sessions of the console, what a database is, and who posted what opened a review.

The cookie of 0.1.0 was the API key itself, so that every session there was ends here; keys that were made for one click in
a demo end with them. A demo of 0.1.0 is known by how it was made: its history was written before anybody had a key.
"""

import sqlalchemy as sa
from alembic import context, op

from migrations.append_only import seal

revision = "r0009"
down_revision = "r0008"

ID = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
_ONE_CLICK = "UPDATE api_keys SET revoked_us = :now_us WHERE created_by = 'demo:login' AND revoked_us IS NULL"
_NO_KEY_BEFORE = "NOT EXISTS (SELECT 1 FROM audit k WHERE k.action = 'key_created' AND k.audit_id < a.audit_id)"
_IS_DEMO = f"""
    SELECT 1 FROM rider_state WHERE city = 'sample'
    AND EXISTS (
        SELECT 1 FROM audit a WHERE a.actor = 'platform:demo' AND a.action = 'person_introduced' AND {_NO_KEY_BEFORE}
    )
    AND EXISTS (SELECT 1 FROM audit a WHERE a.actor = 'ops:li.na' AND a.action = 'draft_begun' AND {_NO_KEY_BEFORE})
    LIMIT 1
"""  # noqa: S608 nothing but our own words


def upgrade() -> None:
    """Create the tables; mark a demo."""
    op.create_table(
        "sessions",
        sa.Column("session_id", ID, primary_key=True),
        sa.Column("role", sa.Text, nullable=False),
        sa.Column("subject", ID, nullable=False),
        sa.Column("cities", sa.Text, nullable=False),
        sa.Column("key_id", ID),
        sa.Column("created_us", sa.BigInteger, nullable=False),
        sa.Column("expires_us", sa.BigInteger, nullable=False),
        sa.Column("ended_us", sa.BigInteger),
    )
    op.create_index("ix_sessions_subject", "sessions", ["subject"])
    op.create_index("ix_sessions_expires_us", "sessions", ["expires_us"])
    marks = op.create_table(
        "marks",
        sa.Column("name", ID, primary_key=True),
        sa.Column("recorded_us", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "review_filings",
        sa.Column("review_id", ID, primary_key=True),
        sa.Column("filed_by", ID, nullable=False),
        sa.Column("filed_key", ID),
    )
    seal("review_filings", ("review_id",))
    now_us = context.config.attributes["now_us"]
    connection = op.get_bind()
    connection.execute(sa.text(_ONE_CLICK), {"now_us": now_us})
    if connection.execute(sa.text(_IS_DEMO)).first() is not None:
        op.bulk_insert(marks, [{"name": "demo", "recorded_us": now_us}])


def downgrade() -> None:
    """Remove the tables."""
    op.drop_table("review_filings")
    op.drop_table("marks")
    op.drop_table("sessions")
