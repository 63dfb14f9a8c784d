"""Results appear whole or not at all, and the same result is the same bytes."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from api.files.atomic import atomic_file, atomic_folder, write_json, write_ndjson
from api.files.errors import InputError
from api.files.input_files import sha256_of
from api.files.parquet_files import Origin, write_parquet
from api.files.rejects import Reject

ORIGIN = Origin("test")


class BrokenOffError(Exception):
    """Stands for whatever ends a run in the middle."""


def _break_off_a_file(path: Path) -> None:
    with atomic_file(path) as temporary:
        temporary.write_text("half")
        raise BrokenOffError


def _break_off_a_folder(folder: Path) -> None:
    with atomic_folder(folder) as temporary:
        (temporary / "run.json").write_text("half")
        raise BrokenOffError


def test_a_file_broken_off_leaves_the_old_one(tmp_path: Path) -> None:
    """Nothing of a half-written file remains."""
    path = tmp_path / "a.txt"
    path.write_text("old")

    with pytest.raises(BrokenOffError):
        _break_off_a_file(path)

    assert [file.name for file in tmp_path.iterdir()] == ["a.txt"]
    assert path.read_text() == "old"


def test_a_folder_broken_off_leaves_the_old_one(tmp_path: Path) -> None:
    """Nothing of a half-written folder remains."""
    folder = tmp_path / "out"
    folder.mkdir()
    (folder / "run.json").write_text("old")

    with pytest.raises(BrokenOffError):
        _break_off_a_folder(folder)

    assert [file.name for file in tmp_path.iterdir()] == ["out"]
    assert (folder / "run.json").read_text() == "old"


@pytest.mark.parametrize("before", [None, [], ["run.json", "old.parquet"]])
def test_a_folder_is_replaced_whole(tmp_path: Path, before: list[str] | None) -> None:
    """An absent, an empty and an earlier result folder are replaced; no file of the earlier one stays."""
    folder = tmp_path / "deep" / "out"
    if before is not None:
        folder.mkdir(parents=True)
        for name in before:
            (folder / name).write_text("old")

    with atomic_folder(folder) as temporary:
        (temporary / "books").mkdir()
        (temporary / "books" / "a.toml").write_text("new")

    assert [file.name for file in folder.parent.iterdir()] == ["out"]
    assert [str(file.relative_to(folder)) for file in folder.rglob("*.*")] == ["books/a.toml"]


def test_a_folder_of_others_is_not_replaced(tmp_path: Path) -> None:
    """A folder with something that riderscore did not write is refused and untouched."""
    (tmp_path / "thesis.docx").write_text("years of work")

    with pytest.raises(InputError) as refusal, atomic_folder(tmp_path):
        pytest.fail("nothing may be written")

    assert refusal.value.faults[0].code == "output_not_ours"
    assert (tmp_path / "thesis.docx").read_text() == "years of work"


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    """A file where a folder is needed is a refusal in plain words."""
    (tmp_path / "file").write_text("x")

    with pytest.raises(InputError) as refusal, atomic_file(tmp_path / "file" / "a.json"):
        pytest.fail("nothing may be written")

    assert refusal.value.faults[0].code == "output_refused"


def test_equal_tables_are_equal_bytes(tmp_path: Path) -> None:
    """How a table is cut into chunks, or what metadata it drags along, does not show in the file."""
    whole = pa.table({"a": pa.array(range(10_000)), "b": pa.array(["x", None] * 5_000)})
    cut = pa.concat_tables([whole.slice(0, 17), whole.slice(17)]).replace_schema_metadata({"k": "v"})

    write_parquet(tmp_path / "whole.parquet", whole, ORIGIN)
    write_parquet(tmp_path / "cut.parquet", cut, ORIGIN)

    assert sha256_of(tmp_path / "whole.parquet") == sha256_of(tmp_path / "cut.parquet")
    assert pq.read_table(tmp_path / "cut.parquet").equals(whole)


def test_an_empty_table_can_be_written(tmp_path: Path) -> None:
    """No rows is a file with a schema."""
    table = pa.table({"a": pa.array([], pa.int64())})

    write_parquet(tmp_path / "a.parquet", table, ORIGIN)

    assert pq.read_table(tmp_path / "a.parquet").schema == table.schema


def test_rejects_are_lines(tmp_path: Path) -> None:
    """One object a line, Chinese as it is."""
    reject = Reject("杭州.csv", 3, "kind", "deliverd", "unknown_name")

    write_ndjson(tmp_path / "rejects.ndjson", [reject.document(), reject.document()])

    lines = (tmp_path / "rejects.ndjson").read_text(encoding="utf-8").splitlines()
    assert len(lines) == 2
    assert lines[0].startswith('{"file": "杭州.csv", "row": 3, "column": "kind", "value": "deliverd", ')


def test_no_number_that_is_none(tmp_path: Path) -> None:
    """NaN in a document is a programmer's fault, and no file appears."""
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(tmp_path / "a.json", {"mean": float("nan")})

    assert list(tmp_path.iterdir()) == []
