"""Tables as other programs write them: encodings, delimiters, lines before the header, folders as columns, stray quotes."""

from collections.abc import Iterable, Mapping
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from api.files.errors import InputError
from api.files.readers import EventInputs, read_events
from api.files.reading_options import ReadingOptions
from tests.api.files.builders import csv_text, event, faults, ids, read_csv, write

DAY = [event(event_id=f"e{n}", city="杭州") for n in (1, 2)]
TEXT = csv_text(DAY)


def noted(read: EventInputs) -> list[tuple[str, str]]:
    """Code and value of each warning."""
    return [(warning.code, warning.given) for warning in read.warnings]


def parted(rows: Iterable[Mapping[str, str]], delimiter: str) -> str:
    """Rows as text with another delimiter."""
    return csv_text(rows).replace(",", delimiter)


@pytest.mark.case
@pytest.mark.parametrize(
    ("written", "note"),
    [
        (TEXT.encode("utf-16"), "input_encoding_utf_16_le"),
        (TEXT.encode("utf-16-le"), "input_encoding_utf_16_le"),
        (TEXT.encode("utf-16-be"), "input_encoding_utf_16_be"),
        (b"\xfe\xff" + TEXT.encode("utf-16-be"), "input_encoding_utf_16_be"),
        (TEXT.encode("gb18030"), "input_encoding_gb18030"),
        (TEXT.encode("utf-8-sig"), None),
        (b"\xef\xbb\xbf" + TEXT.encode("utf-8-sig"), None),
    ],
)
def test_an_encoding_is_seen_and_said(tmp_path: Path, written: bytes, note: str | None) -> None:
    """UTF-16 with and without a mark, GB18030 and UTF-8 with marks are read alike; what is not UTF-8 is said."""
    read = read_csv(tmp_path, written)

    assert (ids(read), read.table["city"].to_pylist()) == (["e1", "e2"], ["杭州", "杭州"])
    assert [code for code, _ in noted(read)] == ([note] if note else [])


@pytest.mark.case
@pytest.mark.parametrize(("delimiter", "shown"), [(";", ";"), ("\t", "Tab"), ("|", "|")])
def test_another_delimiter_is_seen_and_said(tmp_path: Path, delimiter: str, shown: str) -> None:
    """Semicolons, tabs and bars part values, too, and the person is told."""
    read = read_csv(tmp_path, parted(DAY, delimiter))

    assert (ids(read), noted(read)) == (["e1", "e2"], [("input_delimiter", shown)])


@pytest.mark.case
@pytest.mark.parametrize(
    "before",
    ["sep=,\n", "\n", "\n\n \n", ",,,,\n", "\ufeffsep=,\r\n", '"sep=,"\n\n', "\u3000\n\ufeff"],
)
def test_lines_before_the_header_are_passed_over(tmp_path: Path, before: str) -> None:
    """Blank lines and a line that names the delimiter are no header; rows keep their numbers."""
    read = read_csv(tmp_path, before + TEXT)

    assert (ids(read), read.table["row"].to_pylist(), faults(read)) == (["e1", "e2"], [1, 2], [])


def test_a_line_names_the_delimiter(tmp_path: Path) -> None:
    """Excel's `sep=` line decides."""
    read = read_csv(tmp_path, "sep=^\n" + parted(DAY, "^"))

    assert (ids(read), noted(read)) == (["e1", "e2"], [("input_delimiter", "^")])


@pytest.mark.case
@pytest.mark.parametrize("blank", [" ", "\t ", "\u3000", "\u200b", "\xa0", "\ufeff"])
def test_blanks_in_a_header_are_no_part_of_names(tmp_path: Path, blank: str) -> None:
    """`event_id, rider_id`: what nobody sees belongs to no name."""
    header, rows = TEXT.split("\n", 1)
    read = read_csv(tmp_path, ",".join(f"{blank}{name}{blank}" for name in header.split(",")) + "\n" + rows)

    assert (ids(read), noted(read)) == (["e1", "e2"], [])


@pytest.mark.parametrize("ends", ["\r\n", "\r"])
def test_any_line_end(tmp_path: Path, ends: str) -> None:
    """CR LF and CR alone end lines as LF does."""
    read = read_csv(tmp_path, TEXT.replace("\n", ends))

    assert (ids(read), read.table["row"].to_pylist()) == (["e1", "e2"], [1, 2])


