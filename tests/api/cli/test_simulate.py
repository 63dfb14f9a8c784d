"""`riderscore simulate`: the answer on stdout, every fault of a request on stderr with exit 2."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from api.cli.main import main
from simulations.study.metrics import METRICS, PRIMARY
from tests.api.studies.requests import TINY
from tests.dispatch.worlds import courier, instance, order, write_instance

pytestmark = pytest.mark.slow


def simulate(
    out: Path, *words: str, scenario: str = "ordinary-week", books: str = "legacy-fine,taobao-crowdsourced"
) -> Result:
    """Run the command on the tiny city."""
    sets = [word for setting in TINY for word in ("--set", setting)]
    fixed = ["--seeds", "2", "--days", "1", "--jobs", "1", "--sensitivity", "off", "--lang", "en"]
    return CliRunner().invoke(main, ["simulate", scenario, "--books", books, "--out", str(out), *fixed, *sets, *words])


def test_the_answer_is_told_and_the_files_are_there(tmp_path: Path) -> None:
    """A sentence for each primary metric, a row for each metric, the report named on stderr."""
    result = simulate(tmp_path / "out")

    assert result.exit_code == 0, result.output
    assert result.stdout.count("●") == len(PRIMARY)
    assert len([line for line in result.stdout.splitlines() if "to" in line]) > len(METRICS) // 2
    assert "report.html" in result.stderr
    assert (tmp_path / "out" / "report.html").is_file()


def test_json_is_the_summary(tmp_path: Path) -> None:
    """--json prints summary.json, nothing else on stdout."""
    result = simulate(tmp_path / "out", "--json")

    assert json.loads(result.stdout) == json.loads((tmp_path / "out" / "summary.json").read_text(encoding="utf-8"))


def test_bad_scenarios_end_with_every_fault_at_once(tmp_path: Path) -> None:
    """Unknown key, impossible shift, negative rate, missing book: exit 2, four lines, nothing written."""
    result = simulate(
        tmp_path / "out",
        *("--set", "behaviour.rusch_permille=1"),
        *("--set", "people.shift_s=[[0, 90000], [1000, 99000]]"),
        *("--set", "kitchens.slow_per_million=-5"),
        books="legacy-fines,taobao-crowdsourced",
    )

    assert result.exit_code == 2
    for word in ("rusch_permille", "shift_s", "slow_per_million", "legacy-fines"):
        assert word in result.stderr
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_an_instance_says_what_is_wrong_as_dispatch_does(tmp_path: Path, lang: str) -> None:
    """File, line, value and remedy, in the words of `dispatch`, in both languages."""
    folder = write_instance(tmp_path / "day", instance([order()], [courier()]))
    (folder / "orders.txt").write_text((folder / "orders.txt").read_text().replace("o1\t", "7.0\t"))
    (folder / "couriers.txt").write_text((folder / "couriers.txt").read_text().replace("\t600", "\tsoon"))
    words = ["dispatch", str(folder), "--out", str(tmp_path / "out"), "--lang", lang]
    told = [line for line in CliRunner().invoke(main, words).stderr.splitlines() if ".txt" in line]

    result = simulate(tmp_path / "study", "--orders", str(folder), "--lang", lang)

    assert (result.exit_code, len(told)) == (2, 2)
    for line in told:
        assert line.partition("day/")[2] in result.stderr


def test_a_scenario_nobody_knows_names_the_ones_there_are(tmp_path: Path) -> None:
    """A misspelt name ends with 2 and the nearest one."""
    result = simulate(tmp_path / "out", scenario="ordinary-weak")

    assert result.exit_code == 2
    assert "ordinary-week" in result.stderr
