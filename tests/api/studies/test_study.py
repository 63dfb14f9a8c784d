"""A study from request to files: every fault at once, one result on any number of workers, nothing done twice."""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from api.files.errors import InputError
from api.studies import tasks
from api.studies.arms import tasks_of, two_arms
from api.studies.design import design_of
from api.studies.run_study import StudyStopped, run_study
from api.studies.tasks import WORLDS, StudyCity, Task, run_task
from rules.shelf import find
from simulations.study import sensitivity
from simulations.study.metrics import METRICS
from tests.api.studies.requests import TINY, request

pytestmark = pytest.mark.slow

RESULTS = ("summary.json", "report.html", "riders.parquet", "paired.parquet", "groups.parquet", "days.parquet")


def contents(folder: Path) -> dict[str, bytes]:
    """Every result of a study that must not depend on how it was run."""
    names = [*RESULTS, *(path.name for path in folder.glob("*.svg")), *(path.name for path in folder.glob("*.csv"))]
    return {name: (folder / name).read_bytes() for name in sorted(names)}


def children(parent: int) -> list[int]:
    """Processes that a process started."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            # The name in brackets may hold anything; the parent is the second word after it.
            after_name = stat.read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
        except OSError:
            continue
        if int(after_name[1]) == parent:
            found.append(int(stat.parent.name))
    return found


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished tiny study."""
    folder = tmp_path_factory.mktemp("study") / "out"
    run_study(request(), folder)
    return folder


def test_a_study_writes_what_the_interface_names(done: Path) -> None:
    """Tables, summary, report, charts, run.json; a row per seed and metric; sound ledgers, equal luck."""
    summary = json.loads((done / "summary.json").read_text(encoding="utf-8"))
    paired = pq.read_table(done / "paired.parquet")

    assert paired.num_rows == 2 * len(METRICS)
    assert set(paired.column("seed").to_pylist()) == {1, 2}
    assert pq.read_table(done / "riders.parquet").num_rows == 8
    assert summary["checks"] == {"luck_is_equal": True, "violations": {}}
    assert {"mean_a", "mean_b", "difference", "ci_low", "ci_high", "num_seeds"} <= set(
        summary["metrics"]["income_per_day_fen"]
    )
    assert "NaN" not in (done / "summary.json").read_text(encoding="utf-8")
    assert list(done.glob("*.svg"))
    assert json.loads((done / "run.json").read_text(encoding="utf-8"))["seeds_run"] == [1, 2]


def test_one_worker_or_many_give_the_same_files(done: Path, tmp_path: Path) -> None:
    """Byte for byte, charts and report included."""
    run_study(request(jobs=2), tmp_path / "many")

    assert contents(tmp_path / "many") == contents(done)


