"""A deployment table in a file: each city and kind of rider by the books that it names, all faults at once."""

import hashlib
import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from api.batch.lake import score_lake
from api.batch.plan import plan
from api.cli.main import main
from rules import shelf
from rules.errors import BookError
from simulations.national import National, deployment_of
from tests.api.ledgers import contents, nets, rejects_of, score_events, write_events
from tests.builders import delivered

ROW = '[[deploy]]\ncity = "{city}"\nrider_kind = "{kind}"\nbook = "{book}"\nfrom = {day}\n'
TAOBAO, JD, REFERENCE = "taobao-crowdsourced", "jd-service-score", "gbt-46862-reference"


def row(city: str, book: str, day: str = "2025-12-03", kind: str = "crowdsourced") -> str:
    """One row of a table."""
    return ROW.format(city=city, kind=kind, book=book, day=day)


def table(folder: Path, *rows: str) -> str:
    """The table as a file; its name."""
    path = folder / "deployment.toml"
    path.write_text("\n".join(rows), encoding="utf-8")
    return str(path)


def test_each_city_is_scored_by_its_own_book(tmp_path: Path) -> None:
    """The lines of a city are those of its book alone; a city of which the table says nothing is refused."""
    late = [delivered(name, rider_id=name, city=name, late_min=3) for name in ("hangzhou", "beijing", "lhasa")]
    named = table(tmp_path, row("hangzhou", TAOBAO), row("beijing", JD))

    run = score_events(tmp_path, late, book=named)

    wanted: dict[tuple[str, str], tuple[int, int]] = {}
    for folder, book, event in (("a", TAOBAO, late[0]), ("b", JD, late[1])):
        (tmp_path / folder).mkdir()
        score_events(tmp_path / folder, [event], book=book)
        wanted |= nets(tmp_path / folder / "run")
    assert nets(tmp_path / "run") == wanted
    assert [reject["reason"] for reject in rejects_of(tmp_path / "run")] == ["no_book"]
    assert {book["id"] for book in run.document["books"]} == {TAOBAO, JD}
    assert run.document["deployment"] == {
        "path": named,
        "sha256": hashlib.sha256(Path(named).read_bytes()).hexdigest(),
    }


def test_a_book_of_ones_own_stands_beside_the_table(tmp_path: Path) -> None:
    """A table names it by its id; a file that is named after another book is refused."""
    own = shelf.to_toml(shelf.versions(TAOBAO)[0])
    own = own.replace(f'id = "{TAOBAO}"', 'id = "pilot"').replace("points = -1\n", "points = -1.5\n")
    (tmp_path / "pilot.toml").write_text(own, encoding="utf-8")
    named = table(tmp_path, row("hangzhou", "pilot"))

    score_events(tmp_path, [delivered("e1", late_min=3)], book=named)

    assert list(nets(tmp_path / "run").values()) == [(-1_500, 0)]
    (tmp_path / "pilot.toml").rename(tmp_path / "pirate.toml")
    with pytest.raises(BookError, match=r"named after another book: id = pilot; .*pirate\.toml"):
        plan(table(tmp_path, row("hangzhou", "pirate")))


def test_faults_of_a_table_come_together(tmp_path: Path) -> None:
    """Exit code 2; file, row, value and remedy of each, in both languages, and nothing is written."""
    events = write_events(tmp_path / "events.csv", [delivered("e1")])
    named = table(
        tmp_path,
        row("hangzhou", "legacy-fine"),
        row("wuhan", "taobao"),
        row("xian", "taobao"),
        row("beijing", JD, "2020-01-01"),
    )

    said = {
        lang: CliRunner().invoke(
            main, ["score", str(events), "--book", named, "--out", str(tmp_path / "out"), "--lang", lang]
        )
        for lang in ("zh", "en")
    }

    assert [result.exit_code for result in said.values()] == [2, 2]
    for word in (
        "never put in force",
        "deployment.toml: there is no rule book taobao; did you mean",
        "2025-10-01 is the earliest",
        'deployment of "beijing"',
    ):
        assert word in said["en"].stderr.replace("\n", " ")
    for word in ("不能启用", "2025-10-01", "hangzhou", "taobao", "beijing"):
        assert word in said["zh"].stderr
    assert said["en"].stderr.count("there is no rule book") == 1
    assert not (tmp_path / "out").exists()


def test_what_is_explained_later_is_by_the_same_table(tmp_path: Path) -> None:
    """The because-tree has its facts; once the table has changed, that is said."""
    named = table(tmp_path, row("hangzhou", TAOBAO))
    score_events(tmp_path, [delivered("e1", late_min=3)], book=named)
    command = ["explain", str(tmp_path / "run"), "--rider", "r1", "--event", "e1", "--lang", "en"]

    before = CliRunner().invoke(main, command)
    table(tmp_path, row("hangzhou", TAOBAO), row("beijing", JD))
    after = CliRunner().invoke(main, command)

    assert "has changed since the run" not in before.output
    assert "assessed against" in before.output
    assert "has changed since the run" in after.output


def test_another_table_is_another_run(tmp_path: Path) -> None:
    """What was begun under one table is not gone on with under another that names the same books."""
    events = write_events(tmp_path / "events.csv", [delivered("e1", late_min=3), delivered("e2", city="beijing")])
    named = table(tmp_path, row("hangzhou", TAOBAO), row("beijing", JD))
    score_lake([events], named, tmp_path / "a", num_workers=1)
    table(tmp_path, row("hangzhou", JD), row("beijing", TAOBAO))

    score_lake([events], named, tmp_path / "b", num_workers=1)

    assert contents(tmp_path / "a") != contents(tmp_path / "b")


def test_a_generated_day_has_several_books_in_force(tmp_path: Path) -> None:
    """The table beside the day leaves no row without a book; each shipped book that can be in force judges some."""
    out = tmp_path / "day"
    size = ["--riders", "900", "--events", "9000", "--cities", "30"]
    assert CliRunner().invoke(main, ["bench", "generate", "--out", str(out), *size]).exit_code == 0

    command = ["score", str(out), "--book", str(out / "deployment.toml"), "--out", str(tmp_path / "ledger"), "--json"]
    run = json.loads(CliRunner().invoke(main, command).stdout)

    assert run["counts"]["rejected"] == run["counts"]["what_if"] == 0
    in_force = {book for book in shelf.shipped() if shelf.versions(book)[0].model.regime != "legacy"}
    assert {book["id"] for book in run["books"]} == in_force
    used = set(
        pq.read_table(tmp_path / "ledger" / "entries.parquet", columns=["book_digest"])["book_digest"].to_pylist()
    )
    assert used == {book["digest"] for book in run["books"]}


def test_a_country_may_have_as_many_cities_as_it_has(tmp_path: Path) -> None:
    """A table of more bytes than a book may have is read."""
    day = National(num_riders=10, num_events=10, num_cities=9_000)

    chosen = plan(table(tmp_path, deployment_of(day)))

    assert len(chosen.schedule.rules) == 2 * day.num_cities


def test_a_table_without_rows_is_refused(tmp_path: Path) -> None:
    """It would score nobody."""
    path = tmp_path / "deployment.toml"
    path.write_text("deploy = []\n")

    with pytest.raises(BookError) as caught:
        plan(str(path))

    assert [fault.code for fault in caught.value.faults] == ["empty_list"]
