"""Drafts: begun from anything, edited without losing anybody's work, taken back step by step."""

import datetime as dt
from typing import Any

import pytest
from sqlalchemy import update

from api.books import drafts
from api.books.checking import MARGIN_US, MAX_ROWS, check_draft, try_event
from api.books.draft_content import effective_us
from api.books.draft_rows import draft_of, revision_content, revisions_of
from api.books.places import BookPlace
from api.books.planned_changes import conflicts, plan_of
from api.db.store import Store
from api.db.tables import draft_revisions
from api.refusals import Refused
from rules.book import ExampleFacts
from rules.edits import AddRow, RemoveRow, SetCell
from rules.errors import BookError
from rules.shelf import versions
from tests.api.books.worlds import ANN, BEN, BOTH, HERE, NOW_US, Someone, begun, changed, enact, raw, version

LOCAL = Someone("dee", cities=("hangzhou",))


@pytest.fixture
def law(store: Store) -> Store:
    """A database with one book in force in two cities."""
    enact(store, version())
    return store


def refused(code: str) -> Any:
    """What a verb says no with."""
    return pytest.raises(Refused, check=lambda error: error.code == code)


def test_a_change_of_what_is_in_force_begins_with_its_content(law: Store) -> None:
    """The document of the version, its dates moved ahead by the notice, for the places where it is in force."""
    with law.writing(NOW_US) as unit:
        draft = drafts.draft_from_version(unit, ANN, version().digest)

    assert (draft.state, draft.revision, draft.author, draft.authors) == ("open", 1, "ann", ("ann",))
    assert draft.places == BOTH
    assert {target.replaces for target in draft.targets} == {version().digest}
    assert draft.base_digest == version().digest
    assert draft.document["announced"] == dt.date(2026, 3, 3)
    assert draft.document["effective_from"] == dt.date(2026, 3, 10)
    assert draft.document["rule"] == raw()["rule"]


@pytest.mark.parametrize(("left_us", "is_late"), [(MARGIN_US + 1, False), (MARGIN_US, True)])
def test_a_date_leaves_time_for_a_person_to_approve(law: Store, left_us: int, is_late: bool) -> None:
    """More than the margin is left until the day begins where the book is in force, or the date is past."""
    with law.writing(NOW_US) as unit:
        draft = drafts.draft_from_version(unit, ANN, version().digest)
        starts_us = effective_us(draft.document) or 0
        found = check_draft(unit, draft, starts_us - left_us)

    assert ("effective_past" in {fault.code for fault in found.dates}) is is_late


def test_a_city_that_shares_a_book_gets_one_of_its_own(law: Store) -> None:
    """A change meant for one city does not reach the others by stealth."""
    with law.writing(NOW_US) as unit:
        draft = drafts.draft_from_place(unit, LOCAL, "hangzhou", "crowdsourced")

    assert draft.book_id == draft.document["id"] == "city-hangzhou"
    assert draft.places == (HERE,)
    assert draft.targets[0].replaces == version().digest


def test_a_draft_may_begin_with_a_document_or_with_nothing(law: Store) -> None:
    """TOML with all that it extends merged in; plain values; an empty book."""
    toml = 'id = "own"\neffective_from = 2026-04-01\nannounced = 2026-03-20\nextends = "city"\nnotice_days = 9\n'
    with law.writing(NOW_US) as unit:
        extended = drafts.draft_from_toml(unit, ANN, toml, targets=[HERE])
        plain = drafts.draft_from_document(unit, ANN, {"id": 7, "rule": "x"}, targets=[], title="half done")
        empty = drafts.empty_draft(unit, ANN, "fresh", targets=[HERE])
        shipped = drafts.draft_from_toml(
            unit, ANN, 'id = "s"\neffective_from = 2026-04-01\nextends = "taobao-crowdsourced"', targets=[HERE]
        )

    assert "extends" not in extended.document
    assert extended.document["rule"] == raw()["rule"]
    assert extended.document["notice_days"] == 9
    assert (plain.title, plain.document) == ("half done", {"id": 7, "rule": "x"})
    assert empty.document["rule"] == []
    assert shipped.document["rule"] == versions("taobao-crowdsourced")[0].document["rule"]


