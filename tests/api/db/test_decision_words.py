"""Words of decisions: apart from the sealed row, checked against its digest while they stand, gone without a trace."""

from sqlalchemy import insert, select, update

from api.db.decision_words import changed_words, digest_of, forget_words, keep_words
from api.db.store import Store
from api.db.tables import appeal_decisions, decision_texts
from api.ledger.verify import WORDS, verify_store

SAID = "the kitchen was slow"


def decided(store: Store) -> None:
    """An answer with words."""
    with store.writing(7) as unit:
        row = {"appeal_id": "ap1", "decision": "dismissed", "decided_by": "ops:li", "reason_code": "x", "decided_us": 7}
        digest = keep_words(unit, "appeal", "ap1", "r1", SAID)
        unit.connection.execute(insert(appeal_decisions), row | {"reason_digest": digest})


def test_words_that_were_changed_are_named(store: Store) -> None:
    """`verify --database` finds them; those that stand, and those that were erased, it does not."""
    decided(store)
    with store.reading() as unit:
        assert list(changed_words(unit)) == []

    with store.writing(8) as unit:
        unit.connection.execute(update(decision_texts).values(reason="something else"))

    with store.reading() as unit:
        assert list(changed_words(unit)) == [("appeal", "ap1", "r1")]
        found = next(one for one in verify_store(unit).found if one.check == WORDS)
    assert [(one.rider, one.what) for one in found.violations] == [("r1", "appeal ap1")]
    with store.writing(9) as unit:
        assert forget_words(unit, "r1") == 1
        assert list(changed_words(unit)) == []


def test_what_is_left_gives_no_words_away(store: Store) -> None:
    """The same words have another digest each time, and without the salt nobody can try them out."""
    decided(store)
    with store.writing(8) as unit:
        again = keep_words(unit, "appeal", "ap2", "r1", SAID)
        first = unit.connection.scalar(select(appeal_decisions.c.reason_digest))
        assert again != first
        forget_words(unit, "r1")
        assert unit.connection.execute(select(decision_texts)).all() == []
    assert first != digest_of(b"", SAID)


def test_no_words_leave_no_row(store: Store) -> None:
    """Silence writes nothing."""
    with store.writing(7) as unit:
        assert keep_words(unit, "appeal", "ap1", "r1", "") == ""
        assert unit.connection.execute(select(decision_texts)).all() == []
