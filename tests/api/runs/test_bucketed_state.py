"""A carried state grows with its days: begun in one piece or in few buckets, it goes on in as many as are needed."""

from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from api.cli.main import main
from api.files.errors import InputError
from api.files.parquet_files import Origin, write_parquet
from api.runs import bucketed_run
from api.runs.bucketed_run import buckets_of_state, score_bucketed
from api.runs.run import score_files
from rules.units import US_PER_DAY
from tests.api.runs.buckets import BOOK, contents, rows_of, same_ledger

pytestmark = pytest.mark.slow

NUM_DAYS = 5


def test_a_state_is_split_when_days_become_large(days: Sequence[Path], tmp_path: Path) -> None:
    """One piece, one piece, three buckets, six or more: the lines of one piece all along, and a state that says the same."""
    for k, path in enumerate(days):
        score_files([path], BOOK, tmp_path / f"one{k}", state=tmp_path / "whole")

        if k < 2:
            score_files([path], BOOK, tmp_path / f"many{k}", state=tmp_path / "state")
        else:
            rows = sum(pq.read_metadata(file).num_rows for file in days[: k + 1])
            score_bucketed(
                [path], BOOK, tmp_path / f"many{k}", state=tmp_path / "state", bucket_rows=rows // k, num_workers=1
            )

        same_ledger(tmp_path / f"one{k}", tmp_path / f"many{k}")
    number = buckets_of_state(tmp_path / "state")
    assert number is not None
    assert number > 3
    assert archived(tmp_path / "state") == archived(tmp_path / "whole")


def archived(state: Path) -> list[tuple[str, str]]:
    """Rider and event of all that a state's archive holds."""
    tables = [pq.read_table(path, columns=["rider_id", "event_id"]) for path in state.rglob("archive/*.parquet")]
    return sorted((row["rider_id"], row["event_id"]) for table in tables for row in table.to_pylist())


