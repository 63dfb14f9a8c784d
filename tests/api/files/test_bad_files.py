"""Files that are wrong as a whole: what can be read is read, what cannot is refused in plain words."""

import gzip
import io
import json
import random
import tempfile
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from openpyxl import Workbook

from api.files.errors import InputError
from api.files.readers import read_events
from rules.text import LANGS
from tests.api.files.builders import csv_text, event, faults, ids, read_csv, read_lines, write

HEADER = ",".join(event())
ROW = ",".join(event().values())


def row_of(event_id: str) -> str:
    """A CSV line under `HEADER`."""
    return ",".join(event(event_id=event_id).values())


def warning_codes(folder: Path, content: bytes) -> tuple[list[str], list[str]]:
    """Cities read from a CSV file, and the codes of its warnings."""
    read = read_csv(folder, content)
    return list(read.table["city"].to_pylist()), [warning.code for warning in read.warnings]


def test_a_byte_order_mark_and_windows_line_ends(tmp_path: Path) -> None:
    """A BOM is no part of the first column's name, CR no part of the last value."""
    content = b"\xef\xbb\xbf" + csv_text([event(city="杭州"), event(city="北京")]).replace("\n", "\r\n").encode()

    assert warning_codes(tmp_path, content) == (["杭州", "北京"], [])


def test_a_byte_order_mark_in_json(tmp_path: Path) -> None:
    """NDJSON written by Windows tools is read like any other."""
    text = json.dumps(event())

    read = read_lines(tmp_path, b"\xef\xbb\xbf" + text.encode() + b"\r")

    assert (ids(read), faults(read)) == (["e1"], [])


@pytest.mark.parametrize("encoding", ["gbk", "gb18030"])
def test_gbk_is_read_with_a_warning(tmp_path: Path, encoding: str) -> None:
    """Excel's Chinese CSV is read, and the person told which encoding was taken."""
    content = csv_text([event(city="杭州"), event(city="乌鲁木齐")]).encode(encoding)

    assert warning_codes(tmp_path, content) == (["杭州", "乌鲁木齐"], ["input_encoding_gb18030"])


def test_one_broken_byte_costs_one_row(tmp_path: Path) -> None:
    """A UTF-8 file with a broken place is still UTF-8; only the row with the broken value goes."""
    lines = [HEADER, *(row_of(f"e{n}").replace("hangzhou", "杭州") for n in range(5))]
    content = "\n".join(lines).encode().replace(b"e3,r1", b"e3,r\xff")

    read = read_csv(tmp_path, content)

    assert faults(read) == [(4, "rider_id", "r\ufffd", "bad_id")]
    assert [warning.code for warning in read.warnings] == ["input_encoding_broken"]
    assert read.table["city"].to_pylist() == ["杭州"] * 4


def test_quoted_values_may_hold_anything(tmp_path: Path) -> None:
    """Commas, doubled quotes and line ends inside quotes belong to the value; rows keep their numbers."""
    content = f'{HEADER},note\n{ROW},"a, ""b""\nc"\n{ROW.replace("e1", "e2")},\nx\n'

    read = read_csv(tmp_path, content)

    assert ids(read) == ["e1", "e2"]
    assert faults(read) == [(3, "", "x", "wrong_number_of_columns")]
    assert read.table["row"].to_pylist() == [1, 2]


def test_ragged_rows_and_blank_lines(tmp_path: Path) -> None:
    """Too few and too many columns are rejects by data row; blank lines count but are none."""
    content = "\n".join([HEADER, row_of("e1"), "a,b", "", row_of("e4") + ",x", row_of("e5"), "", ""])

    read = read_csv(tmp_path, content)

    assert ids(read) == ["e1", "e5"]
    assert read.table["row"].to_pylist() == [1, 5]
    assert faults(read) == [
        (2, "", "a,b", "wrong_number_of_columns"),
        (4, "", row_of("e4") + ",x", "wrong_number_of_columns"),
    ]


@pytest.mark.parametrize("place", [1, 500, 999])
def test_one_stray_quote_costs_one_row(tmp_path: Path, place: int) -> None:
    """An opening quote without its end does not swallow the rest of the file."""
    lines = [row_of(f"e{n}") for n in range(1, 1_001)]
    lines[place - 1] = '"' + lines[place - 1]

    read = read_csv(tmp_path, "\n".join([HEADER, *lines]))

    assert [fault[0] for fault in faults(read)] == [place]
    assert read.table.num_rows == 999


def test_a_line_of_ten_megabytes_in_csv(tmp_path: Path) -> None:
    """A line no event can have is rejected unread; its neighbours are scored."""
    content = "\n".join([HEADER, row_of("e1"), "x" * 10_000_000, row_of("e3"), row_of("y" * 10_000_000)])

    read = read_csv(tmp_path, content)

    assert ids(read) == ["e1", "e3"]
    assert faults(read) == [(2, "", "", "line_too_long"), (4, "", "", "line_too_long")]


