"""The tables of the store and nothing else; `migrations` sees this module alone.

Ids of riders are pseudonyms here; names and phones stand in `people` only. Tables named in `APPEND_ONLY` are written
once: the database itself refuses to change or remove their rows (triggers, made by the migrations).
"""

from typing import Final

from sqlalchemy import BigInteger, Column, Date, Index, LargeBinary, SmallInteger, Table, Text, text

from api.db import table_types, tables_decisions, tables_history, tables_seals

metadata: Final = table_types.metadata
Id: Final = table_types.Id
Serial: Final = table_types.Serial


def _partial(name: str, condition: str, *columns: str) -> Index:
    """An index of those rows alone that meet a condition."""
    return Index(name, *columns, sqlite_where=text(condition), postgresql_where=text(condition))


# A version of a rule book, for good: the resolved document as TOML, by its digest.
books: Final = Table(
    "books",
    metadata,
    Column("digest", Text, primary_key=True),
    Column("book_id", Text, nullable=False),
    Column("effective_from", Date, nullable=False),
    Column("document", Text, nullable=False),
    Column("recorded_us", BigInteger, nullable=False),
)

# One row: when all was last known to be in order, and whether the clock is believed (`api.db.clock_guard`).
clock: Final = Table(
    "clock",
    metadata,
    Column("clock_id", SmallInteger, primary_key=True, autoincrement=False),
    Column("heartbeat_us", BigInteger),
    Column("confirmations", BigInteger, nullable=False),
    Column("held_us", BigInteger),
    Column("why", Text),
)

# One row: the platform that the database serves, for good.
platform: Final = Table(
    "platform",
    metadata,
    Column("platform_id", SmallInteger, primary_key=True, autoincrement=False),
    Column("name", Text, nullable=False),
    Column("recorded_us", BigInteger, nullable=False),
)

# Which book judges riders of a kind in a city, from a local day on.
deployments: Final = Table(
    "deployments",
    metadata,
    Column("city", Text, primary_key=True),
    Column("rider_kind", Text, primary_key=True),
    Column("from_date", Date, primary_key=True),
    Column("book_id", Text, nullable=False),
    Column("source", Text, nullable=False),
    Column("confidence", Text, nullable=False),
    Column("recorded_us", BigInteger, nullable=False),
)

# One row: what all books and deployments come to, as a chain of digests; whoever has read the law knows by it whether
# the law is still the same, and whoever changes the law holds it. `old_until_us`: up to when version 0.1.0 wrote the ledger.
law: Final = Table(
    "law",
    metadata,
    Column("law_id", SmallInteger, primary_key=True, autoincrement=False),
    Column("stamp", Text, nullable=False),
    Column("old_until_us", BigInteger),
)

# What positions in `rider_state.carried` mean: books, rule ids, slots of sums (JSON), by digest.
layouts: Final = Table(
    "layouts",
    metadata,
    Column("digest", Text, primary_key=True),
    Column("document", Text, nullable=False),
)

# Personal fields, which can be erased; nothing else refers to them.
people: Final = Table(
    "people",
    metadata,
    Column("rider_id", Id, primary_key=True),
    Column("name", Text),
    Column("phone", Text),
    Column("recorded_us", BigInteger, nullable=False),
)

