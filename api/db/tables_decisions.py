"""Tables of what riders ask and what people decide: appeals, reviews, suspensions. `api.db.tables` lists them all."""

from typing import Final

from sqlalchemy import BigInteger, CheckConstraint, Column, Index, LargeBinary, SmallInteger, Table, Text

from api.db.table_types import Id, metadata

# Appeals as they were filed; a deduction is appealed once. `filed_by` and `filed_key`: the person and the API key that it
# came with, if it came with one; appeals from before this was written down have neither.
appeals: Final = Table(
    "appeals",
    metadata,
    Column("appeal_id", Id, primary_key=True),
    Column("rider_id", Id, nullable=False, index=True),
    Column("entry_id", Id, nullable=False, unique=True),
    Column("event_id", Id, nullable=False),
    Column("city", Text),
    Column("book_digest", Text, nullable=False),
    Column("reason_code", Text, nullable=False),
    Column("filed_us", BigInteger, nullable=False),
    Column("deadline_us", BigInteger, nullable=False),
    Column("filed_by", Id),
    Column("filed_key", Id),
)

# What riders wrote in their own words: may name people, so it can be erased.
appeal_texts: Final = Table(
    "appeal_texts",
    metadata,
    Column("appeal_id", Id, primary_key=True),
    Column("rider_id", Id, nullable=False, index=True),
    Column("reason", Text, nullable=False),
    Column("evidence_ref", Text),
)

# Appeals that wait for their answer, by deadline; a row goes with the answer.
open_appeals: Final = Table(
    "open_appeals",
    metadata,
    Column("appeal_id", Id, primary_key=True),
    Column("rider_id", Id, nullable=False, index=True),
    Column("city", Text),
    Column("deadline_us", BigInteger, nullable=False),
    Index("open_appeals_by_deadline", "deadline_us", "appeal_id"),
)

# What people wrote when they decided: may name people, so it can be erased. `kind` is appeal, review or lift, and
# `decision_id` the appeal's or review's id. The decision itself keeps SHA-256(salt ‖ words) as `reason_digest`: while the
# words stand they can be checked, and once they are gone nobody can guess them from it.
decision_texts: Final = Table(
    "decision_texts",
    metadata,
    Column("kind", Id, primary_key=True),
    Column("decision_id", Id, primary_key=True),
    Column("rider_id", Id, nullable=False, index=True),
    Column("salt", LargeBinary, nullable=False),
    Column("reason", Text, nullable=False),
)

# The one answer to an appeal; `decided_by` names a person, or is `timeout`, which only upholds and writes no words.
appeal_decisions: Final = Table(
    "appeal_decisions",
    metadata,
    Column("appeal_id", Id, primary_key=True),
    Column("decision", Text, nullable=False),
    Column("decided_by", Text, nullable=False),
    Column("reason_code", Text, nullable=False),
    Column("reason_digest", Text, nullable=False),
    Column("decided_us", BigInteger, nullable=False),
    CheckConstraint("decision IN ('upheld', 'dismissed')", "an_answer"),
    CheckConstraint("decided_by <> 'timeout' OR decision = 'upheld'", "silence_is_for_the_rider"),
    CheckConstraint("decided_by = 'timeout' OR (decided_by LIKE '%_:_%' AND reason_digest <> '')", "a_person_says_why"),
    Index("appeal_decisions_by_time", "decided_us", "appeal_id"),
)

# Recommendations that a person look at a rider; opened by an entry of kind `review`.
reviews: Final = Table(
    "reviews",
    metadata,
    Column("review_id", Id, primary_key=True),
    Column("rider_id", Id, nullable=False, index=True),
    Column("entry_id", Id, nullable=False, unique=True),
    Column("event_id", Id, nullable=False),
    Column("city", Text),
    Column("book_digest", Text, nullable=False),
    Column("score_mp", BigInteger, nullable=False),
    Column("opened_us", BigInteger, nullable=False),
)

# Who posted, and with which key, what opened a review.
review_filings: Final = Table(
    "review_filings",
    metadata,
    Column("review_id", Id, primary_key=True),
    Column("filed_by", Id, nullable=False),
    Column("filed_key", Id),
)

# Reviews that wait for a person, oldest first; a row goes with the decision.
open_reviews: Final = Table(
    "open_reviews",
    metadata,
    Column("review_id", Id, primary_key=True),
    Column("rider_id", Id, nullable=False, index=True),
    Column("entry_id", Id, nullable=False, unique=True),
    Column("city", Text),
    Column("opened_us", BigInteger, nullable=False),
    Index("open_reviews_by_time", "opened_us", "review_id"),
)

# What a person decided, with written reasons; `from_us` when a suspension begins: 14 days later unless for safety.
# `void` by the `ledger`: what the review was opened for was taken back before anybody decided; `course_passed` by
# `training`: a passed course brought the score out of the tier before anybody decided.
review_decisions: Final = Table(
    "review_decisions",
    metadata,
    Column("review_id", Id, primary_key=True),
    Column("outcome", Text, nullable=False),
    Column("decided_by", Text, nullable=False),
    Column("reason_digest", Text, nullable=False),
    Column("is_safety", SmallInteger, nullable=False),
    Column("from_us", BigInteger),
    Column("decided_us", BigInteger, nullable=False),
    CheckConstraint(
        "outcome IN ('no_action', 'warning', 'training', 'suspend', 'void', 'course_passed')", "an_outcome"
    ),
    CheckConstraint("(outcome = 'suspend') = (from_us IS NOT NULL)", "a_suspension_begins"),
    CheckConstraint(
        "outcome = 'void' AND decided_by = 'ledger' OR outcome = 'course_passed' AND decided_by = 'training' "
        "OR outcome NOT IN ('void', 'course_passed') AND decided_by LIKE '%_:_%' AND reason_digest <> ''",
        "a_person_writes_reasons",
    ),
    CheckConstraint(
        f"from_us IS NULL OR is_safety = 1 AND from_us >= decided_us OR from_us >= decided_us + {14 * 86_400_000_000}",
        "fourteen_days_notice",
    ),
    Index("review_decisions_by_time", "decided_us", "review_id"),
)

# The end of a suspension: by a passed course (`lifted_by` training) or a person.
suspension_lifts: Final = Table(
    "suspension_lifts",
    metadata,
    Column("review_id", Id, primary_key=True),
    Column("lifted_by", Text, nullable=False),
    Column("reason_digest", Text, nullable=False),
    Column("event_id", Id),
    Column("lifted_us", BigInteger, nullable=False),
    CheckConstraint(
        "lifted_by = 'training' AND event_id IS NOT NULL OR lifted_by LIKE '%_:_%' AND reason_digest <> ''",
        "a_lift_says_why",
    ),
)
