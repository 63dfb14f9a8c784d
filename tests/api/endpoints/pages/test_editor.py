"""The editor without a browser: where faults stand, what a form sends back, rows that come and go."""

import copy
from typing import Any

import pytest

from api.endpoints.books.columns import columns
from api.endpoints.books.editor import (
    CellPlace,
    act,
    complete,
    counts,
    editor_table,
    faults_in_words,
    place_of,
    read_form,
    sections,
    shown_keys,
)
from api.endpoints.books.tables import Document, Table, TableRow, document_of, table_of
from rules.errors import BookError, Fault
from rules.parse import book_of
from rules.shelf import shipped, versions
from scoring.examples import check_examples

BOOK = versions("gbt-46862-reference")[0]


def changed(path: str, value: Any) -> Document:
    """The reference book with another value somewhere."""
    document = copy.deepcopy(BOOK.document)
    *way, last = path.split(".")
    holder: Any = document
    for step in way:
        holder = holder[int(step)] if step.isdigit() else holder.setdefault(step, {})
    holder[last] = value
    return document


def faults_of(document: Document) -> tuple[Fault, ...]:
    """What the rules say of a document."""
    with pytest.raises(BookError) as caught:
        book_of(document, "draft")
    return caught.value.faults


@pytest.mark.parametrize(
    ("path", "value", "place"),
    [
        ("rule.2.points_slide", [{"late_min": 0, "points": 0}], CellPlace("rule", 2, "points_slide")),
        ("rule.1.when.weather_level", {"over": 3, "up_to": 2}, CellPlace("rule", 1, "when.weather_level")),
        ("rule.0.points", 5_000, CellPlace("rule", 0, "points")),
        ("rule.0.title", {"zh": "字"}, CellPlace("rule", 0, "title.en")),
        ("rule.2.example.1.given.late_min", "nine", CellPlace("example", 6, "given.late_min")),
        ("rule.0.sourc", "ours", CellPlace("rule", 0, "")),
        ("tier.2.from", 40, CellPlace("tier", 2, "from")),
        ("report.3.exempt", True, CellPlace("report", 3, "exempt")),
        ("score.floor", 90, CellPlace("book", 0, "score.floor")),
        ("rule", [], CellPlace("rule", None, "")),
    ],
)
def test_a_fault_stands_at_its_cell(path: str, value: Any, place: CellPlace) -> None:
    """Each fault of a document is found again in the tables: which one, which row, which column."""
    document = changed(path, value)

    places = [place_of(document, fault) for fault in faults_of(document)]

    assert place in places


def test_an_example_that_fails_stands_at_its_expectation() -> None:
    """Of two examples with titles, the one that scoring does not bear out is named."""
    document = changed("rule.3.points", -1)
    (fault,) = check_examples(book_of(document, "draft"))
    at = place_of(document, fault)

    table = table_of(document, "example")

    assert at.part == "example"
    assert at.key == "expect.points"
    assert at.row is not None
    assert table.rows[at.row].cells["rule"] == "transferred"


def form_of(table: Table, part: str) -> dict[str, str]:
    """What a browser sends back of a table that nobody touched, line ends its own."""
    view = editor_table(table, (), (), "zh")
    fields = {cell.name: cell.shown.replace("\n", "\r\n") for row in view.rows for cell in row.cells}
    origins = {f"o.{row.number}": "" if row.origin is None else str(row.origin) for row in view.rows}
    return fields | origins | {"part": part, "form_token": "x"}


@pytest.mark.parametrize("name", shipped())
@pytest.mark.parametrize("part", ["rule", "example", "cap", "tier", "report", "group", "book"])
def test_a_form_that_nobody_touched_changes_nothing(name: str, part: str) -> None:
    """Shown, sent back and saved, every table of every shipped book is the same to the letter."""
    document = versions(name)[0].document
    table = table_of(document, part)

    sent = complete(read_form(part, form_of(table, part)), table)
    made = document_of([sent], document)

    assert made.faults == ()
    assert made.document == document


