"""What waits in the store, in numbers: for metrics and readiness, each an index look-up."""

from sqlalchemy import func, select

from api.access.keys import num_without_end
from api.books.deployment import num_in_force
from api.db import schema
from api.db.tables import books, drafts, open_appeals, open_reviews, replays, rider_state, studies, webhook_attempts
from api.db.unit_of_work import ReadUnit
from api.ledger.shared_orders import num_delivered_twice, num_shared
from rules.units import US_PER_S

_CLOSED: tuple[str, ...] = ("in_force", "rejected", "withdrawn")


def backlog_counts(unit: ReadUnit, now_us: int) -> dict[str, int]:
    """How much waits, by the names of the metrics."""

    def count(*wanted: object) -> int:
        return unit.connection.execute(select(func.count()).where(*wanted)).scalar_one()  # type: ignore[arg-type]

    attempts = webhook_attempts.c
    oldest = unit.connection.execute(select(func.min(attempts.next_us)).where(attempts.state == "waiting")).scalar()
    first_us = unit.connection.execute(select(func.min(replays.c.recorded_us))).scalar()
    return {
        "appeals_open": count(open_appeals.c.appeal_id.is_not(None)),
        "appeals_overdue": count(open_appeals.c.deadline_us <= now_us),
        "reviews_open": count(open_reviews.c.review_id.is_not(None)),
        "drafts_open": count(drafts.c.state.not_in(_CLOSED)),
        "riders_due": count(rider_state.c.due_us <= now_us),
        "replays_waiting": count(replays.c.event_id.is_not(None)),
        "replays_lag_seconds": 0 if first_us is None else max(now_us - first_us, 0) // US_PER_S,
        "outbox_waiting": count(attempts.state == "waiting"),
        "outbox_lag_seconds": 0 if oldest is None else max(now_us - oldest, 0) // US_PER_S,
        "jobs_waiting": count(studies.c.state == "waiting"),
        "jobs_running": count(studies.c.state == "running"),
        "keys_without_end": num_without_end(unit),
        "places_in_force": num_in_force(unit, now_us),
        "orders_shared": num_shared(unit),
        "orders_delivered_twice": num_delivered_twice(unit),
    }


def readiness(unit: ReadUnit) -> dict[str, bool]:
    """Whether the tables are those of this build, and books are there to judge by."""
    at_head = schema.current(unit) == schema.head()
    loaded = at_head and unit.connection.execute(select(books.c.digest).limit(1)).first() is not None
    return {"migrations": at_head, "books": loaded}
