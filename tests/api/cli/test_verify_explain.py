"""`verify` and `explain` on ledger directories: what they print, and how they end."""

import json
import shutil
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner, Result

from api.cli.main import main
from api.files.atomic import write_ndjson
from api.runs.run import score_files
from rules.text import LANGS, catalog
from scoring.invariants import CHECKS
from tests.builders import appeal_upheld, delivered, event
from tests.scoring.ledgers import with_cell

LATE = delivered("late", late_min=4, order_id="A17")
EVENTS = [LATE, delivered("good", at_min=30), delivered("other", rider_id="r2"), appeal_upheld("ap", LATE)]


@pytest.fixture
def scored(tmp_path: Path) -> Path:
    """A directory with `events.ndjson`, and the ledger scored from it in `ledger`."""
    write_ndjson(tmp_path / "events.ndjson", EVENTS)
    score_files([tmp_path / "events.ndjson"], "taobao-crowdsourced", tmp_path / "ledger")
    return tmp_path


def run_verify(*args: Any) -> Result:
    return CliRunner().invoke(main, ["verify", *map(str, args)])


def run_explain(*args: Any) -> Result:
    return CliRunner().invoke(main, ["explain", *map(str, args)])


def break_cell(ledger: Path, file: str, column: str, value: Any) -> None:
    """Replace the first value of a column of one of the ledger's tables."""
    table = pq.read_table(ledger / file)
    pq.write_table(with_cell(table, column, 0, value), ledger / file)


def test_verify_passes_a_ledger_as_it_was_written(scored: Path) -> None:
    """Every check is named and holds; the command ends with 0."""
    result = run_verify(scored / "ledger", "--lang", "en")

    assert result.exit_code == 0
    assert result.stdout.count("✓") == len(CHECKS)
    assert f"All {len(CHECKS)} checks hold: 2 riders, 5 entries." in result.stdout


def test_verify_ends_with_3_and_says_where(scored: Path) -> None:
    """A score changed in the file is found, with rider, entry and both values."""
    break_cell(scored / "ledger", "entries.parquet", "score_after_mp", 70_500)

    result = run_verify(scored / "ledger", "--lang", "zh")

    assert result.exit_code == 3
    assert "骑手 r1 第 1 笔：score_after_mp 应为 69000，实为 70500" in result.stdout


def test_verify_speaks_json(scored: Path) -> None:
    """Programs get every check with its violations as values."""
    break_cell(scored / "ledger", "riders.parquet", "tier", "reward")

    result = run_verify(scored / "ledger", "--json")

    document = json.loads(result.stdout)
    broken = {check["check"]: check["violations"] for check in document["checks"] if not check["holds"]}
    assert result.exit_code == 3
    assert document["holds"] is False
    assert broken == {
        "standing": [{"rider": "r1", "seq": None, "what": "tier", "expected": "normal", "found": "reward"}]
    }


@pytest.mark.parametrize("missing", ["entries.parquet", "riders.parquet", "run.json", "rejects.ndjson", "books"])
def test_a_directory_that_lacks_a_file_is_no_ledger(scored: Path, missing: str) -> None:
    """Both commands end with 2 and name the file."""
    path = scored / "ledger" / missing
    shutil.rmtree(path) if path.is_dir() else path.unlink()

    for result in (run_verify(scored / "ledger"), run_explain(scored / "ledger", "--rider", "r1")):
        assert result.exit_code == 2
        assert missing in result.stderr
        assert result.stdout == ""


@pytest.mark.parametrize("file", ["entries.parquet", "riders.parquet", "run.json"])
def test_a_damaged_file_is_reported_not_raised(scored: Path, file: str) -> None:
    """Bytes that are no Parquet or JSON end with 2."""
    (scored / "ledger" / file).write_bytes(b"not what it should be")

    result = run_verify(scored / "ledger", "--lang", "en")

    assert result.exit_code == 2
    assert "cannot be read" in result.stderr


