"""A run by buckets of riders gives the ledger of a run in one piece, however it is cut, killed or continued."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from api.cli.main import main
from api.files.errors import InputError
from api.files.parquet_files import Origin, write_parquet
from api.runs import bucketed_run
from api.runs.bucketed_run import score_bucketed
from api.runs.run import score_files
from rules.units import US_PER_DAY
from simulations.sample_city import events_only, generate
from simulations.sample_parameters import SampleCity
from tests.api.runs.buckets import BOOK, BUCKET_ROWS, contents, no_rider, same_ledger, with_value

pytestmark = pytest.mark.slow

CITY = SampleCity(num_riders=40, num_days=4)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """A city's events in three files in no order, with a repeated row, a conflict and rows that cannot be read."""
    folder = tmp_path_factory.mktemp("events")
    table = events_only(generate(CITY, 3))
    order = np.random.default_rng(1).permutation(table.num_rows)
    table = table.take(pa.array(order))
    third = table.num_rows // 3
    parts = [table.slice(k * third, third if k < 2 else None) for k in range(3)]
    parts[1] = pa.concat_tables([parts[1], parts[0].slice(0, 5)])
    parts[2] = pa.concat_tables([parts[2], with_value(parts[0].slice(5, 3), "fee_fen", 999), no_rider(parts[0])])
    paths = [folder / f"{name}.parquet" for name in "abc"]
    for path, part in zip(paths, parts, strict=True):
        write_parquet(path, part, Origin("test"))
    return paths


def test_buckets_give_the_ledger_of_one_piece(files: Sequence[Path], tmp_path: Path) -> None:
    """The same lines, riders, rejects and counts; nothing of the work is left behind."""
    score_files(files, BOOK, tmp_path / "one")

    run = score_bucketed(files, BOOK, tmp_path / "many", bucket_rows=BUCKET_ROWS, num_workers=2)

    assert len(run.document["parts"]) > 3
    same_ledger(tmp_path / "one", tmp_path / "many")
    assert {path.name for path in tmp_path.iterdir()} == {"one", "many"}


def test_a_state_by_buckets_carries_on(tmp_path: Path) -> None:
    """Day by day with a state in buckets: the lines of day by day with a state in one piece."""
    table = events_only(generate(CITY, 5))
    occurred = table["occurred_us"].to_numpy()
    middle = int(occurred.min()) + 2 * US_PER_DAY
    days = [tmp_path / "day1.parquet", tmp_path / "day2.parquet"]
    for path, chosen in zip(days, (occurred < middle, occurred >= middle), strict=True):
        write_parquet(path, table.filter(pa.array(chosen)), Origin("test"))

    for k, day in enumerate(days):
        score_files([day], BOOK, tmp_path / f"one{k}", state=tmp_path / "state1")
        score_bucketed(
            [day], BOOK, tmp_path / f"many{k}", state=tmp_path / "state2", bucket_rows=BUCKET_ROWS, num_workers=1
        )

        same_ledger(tmp_path / f"one{k}", tmp_path / f"many{k}")


def test_a_state_by_buckets_is_known_as_such(files: Sequence[Path], tmp_path: Path) -> None:
    """What was begun in buckets goes on in buckets, what was begun in one piece in one piece."""
    score_bucketed(files, BOOK, tmp_path / "out", state=tmp_path / "state", bucket_rows=BUCKET_ROWS, num_workers=1)
    score_files(files, BOOK, tmp_path / "one", state=tmp_path / "whole")

    found = [bucketed_run.is_bucketed(files, "native", tmp_path / name) for name in ("state", "whole", "none")]

    assert found == [True, False, False]


