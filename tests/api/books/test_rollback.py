"""Back to an earlier version in one step: as a new version, by two people, told as what it is."""

import datetime as dt
from typing import Any

import pytest
from sqlalchemy import select

from api.books import drafts, in_force, rollback
from api.books.checking import NotReadyError
from api.books.draft_rows import Draft
from api.books.places import judging
from api.books.scheduling import activate_due
from api.db.store import Store
from api.db.tables import audit
from api.refusals import Refused
from tests.api.books.worlds import (
    ANN,
    BEN,
    BOTH,
    HERE,
    NOW_US,
    Someone,
    changed,
    day_us,
    enact,
    next_change,
    said_yes,
    scheduled,
    version,
)
from tests.builders import DAY_US, HOUR_US

EFFECTIVE_US = day_us(dt.date(2026, 3, 10))


def refused(code: str) -> Any:
    """What a verb says no with."""
    return pytest.raises(Refused, check=lambda error: error.code == code)


@pytest.fixture
def regretted(store: Store) -> tuple[Store, Draft]:
    """A change that is in force since this morning, and is regretted."""
    enact(store, version())
    with store.writing(NOW_US) as unit:
        draft = scheduled(unit, points=-4)
    with store.writing(EFFECTIVE_US) as unit:
        activate_due(unit)
    return store, draft


def test_a_roll_back_restores_the_content_from_the_next_day(regretted: tuple[Store, Draft]) -> None:
    """One request and one approval; the new version says what the old one said, and nothing was overwritten."""
    store, worse = regretted
    with store.writing(EFFECTIVE_US + 6 * HOUR_US) as unit:
        draft = rollback.roll_back(unit, ANN, "city", version().digest, "riders lose too much")
        assert (draft.state, draft.places, draft.rolls_back) == ("submitted", BOTH, version().digest)
        with refused("author_approves"):
            said_yes(unit, draft, ANN)
        draft = said_yes(unit, draft)
        told = next_change(unit, "hangzhou", "crowdsourced", unit.recorded_us)

    assert draft.state == "scheduled"
    assert told is not None
    assert (told.notice_waived, told.restores) == (True, version().digest)
    assert told.effective_from == dt.date(2026, 3, 11)
    with store.writing(told.effective_us) as unit:
        activate_due(unit)
        law = in_force.rules_in_force(unit)
        before, after = (judging(law, HERE, told.effective_us + by_us) for by_us in (-1, 0))
        asked = unit.connection.execute(select(audit).where(audit.c.action == "rollback_asked")).one()
    assert before is not None
    assert after is not None
    assert before.digest == worse.book_digest
    assert after.digest not in (worse.book_digest, version().digest)
    assert after.model.rule == version().model.rule
    assert version().digest in asked.detail


def test_a_roll_back_late_in_the_day_skips_to_the_day_after(regretted: tuple[Store, Draft]) -> None:
    """It must be on the schedule some minutes before its instant."""
    store, _ = regretted
    with store.writing(EFFECTIVE_US + DAY_US - 60_000_000) as unit:
        draft = rollback.roll_back(unit, ANN, "city", version().digest, "late at night")

    assert draft.document["effective_from"] == dt.date(2026, 3, 12)


def test_an_approval_that_comes_too_late_is_refused(regretted: tuple[Store, Draft]) -> None:
    """The day it was for has begun: ask again."""
    store, _ = regretted
    with store.writing(EFFECTIVE_US + HOUR_US) as unit:
        draft = rollback.roll_back(unit, ANN, "city", version().digest, "x")
    with store.writing(EFFECTIVE_US + DAY_US) as unit:
        with pytest.raises(NotReadyError) as error:
            said_yes(unit, draft)
        gone = drafts.withdraw(unit, ANN, draft.draft_id, draft.etag, "too late")
        again = rollback.roll_back(unit, ANN, "city", version().digest, "again")

    assert [fault.code for fault in error.value.checked.errors] == ["effective_past"]
    assert (gone.state, again.state) == ("withdrawn", "submitted")


def test_what_can_be_restored_was_in_force_there(regretted: tuple[Store, Draft]) -> None:
    """Neither the present version, nor one that never judged anybody there, nor a book that is nowhere in force."""
    store, worse = regretted
    with store.writing(EFFECTIVE_US + HOUR_US) as unit:
        in_force.publish(unit, [version("spare"), version(effective_from=dt.date(2026, 6, 1), late_days=9)])
        future = version(effective_from=dt.date(2026, 6, 1), late_days=9).digest
        for code, key in (
            ("version_in_force", ("city", str(worse.book_digest))),
            ("version_never_in_force", ("city", version("spare").digest)),
            ("version_never_in_force", ("city", future)),
            ("book_not_in_force", ("spare", version().digest)),
            ("version_unknown", ("city", "f" * 64)),
        ):
            with refused(code):
                rollback.roll_back(unit, ANN, *key, "x")
        with refused("reason_needed"):
            rollback.roll_back(unit, ANN, "city", version().digest, " ")
        with refused("city_unknown"):
            rollback.roll_back(unit, Someone("dee", cities=("hangzhou",)), "city", version().digest, "x")


def test_a_roll_back_cannot_be_turned_into_something_else(regretted: tuple[Store, Draft]) -> None:
    """The waived notice is for what was in force before, to the letter; and one at a time."""
    store, _ = regretted
    with store.writing(EFFECTIVE_US + HOUR_US) as unit:
        draft = rollback.roll_back(unit, ANN, "city", version().digest, "x")
        with refused("rollback_fixed"):
            drafts.edit_cells(unit, BEN, draft.draft_id, draft.etag, changed())
        with refused("rollback_waits"):
            rollback.roll_back(unit, BEN, "city", version().digest, "me too")


def test_a_roll_back_overtaken_by_another_change_is_suspended(regretted: tuple[Store, Draft]) -> None:
    """The base is looked at again at the instant, as for any change."""
    store, _ = regretted
    with store.writing(EFFECTIVE_US + HOUR_US) as unit:
        draft = said_yes(unit, rollback.roll_back(unit, ANN, "city", version().digest, "x"))
    enact(store, version("other", effective_from=dt.date(2026, 3, 11)), places=[HERE], at_us=EFFECTIVE_US + 2 * HOUR_US)

    with store.writing(EFFECTIVE_US + DAY_US) as unit:
        (done,) = activate_due(unit)

    assert done.draft_id == draft.draft_id
    assert {fault.code for fault in done.conflicts} == {"base_moved"}
