"""Cell edits: each does what a person at a table expects, and faults are found where they stand."""

import copy
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from rules.book import BookDocument
from rules.check import check
from rules.edits import AddRow, CellError, Edit, MoveRow, RemoveRow, SetCell, edited, pointer_of
from rules.errors import BookError, Fault
from rules.parse import book_of
from tests.builders import rule, tiny_book


def ids(document: dict[str, Any]) -> list[str]:
    """Ids of the rules, in order."""
    return [row["id"] for row in document["rule"]]


def test_a_cell_is_set_and_the_document_given_stays() -> None:
    """The change is in what comes back; decimals are exact."""
    before = tiny_book()

    after = edited(before, [SetCell(path="/rule/1/points", value=-1.5)])

    assert after["rule"][1]["points"] == Decimal("-1.5")
    assert before == tiny_book()


def test_missing_tables_are_made_and_empty_ones_go() -> None:
    """A condition can be typed into an empty row, and cleared again without a trace."""
    before = tiny_book(rule=[rule("a", points=1)])

    made = edited(before, [SetCell(path="/rule/0/when/late_min/over", value=5)])
    gone = edited(made, [SetCell(path="/rule/0/when/late_min/over", value=None)])

    assert made["rule"][0]["when"] == {"late_min": {"over": 5}}
    assert gone == before


def test_rows_are_added_moved_and_removed() -> None:
    """Positions are those after the edits before."""
    before = tiny_book()
    new = rule("late_9", points=-1)

    after = edited(
        before,
        [AddRow(op="add", part="rule", value=new, at=1), MoveRow(op="move", part="/rule", at=3, to=0),
         RemoveRow(op="remove", part="rule", at=1)],
    )  # fmt: skip

    assert ids(before) == ["on_time", "late_5", "late_more"]
    assert ids(after) == ["late_more", "late_9", "late_5"]


def test_a_list_that_is_missing_is_made_by_its_first_row() -> None:
    """A book without caps gets one."""
    after = edited(tiny_book(), [AddRow(op="add", part="cap", value={"id": "c", "scope": "day", "max_deduct": 3})])

    assert [cap["id"] for cap in after["cap"]] == ["c"]


@pytest.mark.parametrize(
    ("edit", "code"),
    [
        (SetCell(path="/rule/9/points", value=1), "no_such_row"),
        (SetCell(path="/rule/9/points", value=None), "no_such_row"),
        (SetCell(path="/rule/x", value=1), "no_such_row"),
        (SetCell(path="/", value=1), "no_such_place"),
        (SetCell(path="", value=None), "no_such_place"),
        (SetCell(path="/title/zh/deep/x", value=1), None),
        (RemoveRow(op="remove", part="rule", at=3), "no_such_row"),
        (MoveRow(op="move", part="score", at=0, to=1), "no_such_place"),
        (AddRow(op="add", part="", value={}), "no_such_place"),
    ],
)
def test_an_edit_that_leads_nowhere_says_which(edit: Any, code: str | None) -> None:
    """Position and place of the first one; no half-made change comes back."""
    if code is None:
        edited(tiny_book(), [edit])
        return
    with pytest.raises(CellError) as refused:
        edited(tiny_book(), [SetCell(path="/late_days", value=3), edit])

    assert (refused.value.code, refused.value.number) == (code, 1)


_STEPS = st.lists(
    st.sampled_from(["rule", "tier", "0", "1", "9", "when", "late_min", "points", "title", "-1", "~0"]), max_size=5
)
_VALUES = st.sampled_from([None, 1, -0.5, "x", {}, {"a": 1}, [], [{"id": "z"}], True])
_PATHS = _STEPS.map(lambda steps: "/" + "/".join(steps))
_EDITS = st.one_of(
    st.builds(SetCell, path=_PATHS, value=_VALUES),
    st.builds(AddRow, op=st.just("add"), part=_PATHS, value=st.just({"id": "n"}), at=st.none() | st.integers(0, 5)),
    st.builds(MoveRow, op=st.just("move"), part=_PATHS, at=st.integers(0, 4), to=st.integers(0, 6)),
    st.builds(RemoveRow, op=st.just("remove"), part=_PATHS, at=st.integers(0, 4)),
)


@given(st.lists(_EDITS, max_size=6))
def test_any_edits_give_a_document_or_a_reason(edits: list[Any]) -> None:
    """Never another error, the document given never touched, and every fault of the result can be pointed at."""
    before = tiny_book()
    again = copy.deepcopy(before)

    try:
        after = edited(before, edits)
    except CellError:
        after = before

    assert before == again
    try:
        book_of(after, "draft")
    except BookError as error:
        assert all(pointer_of(after, fault).startswith(("/", "")) for fault in error.faults)


def pointers(document: dict[str, Any]) -> dict[str, str]:
    """Code → place of every fault of a document."""
    try:
        found = check([book_of(document, "draft")])
    except BookError as error:
        found = error.faults
    return {fault.code: pointer_of(document, fault) for fault in found}


@pytest.mark.parametrize(
    ("keys", "code", "pointer"),
    [
        ({"rule": [rule("a", points="abc")]}, "expected_number", "/rule/0/points"),
        ({"rule": [rule("a", points=1), {"group": "main"}]}, "missing_key", "/rule/1/kind"),
        ({"rule": [rule("a", points=1), rule("a", points=2)]}, "repeated_id", "/rule/1/id"),
        ({"rule": ["x"]}, "expected_table", "/rule/0"),
        ({"rule": [rule("a", points=1, when={"late_min": {"over": 9, "up_to": 3}})]}, "empty_range", "/rule/0/when/late_min"),
        ({"tier": [{"id": "t", "title": {"zh": "一", "en": "T"}, "from": 1}]}, "tier_lowest", "/tier/0/from"),
        ({"score": {"base": 70, "floor": 90, "ceiling": 100}}, "score_order", "/score/floor"),
        ({"colour": 1}, "unknown_key", "/colour"),
        ({"rule": [rule("a", points=1, example=[{"given": {"late_min": "x"}, "expect": {}}])]}, "expected_number", "/rule/0/example/0/given/late_min"),
        ({"notice_days": 7, "rule": [rule("never", kind="complaint", points=-1, when={"late_min": {"over": 1}})]}, "never_fires", "/rule/0/when"),
    ],
)  # fmt: skip
def test_a_fault_is_pointed_at_where_it_stands(keys: dict[str, Any], code: str, pointer: str) -> None:
    """The cell that a page marks, whatever row of whatever part."""
    assert pointers(tiny_book(**keys)).get(code) == pointer


def test_a_fault_of_the_whole_document_points_at_no_cell() -> None:
    """An empty pointer is the document."""
    assert pointer_of(tiny_book(), Fault("empty_file", "draft")) == ""


def test_edits_are_read_from_json() -> None:
    """What a page posts; an operation nobody knows is refused."""
    adapter: TypeAdapter[Any] = TypeAdapter(list[Edit])

    read = adapter.validate_python(
        [{"op": "set", "path": "/score/base", "value": 71}, {"op": "move", "part": "rule", "at": 0, "to": 1}]
    )

    assert isinstance(read[0], SetCell)
    assert isinstance(read[1], MoveRow)
    with pytest.raises(ValueError, match="op"):
        adapter.validate_python([{"op": "eval", "path": "/"}])
    assert BookDocument.model_validate(edited(tiny_book(), read)).score.base_mp == 71_000
