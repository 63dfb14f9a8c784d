"""What people wrote when they decided, apart from the decision: the sealed row keeps a salted digest, these rows go.

While the words stand they can be checked against the digest; once they are erased the decision stands without them.
"""

import hashlib
import secrets
from collections.abc import Iterator
from typing import Any, Final, Literal

from sqlalchemy import ColumnElement, FromClause, Select, and_, delete, insert, select

from api.db.tables import appeal_decisions, decision_texts, review_decisions, suspension_lifts
from api.db.unit_of_work import ReadUnit, WriteUnit

DecisionKind = Literal["appeal", "review", "lift"]
_SALT_BYTES: Final = 16
_AT_ONCE: Final = 500


def keep_words(unit: WriteUnit, kind: DecisionKind, decision_id: str, rider_id: str, words: str) -> str:
    """Keep the words of a decision; returns the digest that the decision keeps, empty for no words."""
    if not words:
        return ""
    salt = secrets.token_bytes(_SALT_BYTES)
    unit.connection.execute(
        insert(decision_texts),
        {"kind": kind, "decision_id": decision_id, "rider_id": rider_id, "salt": salt, "reason": words},
    )
    return digest_of(salt, words)


def digest_of(salt: bytes, words: str) -> str:
    """SHA-256(salt ‖ words) in hex; the salt goes with the words, so that nobody can guess them later."""
    return hashlib.sha256(salt + words.encode()).hexdigest()


def words_of(kind: DecisionKind, name: str) -> FromClause:
    """The words of one kind of decisions, to be joined to them by `decision_id`."""
    query = select(decision_texts.c.decision_id, decision_texts.c.reason).where(decision_texts.c.kind == kind)
    return query.subquery(name)


def forget_words(unit: WriteUnit, rider_id: str) -> int:
    """Erase all that people wrote when they decided about a rider; how many texts."""
    return unit.connection.execute(delete(decision_texts).where(decision_texts.c.rider_id == rider_id)).rowcount


def changed_words(unit: ReadUnit | WriteUnit) -> Iterator[tuple[str, str, str]]:
    """Words that are not those that were decided with: kind, decision and rider."""
    sealed: tuple[tuple[DecisionKind, Any, Any], ...] = (
        ("appeal", appeal_decisions.c.appeal_id, appeal_decisions.c.reason_digest),
        ("review", review_decisions.c.review_id, review_decisions.c.reason_digest),
        ("lift", suspension_lifts.c.review_id, suspension_lifts.c.reason_digest),
    )
    for kind, key, digest in sealed:
        for row in unit.connection.execute(_beside(kind, key, digest).execution_options(yield_per=_AT_ONCE)):
            if row.sealed is None or digest_of(bytes(row.salt), row.reason) != row.sealed:
                yield kind, row.decision_id, row.rider_id


def _beside(kind: DecisionKind, key: ColumnElement[str], digest: ColumnElement[str]) -> Select[Any]:
    texts_of_kind = decision_texts.c
    return (
        select(
            texts_of_kind.decision_id,
            texts_of_kind.rider_id,
            texts_of_kind.salt,
            texts_of_kind.reason,
            digest.label("sealed"),
        )
        .select_from(decision_texts.outerjoin(key.table, and_(key == texts_of_kind.decision_id)))
        .where(texts_of_kind.kind == kind)
        .order_by(texts_of_kind.decision_id)
    )