def test_size_decides_for_a_state_in_one_piece_too(
    days: Sequence[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A day that is too large for one piece goes by buckets, whatever the state was begun as."""
    score_files(days[:1], BOOK, tmp_path / "out", state=tmp_path / "state")

    small = bucketed_run.is_bucketed(days[:1], "native", tmp_path / "state")
    monkeypatch.setattr(bucketed_run, "IN_MEMORY_ROWS", 100)

    assert (small, bucketed_run.is_bucketed(days[:1], "native", tmp_path / "state")) == (False, True)


def test_a_split_state_that_was_corrected_reaches_back(days: Sequence[Path], tmp_path: Path) -> None:
    """A correction of an event that has left the window finds it in the bucket's archive."""
    first = pq.read_table(days[0]).filter(pc.field("kind") == "delivered").slice(0, 1).to_pylist()[0]
    later = first["occurred_us"] + 12 * US_PER_DAY
    rows = [
        first | {"event_id": "later", "order_id": "later", "occurred_us": later, "delivered_us": later},
        first | {"event_id": "fix", "kind": "correction", "ref_event_id": first["event_id"], "occurred_us": later + 1}
        | {"assess_deadline_us": first["delivered_us"] - 600_000_000},
    ]  # fmt: skip
    schema = pq.read_schema(days[0])
    files = [days[0], tmp_path / "quiet.parquet", tmp_path / "fix.parquet"]
    for path, row in zip(files[1:], rows, strict=True):
        write_parquet(path, pa.Table.from_pylist([row], schema=schema), Origin("test"))
    for k, path in enumerate(files):
        score_files([path], BOOK, tmp_path / f"one{k}", state=tmp_path / "whole")
        if k < 2:
            score_files([path], BOOK, tmp_path / f"many{k}", state=tmp_path / "state")

    score_bucketed(files[2:], BOOK, tmp_path / "many2", state=tmp_path / "state", bucket_rows=100, num_workers=1)

    same_ledger(tmp_path / "one2", tmp_path / "many2")
    assert rows_of(tmp_path / "many2", "entries.parquet", "rider_id", "seq")


def test_a_run_killed_after_its_state_was_in_place_is_done(
    days: Sequence[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The new state is not carried into the same run once more, although with it there would be more buckets."""
    rows = pq.read_metadata(days[0]).num_rows
    with monkeypatch.context() as killed:
        killed.setattr(bucketed_run, "remove_work_folder", lambda _root: None)
        score_bucketed(days[:1], BOOK, tmp_path / "out", state=tmp_path / "state", bucket_rows=rows, num_workers=1)
    before = contents(tmp_path / "out")

    run = score_bucketed(days[:1], BOOK, tmp_path / "out", state=tmp_path / "state", bucket_rows=rows, num_workers=1)

    assert run.document["counts"]["events"] > 0
    assert contents(tmp_path / "out") == before
    assert not (tmp_path / ".out.work").exists()


def test_a_run_that_is_asked_for_again_is_done(days: Sequence[Path], tmp_path: Path) -> None:
    """The same command with the state that it left itself gives its ledger, not one without anything new; another ledger is no proof."""
    for _ in range(2):
        score_bucketed(days[:1], BOOK, tmp_path / "out", state=tmp_path / "state", num_workers=1)
    other = score_bucketed(days[:1], BOOK, tmp_path / "elsewhere", state=tmp_path / "state", num_workers=1)

    assert pq.read_table(tmp_path / "out" / "entries.parquet").num_rows > 0
    assert other.document["counts"]["events"] == 0


def test_a_run_killed_before_its_state_was_in_place_goes_on(
    days: Sequence[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where its events came late, so that the new state has come no farther than the old one."""
    table = pq.read_table(days[0]).sort_by("occurred_us")
    early, rest = tmp_path / "early.parquet", tmp_path / "rest.parquet"
    write_parquet(early, table.slice(0, 50), Origin("test"))
    write_parquet(rest, pa.concat_tables([table.slice(50), table.slice(table.num_rows - 1)]), Origin("test"))
    for name in ("whole", "state"):
        score_bucketed([rest], BOOK, tmp_path / "day", state=tmp_path / name, num_workers=1)
    score_bucketed([early], BOOK, tmp_path / "one", state=tmp_path / "whole", num_workers=1)

    class KilledError(Exception):
        pass

    def swapped(temporary: Path, folder: Path) -> None:
        if folder.name == "state":
            raise KilledError
        temporary.rename(folder)

    with monkeypatch.context() as patched:
        patched.setattr("api.files.atomic._swap", swapped)
        with pytest.raises(KilledError):
            score_bucketed([early], BOOK, tmp_path / "out", state=tmp_path / "state", num_workers=1)
    score_bucketed([early], BOOK, tmp_path / "out", state=tmp_path / "state", num_workers=1)

    assert contents(tmp_path / "out") == contents(tmp_path / "one")
    states = [contents(tmp_path / name) for name in ("state", "whole")]
    for state in states:
        del state["state.json"]
    assert states[0] == states[1]


def test_a_torn_state_is_named(days: Sequence[Path], tmp_path: Path) -> None:
    """Nothing is written, and the state stays as it is."""
    score_files(days[:1], BOOK, tmp_path / "out", state=tmp_path / "state")
    (tmp_path / "state" / "fades.parquet").write_bytes(b"PAR1")
    before = contents(tmp_path / "state")

    with pytest.raises(InputError, match="state"):
        score_bucketed(days[1:2], BOOK, tmp_path / "two", state=tmp_path / "state", bucket_rows=300, num_workers=1)

    assert contents(tmp_path / "state") == before
    assert not (tmp_path / "two").exists()


def test_a_grown_state_can_be_loaded(days: Sequence[Path], tmp_path: Path) -> None:
    """Day one of one piece, day two of buckets: the database takes both, and agrees with both."""
    url = f"sqlite:///{tmp_path / 'store.db'}"
    invoke = CliRunner().invoke
    assert invoke(main, ["db", "upgrade", "--database-url", url]).exit_code == 0
    score_files(days[:1], BOOK, tmp_path / "day0", state=tmp_path / "state")
    first = invoke(
        main, ["db", "load", str(tmp_path / "day0"), "--state", str(tmp_path / "state"), "--database-url", url]
    )
    score_bucketed(days[1:2], BOOK, tmp_path / "day1", state=tmp_path / "state", bucket_rows=300, num_workers=1)

    second = invoke(
        main, ["db", "load", str(tmp_path / "day1"), "--state", str(tmp_path / "state"), "--database-url", url]
    )
    verified = invoke(main, ["verify", str(tmp_path / "day1"), "--database", url])

    assert (first.exit_code, second.exit_code, verified.exit_code) == (0, 0, 0), second.output + verified.output
