"""Orders with more than one stored delivery: by two riders, or twice by one rider, as version 0.1.0 stored them.

The index reads every event once: minutes on a large database.
"""

import sqlalchemy as sa
from alembic import op

revision = "r0016"
down_revision = "r0015"

ID = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
_IS_DELIVERY = sa.text("kind = 'delivered'")
# Each later delivery beside the first of its own rider, else beside the first of the order.
_FILL = sa.text(
    """
    WITH deliveries AS (
        SELECT order_id, rider_id, event_id, city, recorded_us,
               row_number() OVER of_rider AS rider_no, row_number() OVER of_order AS order_no
        FROM events
        WHERE kind = 'delivered' AND order_id IN (
            SELECT order_id FROM events WHERE kind = 'delivered' GROUP BY order_id HAVING count(*) > 1
        )
        WINDOW of_rider AS (PARTITION BY order_id, rider_id ORDER BY recorded_us, occurred_us, event_id),
               of_order AS (PARTITION BY order_id ORDER BY recorded_us, occurred_us, rider_id, event_id)
    )
    INSERT INTO shared_orders (
        order_id, first_rider_id, first_event_id, first_city, later_rider_id, later_event_id, later_city, recorded_us
    )
    SELECT later.order_id, first.rider_id, first.event_id, first.city, later.rider_id, later.event_id, later.city,
           later.recorded_us
    FROM deliveries AS later
    JOIN deliveries AS first ON first.order_id = later.order_id AND (
        (later.rider_no > 1 AND first.rider_id = later.rider_id AND first.rider_no = 1)
        OR (later.rider_no = 1 AND first.order_no = 1)
    )
    WHERE later.order_no > 1
    """
)


def upgrade() -> None:
    """Create the index and the table, and fill it from what is stored."""
    op.create_index("events_of_order", "events", ["order_id"], sqlite_where=_IS_DELIVERY, postgresql_where=_IS_DELIVERY)
    op.create_table(
        "shared_orders",
        sa.Column("order_id", sa.Text, nullable=False),
        sa.Column("first_rider_id", ID, nullable=False),
        sa.Column("first_event_id", ID, nullable=False),
        sa.Column("first_city", sa.Text, nullable=False),
        sa.Column("later_rider_id", ID, primary_key=True),
        sa.Column("later_event_id", ID, primary_key=True),
        sa.Column("later_city", sa.Text, nullable=False),
        sa.Column("recorded_us", sa.BigInteger, nullable=False),
    )
    op.create_index("ix_shared_orders_order_id", "shared_orders", ["order_id"])
    op.create_index("ix_shared_orders_recorded_us", "shared_orders", ["recorded_us"])
    op.execute(_FILL)


def downgrade() -> None:
    """Remove them."""
    op.drop_table("shared_orders")
    op.drop_index("events_of_order", "events")