def test_columns_that_are_not_on_the_page_stay() -> None:
    """Only what is used or asked for is shown; a hidden note survives a save, a fault brings its column to light."""
    table = table_of(BOOK.document, "rule")

    keys = shown_keys(table, (), ())

    assert "note.zh" not in keys
    assert "when.tenure_days" not in keys
    assert "when.tenure_days" in shown_keys(table, ("when.tenure_days",), ())
    assert "note.zh" in shown_keys(table, (), ("note.zh",))
    assert shown_keys(table, ("all",), ()) == tuple(one.key for one in columns("rule"))


def test_words_of_the_trade_are_read_in_either_language() -> None:
    """送达、取消 and delivered; cancelled are the same cell."""
    for written in ("送达、取消", "Delivered, cancelled", "delivered; cancelled"):
        assert read_form("rule", {"c.0.kind": written}).rows[0].cells["kind"] == "delivered; cancelled"


def test_strange_fields_are_not_taken() -> None:
    """Columns that are none, and rows beyond all measure, are left out."""
    fields = {"c.0.points": "1", "c.0.unheard_of": "1", "c.9999.points": "1", "o.0": "-1", "c.x.points": "1"}

    table = read_form("rule", fields)

    assert [dict(row.cells) for row in table.rows] == [{"points": "1"}]
    assert table.rows[0].origin is None


def names(table: Table) -> list[str]:
    return [row.cells.get("id", "") for row in table.rows]


def test_rows_act() -> None:
    """Up, down, copy, delete, add: the rows that follow, and the one to look at."""
    table = Table("rule", tuple(TableRow({"id": name}) for name in "abc"))

    assert (names(act(table, "up:1", {}, "zh")[0]), act(table, "up:1", {}, "zh")[1]) == (["b", "a", "c"], 0)
    assert (names(act(table, "down:1", {}, "zh")[0]), act(table, "down:1", {}, "zh")[1]) == (["a", "c", "b"], 2)
    assert (names(act(table, "copy:0", {}, "zh")[0]), act(table, "copy:0", {}, "zh")[1]) == (["a", "a_2", "b", "c"], 1)
    assert (names(act(table, "delete:2", {}, "zh")[0]), act(table, "delete:2", {}, "zh")[1]) == (["a", "b"], 1)
    assert names(act(table, "add", {}, "zh")[0]) == ["a", "b", "c", "new_rule_2"]
    for nothing in ("up:0", "down:2", "save", "up:x", "delete:9", ""):
        assert names(act(table, nothing, {}, "zh")[0]) == ["a", "b", "c"]


@pytest.mark.parametrize("part", ["rule", "example", "cap", "tier", "report", "group"])
def test_a_new_row_is_a_sound_one(part: str) -> None:
    """A row that was just added has no fault of its own: there is something to begin with."""
    table, at = act(table_of(BOOK.document, part), "add", BOOK.document, "zh")

    made = document_of([table], BOOK.document)

    assert at == len(table.rows) - 1
    assert made.faults == ()
    model = book_of(made.document, "draft").model
    assert part == "example" or len(getattr(model, part)) == len(table.rows)


def test_faults_are_counted_by_table_and_told_beside_the_cell() -> None:
    """The tab says how many errors it holds; the cell says which."""
    document = changed("rule.0.points", 5_000)
    faults = faults_in_words(document, faults_of(document), "en")

    table = editor_table(table_of(document, "rule"), faults, (), "en")

    assert counts(faults) == {"rule": 1}
    (cell,) = [cell for row in table.rows for cell in row.cells if cell.faults]
    assert cell.name == "c.0.points"
    assert "-1000 … 1000" in cell.faults[0]


def test_the_values_of_a_book_stand_by_section() -> None:
    """Single values are shown with the table they belong to, the book's own first."""
    table = editor_table(table_of(BOOK.document, "book"), (), (), "en")

    found = dict(sections(table, lambda name: name.upper()))

    assert next(iter(found)) == ""
    assert [cell.column.key for cell in found["FADING"]][-1] == "fading.after_days"
    assert [cell.column.key for cell in found[""]][:3] == ["id", "title.zh", "title.en"]
