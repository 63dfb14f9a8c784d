"""Files and documents that cost much and say nothing: counted before they are read, refused in few words."""

from typing import Any

import pytest
from openpyxl.utils import get_column_letter

from api.books.draft_content import MAX_EXAMPLES, MAX_PARTS, content_of
from api.endpoints.books import sheet_reading
from api.endpoints.books.sheet_reading import MAX_CELLS, read_file, read_pasted
from api.endpoints.books.sheet_writing import to_xlsx
from api.endpoints.books.tables import tables_of
from api.refusals import Refused
from rules.errors import BookError
from rules.parse import MAX_FAULTS, MAX_VALUES, Source, parse, read_toml
from rules.shelf import versions
from tests.api.endpoints.nasty import sheet_of, workbook

DOCUMENT = versions("gbt-46862-reference")[-1].document
XMLNS = b'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'


def codes(content: bytes, name: str = "book.xlsx", part: str = "") -> set[str]:
    """What is wrong with a file."""
    return {found.fault.code for found in read_file(content, name, DOCUMENT, part).faults}


def cells(number: int) -> bytes:
    """A row of so many cells, each at its column."""
    return b"".join(
        b'<c r="%s1" t="inlineStr"><is><t>x</t></is></c>' % get_column_letter(k).encode() for k in range(1, number + 1)
    )


def declared(coding: str) -> bytes:
    """Shared texts that grow when they are read."""
    text = f'<?xml version="1.0" encoding="{coding}"?><!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;">]>'
    return (text + f"<sst {XMLNS.decode()}><si><t>&b;</t></si></sst>").encode(coding)


SHARED = b'<c t="s"><v>0</v></c>'
LONG_TEXT = b"<sst %s><si><t>%s</t></si></sst>" % (XMLNS, b"x" * 200_000)


@pytest.mark.parametrize(
    ("sheet", "parts", "code"),
    [
        (sheet_of(b'<row r="1">' + cells(18_278) + b"</row>"), {}, "sheet_wide"),
        (sheet_of(b"<row>" + b"<c/>" * 400_000 + b"</row>"), {}, "sheet_cells"),
        (sheet_of(b"<row/>" * 400_000), {}, "sheet_cells"),
        (sheet_of(b"<row " + b" ".join(b'a%d="1"' % k for k in range(200_000)) + b"/>"), {}, "sheet_cells"),
        (sheet_of(b'<row r="1048576"><c r="XFD1048576"><v>1</v></c></row>'), {}, "sheet_long"),
        (sheet_of(b" " * 100_000_000), {}, "sheet_large"),
        (sheet_of(b"<row/>" * 30_000), {}, "sheet_long"),
        (sheet_of(b" " * 1_000_000), {}, "cell_long"),
        (sheet_of(b"<row><c><f>" + b"1+" * 200_000 + b"1</f></c></row>"), {}, "cell_long"),
        (sheet_of(b"<row><c><v>" + b"9" * 300_000 + b"</v></c></row>"), {}, "cell_long"),
        (sheet_of(b""), {"xl/styles.xml": b"<styleSheet>" + b"<xf/>" * 30_000 + b"</styleSheet>"}, "sheet_styles"),
        (
            sheet_of(b""),
            {"xl/workbook.xml": b"<workbook>" + b"<definedName/>" * 30_000 + b"</workbook>"},
            "sheet_styles",
        ),
        (sheet_of(b"").replace(b"</sheetData>", b"</sheetData>" + b"<mergeCell/>" * 30_000), {}, "sheet_styles"),
        (
            sheet_of(b"<!--x-->").replace(b"</sheetData>", b"<x:hyperlink/>" * 30_000 + b"</sheetData>"),
            {},
            "sheet_styles",
        ),
        (sheet_of(b""), {"xl/sharedStrings.xml": b"<sst>" + b"<si><t>a</t></si>" * 100_000}, "sheet_cells"),
        (sheet_of((b"<row>" + SHARED * 100 + b"</row>") * 500), {"xl/sharedStrings.xml": LONG_TEXT}, "sheet_large"),
        (sheet_of(b""), {"xl/sharedStrings.xml": declared("utf-8")}, "sheet_unreadable"),
        (sheet_of(b""), {"xl/sharedStrings.xml": declared("utf-16")}, "sheet_unreadable"),
        (sheet_of(b""), {f"part{k}": b"" for k in range(1_000)}, "sheet_unreadable"),
    ],
)
def test_a_workbook_is_measured_before_it_is_read(sheet: bytes, parts: dict[str, bytes], code: str) -> None:
    """Columns, cells, rows, attributes, bytes, texts of one cell or of many, styles, names, links, entities, parts."""
    assert codes(workbook(sheet, **parts)) == {code}


def test_tags_of_cells_are_no_styles() -> None:
    """As many as a book has, under a prefix too, as some programs write them."""
    row = b"<row>" + cells(100) + b"</row>"
    prefixed = row.replace(b"<", b"<x:").replace(b"<x:/", b"</x:")

    for one in (row, prefixed):
        assert "sheet_styles" not in codes(workbook(sheet_of(one * 200)))


def test_what_is_measured_too_large_is_not_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    """The reader of workbooks never sees it."""
    monkeypatch.setattr(sheet_reading, "load_workbook", _never)

    assert codes(workbook(sheet_of(b"<row>" + b"<c/>" * 400_000 + b"</row>"))) == {"sheet_cells"}


