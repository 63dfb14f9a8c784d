"""Keys know what they were made with, appeals what they were filed with; riders' keys that operations made end.

Until this revision whoever worked in operations could make a key for any rider, read that rider's things and appeal as
the rider. Who may make one now: a platform for its riders, and the command on the server. Every other rider's key is
revoked, each with an audit line (`UPGRADE`), but for those of one click in a demo, which are sessions; all other keys
stay as they are.
"""

import json

import sqlalchemy as sa
from alembic import context, op

revision = "r0005"
down_revision = "r0004"

ID = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
# The actor of the audit lines.
UPGRADE = "upgrade:r0005"


def upgrade() -> None:
    """Add the columns and end what nobody may have made."""
    op.add_column("api_keys", sa.Column("parent", ID))
    op.create_index("ix_api_keys_parent", "api_keys", ["parent"])
    op.create_index("api_keys_by_holder", "api_keys", ["subject"])
    op.add_column("appeals", sa.Column("filed_by", ID))
    op.add_column("appeals", sa.Column("filed_key", ID))
    _end_riders_keys(context.config.attributes["now_us"])


def _end_riders_keys(now_us: int) -> None:
    connection = op.get_bind()
    found = connection.execute(
        sa.text(
            "SELECT k.key_id, k.subject, k.created_by, s.city FROM api_keys k "
            "LEFT JOIN rider_state s ON s.rider_id = k.subject "
            "WHERE k.role = 'rider' AND k.revoked_us IS NULL "
            "AND k.created_by NOT LIKE 'cli:%' AND k.created_by NOT LIKE 'platform:%' "
            "AND k.created_by NOT LIKE 'demo:%' ORDER BY k.key_id"
        )
    ).all()
    for row in found:
        connection.execute(
            sa.text("UPDATE api_keys SET revoked_us = :now_us WHERE key_id = :key_id"),
            {"now_us": now_us, "key_id": row.key_id},
        )
        detail = {"key": row.key_id, "role": "rider", "created_by": row.created_by, "city": row.city}
        connection.execute(
            sa.text(
                "INSERT INTO audit (recorded_us, actor, action, subject, detail, city) "
                "VALUES (:now_us, :actor, 'key_revoked', :subject, :detail, :city)"
            ),
            {
                "now_us": now_us,
                "actor": UPGRADE,
                "subject": row.subject,
                "detail": json.dumps(detail, ensure_ascii=False, sort_keys=True),
                "city": row.city,
            },
        )


def downgrade() -> None:
    """Drop the columns; keys that were ended stay so."""
    op.drop_column("appeals", "filed_key")
    op.drop_column("appeals", "filed_by")
    op.drop_index("api_keys_by_holder", "api_keys")
    op.drop_index("ix_api_keys_parent", "api_keys")
    op.drop_column("api_keys", "parent")