@pytest.mark.parametrize(("day", "codes"), [(30, ["backwards"]), (1, ["backwards"]), (2, [])])
def test_a_version_never_takes_effect_on_a_day_of_an_older_one(law: Store, day: int, codes: list[str]) -> None:
    """Not before the newest version of its book (2025-12-01), and not on the same day either."""
    from_ = dt.date(2025, 11 if day == 30 else 12, day)
    with law.writing(NOW_US) as unit:
        draft = begun(unit)
        found = conflicts(plan_of(unit).present, draft, version(effective_from=from_))

    assert [fault.code for fault in found if fault.code == "backwards"] == codes


def test_a_broken_toml_text_is_refused_with_its_line(law: Store) -> None:
    """It has no values that could be kept; nothing is saved."""
    with pytest.raises(BookError, match="TOML"), law.writing(NOW_US) as unit:
        drafts.draft_from_toml(unit, ANN, 'id = "x"\nrule = [[\n', targets=[HERE])

    with law.reading() as unit:
        assert drafts.drafts_page(unit, ANN).items == ()


def test_a_faulty_draft_is_kept_and_every_fault_told_with_its_cell(law: Store) -> None:
    """Text where a number belongs stays in its cell."""
    with law.writing(NOW_US) as unit:
        draft = begun(unit)
        edits = [SetCell(path="/rule/1/points", value="abc"), SetCell(path="/tier/1/above", value=1000.5)]
        draft = drafts.edit_cells(unit, ANN, draft.draft_id, draft.etag, edits)
        checked = check_draft(unit, draft, NOW_US)

    assert draft.document["rule"][1]["points"] == "abc"
    assert {checked.pointer(fault) for fault in checked.document} >= {"/rule/1/points", "/tier/1/above"}
    assert not checked.can_submit
    with pytest.raises(BookError):
        try_event(draft, "delivered", ExampleFacts())


def test_edits_of_two_people_never_overwrite_each_other(law: Store) -> None:
    """Who has not read the last change is told so, and nothing is changed."""
    with law.writing(NOW_US) as unit:
        draft = begun(unit)
        read_by_ben = draft.etag
        drafts.edit_cells(unit, ANN, draft.draft_id, draft.etag, [SetCell(path="/late_days", value=3)])

        with refused("precondition_failed"):
            drafts.edit_cells(unit, BEN, draft.draft_id, read_by_ben, [SetCell(path="/late_days", value=9)])

        assert draft_of(unit, draft.draft_id).document["late_days"] == 3


def test_undo_goes_back_step_by_step_and_loses_nothing(law: Store) -> None:
    """Each undo is a revision with the content before; an edit after it begins a new branch; all are kept."""
    with law.writing(NOW_US) as unit:
        draft = drafts.draft_from_version(unit, ANN, version().digest)
        for days in (3, 4, 5):
            draft = drafts.edit_cells(unit, ANN, draft.draft_id, draft.etag, [SetCell(path="/late_days", value=days)])
        seen = []
        for _ in range(2):
            draft = drafts.undo(unit, BEN, draft.draft_id, draft.etag)
            seen.append(draft.document["late_days"])
        draft = drafts.edit_cells(unit, ANN, draft.draft_id, draft.etag, [SetCell(path="/late_days", value=6)])
        for _ in range(2):
            draft = drafts.undo(unit, ANN, draft.draft_id, draft.etag)
            seen.append(draft.document["late_days"])
        with refused("nothing_to_undo"):
            drafts.undo(unit, ANN, draft.draft_id, draft.etag)
        kept = revisions_of(unit, draft.draft_id)
        second = drafts.restore(unit, ANN, draft.draft_id, draft.etag, 4)

    assert seen == [4, 3, 3, 2]
    assert [each.action for each in kept] == [
        "begun",
        "cells",
        "cells",
        "cells",
        "undo",
        "undo",
        "cells",
        "undo",
        "undo",
    ]
    assert second.document["late_days"] == 5
    assert second.authors == ("ann", "ben")