def test_a_missing_column_is_named(scored: Path) -> None:
    """A table of another shape is refused with the columns it lacks."""
    path = scored / "ledger" / "entries.parquet"
    pq.write_table(pq.read_table(path).drop_columns(["delta_mp", "seq"]), path)

    result = run_verify(scored / "ledger", "--lang", "en")

    assert result.exit_code == 2
    assert "delta_mp" in result.stderr
    assert "seq" in result.stderr


def test_a_book_that_was_changed_is_found(scored: Path) -> None:
    """A book whose content is no longer that of its name fails the check, and its rules are not trusted."""
    (path,) = (scored / "ledger" / "books").iterdir()
    path.write_text(path.read_text(encoding="utf-8").replace("points = -2", "points = -1.5"), encoding="utf-8")

    result = run_verify(scored / "ledger", "--json")

    assert result.exit_code == 3
    assert "books_named" in {check["check"] for check in json.loads(result.stdout)["checks"] if not check["holds"]}


def test_explain_shows_the_card_and_a_sentence_for_each_entry(scored: Path) -> None:
    """Without an event: where the rider stands, and every entry in words."""
    result = run_explain(scored / "ledger", "--rider", "r1", "--lang", "zh")

    assert result.exit_code == 0
    assert result.stderr == ""
    assert "骑手 r1：70.2 分（淘宝闪购众包服务分）" in result.stdout
    assert "订单 A17 晚到 4 分钟，扣 1 分（70 → 69）。" in result.stdout
    assert "您的申诉成立，订单 A17 原来那一笔已撤回" in result.stdout
    assert "分录（共 4 笔）" in result.stdout


def test_explain_shows_the_tree_of_an_event(scored: Path) -> None:
    """With an event: each of its entries with deadline, rule, source and score, plain when piped."""
    result = run_explain(scored / "ledger", "--rider", "r1", "--event", "late", "--lang", "en")

    assert result.exit_code == 0
    assert "\x1b" not in result.stdout
    assert "late by 4 min" in result.stdout
    assert 'rule "Late by up to 5 minutes" (late_5)' in result.stdout
    assert "because of the upheld appeal ap" in result.stdout


def test_explain_takes_one_entry_and_speaks_json(scored: Path) -> None:
    """One entry by its id, as a document with facts by name and the sentence in both languages."""
    entry_id = pq.read_table(scored / "ledger" / "entries.parquet").column("entry_id")[0].as_py()

    result = run_explain(scored / "ledger", "--rider", "r1", "--entry", entry_id, "--json")

    (entry,) = json.loads(result.stdout)["entries"]
    assert entry["line"]["entry_id"] == entry_id
    assert entry["facts"]["liable"] == "rider"
    assert entry["lateness"]["late_s"] == 240
    assert set(entry["sentence"]) == set(LANGS)


def test_explain_says_when_the_input_changed(scored: Path) -> None:
    """A changed file is not used: a note on stderr, and the ledger and book explain."""
    with (scored / "events.ndjson").open("a", encoding="utf-8") as file:
        file.write("\n")

    result = run_explain(scored / "ledger", "--rider", "r1", "--event", "late", "--lang", "en")

    assert result.exit_code == 0
    assert "the input was changed after it was scored" in result.stderr
    assert "You delivered record late 4 min late: 1 point off (70 → 69)." in result.stdout
    assert "assessed against" not in result.stdout


def test_explain_says_when_the_input_is_gone(scored: Path) -> None:
    """A file that is no longer there is named, in the language asked for."""
    (scored / "events.ndjson").unlink()

    result = run_explain(scored / "ledger", "--rider", "r1", "--lang", "zh")

    assert result.exit_code == 0
    assert "评分时的输入文件已不在" in result.stderr
    assert "记录 late 晚到 4 分钟" in result.stdout