def test_a_quoted_delimiter_is_part_of_a_value(tmp_path: Path) -> None:
    """A delimiter inside quotes parts nothing, in the header either."""
    read = read_csv(tmp_path, parted(DAY, ";").replace("杭州", '"杭;州"').replace("city", '"city"'))

    assert read.table["city"].to_pylist() == ["杭;州", "杭;州"]


ROWS = [",".join(event(event_id=f"e{n}", note="x").values()) for n in range(1, 5)]
HEADER = ",".join(event(note=""))


@pytest.mark.case
def test_rows_inside_a_quoted_value_are_named(tmp_path: Path) -> None:
    """A quote that another row closes swallows nothing in silence: the rows between are rejected by name."""
    rows = [ROWS[0][:-1] + '"6 inch', ROWS[1], ROWS[2][:-1] + '7"', ROWS[3]]

    read = read_csv(tmp_path, "\n".join([HEADER, *rows, ""]))

    assert ids(read) == ["e1", "e4"]
    assert faults(read) == [(2, "", rows[1], "swallowed_row"), (3, "", rows[2], "swallowed_row")]
    assert read.inputs[0].rows == 4


@pytest.mark.case
def test_a_ragged_row_among_values_of_many_lines_costs_one_row(tmp_path: Path) -> None:
    """Values of several lines stay whole beside a row with too many columns."""
    rows = [row[:-1] + '"at the door\nring"' for row in ROWS]
    rows[2] += ",extra"

    read = read_csv(tmp_path, "\n".join([HEADER, *rows, ""]))

    assert ids(read) == ["e1", "e2", "e4"]
    assert [(row, reason) for row, _, _, reason in faults(read)] == [(3, "wrong_number_of_columns")]


def test_a_stray_quote_near_the_end_costs_one_row(tmp_path: Path) -> None:
    """Of ten thousand rows, some with values of two lines, a quote without its end takes itself alone."""
    rows = [",".join(event(event_id=f"e{n}", note="x" if n % 7 else '"x\ny"').values()) for n in range(1, 10_001)]
    rows[9_989] = rows[9_989][:-1] + '"x'

    read = read_csv(tmp_path, "\n".join([HEADER, *rows, ""]))

    assert [(row, reason) for row, _, _, reason in faults(read)] == [(9_990, "unclosed_quote")]
    assert read.table.num_rows == 9_999


def test_more_rows_swallowed_than_read_is_a_fault(tmp_path: Path) -> None:
    """Where most of a file stands inside one quoted value, nothing is scored of it."""
    rows = [",".join(event(event_id=f"e{n}", note="x").values()) for n in range(1, 1_001)]
    rows[3], rows[990] = rows[3][:-1] + '"6 inch', rows[990][:-1] + '7"'

    with pytest.raises(InputError) as refusal:
        read_csv(tmp_path, "\n".join([HEADER, *rows, ""]))

    (fault,) = refusal.value.faults
    assert (fault.code, fault.given, fault.allowed) == ("input_rows_swallowed", "1000", "13")


def test_a_value_of_most_of_the_lines_is_a_fault(tmp_path: Path) -> None:
    """Lines that look like no rows and are far more than the rows are not passed over either."""
    rows = [ROWS[0], ROWS[1][:-1] + '"' + "line\n" * 200 + '"', ROWS[2]]

    with pytest.raises(InputError) as refusal:
        read_csv(tmp_path, "\n".join([HEADER, *rows, ""]))

    assert refusal.value.faults[0].code == "input_rows_swallowed"


LONG = "line, with a comma\n" * 40
AS_ROWS = "".join(f"{row}\n" for row in ROWS)


@pytest.mark.parametrize("value", [LONG, AS_ROWS * 3], ids=["many lines", "lines like rows"])
def test_long_quoted_values_are_read_by_who_says_that_they_are_meant(tmp_path: Path, value: str) -> None:
    """Values of forty lines a row, or that quote rows, are one value each, beside a ragged row that costs one row."""
    rows = [f'{row[:-1]}"{value}"' for row in ROWS]
    rows[2] += ",extra"
    path = write(tmp_path / "events.csv", "\n".join([HEADER, *rows, ""]))

    read = read_events([path], "native", reading=ReadingOptions(quotes_as_they_are=True))

    assert ids(read) == ["e1", "e2", "e4"]
    assert {reason for *_, reason in faults(read)} <= {"wrong_number_of_columns", "unclosed_quote"}


