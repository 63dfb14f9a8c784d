"""What the service keeps beside the ledger: drafts and approvals, appeals, reviews, keys, webhooks, long work."""

import sqlalchemy as sa
from alembic import op

from migrations.append_only import is_postgresql, seal

revision = "r0003"
down_revision = "r0002"

ID = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
SERIAL = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Create the tables, seal what is written once, and let the database refuse an author's own approval."""
    _create_law()
    _create_riders()
    _create_door()
    _create_messages()
    _create_work()
    op.create_index("ix_rider_state_city", "rider_state", ["city"])
    seal("draft_revisions", ("draft_id", "revision"))
    seal("approvals", ("approval_id",))
    seal("appeals", ("appeal_id",))
    seal("appeal_decisions", ("appeal_id",))
    seal("reviews", ("review_id",))
    seal("review_decisions", ("review_id",))
    seal("suspension_lifts", ("review_id",))
    seal("outbox", ("outbox_id",))
    seal("study_progress", ("study_id", "step"))
    _guard_approvals()


def _create_law() -> None:
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
        sa.Column("content_digest", sa.Text, nullable=False),
        sa.Column("decision", sa.Text, nullable=False),
        sa.Column("approver", sa.Text, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("impact_id", ID),
        sa.Column("recorded_us", sa.BigInteger, nullable=False),
    )


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
        sa.CheckConstraint("outcome IN ('no_action', 'warning', 'training', 'suspend', 'void')", "an_outcome"),
        sa.CheckConstraint("(outcome = 'suspend') = (from_us IS NOT NULL)", "a_suspension_begins"),
        sa.CheckConstraint(
            "outcome = 'void' AND decided_by = 'ledger' "
            "OR outcome <> 'void' AND decided_by LIKE '%_:_%' AND reason <> ''",
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


_NOT_THE_CONTENT = """
    NOT EXISTS (
        SELECT 1 FROM drafts WHERE draft_id = NEW.draft_id AND content_digest = NEW.content_digest AND state = 'submitted'
    )
"""
_AN_AUTHOR = "EXISTS (SELECT 1 FROM draft_revisions WHERE draft_id = NEW.draft_id AND author = NEW.approver)"
_NOT_APPROVED = """
    NEW.state IN ('approved', 'scheduled', 'in_force') AND NOT EXISTS (
        SELECT 1 FROM approvals
        WHERE draft_id = NEW.draft_id AND content_digest = NEW.content_digest AND decision = 'approved'
    )
"""
_GUARDS = (
    ("approvals_by_another", "approvals", "INSERT", _AN_AUTHOR, "an author cannot approve"),
    ("approvals_of_content", "approvals", "INSERT", _NOT_THE_CONTENT, "this is not the content that was submitted"),
    ("drafts_approved", "drafts", "UPDATE", _NOT_APPROVED, "this content is not approved"),
    ("drafts_born_open", "drafts", "INSERT", "NEW.state <> 'open'", "a draft begins open"),
)


def _guard_approvals() -> None:
    for name, table, verb, wrong, message in _GUARDS:
        if is_postgresql():
            op.execute(
                f"CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF {wrong} THEN "
                f"RAISE EXCEPTION '{message}' USING ERRCODE = 'integrity_constraint_violation'; "
                "END IF; RETURN NEW; END $$"
            )
            op.execute(f"CREATE TRIGGER {name} BEFORE {verb} ON {table} FOR EACH ROW EXECUTE FUNCTION {name}()")
        else:
            op.execute(
                f"CREATE TRIGGER {name} BEFORE {verb} ON {table} WHEN {wrong} "
                f"BEGIN SELECT RAISE(ABORT, '{message}'); END"
            )


def downgrade() -> None:
    """Drop all; what they held is gone."""
    op.drop_index("ix_rider_state_city", "rider_state")
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
    ):
        op.drop_table(table)
    if is_postgresql():
        for name, *_ in _GUARDS:
            op.execute(f"DROP FUNCTION {name}()")