def test_a_line_of_ten_megabytes_in_json(tmp_path: Path) -> None:
    """The same in NDJSON."""
    read = read_lines(tmp_path, event(), {"event_id": "x" * 10_000_000}, event(event_id="e3"))

    assert ids(read) == ["e1", "e3"]
    assert faults(read) == [(2, "", "", "line_too_long")]


def test_files_larger_than_a_block_keep_their_row_numbers(tmp_path: Path) -> None:
    """Row numbers run on across the parser's blocks, ragged rows included."""
    lines = [row_of(f"e{n}").replace("hangzhou", "h" * 100) for n in range(1, 130_001)]
    lines[10] = lines[120_000] = "short"

    read = read_csv(tmp_path, "\n".join([HEADER, *lines]))

    assert [fault[0] for fault in faults(read)] == [11, 120_001]
    numbers = read.table["row"].to_numpy()
    assert all(f"e{row}" == event_id for row, event_id in zip(numbers[::997], ids(read)[::997], strict=True))


def test_a_null_byte_in_a_value(tmp_path: Path) -> None:
    """NUL bytes in an id are a fault of the row, not of the program."""
    read = read_csv(tmp_path, f"{HEADER}\n{row_of('e1')}\n{row_of('e' + chr(0))}\n")

    assert faults(read) == [(2, "event_id", "e\x00", "bad_id")]


def test_unknown_columns_are_one_warning_a_file(tmp_path: Path) -> None:
    """Columns nobody knows are named once and take no part."""
    for ending, content in (
        ("csv", csv_text([event(colour="red", Size="5"), event(event_id="e2")])),
        ("ndjson", '{"colour": 1}\n{"Size": [1, {"a": 2}]}\n'),
    ):
        read = read_events([write(tmp_path / f"events.{ending}", content)], "native")

        assert [(w.code, w.key, w.severity) for w in read.warnings] == [
            ("input_unknown_columns", "Size, colour", "warning")
        ]


def test_a_header_alone_is_an_empty_table(tmp_path: Path) -> None:
    """No rows is no fault."""
    read = read_csv(tmp_path, HEADER + "\n")

    assert (read.table.num_rows, read.rejects, read.inputs[0].rows) == (0, [], 0)


def garbage(seed: int) -> bytes:
    """Ten thousand bytes of nothing."""
    return random.Random(seed).randbytes(10_000)


def truncated(path: Path) -> bytes:
    """A Parquet file cut off in the middle."""
    table = pa.table({key: [value] * 10_000 for key, value in event().items()})
    pq.write_table(table, path)
    return path.read_bytes()[:-100]


def workbook() -> bytes:
    """An Excel workbook with one event."""
    content, book = io.BytesIO(), Workbook()
    book.active.append(list(event().values()))
    book.save(content)
    return content.getvalue()


REFUSED: list[tuple[str, Callable[[Path], bytes], str]] = [
    ("a.csv", lambda _: b"", "input_empty"),
    ("a.ndjson", lambda _: b"", "input_empty"),
    ("a.parquet", lambda _: b"", "input_empty"),
    ("a.xlsx", lambda _: b"PK", "input_ending"),
    ("a.csv", lambda _: b"\n\n\n", "input_blank"),
    ("a.csv", lambda _: "\ufeff \t\r\n\u3000".encode(), "input_blank"),
    ("a.csv", lambda _: b"\x00\x01\x02\n" * 500, "input_not_a_table"),
    ("a.csv", lambda _: gzip.compress(csv_text([event()]).encode()), "input_packed_other"),
    ("a.ndjson", lambda _: gzip.compress(b"{}"), "input_packed_other"),
    ("a.csv", lambda _: workbook(), "input_packed_sheet"),
    ("a.csv", lambda path: sound(path.with_suffix(".parquet")), "input_packed_parquet"),
    ("a.csv", lambda _: b"x" * 3_000_000, "input_not_a_table"),
    ("a.csv", lambda _: b"event_id,event_id\n", "input_column_twice"),
    ("a.csv", lambda _: b"event_id,rider_id\ne,r\n", "input_columns_missing"),
    ("a.ndjson", lambda _: garbage(1), "input_not_json_lines"),
    ("a.jsonl", lambda _: b"not json\n", "input_not_json_lines"),
    ("a.parquet", lambda _: garbage(2), "input_not_parquet"),
    ("a.parquet", truncated, "input_not_parquet"),
]