def test_saving_what_stands_already_is_no_revision(law: Store) -> None:
    """A form sent twice leaves one trace."""
    with law.writing(NOW_US) as unit:
        draft = begun(unit)
        again = drafts.save_document(unit, BEN, draft.draft_id, draft.etag, draft.document)
        toml = drafts.save_toml(unit, BEN, draft.draft_id, draft.etag, draft.toml)

    assert again == toml == draft


def test_rows_are_added_and_removed_or_none_at_all(law: Store) -> None:
    """The first edit that leads nowhere is named, and those before it are not made either."""
    with law.writing(NOW_US) as unit:
        draft = begun(unit)
        added = drafts.edit_cells(
            unit, ANN, draft.draft_id, draft.etag, [AddRow(op="add", part="rule", value={"id": "new"})]
        )
        with pytest.raises(Refused) as error:
            drafts.edit_cells(
                unit, ANN, draft.draft_id, added.etag,
                [RemoveRow(op="remove", part="rule", at=0), SetCell(path="/rule/7/points", value=1)],
            )  # fmt: skip
        stands = draft_of(unit, draft.draft_id)

    assert [row["id"] for row in added.document["rule"]] == ["on_time", "late", "new"]
    assert (error.value.code, error.value.params["number"]) == ("edit_impossible", 1)
    assert stands == added