def _never(*_args: object, **_given: object) -> None:
    raise AssertionError


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b",".join(b"x%d" % k for k in range(18_279)), "sheet_wide"),
        (b"," * 4_000_000, "sheet_cells"),
        (b"\n" * 4_000_000, "sheet_cells"),
        (b"\r" * 4_000_000, "sheet_cells"),
        (b'"' * 4_000_000, "sheet_unreadable"),
        (b"a,b\n" * 20_000, "sheet_long"),
    ],
)
def test_a_csv_file_is_measured_before_it_is_read(content: bytes, code: str) -> None:
    """Columns, cells, lines and quotes."""
    assert codes(content, "rule.csv", "rule") == {code}


def test_what_is_pasted_is_measured_too() -> None:
    """Rows from a spreadsheet have the same limits."""
    many = read_pasted("\t" * (MAX_CELLS + 1), (), "rule", DOCUMENT)
    quoted = read_pasted('"' + "x" * 200_000, (), "rule", DOCUMENT)

    assert [found.fault.code for found in many.faults + quoted.faults] == ["sheet_cells", "sheet_unreadable"]


def test_a_large_book_still_goes_there_and_back() -> None:
    """As many rules as a draft may hold fit into a workbook."""
    rules = [DOCUMENT["rule"][k % len(DOCUMENT["rule"])] | {"id": f"r{k}"} for k in range(MAX_PARTS)]
    found = read_file(to_xlsx(tables_of(DOCUMENT | {"rule": rules}), "zh"), "book.xlsx", DOCUMENT)

    assert found.faults == ()
    assert len(next(table.rows for table in found.tables if table.part == "rule")) == MAX_PARTS


@pytest.mark.parametrize(
    "text",
    [
        ".".join(["a"] * 20_000) + " = 1",
        "[" + " . ".join(["a"] * 17) + "]",
        '"a".' * 16 + "'b' = 1",
        "x = {" + "a." * 16 + "b = 1}",
    ],
)
def test_keys_of_toml_have_few_parts(text: str) -> None:
    """The reader takes the square of a key's parts: in keys, tables, quotes and inside of values."""
    with pytest.raises(BookError) as caught:
        read_toml(Source(text, "x.toml"))

    assert [fault.code for fault in caught.value.faults] == ["toml_long_key"]


@pytest.mark.parametrize(
    "text",
    [
        "a = " + "9" * 900_000,
        "a = 0." + "9" * 900_000,
        "a = [1, 0x" + "f" * 5_000,
        "a = -1" + "_1" * 400,
        "a = 1e" + "9" * 900,
    ],
)
def test_numbers_of_toml_have_few_digits(text: str) -> None:
    """Whole, with a point or an exponent, in another base, signed, or with marks between."""
    with pytest.raises(BookError) as caught:
        read_toml(Source(text, "x.toml"))

    assert [fault.code for fault in caught.value.faults] == ["toml_long_number"]


@pytest.mark.parametrize("text", ["a = [" + "1," * 60_000 + "]", "a=1\n" * 60_000, "[[a]]\n" * 40_000])
def test_values_of_toml_are_counted_before_they_are_read(text: str) -> None:
    """Lists, keys and tables."""
    with pytest.raises(BookError) as caught:
        read_toml(Source(text, "x.toml"))

    assert [(fault.code, fault.allowed) for fault in caught.value.faults] == [("toml_too_much", str(MAX_VALUES))]


def test_a_long_text_is_no_long_key() -> None:
    """Numbers, versions and addresses in texts are what they are."""
    text = 'a.b = "1.2.3.4.5.6.7.8.9.10.11.12"\n' + 'c = "www.example.org/a.b/c.d/e.f/g.h/i.j/k.l/m.n/o.p/q.r/s.t"\n'

    assert read_toml(Source(text, "x.toml"))["a"]["b"].startswith("1.2")


def test_of_very_many_faults_the_number_is_told() -> None:
    """Each of the first is told in full; the last says how many there are besides."""
    text = 'id = "x"\neffective_from = 2026-03-01\n' + "\n".join(f"k{k} = 1" for k in range(5_000))

    with pytest.raises(BookError) as caught:
        parse(text, "x.toml")

    faults = caught.value.faults
    assert len(faults) == MAX_FAULTS + 1
    assert faults[-1].code == "more_faults"
    assert int(faults[-1].given) + MAX_FAULTS >= 5_000


@pytest.mark.parametrize(
    "more",
    [
        {"rule": [{"id": f"r{k}"} for k in range(MAX_PARTS + 1)]},
        {"tier": [{}] * (MAX_PARTS + 1)},
        {"rule": [{"example": [{}] * 100} for _ in range(MAX_EXAMPLES // 100 + 1)]},
        {"rule": [{"points_slide": [{}] * 100} for _ in range(MAX_EXAMPLES // 100 + 1)]},
    ],
)
def test_a_draft_has_few_enough_parts_to_check_them_against_each_other(more: dict[str, Any]) -> None:
    """Rules, tiers, examples, steps of a slide."""
    with pytest.raises(Refused, match="document_too_many"):
        content_of({"id": "x"} | more, ())
