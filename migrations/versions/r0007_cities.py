"""Whose a rider is: the platform, moves between cities, and words of decisions where they can be erased."""

import hashlib
import secrets
from collections.abc import Iterator, Sequence
from typing import Any

import sqlalchemy as sa
from alembic import op

from migrations.append_only import is_postgresql, seal
from migrations.sealing import forget_rows, note_rows

revision = "r0007"
down_revision = "r0006"

ID = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
_AT_ONCE = 1_000
_APPEAL, _REVIEW, _LIFT = "appeal", "review", "lift"
# Of words that were erased: a row of the old tables needs some.
_ERASED = "(erased)"
_TEXTS = sa.table(
    "decision_texts", *(sa.column(name) for name in ("kind", "decision_id", "rider_id", "salt", "reason"))
)  # fmt: skip

Shape = tuple[tuple[sa.Column[Any], ...], tuple[sa.CheckConstraint, ...]]


def upgrade() -> None:
    """Create the tables, and move the words of decisions out of the sealed rows.

    A sealed table is made anew with a digest in the place of the words and sealed again, all in one transaction: at no
    time can anybody else change a row of it.
    """
    _create_platform()
    _create_moves()
    _create_texts()
    _rebuild("appeal_decisions", "appeals", "appeal_id", _APPEAL, _appeal_decisions("reason_digest"))
    op.create_index("appeal_decisions_by_time", "appeal_decisions", ["decided_us", "appeal_id"])
    _rebuild("review_decisions", "reviews", "review_id", _REVIEW, _review_decisions("reason_digest"))
    op.create_index("review_decisions_by_time", "review_decisions", ["decided_us", "review_id"])
    _rebuild("suspension_lifts", "reviews", "review_id", _LIFT, _suspension_lifts("reason_digest"))
    for queue in ("open_appeals", "open_reviews"):
        # Who answers is the rider's city, wherever the event was.
        op.execute(
            f"UPDATE {queue} SET city = (SELECT city FROM rider_state WHERE rider_state.rider_id = {queue}.rider_id)"  # noqa: S608
        )