@pytest.mark.parametrize(("name", "content", "code"), REFUSED, ids=[f"{row[0]}-{row[2]}" for row in REFUSED])
def test_a_file_that_cannot_be_read(tmp_path: Path, name: str, content: Callable[[Path], bytes], code: str) -> None:
    """The refusal names the file and the remedy, in both languages."""
    path = write(tmp_path / name, content(tmp_path / name))

    with pytest.raises(InputError) as refusal:
        read_events([path], "native")

    (fault,) = refusal.value.faults
    assert (fault.code, fault.file) == (code, str(path))
    assert all(str(path) in fault.describe(lang) for lang in LANGS)


@pytest.mark.parametrize("seed", range(5))
def test_binary_garbage_never_crashes(tmp_path: Path, seed: int) -> None:
    """Random bytes under any ending are refused, never scored."""
    for ending in ("csv", "ndjson", "parquet"):
        path = write(tmp_path / f"a.{ending}", garbage(seed))

        with pytest.raises(InputError):
            read_events([path], "native")


FRAGMENTS = ['"', ",", "\n", "\r", "\0", "\xff", "杭", "{", "]", "null", "1e5", "9" * 30, ";", "\ufeff", ".0", "+25:00"]
mutations = st.lists(st.tuples(st.integers(0, 10**4), st.integers(0, 5), st.sampled_from(FRAGMENTS)), max_size=4)


@given(mutations, st.sampled_from(["csv", "ndjson", "parquet"]))
def test_no_damage_loses_a_row_silently(damage: list[tuple[int, int, str]], ending: str) -> None:
    """However a file is damaged: it is refused, or each row in it is either read or rejected, once."""
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / f"events.{ending}"
        content = bytearray(sound(path))
        for place, length, fragment in damage:
            start = place % (len(content) + 1)
            content[start : start + length] = fragment.encode("latin-1" if fragment == "\xff" else "utf-8")
        path.write_bytes(content)

        try:
            read = read_events([path], "native")
        except InputError:
            return

    numbers = read.table["row"].to_pylist() + [reject.row for reject in read.rejects]
    assert len(set(numbers)) == len(numbers) == read.inputs[0].rows
    read.table.validate(full=True)


def sound(path: Path) -> bytes:
    """Three good rows in the format of the ending."""
    rows = [event(event_id=f"e{n}", city="杭州", distance_m="900") for n in range(3)]
    if path.suffix == ".csv":
        return csv_text(rows).encode()
    if path.suffix == ".ndjson":
        return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode()
    pq.write_table(pa.Table.from_pylist(rows), path)
    return path.read_bytes()


def test_missing_columns_are_all_named(tmp_path: Path) -> None:
    """One message lists every missing column."""
    path = write(tmp_path / "a.csv", "event_id,order_id\ne,o\n")

    with pytest.raises(InputError) as refusal:
        read_events([path], "native")

    assert refusal.value.faults[0].key == "rider_id, city, rider_kind, kind, occurred_at / occurred_us"


def test_all_bad_paths_are_named_at_once(tmp_path: Path) -> None:
    """Missing files, empty folders and unknown endings come in one refusal."""
    (tmp_path / "empty").mkdir()
    write(tmp_path / "a.txt", "x")

    with pytest.raises(InputError) as refusal:
        read_events([tmp_path / "gone.csv", tmp_path / "empty", tmp_path / "a.txt", tmp_path / "*.none"], "native")

    codes = [fault.code for fault in refusal.value.faults]
    assert codes == ["input_missing", "input_folder_empty", "input_ending", "input_missing"]


def test_folders_and_patterns_are_read_in_order(tmp_path: Path) -> None:
    """A folder means its event files, sorted, at any depth; a pattern likewise."""
    (tmp_path / "day").mkdir()
    write(tmp_path / "day" / "b.csv", csv_text([event(event_id="b")]))
    write(tmp_path / "a.csv", csv_text([event(event_id="a")]))
    write(tmp_path / "notes.txt", "not events")

    folder = read_events([tmp_path], "native")
    pattern = read_events([tmp_path / "**" / "*.csv"], "native")

    assert ids(folder) == ids(pattern) == ["a", "b"]
    assert [file.path.name for file in folder.inputs] == ["a.csv", "b.csv"]
    assert folder.table["file"].to_pylist() == [str(tmp_path / "a.csv"), str(tmp_path / "day" / "b.csv")]


def test_progress_ends_at_the_whole(tmp_path: Path) -> None:
    """Progress only grows, and ends at the number of bytes."""
    seen: list[tuple[int, int]] = []
    for name in ("a.csv", "b.csv"):
        write(tmp_path / name, csv_text([event()]))

    read_events([tmp_path], "native", progress=lambda done, whole: seen.append((done, whole)))

    size = sum(path.stat().st_size for path in tmp_path.iterdir())
    assert seen == sorted(seen)
    assert seen[-1] == (size, size)
