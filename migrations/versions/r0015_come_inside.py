"""Riders whom version 0.1.0 left outside their book's scale come inside with the first tick."""

import tomllib
from decimal import Decimal

import sqlalchemy as sa
from alembic import op

revision = "r0015"
down_revision = "r0014"

_DUE = sa.text(
    "UPDATE rider_state SET due_us = :due_us WHERE book_digest = :digest AND due_us > :due_us "
    "AND (score_mp < :floor_mp OR score_mp > :ceiling_mp)"
)


def upgrade() -> None:
    """Make them due right after what that version wrote."""
    connection = op.get_bind()
    until_us = connection.scalar(sa.text("SELECT old_until_us FROM law"))
    if until_us is None:
        return
    for digest, document in connection.execute(sa.text("SELECT digest, document FROM books")).all():
        score = tomllib.loads(document, parse_float=Decimal)["score"]
        limits = {f"{name}_mp": int(Decimal(score[name]) * 1000) for name in ("floor", "ceiling")}
        connection.execute(_DUE, {"due_us": until_us + 1, "digest": digest, **limits})


def downgrade() -> None:
    """Nothing: what is due is found again."""