def _create_platform() -> None:
    op.create_table(
        "platform",
        sa.Column("platform_id", sa.SmallInteger, primary_key=True, autoincrement=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("recorded_us", sa.BigInteger, nullable=False),
    )
    seal("platform", ("platform_id",))


def _create_moves() -> None:
    op.create_table(
        "open_moves",
        sa.Column("rider_id", ID, primary_key=True),
        sa.Column("from_city", sa.Text, nullable=False),
        sa.Column("to_city", sa.Text, nullable=False),
        sa.Column("proposed_by", sa.Text, nullable=False),
        sa.Column("proposed_us", sa.BigInteger, nullable=False),
    )
    op.create_index("ix_open_moves_from_city", "open_moves", ["from_city"])
    op.create_index("ix_open_moves_to_city", "open_moves", ["to_city"])
    op.create_table(
        "rider_moves",
        sa.Column("rider_id", ID, primary_key=True),
        sa.Column("move_no", sa.BigInteger, primary_key=True),
        sa.Column("from_city", sa.Text, nullable=False),
        sa.Column("to_city", sa.Text, nullable=False),
        sa.Column("proposed_by", sa.Text, nullable=False),
        sa.Column("accepted_by", sa.Text, nullable=False),
        sa.Column("moved_us", sa.BigInteger, nullable=False),
    )
    seal("rider_moves", ("rider_id", "move_no"))


def _create_texts() -> None:
    op.create_table(
        "decision_texts",
        sa.Column("kind", ID, primary_key=True),
        sa.Column("decision_id", ID, primary_key=True),
        sa.Column("rider_id", ID, nullable=False),
        sa.Column("salt", sa.LargeBinary, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
    )
    op.create_index("ix_decision_texts_rider_id", "decision_texts", ["rider_id"])


def _appeal_decisions(words: str) -> Shape:
    """Columns and rules; `words` is what holds the reason."""
    return (
        (
            sa.Column("appeal_id", ID, primary_key=True),
            sa.Column("decision", sa.Text, nullable=False),
            sa.Column("decided_by", sa.Text, nullable=False),
            sa.Column("reason_code", sa.Text, nullable=False),
            sa.Column(words, sa.Text, nullable=False),
            sa.Column("decided_us", sa.BigInteger, nullable=False),
        ),
        (
            sa.CheckConstraint("decision IN ('upheld', 'dismissed')", "an_answer"),
            sa.CheckConstraint("decided_by <> 'timeout' OR decision = 'upheld'", "silence_is_for_the_rider"),
            sa.CheckConstraint(
                f"decided_by = 'timeout' OR (decided_by LIKE '%_:_%' AND {words} <> '')", "a_person_says_why"
            ),
        ),
    )


def _review_decisions(words: str) -> Shape:
    return (
        (
            sa.Column("review_id", ID, primary_key=True),
            sa.Column("outcome", sa.Text, nullable=False),
            sa.Column("decided_by", sa.Text, nullable=False),
            sa.Column(words, sa.Text, nullable=False),
            sa.Column("is_safety", sa.SmallInteger, nullable=False),
            sa.Column("from_us", sa.BigInteger),
            sa.Column("decided_us", sa.BigInteger, nullable=False),
        ),
        (
            sa.CheckConstraint(
                "outcome IN ('no_action', 'warning', 'training', 'suspend', 'void', 'course_passed')", "an_outcome"
            ),
            sa.CheckConstraint("(outcome = 'suspend') = (from_us IS NOT NULL)", "a_suspension_begins"),
            sa.CheckConstraint(
                "outcome = 'void' AND decided_by = 'ledger' OR outcome = 'course_passed' AND decided_by = 'training' "
                f"OR outcome NOT IN ('void', 'course_passed') AND decided_by LIKE '%_:_%' AND {words} <> ''",
                "a_person_writes_reasons",
            ),
            sa.CheckConstraint(
                "from_us IS NULL OR is_safety = 1 AND from_us >= decided_us OR from_us >= decided_us + 1209600000000",
                "fourteen_days_notice",
            ),
        ),
    )


def _suspension_lifts(words: str) -> Shape:
    return (
        (
            sa.Column("review_id", ID, primary_key=True),
            sa.Column("lifted_by", sa.Text, nullable=False),
            sa.Column(words, sa.Text, nullable=False),
            sa.Column("event_id", ID),
            sa.Column("lifted_us", sa.BigInteger, nullable=False),
        ),
        (
            sa.CheckConstraint(
                f"lifted_by = 'training' AND event_id IS NOT NULL OR lifted_by LIKE '%_:_%' AND {words} <> ''",
                "a_lift_says_why",
            ),
        ),
    )


def _rebuild(table: str, of: str, key: str, kind: str, shape: Shape) -> None:
    """A table with digests in the place of words, which go to `decision_texts`."""
    new = _new(table, shape)
    old = sa.table(table, *(sa.column(name) for name in _names(shape, "reason")))
    riders = sa.table(of, sa.column(key), sa.column("rider_id"))
    query = sa.select(old, riders.c.rider_id).join(riders, riders.c[key] == old.c[key]).order_by(old.c[key])
    erased_us = _erasures()
    at = "lifted_us" if kind == _LIFT else "decided_us"
    for rows in _pages(query, old.c[key]):
        texts, kept = [], []
        for row in rows:
            own = dict(row)
            rider_id, reason = own.pop("rider_id"), own.pop("reason")
            salt = secrets.token_bytes(16)
            digest = hashlib.sha256(salt + reason.encode()).hexdigest() if reason else ""
            # Riders who had asked for an erasure get it now for what was written before.
            if reason and own[at] > erased_us.get(rider_id, -1):
                texts.append(
                    {"kind": kind, "decision_id": own[key], "rider_id": rider_id, "salt": salt, "reason": reason}
                )
            kept.append(own | {"reason_digest": digest})
        if texts:
            op.bulk_insert(_TEXTS, texts)
        op.bulk_insert(new, kept)
    _put_in_place(table, key)


def _erasures() -> dict[str, int]:
    """When each rider's personal fields were last erased."""
    audit = sa.table("audit", *(sa.column(name) for name in ("action", "subject", "recorded_us")))
    query = sa.select(audit.c.subject, sa.func.max(audit.c.recorded_us)).where(audit.c.action == "person_erased")
    rows = op.get_bind().execute(query.group_by(audit.c.subject))
    return {row[0]: row[1] for row in rows}


def _restore(table: str, key: str, kind: str, shape: Shape) -> None:
    """The reverse; words that were erased stay so."""
    new = _new(table, shape)
    old = sa.table(table, *(sa.column(name) for name in _names(shape, "reason_digest")))
    mine = (_TEXTS.c.kind == kind) & (_TEXTS.c.decision_id == old.c[key])
    query = sa.select(old, _TEXTS.c.reason).outerjoin(_TEXTS, mine).order_by(old.c[key])
    for rows in _pages(query, old.c[key]):
        kept = []
        for row in rows:
            own = dict(row)
            had_words = own.pop("reason_digest") != ""
            own["reason"] = own["reason"] or (_ERASED if had_words else "")
            kept.append(own)
        op.bulk_insert(new, kept)
    _put_in_place(table, key)


def _names(shape: Shape, words: str) -> list[str]:
    return [words if column.name in ("reason", "reason_digest") else column.name for column in shape[0]]


def _new(table: str, shape: Shape) -> sa.Table:
    columns, rules = shape
    return op.create_table(f"{table}_new", *columns, *rules)


def _pages(query: sa.Select[Any], key: sa.ColumnElement[Any]) -> Iterator[Sequence[sa.RowMapping]]:
    """Rows in pages by key, so that memory does not grow with the table."""
    bind, after = op.get_bind(), ""
    while True:
        rows = bind.execute(query.where(key > after).limit(_AT_ONCE)).mappings().all()
        if not rows:
            return
        yield rows
        after = rows[-1][key.name]


def _put_in_place(table: str, key: str) -> None:
    forget_rows(table)
    op.drop_table(table)
    op.rename_table(f"{table}_new", table)
    if is_postgresql():
        op.execute(f"ALTER INDEX {table}_new_pkey RENAME TO {table}_pkey")
    seal(table, (key,))
    note_rows(table, key)


def downgrade() -> None:
    """Put the words back into the rows; moves and the platform's name are lost."""
    _restore("appeal_decisions", "appeal_id", _APPEAL, _appeal_decisions("reason"))
    op.create_index("appeal_decisions_by_time", "appeal_decisions", ["decided_us", "appeal_id"])
    _restore("review_decisions", "review_id", _REVIEW, _review_decisions("reason"))
    op.create_index("review_decisions_by_time", "review_decisions", ["decided_us", "review_id"])
    _restore("suspension_lifts", "review_id", _LIFT, _suspension_lifts("reason"))
    for table in ("decision_texts", "rider_moves", "open_moves", "platform"):
        op.drop_table(table)
