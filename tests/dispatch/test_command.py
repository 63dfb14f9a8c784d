"""`riderscore dispatch` from the outside: what it writes, what it refuses, and the loop through the score."""

import json

import pyarrow.parquet as pq
import pytest

from dispatch.check import check_day
from dispatch.mdrp import read_instance, read_solution
from rules.text import LANGS, catalog
from tests.api.cli.commands import run, run_json
from tests.dispatch.worlds import courier, instance, order, random_day, write_instance

pytestmark = pytest.mark.slow

FILES = {
    "deliveries.parquet",
    "explanations.ndjson",
    "run.json",
    "solution_info_assignments.txt",
    "solution_info_couriers.txt",
    "solution_info_orders.txt",
}


@pytest.fixture
def folder(tmp_path):
    """A made-up day of forty orders in `instances/`."""
    return write_instance(tmp_path / "instances" / "3o100t100s1p100", random_day(3))


def test_a_day_is_written_whole_and_keeps_the_rules(tmp_path, folder):
    """Exit 0, all files, and the checker finds nothing in what was written."""
    result = run("dispatch", folder, "--out", tmp_path / "out")

    document = json.loads((tmp_path / "out" / "run.json").read_text())
    assert result.exit_code == 0
    assert {path.name for path in (tmp_path / "out").iterdir()} == FILES
    assert check_day(read_instance(folder), read_solution(tmp_path / "out"), document["refused"]) == ()
    assert document["counts"]["delivered"] + document["counts"]["refused"] == document["counts"]["orders"] == 40
    assert document["seed"] == 0
    assert document["version"]
    assert document["deterministic"]
    assert document["violations"] == []


def test_the_same_seed_gives_the_same_bytes(tmp_path, folder):
    """Two runs write the same bytes in every file."""
    for name in ("a", "b"):
        run("dispatch", folder, "--out", tmp_path / name, "--seed", 4)

    for name in FILES:
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_json_is_the_run(tmp_path, folder):
    """With --json stdout is run.json's content, and progress goes to stderr."""
    printed = run_json("dispatch", folder, "--out", tmp_path / "out")

    assert printed == json.loads((tmp_path / "out" / "run.json").read_text())


def test_settings_are_recorded(tmp_path, folder):
    """A weight and a setting given on the command line are in run.json."""
    printed = run_json(
        "dispatch", folder, "--out", tmp_path / "out", "--set", "late=70", "--set", "repairs_per_order=2"
    )

    assert printed["weights"]["late"] == 70
    assert printed["settings"]["repairs_per_order"] == 2


def test_a_time_limit_voids_the_promise_and_is_recorded(tmp_path, folder):
    """A wall-clock cut-off still gives a day that keeps the rules, and run.json says it is not repeatable."""
    printed = run_json("dispatch", folder, "--out", tmp_path / "out", "--time-limit", 0)

    assert printed["cut_off"]
    assert not printed["deterministic"]
    assert printed["time_limit_s"] == 0
    assert printed["violations"] == []


def test_the_baseline_is_a_policy(tmp_path, folder):
    """--policy nearest plays the baseline."""
    printed = run_json("dispatch", folder, "--out", tmp_path / "out", "--policy", "nearest")

    assert printed["policy"] == "nearest"
    assert printed["violations"] == []


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--set", "nonsense=1"), "nonsense"),
        (("--set", "late=0.5"), "late=0.5"),
        (("--set", "late"), "late"),
        (("--set", "width=0"), "width"),
        (("--policy", "magic"), "magic"),
    ],
)
def test_wrong_usage_ends_with_2(tmp_path, folder, words, said):
    """An unknown key, a value that is no whole number, an unknown policy: exit 2, named on stderr, nothing written."""
    result = run("dispatch", folder, "--out", tmp_path / "out", *words)

    assert result.exit_code == 2
    assert said in result.stderr
    assert not (tmp_path / "out").exists()


def test_without_out_ends_with_2(folder):
    """An instance without --out is wrong usage."""
    assert run("dispatch", folder).exit_code == 2


@pytest.mark.parametrize(
    ("file", "old", "new", "said"),
    [
        ("orders.txt", "\tr", "\tz", "restaurant"),
        ("couriers.txt", "c0\t", "c0\tnan", "not a finite number"),
        ("couriers.txt", None, None, "couriers.txt"),
    ],
)
def test_a_malformed_instance_ends_with_2(tmp_path, folder, file, old, new, said):
    """A malformed file is named with its line, on stderr, and the run ends with 2."""
    path = folder / file
    if old is None:
        path.unlink()
    else:
        path.write_text(path.read_text().replace(old, new, 1))

    result = run("dispatch", folder, "--out", tmp_path / "out")

    assert result.exit_code == 2
    assert said in result.stderr
    assert file in result.stderr
    assert result.stdout == ""


def test_another_folder_is_not_overwritten(tmp_path, folder):
    """A folder with somebody's files is refused and left as it is."""
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine.txt").write_text("mine")

    result = run("dispatch", folder, "--out", tmp_path / "out")

    assert result.exit_code == 2
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["mine.txt"]


