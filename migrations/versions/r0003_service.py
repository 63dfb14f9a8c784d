"""What the service keeps beside the ledger: drafts and approvals, appeals, reviews, keys, webhooks, long work."""

import secrets

import sqlalchemy as sa
from alembic import op

from migrations.append_only import seal, seal_while, unseal_while
from migrations.law_guards import guard_law, unguard_law

revision = "r0003"
down_revision = "r0002"

ID = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
_TO_BE_DELIVERED = "EXISTS (SELECT 1 FROM webhook_attempts WHERE outbox_id = OLD.outbox_id)"
SERIAL = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Create the tables, seal what is written once, and let the database refuse an author's own approval."""
    _create_law()
    _create_riders()
    _create_door()
    _create_messages()
    _create_work()
    op.create_index("ix_rider_state_city", "rider_state", ["city"])
    op.create_index("ix_rider_state_book_digest", "rider_state", ["book_digest"])
    _create_days()
    seal("draft_revisions", ("draft_id", "revision"))
    seal("approvals", ("approval_id",))
    seal("appeals", ("appeal_id",))
    seal("appeal_decisions", ("appeal_id",))
    seal("reviews", ("review_id",))
    seal("review_decisions", ("review_id",))
    seal("suspension_lifts", ("review_id",))
    seal_while("outbox", ("outbox_id",), _TO_BE_DELIVERED)
    seal("study_progress", ("study_id", "step"))
    guard_law()


def _create_days() -> None:
    about_others = sa.text("ref_event_id IS NOT NULL")
    op.create_index("events_by_city", "events", ["city", "occurred_us"])
    op.create_index(
        "events_about_others",
        "events",
        ["city", "occurred_us"],
        sqlite_where=about_others,
        postgresql_where=about_others,
    )
    op.create_index("entries_by_time", "entries", ["occurred_us"], postgresql_using="brin")
    op.create_table(
        "city_days",
        sa.Column("city", sa.Text, primary_key=True),
        sa.Column("day", sa.Date, primary_key=True),
        sa.Column("num_events", sa.BigInteger, nullable=False),
        sa.Column("figures", sa.Text, nullable=False),
        sa.Column("counted_us", sa.BigInteger, nullable=False),
    )