# Who did what to whom, and where if in one city; `detail` (JSON) never holds personal fields.
audit: Final = Table(
    "audit",
    metadata,
    Column("audit_id", Serial, primary_key=True),
    Column("recorded_us", BigInteger, nullable=False),
    Column("actor", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("subject", Id, nullable=False, index=True),
    Column("detail", Text, nullable=False),
    Column("city", Text),
    Index("audit_by_action", "action", "audit_id"),
    Index("audit_by_actor", "actor", "audit_id"),
    Index("audit_by_city", "city", "audit_id"),
)

# Every event accepted, as it first came (`rules.events.FIELDS`); `content` is its hash as a signed 64-bit number,
# `book_digest` the book that judged it.
events: Final = Table(
    "events",
    metadata,
    Column("rider_id", Id, primary_key=True),
    Column("event_id", Id, primary_key=True),
    Column("city", Text, nullable=False),
    Column("rider_kind", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("order_id", Text),
    Column("occurred_us", BigInteger, nullable=False),
    Column("placed_us", BigInteger),
    Column("promised_us", BigInteger),
    Column("assess_deadline_us", BigInteger),
    Column("accepted_us", BigInteger),
    Column("arrived_store_us", BigInteger),
    Column("merchant_ready_us", BigInteger),
    Column("merchant_promised_ready_us", BigInteger),
    Column("picked_up_us", BigInteger),
    Column("delivered_us", BigInteger),
    Column("distance_m", BigInteger),
    Column("fee_fen", BigInteger),
    Column("reports", Text),
    Column("cause", Text),
    Column("extend_s", BigInteger),
    Column("party", Text),
    Column("level", BigInteger),
    Column("rider_joined_us", BigInteger),
    Column("ref_event_id", Text),
    Column("content", BigInteger, nullable=False),
    Column("book_digest", Text, nullable=False),
    Column("recorded_us", BigInteger, nullable=False),
    Index("events_by_order", "rider_id", "order_id"),
    Index("events_by_time", "rider_id", "occurred_us"),
    _partial("events_of_order", "kind = 'delivered'", "order_id"),
    _partial("events_about", "ref_event_id IS NOT NULL", "rider_id", "ref_event_id"),
    Index("events_by_city", "city", "occurred_us"),
    _partial("events_about_others", "ref_event_id IS NOT NULL", "city", "occurred_us"),
)

# The ledger. `chain` = SHA-256 of the rider's previous chain value and this entry (`api.ledger.chain`).
entries: Final = Table(
    "entries",
    metadata,
    Column("rider_id", Id, primary_key=True),
    Column("seq", BigInteger, primary_key=True),
    Column("entry_id", Id, nullable=False, unique=True),
    Column("event_id", Id, nullable=False),
    Column("rule_id", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("delta_mp", BigInteger, nullable=False),
    Column("score_after_mp", BigInteger, nullable=False),
    Column("money_fen", BigInteger, nullable=False),
    Column("liable_party", Text, nullable=False),
    Column("late_s", BigInteger, nullable=False),
    Column("time_given_back_s", BigInteger, nullable=False),
    Column("book_digest", Text, nullable=False),
    Column("occurred_us", BigInteger, nullable=False),
    Column("recorded_us", BigInteger, nullable=False),
    Column("of_kind", Text, nullable=False),
    Column("cause_event_id", Text),
    Column("of_us", BigInteger),
    Column("chain", LargeBinary, nullable=False),
    Index("entries_of_event", "rider_id", "event_id"),
    # Few books pay or fine.
    _partial("entries_of_money", "money_fen <> 0", "rider_id", "occurred_us"),
    # The ledger grows in time: on PostgreSQL a few bytes for every hundred pages say which day they hold.
    Index("entries_by_time", "occurred_us", postgresql_using="brin"),
)

# Where each rider stands, and what the next post needs (`scoring.carried_bytes`). `city` is the rider's own: that of the
# first event or introduction, then that of the last move. A row without `carried` belongs to a rider who was locked but
# has no event yet. `until_us`: how far fades and resets are written; `due_us`: when the next one is due; `keep_us`: start
# of the window in `carried`; `revision` counts what happened to the rider beside the ledger: appeals, reviews,
# suspensions, moves, erasure.
rider_state: Final = Table(
    "rider_state",
    metadata,
    Column("rider_id", Id, primary_key=True),
    Column("city", Text, index=True),
    Column("rider_kind", SmallInteger, nullable=False),
    Column("book_digest", Text, index=True),
    Column("score_mp", BigInteger, nullable=False),
    Column("review_required", SmallInteger, nullable=False),
    Column("seq", BigInteger, nullable=False),
    Column("chain", LargeBinary, nullable=False),
    Column("until_us", BigInteger, nullable=False),
    Column("keep_us", BigInteger, nullable=False),
    Column("due_us", BigInteger, nullable=False, index=True),
    Column("layout", Text),
    Column("carried", LargeBinary),
    Column("revision", BigInteger, nullable=False, server_default="0"),
)

open_moves: Final = tables_history.open_moves
rider_moves: Final = tables_history.rider_moves
checkpoints: Final = tables_history.checkpoints
replays: Final = tables_history.replays
shared_orders: Final = tables_history.shared_orders

# What a city's events of one local day come to (`figures`, JSON), counted from `num_events` of them.
city_days: Final = Table(
    "city_days",
    metadata,
    Column("city", Text, primary_key=True),
    Column("day", Date, primary_key=True),
    Column("num_events", BigInteger, nullable=False),
    Column("figures", Text, nullable=False),
    Column("counted_us", BigInteger, nullable=False),
)

# A change to a book on its way to being in force. `revision` is the ETag; `base_digest` the version it departs from;
# `state` is open, submitted, approved, scheduled, suspended, in_force, rejected or withdrawn; `targets` (JSON) the
# cities and rider kinds it is to be deployed in, `bases` (JSON) the version each of them had when that was last looked
# at; `rolls_back` the version that a roll-back restores; `effective_us` when it is to take effect; `detail` (JSON) why
# it is suspended. `author` is who began it; all who ever touched it stand in the revisions.
drafts: Final = Table(
    "drafts",
    metadata,
    Column("draft_id", Id, primary_key=True),
    Column("book_id", Text, nullable=False),
    Column("base_digest", Text),
    Column("title", Text, nullable=False),
    Column("author", Text, nullable=False),
    Column("city", Text),
    Column("state", Text, nullable=False, index=True),
    Column("revision", BigInteger, nullable=False),
    Column("content_digest", Text, nullable=False),
    Column("targets", Text, nullable=False),
    Column("bases", Text, nullable=False),
    Column("rolls_back", Text),
    Column("effective_us", BigInteger),
    Column("book_digest", Text),
    Column("detail", Text),
    Column("recorded_us", BigInteger, nullable=False),
    Column("changed_us", BigInteger, nullable=False),
)

# Every state a draft was ever in, for undo and for who touched it; `content_digest` covers document and targets.
draft_revisions: Final = Table(
    "draft_revisions",
    metadata,
    Column("draft_id", Id, primary_key=True),
    Column("revision", BigInteger, primary_key=True),
    Column("document", Text, nullable=False),
    Column("targets", Text, nullable=False),
    Column("content_digest", Text, nullable=False),
    Column("author", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("recorded_us", BigInteger, nullable=False),
)

# What a second person said of one revision of a draft, which is one content; the database refuses an author, and what is
# not as it was submitted.
approvals: Final = Table(
    "approvals",
    metadata,
    Column("approval_id", Serial, primary_key=True),
    Column("draft_id", Id, nullable=False, index=True),
    Column("revision", BigInteger, nullable=False),
    Column("content_digest", Text, nullable=False),
    Column("decision", Text, nullable=False),
    Column("approver", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("impact_id", Id),
    Column("recorded_us", BigInteger, nullable=False),
)

appeals: Final = tables_decisions.appeals
appeal_texts: Final = tables_decisions.appeal_texts
open_appeals: Final = tables_decisions.open_appeals
appeal_decisions: Final = tables_decisions.appeal_decisions
decision_texts: Final = tables_decisions.decision_texts
reviews: Final = tables_decisions.reviews
review_filings: Final = tables_decisions.review_filings
open_reviews: Final = tables_decisions.open_reviews
review_decisions: Final = tables_decisions.review_decisions
suspension_lifts: Final = tables_decisions.suspension_lifts

seals: Final = tables_seals.seals
seal_head: Final = tables_seals.seal_head
seal_queue: Final = tables_seals.seal_queue

# Keys by their public prefix; the secret is held as a hash. `cities` (JSON): empty for all. `parent`: the key that it was
# made with. Keys from before keys had to end have no `expires_us`.
api_keys: Final = Table(
    "api_keys",
    metadata,
    Column("key_id", Id, primary_key=True),
    Column("secret_hash", LargeBinary, nullable=False),
    Column("role", Text, nullable=False),
    Column("subject", Id, nullable=False),
    Column("cities", Text, nullable=False),
    Column("created_by", Text, nullable=False),
    Column("created_us", BigInteger, nullable=False),
    Column("expires_us", BigInteger),
    Column("last_used_us", BigInteger),
    Column("revoked_us", BigInteger),
    Column("parent", Id, index=True),
    Index("api_keys_by_holder", "subject"),
)

# Sessions of people in the console; `session_id` is the hash of what the cookie holds, `key_id` the API key that it was
# begun with, if it was one, `signed_by` the print of the key that its JWT was signed with. `cities` (JSON): empty for all.
sessions: Final = Table(
    "sessions",
    metadata,
    Column("session_id", Id, primary_key=True),
    Column("role", Text, nullable=False),
    Column("subject", Id, nullable=False, index=True),
    Column("cities", Text, nullable=False),
    Column("key_id", Id),
    Column("created_us", BigInteger, nullable=False),
    Column("expires_us", BigInteger, nullable=False, index=True),
    Column("ended_us", BigInteger),
    Column("signed_by", Text),
)

# What the database is (`demo`), written when it is made.
marks: Final = Table(
    "marks",
    metadata,
    Column("name", Id, primary_key=True),
    Column("recorded_us", BigInteger, nullable=False),
)

# Answers by Idempotency-Key; without `status` the request is in flight.
idempotency: Final = Table(
    "idempotency",
    metadata,
    Column("actor", Id, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("request_digest", Text, nullable=False),
    Column("status", SmallInteger),
    Column("headers", Text),
    Column("body", LargeBinary),
    Column("recorded_us", BigInteger, nullable=False, index=True),
)

# Where a platform wants to hear of changes (Standard Webhooks); `kinds` and `cities` (JSON): empty for all. After a
# rotation `old_secret` signs too until `old_secret_until_us`. `failing_us`: since when nothing got through.
webhooks: Final = Table(
    "webhooks",
    metadata,
    Column("webhook_id", Id, primary_key=True),
    Column("url", Text, nullable=False),
    Column("secret", Text, nullable=False),
    Column("kinds", Text, nullable=False),
    Column("cities", Text, nullable=False),
    Column("created_by", Text, nullable=False),
    Column("recorded_us", BigInteger, nullable=False),
    Column("old_secret", Text),
    Column("old_secret_until_us", BigInteger),
    Column("failing_us", BigInteger),
    Column("disabled_us", BigInteger),
    Column("disabled_why", Text),
    Column("removed_us", BigInteger),
)

# What happened, written with it in one transaction; `payload` (JSON) holds no personal fields. Never changed; the
# database lets a row go once no delivery of it is left.
outbox: Final = Table(
    "outbox",
    metadata,
    Column("outbox_id", Serial, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("rider_id", Id),
    Column("city", Text),
    Column("payload", Text, nullable=False),
    Column("recorded_us", BigInteger, nullable=False, index=True),
    Index("outbox_of_rider", "rider_id", "outbox_id"),
)

# Deliveries of the outbox, one row per hook and message. `state` is waiting, delivered or given_up; whoever sends one
# moves `next_us` on first, so that nobody else does meanwhile.
webhook_attempts: Final = Table(
    "webhook_attempts",
    metadata,
    Column("webhook_id", Id, primary_key=True),
    Column("outbox_id", BigInteger, primary_key=True, index=True),
    Column("rider_id", Id),
    Column("state", Text, nullable=False),
    Column("num_attempts", SmallInteger, nullable=False),
    Column("next_us", BigInteger, nullable=False),
    Column("last_status", SmallInteger),
    Column("last_error", Text),
    Column("delivered_us", BigInteger),
    Index("webhook_attempts_due", "state", "next_us"),
    Index("webhook_attempts_of_one", "webhook_id", "state", "next_us"),
    Index("webhook_attempts_in_order", "webhook_id", "rider_id", "outbox_id"),
)

# Long work: impacts and studies, who asked for what, how far it is, what came of it. `state` is waiting, running,
# done, failed or cancelled; `result` (JSON) and its digest; an impact belongs to one content of a draft. `owner` is the
# server process that works on it and holds it until `lease_us`; `num_starts` how often it was begun.
studies: Final = Table(
    "studies",
    metadata,
    Column("study_id", Id, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("request", Text, nullable=False),
    Column("requested_by", Text, nullable=False),
    Column("city", Text),
    Column("draft_id", Id),
    Column("content_digest", Text),
    Column("state", Text, nullable=False, index=True),
    Column("progress_permille", SmallInteger, nullable=False),
    Column("stage", Text, nullable=False),
    Column("result", Text),
    Column("result_digest", Text),
    Column("failure", Text),
    Column("owner", Text),
    Column("lease_us", BigInteger),
    Column("num_starts", SmallInteger, nullable=False),
    Column("created_us", BigInteger, nullable=False),
    Column("started_us", BigInteger),
    Column("finished_us", BigInteger),
    Index("studies_newest", "created_us", "study_id"),
)

# What long work leaves behind: the report, and each finished part, so that another server can go on from there.
study_files: Final = Table(
    "study_files",
    metadata,
    Column("study_id", Id, primary_key=True),
    Column("name", Text, primary_key=True),
    Column("content", LargeBinary, nullable=False),
    Column("recorded_us", BigInteger, nullable=False),
)

# Each step of long work, for those who watch (server-sent events by `step`).
study_progress: Final = Table(
    "study_progress",
    metadata,
    Column("study_id", Id, primary_key=True),
    Column("step", BigInteger, primary_key=True),
    Column("permille", SmallInteger, nullable=False),
    Column("stage", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("recorded_us", BigInteger, nullable=False),
)

APPEND_ONLY: Final = (
    "books",
    "platform",
    "deployments",
    "layouts",
    "audit",
    "events",
    "entries",
    "draft_revisions",
    "approvals",
    "appeals",
    "appeal_decisions",
    "reviews",
    "review_filings",
    "review_decisions",
    "suspension_lifts",
    "rider_moves",
    "study_progress",
    "seals",
)
