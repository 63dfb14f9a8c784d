"""A database without a heartbeat gets one from what it was last written: the first clock after an upgrade is judged too."""

import sqlalchemy as sa
from alembic import op

revision = "r0014"
down_revision = "r0013"

# Who writes audit lines while tables are brought up to date, with the clock that is in question.
_UPGRADES = "upgrade:%"


def upgrade() -> None:
    """Take the newest instant at which something was recorded; a database in which nothing was has none."""
    connection = op.get_bind()
    if connection.scalar(sa.text("SELECT heartbeat_us FROM clock")) is not None:
        return
    found = [
        connection.scalar(sa.text(f"SELECT max(recorded_us) FROM {table}"))  # noqa: S608 - names of tables
        for table in ("events", "entries", "outbox", "people", "books", "deployments")
    ]
    of_people = sa.text("SELECT max(recorded_us) FROM audit WHERE actor NOT LIKE :upgrades")
    found.append(connection.scalar(of_people.bindparams(upgrades=_UPGRADES)))
    known = [us for us in found if us is not None]
    if known:
        op.execute(sa.text("UPDATE clock SET heartbeat_us = :us").bindparams(us=max(known)))


def downgrade() -> None:
    """Nothing: a heartbeat is what the tick writes, too."""
