"""Code that is written for the compiler, run as Python: the same results to the bit, and no compiler for small inputs."""

import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from rules import plain

RECORD = np.dtype([("all", np.int8), ("key", np.uint64), ("many", np.int64)])
SCORED = """
import sys
from pathlib import Path
from api.runs.run import score_files
from rules import compiled
if sys.argv[2] == "machine":
    compiled.only_machine_code()
score_files([Path(sys.argv[1])], sys.argv[3], Path(sys.argv[2]))
print("numba" in sys.modules)
"""


class Tables(NamedTuple):
    """Some arrays that go together."""

    records: np.ndarray
    narrow: np.ndarray


def test_records_are_read_and_written_by_attribute() -> None:
    """A field goes by its name, even where NumPy has a method of it; what is written stands in the caller's array."""
    records = np.zeros(2, RECORD)

    def work(tables: Tables) -> int:
        row = tables.records[1]
        row.all = 5
        row.many = row.all * 10
        return int(tables.records[1].many)

    assert plain.run(work, (Tables(records, np.zeros(1, np.int8)),)) == 50
    assert records.tolist() == [(0, 0, 0), (5, 0, 50)]


def test_narrow_columns_are_reckoned_in_64_bits() -> None:
    """What a byte holds can be multiplied beyond a byte, in records and in arrays."""
    records, narrow = np.full(1, 100, np.int8), np.full(1, 100, np.int8)
    table = np.zeros(1, RECORD)
    table["all"] = records

    product = plain.run(lambda t, n: t[0].all * n[0] * n[0], (table, narrow))

    assert product == 1_000_000


def test_hashes_wrap_around() -> None:
    """Unsigned numbers of 64 bits overflow without a word, as they do in machine code."""
    table = np.zeros(1, RECORD)
    table["key"] = 2**63

    doubled = plain.run(lambda t: t[0].key * np.uint64(2) + np.uint64(7), (table,))

    assert doubled == 7


def test_what_fails_leaves_nothing_behind() -> None:
    """An error passes through, and the thread goes on with machine code."""

    def fail() -> None:
        assert plain.is_running()
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        plain.run(fail, ())
    assert not plain.is_running()


@pytest.mark.slow
@pytest.mark.parametrize("book", ["gbt-46862-reference", "taobao-crowdsourced", "legacy-fine"])
def test_a_ledger_is_the_same_to_the_byte(tmp_path: Path, book: str) -> None:
    """A city's days scored in Python and by machine code; in Python, no compiler is loaded."""
    from api.files.parquet_files import Origin, write_parquet
    from simulations.sample_city import events_only, generate
    from simulations.sample_parameters import SampleCity

    events = tmp_path / "events.parquet"
    write_parquet(events, events_only(generate(SampleCity(num_riders=12, num_days=5), 7)), Origin("test"))

    printed = {
        way: subprocess.run(
            [sys.executable, "-c", SCORED, str(events), str(tmp_path / way), book],
            capture_output=True, text=True, check=True, env={"PATH": "", "NUMBA_CACHE_DIR": cache_of(way, tmp_path)},
        ).stdout.strip()
        for way in ("plain", "machine")
    }  # fmt: skip

    assert printed == {"plain": "False", "machine": "True"}
    for name in ("entries.parquet", "riders.parquet", "rejects.ndjson"):
        assert (tmp_path / "plain" / name).read_bytes() == (tmp_path / "machine" / name).read_bytes()
    assert (tmp_path / "plain" / "entries.parquet").stat().st_size > 5_000


def cache_of(way: str, folder: Path) -> str:
    """An empty cache where nothing is compiled; elsewhere Numba's usual one."""
    return str(folder / "empty") if way == "plain" else ""