def test_a_quote_that_does_not_end_is_named_all_the_same(tmp_path: Path) -> None:
    """Who says that long values are meant has said nothing of a quote without its end."""
    rows = [ROWS[0], ROWS[1][:-1] + '"6 inch', ROWS[2], ROWS[3]]
    path = write(tmp_path / "events.csv", "\n".join([HEADER, *rows, ""]))

    read = read_events([path], "native", reading=ReadingOptions(quotes_as_they_are=True))

    assert (ids(read), [reason for *_, reason in faults(read)]) == (["e1", "e3", "e4"], ["unclosed_quote"])


def hive(folder: Path, **changes: str) -> None:
    """A day of two events without the columns that its folders name, as Parquet."""
    rows = [{name: value for name, value in row.items() if name != "city"} | changes for row in DAY]
    place = folder / "city=%E6%9D%AD%E5%B7%9E" / "dt=2026-01-05"
    place.mkdir(parents=True)
    pq.write_table(pa.Table.from_pylist(rows), place / "part-0.parquet")


@pytest.mark.case
def test_the_key_of_a_folder_is_a_column(tmp_path: Path) -> None:
    """`city=杭州/dt=…/part-0.parquet`: known keys are columns, at any depth; others are named once."""
    hive(tmp_path)

    read = read_events([tmp_path], "native")

    assert (ids(read), read.table["city"].to_pylist()) == (["e1", "e2"], ["杭州", "杭州"])
    assert [(warning.code, warning.key) for warning in read.warnings] == [("input_unknown_columns", "dt")]


@pytest.mark.parametrize(("written", "read_as"), [("杭州", 2), ("", 2), ("北京", 0)])
def test_a_folder_and_a_column_of_one_name(tmp_path: Path, written: str, read_as: int) -> None:
    """What both say alike is read, an empty value is the folder's, and what they say otherwise is rejected."""
    hive(tmp_path, city=written)

    read = read_events([tmp_path], "native")

    assert read.table["city"].to_pylist() == ["杭州"] * read_as
    assert (
        faults(read) == []
        if read_as
        else [(1, "city", "北京", "folder_disagrees"), (2, "city", "北京", "folder_disagrees")]
    )


def test_folders_name_columns_of_csv_and_json(tmp_path: Path) -> None:
    """The kind of file does not matter."""
    place = tmp_path / "rider_kind=crowdsourced"
    place.mkdir()
    row = {name: value for name, value in event().items() if name != "rider_kind"}
    write(place / "a.csv", csv_text([row]))
    write(
        place / "b.ndjson",
        '{"' + '", "'.join(f'{key}": "{value}' for key, value in {**row, "event_id": "e2"}.items()) + '"}\n',
    )

    assert ids(read_events([tmp_path], "native")) == ["e1", "e2"]


@pytest.mark.case
@pytest.mark.parametrize("name", ["._a.csv", "~$a.csv", ".a.csv", "_temporary/0/a.csv", "__MACOSX/._a.csv"])
def test_what_systems_leave_behind_is_passed_over_with_a_note(tmp_path: Path, name: str) -> None:
    """`._x` of macOS, `~$x` of Office and half-written parts are no events."""
    write(tmp_path / "a.csv", TEXT)
    (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
    write(tmp_path / name, b"\x00\x05\x16\x07")

    read = read_events([tmp_path], "native")

    assert (ids(read), noted(read)) == (["e1", "e2"], [("input_passed_over", name)])


def test_a_folder_of_what_is_passed_over_is_empty(tmp_path: Path) -> None:
    """Nothing to read is a fault."""
    write(tmp_path / "._a.csv", b"\x00\x05\x16\x07")

    with pytest.raises(InputError) as refusal:
        read_events([tmp_path], "native")

    assert refusal.value.faults[0].code == "input_folder_empty"
