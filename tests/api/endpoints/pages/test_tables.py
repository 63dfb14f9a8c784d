"""Rule books as tables: nothing is lost on the way there and back, and what cannot be read is told by its cell."""

import copy
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from api.endpoints.books.columns import PARTS, column, columns
from api.endpoints.books.sheet_reading import read_file
from api.endpoints.books.tables import Table, TableRow, document_of, items, table_of, tables_of, used_keys
from rules.book import BookDocument
from rules.ids import digest
from rules.shelf import shipped, versions
from tests.builders import book_of
from tests.strategies import raw_books

SHIPPED = [book for name in shipped() for book in versions(name)]
JUNK = st.sampled_from(("x", 1, -3, True, [], {}, [1], {"over": "x"}, ["a", "b"], None))


def forgetful(document: dict[str, Any]) -> list[Table]:
    """All tables of a document, their rows without a memory of where they came from."""
    return [
        Table(table.part, tuple(TableRow(row.cells) for row in table.rows)) for table in tables_of(document).values()
    ]


@pytest.mark.parametrize("book", SHIPPED, ids=lambda book: book.id)
def test_shipped_books_round_trip(book: Any) -> None:
    """Every shipped book written out as tables is the same book, to the digest, even from cells alone."""
    again = document_of(forgetful(book.document), {})

    assert again.faults == ()
    assert digest(again.document) == book.digest


@settings(max_examples=60)
@given(raw_books())
def test_any_book_round_trips(document: dict[str, Any]) -> None:
    """With the rows' memory the document is the same to the letter; from cells alone it means the same."""
    kept = document_of(list(tables_of(document).values()), document)
    bare = document_of(forgetful(document), {})

    assert kept.document == document
    assert bare.faults == ()
    assert book_of(bare.document).model == book_of(document).model


@settings(max_examples=60)
@given(raw_books(), st.data())
def test_what_no_cell_can_show_stays(document: dict[str, Any], data: st.DataObject) -> None:
    """A value of a wrong kind, or a key that no column has, survives as it was written."""
    document = copy.deepcopy(document)
    rule = data.draw(st.sampled_from(document["rule"]))
    key = data.draw(st.sampled_from(("points", "kind", "when", "points_slide", "title", "note", "unheard_of")))
    junk = data.draw(JUNK)
    if junk is not None:
        rule[key] = junk

    again = document_of(list(tables_of(document).values()), document)

    assert again.document == document


def test_every_value_of_a_book_has_a_column() -> None:
    """What the document model may say can be seen and changed in some table."""
    shown = {one.key.split(".")[0] for part in PARTS if part == "book" for one in columns(part)}
    lists = {"rule", "cap", "tier", "report", "group"}

    assert {field.alias or name for name, field in BookDocument.model_fields.items()} == shown | lists


def test_a_changed_cell_changes_that_value_alone() -> None:
    """Points of one rule become −3; the rest of the book is untouched."""
    book = versions("taobao-crowdsourced")[0]
    table = table_of(book.document, "rule")
    at = next(number for number, row in enumerate(table.rows) if row.cells["id"] == "late_over_5")
    rows = list(table.rows)
    rows[at] = TableRow({**rows[at].cells, "points": "-3"}, rows[at].origin)

    made = document_of([Table("rule", tuple(rows))], book.document)

    expected = copy.deepcopy(book.document)
    expected["rule"][at]["points"] = -3
    assert made.document == expected


def test_rows_move_come_and_go() -> None:
    """Rows in another order, without one, with a new one: the document follows; examples go with their rule."""
    book = versions("taobao-crowdsourced")[0]
    first, second, *_ = table_of(book.document, "rule").rows
    new = TableRow(
        {"id": "fresh", "kind": "complaint", "points": "-1", "title.zh": "新", "title.en": "new", "when.party": ""}
    )

    made = document_of([Table("rule", (second, new, first))], book.document).document

    assert [rule["id"] for rule in made["rule"]] == [second.cells["id"], "fresh", first.cells["id"]]
    assert made["rule"][2] == book.document["rule"][0]
    assert made["rule"][1] == {"id": "fresh", "kind": "complaint", "points": -1, "title": {"zh": "新", "en": "new"}}


def test_an_emptied_cell_removes_its_value() -> None:
    """A condition that is emptied is gone, and so is the table that held nothing else."""
    document = copy.deepcopy(versions("taobao-crowdsourced")[0].document)
    table = table_of(document, "rule")
    at = next(number for number, row in enumerate(table.rows) if "when.late_min" in row.cells)
    rows = list(table.rows)
    rows[at] = TableRow({**rows[at].cells, "when.late_min": "  "}, at)

    made = document_of([Table("rule", tuple(rows))], document).document

    assert "when" not in made["rule"][at]


