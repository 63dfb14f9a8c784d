"""Approval by a second person: bound to one content, refused to every author, by the verbs and by the database."""

import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import delete, insert, text, update
from sqlalchemy.exc import DBAPIError

from api.access import keys
from api.books import approvals, drafts, in_force, scheduling
from api.books.approvals import approvals_of
from api.books.checking import NotReadyError, check_draft, needs_impact
from api.books.draft_rows import Draft, draft_of
from api.books.places import BookPlace
from api.db.store import Store
from api.db.tables import approvals as approvals_table
from api.db.tables import drafts as drafts_table
from api.db.unit_of_work import WriteUnit
from api.ledger import posting
from api.refusals import Refused
from rules.edits import SetCell
from rules.text import LANGS
from tests.api.books.worlds import (
    ANN,
    BEN,
    CAI,
    HERE,
    NOW_US,
    THERE,
    Someone,
    begun,
    changed,
    done_impact,
    enact,
    raw,
    said_yes,
    submitted,
    version,
)
from tests.api.ledger.posts import table_of
from tests.builders import DAY_US, delivered


@pytest.fixture
def law(store: Store) -> Store:
    """A database with one book in force in two cities."""
    enact(store, version())
    return store


def refused(code: str) -> Any:
    """What a verb says no with."""
    return pytest.raises(Refused, check=lambda error: error.code == code)


def march(day: int) -> dt.date:
    """A day of March 2026."""
    return dt.date(2026, 3, day)


def codes(error: NotReadyError) -> set[str]:
    """What stood in the way."""
    return {fault.code for fault in error.checked.errors}


UNSOUND = (
    ("/rule/1/points", "x", "expected_number"),
    ("/rule/1/points", -5, "example_fails"),
    ("/appeal/on_timeout", "against_rider", "clause_appeal"),
    ("/effective_from", "2026-03-02", "effective_past"),
    ("/effective_from", "2026-03-09", "short_notice"),
    ("/announced", None, "not_announced"),
    ("/regime", "legacy", "legacy_deployed"),
    ("/rider_kinds", "dedicated", "deployed_to_others"),
)
APPEAL = {"within_days": 3, "decide_days": 3, "source": "a test", "confidence": "ours"}


def test_only_a_sound_draft_can_be_submitted(law: Store) -> None:
    """Parse, checks, standard, examples, notice and places: each stands in the way by itself, in both languages."""
    with law.writing(NOW_US) as unit:
        sound = begun(unit)
        sound = drafts.edit_cells(unit, ANN, sound.draft_id, sound.etag, [SetCell(path="/appeal", value=APPEAL)])
        for path, value, code in UNSOUND:
            draft = drafts.edit_cells(unit, ANN, sound.draft_id, sound.etag, [SetCell(path=path, value=value)])
            with pytest.raises(NotReadyError) as error:
                approvals.submit(unit, ANN, draft.draft_id, draft.etag)
            assert code in codes(error.value), path
            for lang in LANGS:
                assert all(fault.describe(lang) for fault in error.value.checked.faults)
            sound = drafts.undo(unit, ANN, draft.draft_id, draft.etag)

        assert approvals.submit(unit, ANN, sound.draft_id, sound.etag).state == "submitted"


def test_notice_counts_from_the_day_it_can_be_given(law: Store) -> None:
    """A date of announcement in the past does not shorten what riders get: they are told when it is scheduled."""
    with law.writing(NOW_US) as unit:
        draft = begun(unit)
        edits = [SetCell(path="/announced", value="2026-02-01"), SetCell(path="/effective_from", value="2026-03-05")]
        draft = drafts.edit_cells(unit, ANN, draft.draft_id, draft.etag, edits)
        found = {fault.code for fault in check_draft(unit, draft, NOW_US).errors}

    assert found == {"notice_runs_out"}


def test_a_new_version_names_every_place_it_will_judge(law: Store) -> None:
    """A book that two cities share is not changed in one of them, nor anywhere unasked."""
    with law.writing(NOW_US) as unit:
        draft = begun(unit)
        for places, code in (([HERE], "targets_incomplete"), ([], "targets_missing")):
            draft = drafts.set_targets(unit, ANN, draft.draft_id, draft.etag, places)
            assert code in {fault.code for fault in check_draft(unit, draft, NOW_US).errors}
        draft = drafts.set_targets(unit, ANN, draft.draft_id, draft.etag, [THERE, HERE])

        assert approvals.submit(unit, ANN, draft.draft_id, draft.etag).state == "submitted"


def test_no_author_approves_whatever_their_role(law: Store) -> None:
    """Who made any of its revisions is an author for good, under another role or token, too."""
    with law.writing(NOW_US) as unit:
        draft = begun(unit)
        draft = drafts.edit_cells(unit, BEN, draft.draft_id, draft.etag, [SetCell(path="/late_days", value=3)])
        draft = drafts.undo(unit, ANN, draft.draft_id, draft.etag)
        draft = approvals.submit(unit, ANN, draft.draft_id, draft.etag)
        for author in (Someone("ann", "approver"), Someone("ben", "approver"), ANN):
            with refused("author_approves"):
                said_yes(unit, draft, author)
            with refused("author_approves"):
                approvals.reject(
                    unit, author, draft.draft_id, draft.etag, content_digest=draft.content_digest, reason="no"
                )

        assert said_yes(unit, draft).state == "approved"