@pytest.mark.parametrize(
    ("document", "code"),
    [
        ({"x": "\ud800"}, "document_broken_text"),
        ({"x": "y" * (1 << 20)}, "document_too_large"),
        ({"x": [[[[[[[[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]]]]]]]}, "document_too_deep"),
    ],
)
def test_what_cannot_be_kept_is_refused(law: Store, document: dict[str, Any], code: str) -> None:
    """Size, depth and broken text have a limit; all else may be wrong."""
    with law.writing(NOW_US) as unit:
        draft = begun(unit)
        with refused(code):
            drafts.save_document(unit, ANN, draft.draft_id, draft.etag, document)


def test_odd_documents_come_back_as_they_were_saved(law: Store) -> None:
    """Quotes, dots, NUL and Chinese in keys and values, huge numbers: what a person typed is there the next day."""
    odd = {"a.b": {"": [{"键": "值\x00\x1f"}]}, "n": 10**30, "e": [], "rule": [{}, "x"]}
    with law.writing(NOW_US) as unit:
        draft = begun(unit)
        saved = drafts.save_document(unit, ANN, draft.draft_id, draft.etag, odd)
        undone = drafts.undo(unit, ANN, draft.draft_id, saved.etag)
        checked = check_draft(unit, saved, NOW_US)

    assert saved.document == odd
    assert undone.document == draft.document
    assert checked.document


def test_nobody_edits_for_a_city_that_is_not_theirs(law: Store) -> None:
    """Neither a draft about another city nor one about several; lists show their own alone."""
    with law.writing(NOW_US) as unit:
        wide = begun(unit)
        own = drafts.draft_from_place(unit, LOCAL, "hangzhou", "crowdsourced")
        with refused("draft_unknown"):
            drafts.edit_cells(unit, LOCAL, wide.draft_id, wide.etag, changed())
        with refused("city_unknown"):
            drafts.draft_from_version(unit, LOCAL, version().digest)
        with refused("city_unknown"):
            drafts.set_targets(unit, LOCAL, own.draft_id, own.etag, [BookPlace("ningbo", "crowdsourced")])
        with refused("city_unknown"):
            drafts.empty_draft(unit, LOCAL, "anywhere", targets=[])
        mine = drafts.drafts_page(unit, LOCAL).items
        there = drafts.drafts_page(unit, ANN, city="ningbo").items

    assert [draft.draft_id for draft in mine] == [own.draft_id]
    assert [draft.draft_id for draft in there] == [wide.draft_id]


def test_lists_go_on_where_the_page_ended(law: Store) -> None:
    """By keyset, whatever is begun meanwhile; by state and book."""
    made = []
    for k in range(5):
        with law.writing(NOW_US + k) as unit:
            made.append(drafts.empty_draft(unit, ANN, f"b{k}", targets=[HERE]).draft_id)
    found: list[str] = []
    cursor = None
    with law.writing(NOW_US + 9) as unit:
        while True:
            page = drafts.drafts_page(unit, ANN, cursor=cursor, limit=2)
            found += [draft.draft_id for draft in page.items]
            cursor = page.cursor
            if cursor is None:
                break
            drafts.empty_draft(unit, ANN, "later", targets=[HERE])
        one = drafts.drafts_page(unit, ANN, book_id="b3", state="open").items
        with refused("cursor_invalid"):
            drafts.drafts_page(unit, ANN, cursor="x")

    assert found == made[::-1]
    assert [draft.draft_id for draft in one] == [made[3]]


def test_a_withdrawn_draft_stays_closed(law: Store) -> None:
    """It needs a reason and there is no way back, but its revisions can still be read."""
    with law.writing(NOW_US) as unit:
        draft = begun(unit)
        with refused("reason_needed"):
            drafts.withdraw(unit, ANN, draft.draft_id, draft.etag, "  ")
        gone = drafts.withdraw(unit, ANN, draft.draft_id, draft.etag, "not needed")
        for verb in (
            lambda: drafts.undo(unit, ANN, draft.draft_id, gone.etag),
            lambda: drafts.edit_cells(unit, ANN, draft.draft_id, gone.etag, changed()),
        ):
            with refused("draft_closed"):
                verb()
        document, targets = revision_content(unit, draft.draft_id, 1)

    assert gone.state == "withdrawn"
    assert document["rule"] == raw()["rule"]
    assert targets == BOTH


def test_revisions_are_written_once(law: Store) -> None:
    """The database refuses to change who wrote what."""
    with law.writing(NOW_US) as unit:
        begun(unit)
    with pytest.raises(Exception, match="append-only"), law.writing(NOW_US) as unit:
        unit.connection.execute(update(draft_revisions).values(author="nobody"))


def test_what_is_asked_for_and_not_there_is_said(law: Store) -> None:
    """Drafts, versions, revisions, books."""
    with law.writing(NOW_US) as unit:
        draft = begun(unit)
        for code, verb in (
            ("draft_unknown", lambda: draft_of(unit, "nope")),
            ("version_unknown", lambda: drafts.draft_from_version(unit, ANN, "f" * 64)),
            ("revision_unknown", lambda: drafts.restore(unit, ANN, draft.draft_id, draft.etag, 99)),
            ("no_book_there", lambda: drafts.draft_from_place(unit, ANN, "nowhere", "dedicated")),
            ("target_unknown_kind", lambda: drafts.empty_draft(unit, ANN, "x", targets=[BookPlace("a", "robots")])),
        ):
            with refused(code):
                verb()


def test_a_book_of_more_rules_than_anybody_reads_is_kept_but_not_checked(law: Store) -> None:
    """Comparing rules takes their square: a limit keeps a draft from taking the service with it."""
    with law.writing(NOW_US) as unit:
        draft = begun(unit)
        row = draft.document["rule"][0]
        many = draft.document | {"rule": [row | {"id": f"r{k}"} for k in range(MAX_ROWS + 1)]}
        saved = drafts.save_document(unit, ANN, draft.draft_id, draft.etag, many)
        checked = check_draft(unit, saved, NOW_US)

    assert [fault.code for fault in checked.faults] == ["too_many_rows"]
    assert checked.pointer(checked.faults[0]) == "/rule"
    assert not checked.can_submit


def test_one_event_is_tried_against_a_draft(law: Store) -> None:
    """The changed row fires with its new points."""
    with law.writing(NOW_US) as unit:
        draft = begun(unit, points=-3)

    tried = try_event(draft, "delivered", ExampleFacts(late_min=4))

    assert [(row.rule_id, row.fired) for row in tried.groups[0].rows] == [("on_time", False), ("late", True)]
    assert tried.score_after_mp - tried.score_before_mp == -3_000