def test_large_inputs_are_scored_by_buckets(files: Sequence[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    """Size decides, not a switch."""
    monkeypatch.setattr(bucketed_run, "IN_MEMORY_ROWS", 1_000)

    assert bucketed_run.is_bucketed(files, "native", None)


def test_the_command_takes_as_many_processes_as_it_may(
    files: Sequence[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`score --jobs 1` works in its own process and gives the bytes of two."""
    monkeypatch.setattr(bucketed_run, "IN_MEMORY_ROWS", 100)

    for jobs in ("1", "2"):
        done = CliRunner().invoke(
            main, ["score", *map(str, files), "--book", BOOK, "--out", str(tmp_path / jobs), "--jobs", jobs]
        )
        assert done.exit_code == 0, done.output

    assert contents(tmp_path / "1") == contents(tmp_path / "2")


def test_parts_can_be_verified_and_explained(files: Sequence[Path], tmp_path: Path) -> None:
    """The commands read a ledger in parts as one in one piece."""
    score_bucketed(files, BOOK, tmp_path / "out", bucket_rows=BUCKET_ROWS, num_workers=1)

    verified = CliRunner().invoke(main, ["verify", str(tmp_path / "out"), "--json"])
    explained = CliRunner().invoke(main, ["explain", str(tmp_path / "out"), "--rider", "r00007", "--lang", "en"])

    assert verified.exit_code == 0, verified.output
    assert "r00007" in explained.output


def test_a_part_that_was_changed_is_found(files: Sequence[Path], tmp_path: Path) -> None:
    """An entry taken out of one part breaks its rider's sequence and the counts."""
    score_bucketed(files, BOOK, tmp_path / "out", bucket_rows=BUCKET_ROWS, num_workers=1)
    part = next((tmp_path / "out" / "entries.parquet").iterdir())
    entries = pq.read_table(part)
    pq.write_table(entries.slice(1), part)

    verified = CliRunner().invoke(main, ["verify", str(tmp_path / "out"), "--json"])

    broken = {one["check"] for one in json.loads(verified.stdout)["checks"] if not one["holds"]}
    assert verified.exit_code == 3
    assert {"sequence", "counted"} <= broken


def test_a_file_that_cannot_be_read_stops_the_run(files: Sequence[Path], tmp_path: Path) -> None:
    """All such files are named at once, and there is no output."""
    torn = [tmp_path / name for name in ("torn.parquet", "empty.csv")]
    torn[0].write_bytes(files[0].read_bytes()[:-100] + b"x" * 100)
    torn[1].touch()

    with pytest.raises(InputError) as caught:
        score_bucketed([*files, *torn], BOOK, tmp_path / "out", bucket_rows=BUCKET_ROWS, num_workers=1)

    assert {fault.file for fault in caught.value.faults} == {str(path) for path in torn}
    assert not (tmp_path / "out").exists()


PROGRAM = """
import sys
from pathlib import Path
from api.runs.bucketed_run import score_bucketed
if __name__ == "__main__":
    out, *files = map(Path, sys.argv[1:])
    score_bucketed(files, "gbt-46862-reference", out, bucket_rows=200, num_workers=1)
"""


def killed_at(stage: str, number: int, files: Sequence[Path], out: Path, program: Path) -> None:
    """Start a run and kill it once so many reports of a stage stand."""
    command = [sys.executable, str(program), str(out), *map(str, files)]
    run = subprocess.Popen(command, start_new_session=True)
    reports = out.parent / f".{out.name}.work"
    deadline = time.monotonic() + 60
    while run.poll() is None and len(list(reports.glob(f"*/{stage}/[0-9]*.json"))) < number:
        assert time.monotonic() < deadline
    # Its workers, too: each would finish what it is at.
    os.killpg(run.pid, signal.SIGKILL)
    run.wait()


def test_a_killed_run_goes_on_where_it_stopped(
    files: Sequence[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed while reading and while scoring: no output until it is whole, nothing done twice, the same bytes."""
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[3]))
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    score_bucketed(files, BOOK, tmp_path / "whole", bucket_rows=200, num_workers=1)
    out, work = tmp_path / "out", tmp_path / ".out.work"
    killed_at("slices", 1, files, out, program)
    killed_at("parts", 2, files, out, program)
    done = {path: path.stat().st_mtime_ns for path in work.rglob("[0-9]*.json")}

    assert not out.exists()
    monkeypatch.setattr(bucketed_run, "remove_work_folder", lambda _root: None)
    score_bucketed(files, BOOK, out, bucket_rows=200, num_workers=1)

    assert list(work.glob("*/parts/[0-9]*.json"))
    assert {path: path.stat().st_mtime_ns for path in done} == done
    assert contents(out) == contents(tmp_path / "whole")


FULL = """
import resource, signal, sys
from api.cli.main import main
if __name__ == "__main__":
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv.pop(1)),) * 2)
    from api.runs import bucketed_run
    bucketed_run.IN_MEMORY_ROWS = 0
    main()
"""


@pytest.mark.parametrize("room", [100, 30_000])
def test_a_full_disk_is_told_and_the_run_goes_on_later(files: Sequence[Path], tmp_path: Path, room: int) -> None:
    """Exit code 2 and what to do, wherever it struck; no output; with room again the same bytes as ever."""
    program, out = tmp_path / "program.py", tmp_path / "out"
    program.write_text(FULL)
    command = ["score", *map(str, files), "--book", BOOK, "--out", str(out), "--lang", "en"]
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[3])}

    full, free = (
        subprocess.run(
            [sys.executable, str(program), str(size), *command], capture_output=True, env=environment, text=True, check=False
        )
        for size in (room, 1 << 30)
    )  # fmt: skip

    assert (full.returncode, free.returncode) == (2, 0), full.stderr + free.stderr
    assert "Check permissions and disk space" in full.stderr
    assert "Traceback" not in full.stderr
    score_bucketed(files, BOOK, tmp_path / "whole", num_workers=1)
    assert contents(out) == contents(tmp_path / "whole")
    assert {path.name for path in tmp_path.iterdir()} == {"program.py", "out", "whole"}


def test_a_file_that_breaks_off_is_named(files: Sequence[Path], tmp_path: Path) -> None:
    """What the system cannot read in the middle of a file is a fault of that file, beside a file that is gone."""
    broken = tmp_path / "broken.csv"
    broken.symlink_to("/proc/self/mem")

    with pytest.raises(InputError) as caught:
        score_bucketed([*files, broken], BOOK, tmp_path / "out", num_workers=1)

    assert [(fault.code, fault.file) for fault in caught.value.faults] == [("input_unreadable", str(broken))]
    assert not (tmp_path / "out").exists()