@pytest.mark.parametrize("num_between", [0, 1, 3])
@pytest.mark.parametrize("is_named", [True, False])
def test_whoever_made_an_authors_key_does_not_approve(law: Store, num_between: int, is_named: bool) -> None:
    """Through any number of keys, whether a key says which it was made with or only by whom; another approver may."""
    with law.writing(NOW_US) as unit:
        keys.create_key(unit, "approver", "ada", actor="cli:token")
        maker, parent = "approver:ada", None
        for subject in (*(f"between-{k}" for k in range(num_between)), "ann"):
            key, _ = keys.create_key(unit, "ops", subject, actor=maker, parent=parent if is_named else None)
            maker, parent = f"ops:{subject}", key.key_id
        # Another key of the author's, of nobody's making, changes nothing.
        keys.create_key(unit, "ops", "ann", actor="cli:token")
        draft = submitted(unit)

        for person in ("ada", *(f"between-{k}" for k in range(num_between))):
            who = Someone(person, "approver")
            with refused("decides_own"):
                said_yes(unit, draft, who)
            with refused("decides_own"):
                approvals.reject(
                    unit, who, draft.draft_id, draft.etag, content_digest=draft.content_digest, reason="no"
                )

        assert said_yes(unit, draft, CAI).state == "approved"


def test_an_approval_is_of_one_content(law: Store) -> None:
    """What was read must be what stands there; the approval keeps revision, content, person and reason."""
    with law.writing(NOW_US) as unit:
        draft = submitted(unit)
        with refused("not_the_content"):
            approvals.approve(unit, CAI, draft.draft_id, draft.etag, content_digest="0" * 64, reason="")
        done = said_yes(unit, draft)
        (approval,) = approvals_of(unit, draft.draft_id)

    assert (approval.decision, approval.approver, approval.reason) == ("approved", "cai", "read it")
    assert (approval.revision, approval.content_digest) == (done.revision, done.content_digest)


def test_any_edit_after_submission_voids(law: Store) -> None:
    """Even one that goes back to the content that was approved before."""
    verbs: list[Callable[..., Draft]] = [
        lambda *key: drafts.edit_cells(*key, [SetCell(path="/late_days", value=3)]),
        drafts.undo,
        lambda *key: drafts.set_targets(*key, [HERE]),
        drafts.rebase,
    ]
    for verb in verbs:
        with law.writing(NOW_US) as unit:
            draft = said_yes(unit, submitted(unit))
            edited = verb(unit, ANN, draft.draft_id, draft.etag)
            with refused("draft_state"):
                scheduling.schedule(unit, ANN, edited.draft_id, edited.etag)
            assert edited.state == "open"
            again = drafts.restore(unit, ANN, edited.draft_id, edited.etag, draft.revision)
            with refused("draft_state"):
                scheduling.schedule(unit, ANN, again.draft_id, again.etag)


def test_a_rejected_draft_is_changed_and_submitted_again(law: Store) -> None:
    """With the reason kept; the approval that follows is of the new revision."""
    with law.writing(NOW_US) as unit:
        draft = submitted(unit)
        with refused("reason_needed"):
            approvals.reject(unit, CAI, draft.draft_id, draft.etag, content_digest=draft.content_digest, reason=" ")
        draft = approvals.reject(
            unit, CAI, draft.draft_id, draft.etag, content_digest=draft.content_digest, reason="2 is a lot"
        )
        with refused("draft_state"):
            said_yes(unit, draft)
        draft = drafts.edit_cells(unit, ANN, draft.draft_id, draft.etag, changed(-1.5))
        draft = said_yes(unit, approvals.submit(unit, ANN, draft.draft_id, draft.etag))
        said = approvals_of(unit, draft.draft_id)

    assert [(each.decision, each.revision) for each in said] == [("rejected", 2), ("approved", 3)]


def test_where_there_is_a_history_an_impact_comes_first(law: Store) -> None:
    """One of this very content, and done; a city without events needs none."""
    with law.writing(NOW_US) as unit:
        fresh = begun(unit)
        assert not needs_impact(unit, fresh)
        rider = delivered("e1") | {"occurred_us": NOW_US, "delivered_us": NOW_US}
        posting.post_events(unit, in_force.rules_in_force(unit), table_of([rider]))
        draft = submitted(unit)
        assert needs_impact(unit, draft)
        with refused("impact_needed"):
            said_yes(unit, draft)
        done_impact(unit, draft, "other", content_digest="0" * 64)
        done_impact(unit, draft, "running", state="running")
        done_impact(unit, draft, "study", kind="study")
        for impact_id, code in (
            ("other", "impact_of_another"),
            ("study", "impact_of_another"),
            ("nope", "impact_of_another"),
            ("running", "impact_unfinished"),
        ):
            with refused(code):
                said_yes(unit, draft, impact_id=impact_id)

        done = said_yes(unit, draft, impact_id=done_impact(unit, draft))

        assert done.state == "approved"
        assert approvals_of(unit, draft.draft_id)[0].impact_id == "i1"