def test_explain_goes_on_from_a_carried_state(tmp_path: Path) -> None:
    """A ledger that continues another is verified and explained as far as it goes, and says so."""
    write_ndjson(tmp_path / "one.ndjson", [LATE])
    write_ndjson(tmp_path / "two.ndjson", [delivered("good", at_min=30), appeal_upheld("ap", LATE)])
    for name in ("one", "two"):
        score_files([tmp_path / f"{name}.ndjson"], "taobao-crowdsourced", tmp_path / name, state=tmp_path / "state")

    checked = run_verify(tmp_path / "two", "--lang", "en")
    told = run_explain(tmp_path / "two", "--rider", "r1", "--lang", "en")

    assert checked.exit_code == 0
    assert told.exit_code == 0
    assert "this ledger goes on from an earlier one" in told.stderr
    assert "You delivered order order-good on time: 0.2 points added (69 → 69.2)." in told.stdout
    assert "Your appeal was upheld, so the earlier entry for record late is taken back (69.2 → 70.2)." in told.stdout


def test_an_event_without_entries_is_explained_too(tmp_path: Path) -> None:
    """What no rule matches has no entry, and that is said rather than refused."""
    write_ndjson(tmp_path / "e.ndjson", [LATE, event("complaint", "c", at_min=5)])
    score_files([tmp_path / "e.ndjson"], "taobao-crowdsourced", tmp_path / "ledger")

    result = run_explain(tmp_path / "ledger", "--rider", "r1", "--event", "c", "--lang", "en")

    assert result.exit_code == 0
    assert result.stdout == ("Event c (complaint) has no entry: no rule matches it, nothing is added or taken off.\n")


def test_the_deployment_table_explains_as_well(tmp_path: Path) -> None:
    """A ledger of `--book auto` is explained from its inputs under the book that judged."""
    write_ndjson(tmp_path / "e.ndjson", [LATE])
    score_files([tmp_path / "e.ndjson"], "auto", tmp_path / "ledger", platform="taobao")

    result = run_explain(tmp_path / "ledger", "--rider", "r1", "--event", "late", "--lang", "en")

    assert result.stderr == ""
    assert "assessed against" in result.stdout


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (("--rider", "nobody"), 'the ledger has no rider "nobody"'),
        (("--rider", "r1", "--event", "other"), 'rider "r1" has no entry of event "other"'),
        (("--rider", "r1", "--entry", "xyz"), 'rider "r1" has no entry "xyz"'),
    ],
)
def test_what_is_not_in_the_ledger_is_said_so(scored: Path, args: tuple[str, ...], message: str) -> None:
    """Unknown riders, events and entries end with 2 and a message, nothing on stdout."""
    result = run_explain(scored / "ledger", *args, "--lang", "en")

    assert result.exit_code == 2
    assert message in result.stderr
    assert result.stdout == ""


def test_markup_in_ids_is_shown_as_it_is(tmp_path: Path) -> None:
    """Square brackets of an id are text, not style."""
    write_ndjson(tmp_path / "e.ndjson", [delivered("[red]e[/red]", order_id="[bold]7")])
    score_files([tmp_path / "e.ndjson"], "taobao-crowdsourced", tmp_path / "ledger")

    result = run_explain(tmp_path / "ledger", "--rider", "r1", "--event", "[red]e[/red]", "--lang", "en")

    assert "order [bold]7" in result.stdout
    assert "event [red]e[/red]" in result.stdout


def test_dictionary_and_plain_columns_are_the_same_ledger(scored: Path) -> None:
    """Another writer may store names as words of a dictionary, and says nothing of versions; what counts is what they say."""
    path = scored / "ledger" / "entries.parquet"
    table = pq.read_table(path)
    words = [
        column.dictionary_encode() if pa.types.is_string(column.type) else column for column in table.itercolumns()
    ]
    pq.write_table(pa.table(words, names=table.column_names), path)

    assert run_verify(scored / "ledger").exit_code == 0


def test_every_check_has_words() -> None:
    """A check without a title would end `verify` with an error."""
    for lang in LANGS:
        assert {f"check.{check.__name__}" for check in CHECKS} <= set(catalog(lang))