def _create_law() -> None:
    law = op.create_table(
        "law",
        sa.Column("law_id", sa.SmallInteger, primary_key=True, autoincrement=False),
        sa.Column("stamp", sa.Text, nullable=False),
    )
    # Drawn by chance: two databases whose books differ never begin alike.
    op.bulk_insert(law, [{"law_id": 1, "stamp": secrets.token_hex(32)}])
    op.add_column("audit", sa.Column("city", sa.Text))
    op.create_index("audit_by_action", "audit", ["action", "audit_id"])
    op.create_index("audit_by_actor", "audit", ["actor", "audit_id"])
    op.create_index("audit_by_city", "audit", ["city", "audit_id"])
    op.create_table(
        "drafts",
        sa.Column("draft_id", ID, primary_key=True),
        sa.Column("book_id", sa.Text, nullable=False),
        sa.Column("base_digest", sa.Text),
        sa.Column("title", sa.Text, nullable=False),
        sa.Column("author", sa.Text, nullable=False),
        sa.Column("city", sa.Text),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("revision", sa.BigInteger, nullable=False),
        sa.Column("content_digest", sa.Text, nullable=False),
        sa.Column("targets", sa.Text, nullable=False),
        sa.Column("bases", sa.Text, nullable=False),
        sa.Column("rolls_back", sa.Text),
        sa.Column("effective_us", sa.BigInteger),
        sa.Column("book_digest", sa.Text),
        sa.Column("detail", sa.Text),
        sa.Column("recorded_us", sa.BigInteger, nullable=False),
        sa.Column("changed_us", sa.BigInteger, nullable=False),
    )
    op.create_index("ix_drafts_state", "drafts", ["state"])
    op.create_table(
        "draft_revisions",
        sa.Column("draft_id", ID, primary_key=True),
        sa.Column("revision", sa.BigInteger, primary_key=True),
        sa.Column("document", sa.Text, nullable=False),
        sa.Column("targets", sa.Text, nullable=False),
        sa.Column("content_digest", sa.Text, nullable=False),
        sa.Column("author", sa.Text, nullable=False),
        sa.Column("action", sa.Text, nullable=False),
        sa.Column("recorded_us", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "approvals",
        sa.Column("approval_id", SERIAL, primary_key=True),
        sa.Column("draft_id", ID, nullable=False),
        sa.Column("revision", sa.BigInteger, nullable=False),
        sa.Column("content_digest", sa.Text, nullable=False),
        sa.Column("decision", sa.Text, nullable=False),
        sa.Column("approver", sa.Text, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("impact_id", ID),
        sa.Column("recorded_us", sa.BigInteger, nullable=False),
    )
    op.create_index("ix_approvals_draft_id", "approvals", ["draft_id"])


def _create_riders() -> None:
    op.add_column("rider_state", sa.Column("revision", sa.BigInteger, nullable=False, server_default="0"))
    _create_appeals()
    _create_reviews()


def _create_appeals() -> None:
    op.create_table(
        "appeals",
        sa.Column("appeal_id", ID, primary_key=True),
        sa.Column("rider_id", ID, nullable=False),
        sa.Column("entry_id", ID, nullable=False, unique=True),
        sa.Column("event_id", ID, nullable=False),
        sa.Column("city", sa.Text),
        sa.Column("book_digest", sa.Text, nullable=False),
        sa.Column("reason_code", sa.Text, nullable=False),
        sa.Column("filed_us", sa.BigInteger, nullable=False),
        sa.Column("deadline_us", sa.BigInteger, nullable=False),
    )
    op.create_index("ix_appeals_rider_id", "appeals", ["rider_id"])
    op.create_table(
        "appeal_texts",
        sa.Column("appeal_id", ID, primary_key=True),
        sa.Column("rider_id", ID, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("evidence_ref", sa.Text),
    )
    op.create_index("ix_appeal_texts_rider_id", "appeal_texts", ["rider_id"])
    op.create_table(
        "open_appeals",
        sa.Column("appeal_id", ID, primary_key=True),
        sa.Column("rider_id", ID, nullable=False),
        sa.Column("city", sa.Text),
        sa.Column("deadline_us", sa.BigInteger, nullable=False),
    )
    op.create_index("ix_open_appeals_rider_id", "open_appeals", ["rider_id"])
    op.create_index("open_appeals_by_deadline", "open_appeals", ["deadline_us", "appeal_id"])
    op.create_table(
        "appeal_decisions",
        sa.Column("appeal_id", ID, primary_key=True),
        sa.Column("decision", sa.Text, nullable=False),
        sa.Column("decided_by", sa.Text, nullable=False),
        sa.Column("reason_code", sa.Text, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("decided_us", sa.BigInteger, nullable=False),
        sa.CheckConstraint("decision IN ('upheld', 'dismissed')", "an_answer"),
        sa.CheckConstraint("decided_by <> 'timeout' OR decision = 'upheld'", "silence_is_for_the_rider"),
        sa.CheckConstraint("decided_by = 'timeout' OR (decided_by LIKE '%_:_%' AND reason <> '')", "a_person_says_why"),
    )
    op.create_index("appeal_decisions_by_time", "appeal_decisions", ["decided_us", "appeal_id"])


def _create_reviews() -> None:
    op.create_table(
        "reviews",
        sa.Column("review_id", ID, primary_key=True),
        sa.Column("rider_id", ID, nullable=False),
        sa.Column("entry_id", ID, nullable=False, unique=True),
        sa.Column("event_id", ID, nullable=False),
        sa.Column("city", sa.Text),
        sa.Column("book_digest", sa.Text, nullable=False),
        sa.Column("score_mp", sa.BigInteger, nullable=False),
        sa.Column("opened_us", sa.BigInteger, nullable=False),
    )
    op.create_index("ix_reviews_rider_id", "reviews", ["rider_id"])
    op.create_table(
        "open_reviews",
        sa.Column("review_id", ID, primary_key=True),
        sa.Column("rider_id", ID, nullable=False),
        sa.Column("entry_id", ID, nullable=False, unique=True),
        sa.Column("city", sa.Text),
        sa.Column("opened_us", sa.BigInteger, nullable=False),
    )
    op.create_index("ix_open_reviews_rider_id", "open_reviews", ["rider_id"])
    op.create_index("open_reviews_by_time", "open_reviews", ["opened_us", "review_id"])
    op.create_table(
        "review_decisions",
        sa.Column("review_id", ID, primary_key=True),
        sa.Column("outcome", sa.Text, nullable=False),
        sa.Column("decided_by", sa.Text, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("is_safety", sa.SmallInteger, nullable=False),
        sa.Column("from_us", sa.BigInteger),
        sa.Column("decided_us", sa.BigInteger, nullable=False),
        sa.CheckConstraint(
            "outcome IN ('no_action', 'warning', 'training', 'suspend', 'void', 'course_passed')", "an_outcome"
        ),
        sa.CheckConstraint("(outcome = 'suspend') = (from_us IS NOT NULL)", "a_suspension_begins"),
        sa.CheckConstraint(
            "outcome = 'void' AND decided_by = 'ledger' OR outcome = 'course_passed' AND decided_by = 'training' "
            "OR outcome NOT IN ('void', 'course_passed') AND decided_by LIKE '%_:_%' AND reason <> ''",
            "a_person_writes_reasons",
        ),
        sa.CheckConstraint(
            "from_us IS NULL OR is_safety = 1 AND from_us >= decided_us OR from_us >= decided_us + 1209600000000",
            "fourteen_days_notice",
        ),
    )
    op.create_index("review_decisions_by_time", "review_decisions", ["decided_us", "review_id"])
    op.create_table(
        "suspension_lifts",
        sa.Column("review_id", ID, primary_key=True),
        sa.Column("lifted_by", sa.Text, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("event_id", ID),
        sa.Column("lifted_us", sa.BigInteger, nullable=False),
        sa.CheckConstraint(
            "lifted_by = 'training' AND event_id IS NOT NULL OR lifted_by LIKE '%_:_%' AND reason <> ''",
            "a_lift_says_why",
        ),
    )


def _create_door() -> None:
    op.create_table(
        "api_keys",
        sa.Column("key_id", ID, primary_key=True),
        sa.Column("secret_hash", sa.LargeBinary, nullable=False),
        sa.Column("role", sa.Text, nullable=False),
        sa.Column("subject", ID, nullable=False),
        sa.Column("cities", sa.Text, nullable=False),
        sa.Column("created_by", sa.Text, nullable=False),
        sa.Column("created_us", sa.BigInteger, nullable=False),
        sa.Column("expires_us", sa.BigInteger),
        sa.Column("last_used_us", sa.BigInteger),
        sa.Column("revoked_us", sa.BigInteger),
    )
    op.create_table(
        "idempotency",
        sa.Column("actor", ID, primary_key=True),
        sa.Column("key", sa.Text, primary_key=True),
        sa.Column("request_digest", sa.Text, nullable=False),
        sa.Column("status", sa.SmallInteger),
        sa.Column("headers", sa.Text),
        sa.Column("body", sa.LargeBinary),
        sa.Column("recorded_us", sa.BigInteger, nullable=False),
    )
    op.create_index("ix_idempotency_recorded_us", "idempotency", ["recorded_us"])


def _create_messages() -> None:
    op.create_table(
        "webhooks",
        sa.Column("webhook_id", ID, primary_key=True),
        sa.Column("url", sa.Text, nullable=False),
        sa.Column("secret", sa.Text, nullable=False),
        sa.Column("kinds", sa.Text, nullable=False),
        sa.Column("cities", sa.Text, nullable=False),
        sa.Column("created_by", sa.Text, nullable=False),
        sa.Column("recorded_us", sa.BigInteger, nullable=False),
        sa.Column("old_secret", sa.Text),
        sa.Column("old_secret_until_us", sa.BigInteger),
        sa.Column("failing_us", sa.BigInteger),
        sa.Column("disabled_us", sa.BigInteger),
        sa.Column("disabled_why", sa.Text),
        sa.Column("removed_us", sa.BigInteger),
    )
    op.create_table(
        "outbox",
        sa.Column("outbox_id", SERIAL, primary_key=True),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("rider_id", ID),
        sa.Column("city", sa.Text),
        sa.Column("payload", sa.Text, nullable=False),
        sa.Column("recorded_us", sa.BigInteger, nullable=False),
    )
    op.create_index("ix_outbox_recorded_us", "outbox", ["recorded_us"])
    op.create_table(
        "webhook_attempts",
        sa.Column("webhook_id", ID, primary_key=True),
        sa.Column("outbox_id", sa.BigInteger, primary_key=True),
        sa.Column("rider_id", ID),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("num_attempts", sa.SmallInteger, nullable=False),
        sa.Column("next_us", sa.BigInteger, nullable=False),
        sa.Column("last_status", sa.SmallInteger),
        sa.Column("last_error", sa.Text),
        sa.Column("delivered_us", sa.BigInteger),
    )
    op.create_index("webhook_attempts_due", "webhook_attempts", ["state", "next_us"])
    op.create_index("ix_webhook_attempts_outbox_id", "webhook_attempts", ["outbox_id"])
    op.create_index("webhook_attempts_in_order", "webhook_attempts", ["webhook_id", "rider_id", "outbox_id"])


def _create_work() -> None:
    op.create_table(
        "studies",
        sa.Column("study_id", ID, primary_key=True),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("request", sa.Text, nullable=False),
        sa.Column("requested_by", sa.Text, nullable=False),
        sa.Column("city", sa.Text),
        sa.Column("draft_id", ID),
        sa.Column("content_digest", sa.Text),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("progress_permille", sa.SmallInteger, nullable=False),
        sa.Column("stage", sa.Text, nullable=False),
        sa.Column("result", sa.Text),
        sa.Column("result_digest", sa.Text),
        sa.Column("failure", sa.Text),
        sa.Column("owner", sa.Text),
        sa.Column("lease_us", sa.BigInteger),
        sa.Column("num_starts", sa.SmallInteger, nullable=False),
        sa.Column("created_us", sa.BigInteger, nullable=False),
        sa.Column("started_us", sa.BigInteger),
        sa.Column("finished_us", sa.BigInteger),
    )
    op.create_index("ix_studies_state", "studies", ["state"])
    op.create_index("studies_newest", "studies", ["created_us", "study_id"])
    op.create_table(
        "study_files",
        sa.Column("study_id", ID, primary_key=True),
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("content", sa.LargeBinary, nullable=False),
        sa.Column("recorded_us", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "study_progress",
        sa.Column("study_id", ID, primary_key=True),
        sa.Column("step", sa.BigInteger, primary_key=True),
        sa.Column("permille", sa.SmallInteger, nullable=False),
        sa.Column("stage", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("recorded_us", sa.BigInteger, nullable=False),
    )


def downgrade() -> None:
    """Drop all; what they held is gone."""
    op.drop_index("ix_rider_state_book_digest", "rider_state")
    op.drop_index("ix_rider_state_city", "rider_state")
    op.drop_index("entries_by_time", "entries")
    op.drop_index("events_about_others", "events")
    op.drop_index("events_by_city", "events")
    op.drop_table("city_days")
    for index in ("audit_by_action", "audit_by_actor", "audit_by_city"):
        op.drop_index(index, "audit")
    op.drop_column("audit", "city")
    op.drop_column("rider_state", "revision")
    for table in (
        "study_progress",
        "study_files",
        "studies",
        "webhook_attempts",
        "outbox",
        "webhooks",
        "idempotency",
        "api_keys",
        "suspension_lifts",
        "review_decisions",
        "open_reviews",
        "reviews",
        "appeal_decisions",
        "open_appeals",
        "appeal_texts",
        "appeals",
        "approvals",
        "draft_revisions",
        "drafts",
        "law",
    ):
        op.drop_table(table)
    unseal_while("outbox")
    unguard_law()