def test_a_base_that_moves_between_submission_and_approval_is_noticed(law: Store) -> None:
    """The approver would have compared it with a law that is no more."""
    with law.writing(NOW_US) as unit:
        draft = submitted(unit)
    enact(law, version("other", effective_from=march(3)), places=[HERE], at_us=NOW_US)

    with law.writing(NOW_US) as unit:
        with pytest.raises(NotReadyError) as error:
            said_yes(unit, draft)
        rebased = drafts.rebase(unit, ANN, draft.draft_id, draft.etag)

    assert "base_moved" in codes(error.value)
    assert {target.city: target.replaces == version().digest for target in rebased.targets} == {
        "hangzhou": False,
        "ningbo": True,
    }


def test_an_approver_of_one_city_cannot_approve_for_another(law: Store) -> None:
    """Every city that a draft is about must be theirs."""
    with law.writing(NOW_US) as unit:
        draft = submitted(unit)
        with refused("draft_unknown"):
            said_yes(unit, draft, Someone("eve", "approver", ("hangzhou",)))


def approval_row(draft: Draft, **columns: Any) -> dict[str, Any]:
    """A row of `approvals` as a program might write it past the verbs."""
    row = {
        "draft_id": draft.draft_id, "revision": draft.revision, "content_digest": draft.content_digest,
        "decision": "approved", "approver": "cai", "reason": "-", "recorded_us": NOW_US,
    }  # fmt: skip
    return row | columns


def test_the_database_refuses_what_verbs_would_not_write(law: Store) -> None:
    """An author's approval, or one of another content, fails as plain SQL, too."""
    with law.writing(NOW_US) as unit:
        draft = submitted(unit)
    for columns, message in (
        ({"approver": "ann"}, "author cannot approve"),
        ({"content_digest": "0" * 64}, "not the content"),
        ({"revision": 1}, "not the content"),
        ({"draft_id": "nope"}, "not the content"),
    ):
        with pytest.raises(DBAPIError, match=message), law.writing(NOW_US) as unit:
            unit.connection.execute(insert(approvals_table), approval_row(draft, **columns))


def write(unit: WriteUnit, draft: Draft, **columns: Any) -> None:
    """Change a draft's row past the verbs."""
    unit.connection.execute(update(drafts_table).where(drafts_table.c.draft_id == draft.draft_id).values(**columns))


def test_the_database_lets_nothing_unapproved_go_on(law: Store) -> None:
    """Not a draft nobody approved, nor one edited since, nor one whose content is swapped under the approval."""
    with law.writing(NOW_US) as unit:
        draft = said_yes(unit, submitted(unit))
        edited = drafts.edit_cells(unit, ANN, draft.draft_id, draft.etag, [SetCell(path="/late_days", value=3)])
        back = drafts.undo(unit, ANN, edited.draft_id, edited.etag)
    assert back.content_digest == draft.content_digest

    for state in ("approved", "scheduled", "in_force"):
        with pytest.raises(DBAPIError, match="not approved"), law.writing(NOW_US) as unit:
            write(unit, back, state=state)
    with pytest.raises(DBAPIError, match="no revision"), law.writing(NOW_US) as unit:
        write(unit, back, content_digest="0" * 64)
    with pytest.raises(DBAPIError, match="no revision"), law.writing(NOW_US) as unit:
        write(unit, back, targets="[]")


def test_the_database_keeps_closed_drafts_closed(law: Store) -> None:
    """And removes none; a draft cannot be born approved."""
    with law.writing(NOW_US) as unit:
        draft = begun(unit)
        gone = drafts.withdraw(unit, ANN, draft.draft_id, draft.etag, "no")
    with pytest.raises(DBAPIError, match="closed"), law.writing(NOW_US) as unit:
        write(unit, gone, state="open")
    with pytest.raises(DBAPIError, match="not removed"), law.writing(NOW_US) as unit:
        unit.connection.execute(delete(drafts_table))
    with pytest.raises(DBAPIError, match="begins open"), law.writing(NOW_US) as unit:
        unit.connection.execute(
            text("INSERT INTO drafts SELECT 'copy', book_id, base_digest, title, author, city, 'approved', revision, "
                 "content_digest, targets, bases, rolls_back, effective_us, book_digest, detail, recorded_us, changed_us "
                 "FROM drafts")
        )  # fmt: skip
    with law.reading() as unit:
        assert draft_of(unit, gone.draft_id).state == "withdrawn"


def test_a_place_without_a_book_gets_its_first(law: Store) -> None:
    """A new book for a new city: nothing is replaced, its own notice counts."""
    with law.writing(NOW_US + DAY_US) as unit:
        document = raw("fresh", effective_from=march(20), announced=march(5))
        draft = drafts.draft_from_document(unit, ANN, document, targets=[BookPlace("xian", "dedicated")])
        done = said_yes(unit, approvals.submit(unit, ANN, draft.draft_id, draft.etag))

    assert done.targets[0].replaces is None
    assert done.base_digest is None
