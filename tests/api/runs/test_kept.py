"""What an earlier run has left is not lost: by a kill between two renames, on another disk, or by asking once more."""

import errno
import json
import os
from collections.abc import Sequence
from pathlib import Path

import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from api.cli.main import main
from api.files import atomic as files_
from api.files.errors import InputError
from api.files.parquet_files import Origin, write_parquet
from api.runs import partition
from api.runs.bucketed_run import bucket_folder, score_bucketed
from api.runs.run import score_files
from tests.api.runs.buckets import BOOK, contents

pytestmark = pytest.mark.slow


def in_buckets(day: Path, folder: Path, name: str = "out", **how: int | None) -> dict[str, object]:
    """Score a day by buckets, with a state; its `run.json`."""
    as_of_us = how.pop("as_of_us", None)
    rows = how.pop("bucket_rows", 200) or 200
    done = score_bucketed(
        [day], BOOK, folder / name, state=folder / "state", bucket_rows=rows, num_workers=1, as_of_us=as_of_us
    )
    return done.document


class Killed(BaseException):
    """Stands for a SIGKILL."""


def test_a_state_that_stepped_aside_comes_back(
    days: Sequence[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed between the two renames that put a new state in place, the same command gives what one run gives."""
    for folder in (tmp_path / "whole", tmp_path / "killed"):
        in_buckets(days[0], folder, "first")
    in_buckets(days[1], tmp_path / "whole")

    def half_way(temporary: Path, folder: Path) -> None:
        if folder.name != "state":
            swap(temporary, folder)
            return
        aside = folder.parent / f".{folder.name}.old.x1"
        aside.mkdir()
        folder.rename(aside / folder.name)
        raise Killed

    swap = files_._swap
    with monkeypatch.context() as patched:
        patched.setattr(files_, "_swap", half_way)
        with pytest.raises(Killed):
            in_buckets(days[1], tmp_path / "killed")
    assert not (tmp_path / "killed" / "state").exists()

    in_buckets(days[1], tmp_path / "killed")

    assert contents(tmp_path / "killed" / "out") == contents(tmp_path / "whole" / "out")
    assert not list((tmp_path / "killed").glob(".*"))


def test_a_state_may_lie_on_another_disk(days: Sequence[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where files cannot be linked they are copied: the same ledgers."""
    for k, day in enumerate(days[:2]):
        in_buckets(day, tmp_path / "linked", f"out{k}")

    def refuse(*_: object) -> None:
        raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))

    monkeypatch.setattr(os, "link", refuse)
    for k, day in enumerate(days[:2]):
        in_buckets(day, tmp_path / "copied", f"out{k}")

        assert contents(tmp_path / "linked" / f"out{k}") == contents(tmp_path / "copied" / f"out{k}")


def test_a_day_that_is_asked_for_again_keeps_its_ledger(days: Sequence[Path], tmp_path: Path) -> None:
    """With the state that it has itself left, a run in one piece changes nothing and says what it had said."""
    first = score_files([days[0]], BOOK, tmp_path / "out", state=tmp_path / "state").document
    before = contents(tmp_path / "out"), contents(tmp_path / "state")

    again = score_files([days[0]], BOOK, tmp_path / "out", state=tmp_path / "state").document

    assert again == first
    assert (contents(tmp_path / "out"), contents(tmp_path / "state")) == before


def test_a_run_never_ends_before_its_state(days: Sequence[Path], tmp_path: Path) -> None:
    """`--as-of` before what is carried counts as that instant, by buckets as in one piece; the ledger verifies."""
    in_buckets(days[0], tmp_path, "first")
    until_us = json.loads((tmp_path / "state" / "state.json").read_text())["until_us"]

    document = in_buckets(days[0], tmp_path, as_of_us=5)

    assert document["as_of_us"] == until_us
    assert CliRunner().invoke(main, ["verify", str(tmp_path / "out")]).exit_code == 0


@pytest.mark.parametrize("header", ['{"buckets": 3}', '{"buckets": "x", "until_us": 1}', "[]", "{"])
def test_a_damaged_state_is_refused(days: Sequence[Path], tmp_path: Path, header: str) -> None:
    """Its header or one of its buckets: named, nothing written."""
    in_buckets(days[0], tmp_path, "first")
    (tmp_path / "state" / "state.json").write_text(header)

    with pytest.raises(InputError) as caught:
        in_buckets(days[1], tmp_path)

    assert {fault.code for fault in caught.value.faults} == {"state_unreadable"}


def test_a_bucket_that_is_gone_is_named(days: Sequence[Path], tmp_path: Path) -> None:
    """The fault says which."""
    in_buckets(days[0], tmp_path, "first")
    gone = bucket_folder(tmp_path / "state", 1)
    gone.rename(tmp_path / "away")

    with pytest.raises(InputError) as caught:
        in_buckets(days[1], tmp_path)

    assert [Path(fault.file).parent for fault in caught.value.faults] == [gone]


def test_rejects_of_many_buckets_are_put_together_few_files_at_a_time(
    days: Sequence[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As many open files as are allowed, whatever the number of buckets; the same lines in the same order."""
    table, again = pq.read_table(days[0]), tmp_path / "again.parquet"
    dearer = pc.add(table["fee_fen"], 1)
    write_parquet(again, table.set_column(table.schema.get_field_index("fee_fen"), "fee_fen", dearer), Origin("test"))
    paths = [days[0], again]
    score_bucketed(paths, BOOK, tmp_path / "few", bucket_rows=10**6, num_workers=1)
    monkeypatch.setattr(partition, "_FILES_AT_ONCE", 2)

    score_bucketed(paths, BOOK, tmp_path / "many", bucket_rows=50, num_workers=1)

    assert (tmp_path / "few" / "rejects.ndjson").stat().st_size
    assert (tmp_path / "many" / "rejects.ndjson").read_text() == (tmp_path / "few" / "rejects.ndjson").read_text()