def test_a_stopped_study_goes_on_where_it_was(done: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was finished is not run again, and the result is that of a study that was never stopped."""
    carried: list[Path] = []

    def counting(one: Task) -> tuple[Path, bytes]:
        carried.append(one.path)
        return run_task(one)

    monkeypatch.setattr(tasks, "run_task", counting)
    with pytest.raises(StudyStopped):
        run_study(request(), tmp_path / "out", stop=lambda: len(carried) == 3)
    first = list(carried)

    run_study(request(), tmp_path / "out")

    assert len(first) == 3
    assert len(carried) == len(set(carried))
    assert contents(tmp_path / "out") == contents(done)


def test_a_worker_with_other_code_is_refused(tmp_path: Path) -> None:
    """A node of a cluster that has another version would make other runs: it says so, and keeps nothing."""
    design = design_of(request(), find, tmp_path)
    one = next(tasks_of(StudyCity(tmp_path, design.scenario, 1), two_arms(*design.books), [1]))

    with pytest.raises(InputError, match="another version"):
        run_task(replace(one, sources="0" * 64))

    assert not one.path.exists()


def test_more_seeds_use_the_runs_that_are_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A study asked for again with more seeds runs the new ones only."""
    carried: list[int] = []
    monkeypatch.setattr(tasks, "run_task", lambda one: (carried.append(one.seed), run_task(one))[1])
    run_study(request(seeds=1), tmp_path / "out")
    carried.clear()

    run_study(request(seeds=2), tmp_path / "out")

    assert set(carried) == {2}


def test_a_killed_sweep_resumes_without_repeating_finished_seeds(tmp_path: Path) -> None:
    """Killed in the middle by the system, it leaves no process behind, and the same command goes on: finished runs stay untouched."""
    folder = tmp_path / "sweep"
    words = ["simulate", "ordinary-week", "--books", "legacy-fine,taobao-crowdsourced", "--seeds", "2", "--days", "1"]
    words += ["--sensitivity", "off", "--jobs", "2", "--out", str(folder)]
    words += ["--sweep", "b:tier.reward.bonus_fen=0,50,100,150,200,250"]
    for setting in TINY:
        words += ["--set", setting]
    command = [sys.executable, "-c", "from api.cli.main import main; main()", *words]
    process = subprocess.Popen(command, cwd=Path(__file__).parents[3], stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + 240
    while len(list((folder / WORLDS).glob("*.parquet"))) < 4 and process.poll() is None:
        assert time.monotonic() < deadline
        os.sched_yield()
    workers = children(process.pid)
    assert workers
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    while any(Path(f"/proc/{worker}").exists() for worker in workers):
        assert time.monotonic() < deadline
        os.sched_yield()
    before = {path.name: path.stat().st_mtime_ns for path in (folder / WORLDS).glob("*.parquet")}

    again = request(sweeps=("b:tier.reward.bonus_fen=0,50,100,150,200,250",))
    summary = run_study(again, folder)

    after = {path.name: path.stat().st_mtime_ns for path in (folder / WORLDS).glob("*.parquet")}
    assert len(before) >= 4
    assert before.items() <= after.items()
    assert len(summary["sweep"]) == 6 * 4


def test_every_fault_of_a_request_is_said_at_once(tmp_path: Path) -> None:
    """Unknown key, impossible shift, negative rate, missing book, bad setting of a book, bad sweep: six faults, nothing written."""
    bad = request(
        books=("legacy-fines", "taobao-crowdsourced"),
        sets=(
            "behaviour.rusch_permille=1",
            "people.shift_s=[[0, 90000], [1000, 99000]]",
            "kitchens.slow_per_million=-5",
            "b:rule.nonsense.points=1",
        ),
        sweeps=("riders",),
    )

    with pytest.raises(InputError) as caught:
        run_study(bad, tmp_path / "out")

    codes = [fault.code for fault in caught.value.faults]
    assert {"unknown_book", "scenario_unknown_key", "scenario_out_of_range", "unknown_part", "bad_sweep"} <= set(codes)
    assert len(codes) >= 6
    assert not (tmp_path / "out").exists()


def test_a_sweep_takes_lists_and_stays_small(tmp_path: Path) -> None:
    """Commas inside brackets belong to a value; more settings than anybody would wait for are a fault."""
    lists = request(sweeps=("people.shift_s=[[0, 30000], [1000, 30000]],[[0, 20000], [1000, 20000]]",))

    design = design_of(lists, find, tmp_path)
    with pytest.raises(InputError) as caught:
        design_of(request(sweeps=("riders=" + ",".join(map(str, range(8, 300))),)), find, tmp_path)

    assert [len(point.settings) for point in design.sweep] == [1, 1]
    assert [fault.key for fault in caught.value.faults] == ["sweep"]


def test_a_folder_that_is_not_a_study_is_not_touched(tmp_path: Path) -> None:
    """Somebody's files are no place to write to."""
    (tmp_path / "letter.txt").write_text("dear")

    with pytest.raises(InputError):
        run_study(request(), tmp_path)

    assert [path.name for path in tmp_path.iterdir()] == ["letter.txt"]


def test_a_book_against_itself_differs_in_nothing(tmp_path: Path) -> None:
    """The same book twice is the same world: every difference is zero, nobody wins or loses."""
    summary = run_study(request(books=("legacy-fine", "legacy-fine")), tmp_path / "same")

    assert {one["difference"] for one in summary["metrics"].values()} == {0.0}
    assert set(summary["decomposition"]["sums_fen"].values()) == {0}
    assert (summary["movers"]["num_gain"], summary["movers"]["num_lose"]) == (0, 0)


def test_settings_of_a_book_change_that_book_alone(tmp_path: Path) -> None:
    """`b:` reaches the new book: its bonus for everybody shows as bonus added, deliveries fixed."""
    sets = (*TINY, "b:tier.normal.bonus_fen=40", "b:tier.low.bonus_fen=40")

    summary = run_study(request(sets=sets), tmp_path / "bonus")

    assert summary["decomposition"]["parts"]["bonus_added"]["mean"] > 0
    assert summary["metrics"]["bonus_per_day_fen"]["mean_a"] == 0


def test_progress_rises_to_the_end(tmp_path: Path) -> None:
    """Per mille never falls, ends at 1000, and names stages."""
    told: list[tuple[int, str]] = []

    run_study(request(seeds=1), tmp_path / "out", lambda permille, stage: told.append((permille, stage)))

    assert [permille for permille, _ in told] == sorted(permille for permille, _ in told)
    assert told[-1] == (1000, "report")
    assert told[0][1] == "runs"


def test_assumptions_are_varied_alone_and_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both ways on the small city: a row per metric and parameter, signs counted at every point, all of it in the report."""
    monkeypatch.setattr(sensitivity, "KEYS", ("behaviour.belief_permille", "promise.extra_s"))
    monkeypatch.setattr(sensitivity, "TRAJECTORIES", 2)

    summary = run_study(request(sensitivity="both"), tmp_path / "out")

    found, folder = summary["sensitivity"], tmp_path / "out"
    assert {row["key"] for row in found["one_at_a_time"]} == set(sensitivity.KEYS)
    assert (
        pq.read_table(folder / "one_at_a_time.parquet").num_rows
        == pq.read_table(folder / "morris.parquet").num_rows
        == 8
    )
    assert {one["num_points"] for one in found["morris_signs"]} == {6}
    assert {"tornado.zh.svg", "tornado_risk.en.svg"} <= {path.name for path in folder.glob("*.svg")}
    assert 'id="morris"' in (folder / "report.html").read_text(encoding="utf-8")


def test_real_orders_take_the_place_of_drawn_ones(tmp_path: Path) -> None:
    """An instance of the Grubhub format lives twice; its orders are those of the runs; a path that is nothing is a fault."""
    instance = tmp_path / "instance"
    instance.mkdir()
    (instance / "orders.txt").write_text(
        "order\tx\ty\tplacement_time\trestaurant\tready_time\n"
        + "".join(f"o{k}\t{100 * k}\t50\t{660 + 3 * k}\tr1\t{670 + 3 * k}\n" for k in range(1, 21))
    )
    (instance / "restaurants.txt").write_text("restaurant\tx\ty\nr1\t500\t0\nr2\t900\t0\n")
    (instance / "couriers.txt").write_text(
        "courier\tx\ty\ton_time\toff_time\n" + "".join(f"c{k}\t400\t0\t600\t900\n" for k in range(1, 5))
    )
    (instance / "instance_parameters.txt").write_text(
        "meters_per_minute\tpickup service minutes\tdropoff service minutes\ttarget click-to-door\tmaximum click-to-door\tpay per order\tguaranteed pay per hour\n"
        "320\t4\t4\t40\t90\t10\t15\n"
    )

    summary = run_study(request(sets=("warm_up_days=0",), orders=str(instance)), tmp_path / "out")
    with pytest.raises(InputError):
        run_study(request(orders=str(tmp_path / "nothing")), tmp_path / "other")

    assert summary["num_riders"] == 4
    assert summary["metrics"]["delivered_rate"]["mean_a"] > 0