def test_examples_follow_the_rule_they_name() -> None:
    """An example whose rule cell changes moves to that rule; one of a rule that is not there is told."""
    book = versions("taobao-crowdsourced")[0]
    table = table_of(book.document, "example")
    ids = [rule["id"] for rule in book.document["rule"]]
    rows = [TableRow({**row.cells, "rule": ids[-1]}, row.origin) for row in table.rows]
    lost = TableRow({**rows[0].cells, "rule": "nowhere"}, rows[0].origin)

    made = document_of([Table("example", (*rows, lost))], book.document)

    assert [len(rule.get("example", [])) for rule in made.document["rule"]] == [0] * (len(ids) - 1) + [len(rows)]
    assert [(fault.row, fault.key, fault.fault.code) for fault in made.faults] == [(len(rows), "rule", "cell_rule")]


@pytest.mark.parametrize(
    ("part", "key", "written", "code"),
    [
        ("rule", "points", "minus one", "cell_number"),
        ("rule", "money_fen", "0.555", "cell_yuan"),
        ("rule", "money_fen", "five", "cell_yuan"),
        ("rule", "when.late_min", "5-10", "cell_range"),
        ("rule", "when.late_min", ">0 >5", "cell_range"),
        ("rule", "when.time_of_day", ">noon", "cell_range_time"),
        ("rule", "points_slide", "0 0; 5 -1", "cell_slide"),
        ("tier", "review", "perhaps", "cell_switch"),
        ("book", "announced", "1 March", "cell_date"),
        ("book", "announced", "2026-02-30", "cell_date"),
        ("book", "day_starts", "25:00", "cell_time"),
        ("rule", "title.zh", "x" * 5_000, "cell_long"),
    ],
)
def test_what_cannot_be_read_is_told_and_kept(part: str, key: str, written: str, code: str) -> None:
    """A cell that cannot be read is one fault at that cell, and shows what was typed ever after."""
    document = versions("taobao-crowdsourced")[0].document
    first, *others = table_of(document, part).rows

    made = document_of([Table(part, (TableRow({**first.cells, key: written}, 0), *others))], document)

    assert [(found.part, found.row, found.key, found.fault.code) for found in made.faults] == [(part, 0, key, code)]
    assert made.faults[0].fault.describe("zh")
    assert made.faults[0].fault.describe("en")
    shown = table_of(made.document, part)
    assert shown.rows[0].cells[key] == written
    assert [found.fault.code for found in document_of([shown], made.document).faults] == [code]


@pytest.mark.parametrize(
    ("key", "written", "shown"),
    [
        ("points", "−０.５", "-0.5"),
        ("kind", "送达、取消", "delivered; cancelled"),
        ("when.late_min", "> 0，<= 5", ">0 ≤5"),
        ("when.time_of_day", ">=11:00 <13:30", "≥11:00 <13:30"),
        ("points_slide", "0：0；5：−1", "0: 0; 5: -1"),
        ("fee_share", "-0.40", "-0.40"),
        ("when.rider_kind", "专送", "dedicated"),
        ("money_fen", "-0.5", "-0.50"),
        ("money_fen", "３ 元", "3.00"),
        ("money_fen", "1234.56", "1234.56"),
    ],
)
def test_people_may_write_as_they_are_used_to(key: str, written: str, shown: str) -> None:
    """Chinese signs, full-width digits, words of the trade: read, and shown in one way."""
    document = versions("taobao-crowdsourced")[0].document
    first, *others = table_of(document, "rule").rows

    made = document_of([Table("rule", (TableRow({**first.cells, key: written}, 0), *others))], document)

    assert made.faults == ()
    assert table_of(made.document, "rule").rows[0].cells[key] == shown


@pytest.mark.parametrize(
    ("heading", "written"),
    [
        ("bonus_fen", "50"),
        ("bonus_yuan", "0.5"),
        ("x [bonus_fen]", "50.0"),
        ("x [bonus_yuan]", "0.50"),
        ("每单奖励（元）", "0.50"),
    ],
)
def test_money_is_yuan_for_people_and_fen_in_the_book(heading: str, written: str) -> None:
    """What a heading calls yuan is yuan, what it calls fen is fen; the book holds fen, its tables show yuan."""
    document = versions("taobao-crowdsourced")[0].document
    name = items(document, "tier")[-1]["id"]

    read = read_file(f"id,{heading}\n{name},{written}\n".encode(), "tier.csv", document, "tier")
    made = document_of(read.tables, document)

    assert (read.faults, made.faults) == ((), ())
    assert items(made.document, "tier")[0]["bonus_fen"] == 50
    assert table_of(made.document, "tier").rows[0].cells["bonus_fen"] == "0.50"


def test_half_a_fen_is_no_yuan() -> None:
    """A value that a book cannot hold is told in whichever unit it stands."""
    for heading, written in (("bonus_fen", "50.5"), ("bonus_yuan", "0.505")):
        read = read_file(f"id,{heading}\na,{written}\n".encode(), "tier.csv", {}, "tier")

        assert [found.fault.code for found in document_of(read.tables, {}).faults] == ["cell_yuan"]


def test_columns_know_their_words() -> None:
    """A column of words offers those of the book's model, and needed columns say so."""
    kind, scope = column("rule", "kind"), column("cap", "scope")

    assert kind is not None
    assert "delivered" in kind.choices
    assert kind.is_needed
    assert scope is not None
    assert scope.choices == ("event", "order", "day")
    assert "when.distance_km" not in used_keys(table_of(versions("taobao-crowdsourced")[0].document, "rule"))