def test_bench_prints_a_table_against_the_reference(tmp_path, folder):
    """A folder of instances gives a row each and means beside the other methods of reference.csv."""
    header = (
        "instance,algorithm,orders,delivered_pct,click_to_door_mean,click_to_door_p50,click_to_door_p90,overage_mean,"
        "ready_to_door_mean,ready_to_pickup_mean,compensation,cost_per_order,fraction_at_minimum,orders_per_bundle,"
        "gini_pay_per_hour,click_to_door_undelivered_120,click_to_door_floor,overage_floor,cost_floor"
    )
    row = f"{folder.name},other,40,90,60,55,90,20,30,10,400,10,1,1,0.2,70,25,1,10"
    (tmp_path / "reference.csv").write_text(f"{header}\n{row}\n")

    printed = run_json("dispatch", "--bench", tmp_path)
    table = run("dispatch", "--bench", tmp_path / "instances")

    assert printed["instances"][0]["broken"] == 0
    assert printed["means"][1]["method"] == "other"
    assert printed["means"][1]["ours_better_pct"] == 100
    assert printed["means"][1]["gap_ratio"] < 1
    assert table.exit_code == 0
    assert folder.name in table.stdout


def test_bench_of_an_empty_folder_ends_with_2(tmp_path):
    """A folder without instances is wrong usage."""
    assert run("dispatch", "--bench", tmp_path).exit_code == 2


def test_explanations_add_up(tmp_path, folder):
    """Each line of explanations.ndjson adds up, and says why the next best rider was not chosen."""
    run("dispatch", folder, "--out", tmp_path / "out")

    rows = [json.loads(line) for line in (tmp_path / "out" / "explanations.ndjson").read_text().splitlines()]
    delivered = pq.read_table(tmp_path / "out" / "deliveries.parquet").num_rows

    assert len(rows) == delivered
    for row in rows:
        assert sum(row["costs"].values()) == row["cost"]
        assert row["facts"]["late_s"] == max(row["facts"]["wait_s"] - 40 * 60, 0)
        assert row["next_rider"] is None or row["why_not"]


@pytest.mark.parametrize("book", ["taobao-crowdsourced", "legacy-fine"])
def test_the_loop_runs_from_orders_to_income(tmp_path, folder, book):
    """Dispatched deliveries are scored, and what is scored is what was delivered."""
    run("dispatch", folder, "--out", tmp_path / "out")

    result = run("score", tmp_path / "out" / "deliveries.parquet", "--book", book, "--out", tmp_path / "ledger")

    riders = pq.read_table(tmp_path / "ledger" / "riders.parquet").to_pydict()
    events = pq.read_table(tmp_path / "out" / "deliveries.parquet").to_pydict()
    assert result.exit_code == 0
    assert sum(riders["num_delivered"]) == len(events["event_id"])
    assert sum(riders["fees_fen"]) == sum(events["fee_fen"])
    assert events["event_id"][0] == f"{folder.name}:{events['order_id'][0]}"
    assert set(zip(events["promised_us"], events["placed_us"], strict=True)) == {
        (placed + 40 * 60_000_000, placed) for placed in events["placed_us"]
    }
    assert run("verify", tmp_path / "ledger").exit_code == 0


def test_an_empty_day_is_no_failure(tmp_path):
    """A day without orders gives empty files and exit 0."""
    folder = write_instance(tmp_path / "empty", instance([], [courier()]))

    printed = run_json("dispatch", folder, "--out", tmp_path / "out")

    assert printed["counts"]["orders"] == 0


def test_a_day_without_couriers_refuses_everything(tmp_path):
    """Without couriers every order is refused with its reason."""
    folder = write_instance(tmp_path / "alone", instance([order()], []))

    printed = run_json("dispatch", folder, "--out", tmp_path / "out")

    assert printed["refused"] == {"o1": "dispatch.refused_off_shift"}


@pytest.mark.parametrize("lang", LANGS)
def test_every_term_and_reason_has_words(lang):
    """The facts and costs of an explanation and the reasons of a refusal are in the catalog of each language."""
    from dispatch import rounds
    from dispatch.explain import COSTS, FACTS

    keys = catalog(lang)

    assert all(f"dispatch.cost_{cost}" in keys for cost in COSTS)
    assert all(f"dispatch.fact_{fact}" in keys for fact in FACTS)
    assert {rounds.NO_RIDERS, rounds.ALL_WITHHELD, rounds.OFF_SHIFT, rounds.FULL, "dispatch.refused_off_shift"} <= set(
        keys
    )


def test_a_day_scores_the_same_from_its_solution_and_from_its_deliveries(tmp_path, folder):
    """What `dispatch` writes is read by `score` in both forms, and every rider comes out alike."""
    run("dispatch", folder, "--out", tmp_path / "out")

    run("score", tmp_path / "out" / "deliveries.parquet", "--book", "taobao-crowdsourced", "--out", tmp_path / "a")
    run("score", folder, tmp_path / "out", "--format", "mdrp", "--book", "taobao-crowdsourced", "--out", tmp_path / "b")

    riders = pq.read_table(tmp_path / "a" / "riders.parquet")
    assert riders.num_rows
    assert riders == pq.read_table(tmp_path / "b" / "riders.parquet")
