"""A deployment table in a file: each city and kind of rider by the books that it names, all faults at once."""

import hashlib
import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from api.cli.main import main
from api.files.errors import InputError
from api.runs.bucketed_compare import compare_bucketed
from api.runs.bucketed_run import score_bucketed
from api.runs.compare import compare_files
from api.runs.plan import plan_books
from rules import shelf
from rules.errors import BookError
from simulations.national import NationalDay, deployment_of
from tests.api.ledgers import contents, nets, rejects_of, score_events, write_events
from tests.builders import DAY_US, delivered, deploy_row

pytestmark = pytest.mark.slow

TAOBAO, JD, REFERENCE = "taobao-crowdsourced", "jd-service-score", "gbt-46862-reference"


def row(city: str, book: str, day: str = "2025-12-03", platform: str | None = None) -> str:
    """One row of a table."""
    return deploy_row(city, book, day, platform=platform)


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
        plan_books(table(tmp_path, row("hangzhou", "pirate")))


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
    score_bucketed([events], named, tmp_path / "a", num_workers=1)
    table(tmp_path, row("hangzhou", JD), row("beijing", TAOBAO))

    score_bucketed([events], named, tmp_path / "b", num_workers=1)

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
    # What is shipped for a later day judges nobody yet.
    begun = {book["digest"] for book in run["books"] if book["effective_from"] <= "2026-12-01"}
    assert used == begun


def test_a_country_may_have_as_many_cities_as_it_has(tmp_path: Path) -> None:
    """A table of more bytes than a book may have is read."""
    day = NationalDay(num_riders=10, num_events=10, num_cities=9_000)

    chosen = plan_books(table(tmp_path, deployment_of(day)))

    assert len(chosen.schedule.rules) == 2 * day.num_cities


def test_a_table_without_rows_is_refused(tmp_path: Path) -> None:
    """It would score nobody."""
    path = tmp_path / "deployment.toml"
    path.write_text("deploy = []\n")

    with pytest.raises(BookError) as caught:
        plan_books(str(path))

    assert [fault.code for fault in caught.value.faults] == ["empty_list"]


MEITUAN = "meituan-anzhun"


def two_platforms(folder: Path) -> str:
    """Hangzhou has two platforms from 2025-12-03 on, Quanzhou one."""
    return table(
        folder,
        row("hangzhou", MEITUAN, "2025-07-01", "meituan"),
        row("hangzhou", TAOBAO, "2025-12-03", "taobao"),
        row("quanzhou", MEITUAN, "2024-12-01", "meituan"),
    )


def asked(folder: Path, events: Path, book: str, *options: str) -> tuple[int, str]:
    """Exit code and messages of a run."""
    done = CliRunner().invoke(main, ["score", str(events), "--book", book, "--out", str(folder / "out"), *options])
    return done.exit_code, done.stderr


@pytest.mark.parametrize("book", ["auto", "file"])
def test_a_platform_is_named_where_several_match(tmp_path: Path, book: str) -> None:
    """Without one: exit 2, city, kind and platforms in both languages, nothing written; with one, its own book judges."""
    events = write_events(tmp_path / "events.csv", [delivered("e1", late_min=3)])
    named = two_platforms(tmp_path) if book == "file" else "auto"

    refused = {lang: asked(tmp_path, events, named, "--lang", lang) for lang in ("en", "zh")}

    assert {code for code, _ in refused.values()} == {2}
    assert "meituan, taobao" in refused["en"][1]
    assert "hangzhou" in refused["en"][1]
    assert "--platform meituan" in refused["zh"][1]
    assert "众包" in refused["zh"][1]
    assert not (tmp_path / "out").exists()
    for platform, net in (("taobao", -1_000), ("meituan", -3_000)):
        assert asked(tmp_path, events, named, "--platform", platform)[0] == 0
        assert list(nets(tmp_path / "out").values()) == [(net, 0)]
        (tmp_path / "out").rename(tmp_path / platform)


def test_the_environment_names_the_platform(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As for the service; the option goes before it."""
    events = write_events(tmp_path / "events.csv", [delivered("e1", late_min=3)])
    monkeypatch.setenv("RIDERSCORE_PLATFORM", "taobao")

    assert asked(tmp_path, events, "auto")[0] == 0
    assert list(nets(tmp_path / "out").values()) == [(-1_000, 0)]


def test_a_platform_is_not_asked_where_it_cannot_matter(tmp_path: Path) -> None:
    """A city with one platform, and days before the second one came, are judged without it."""
    named = two_platforms(tmp_path)
    before = delivered("e2", city="hangzhou", late_min=3)
    before |= {name: at - 60 * DAY_US for name, at in before.items() if name.endswith("_us")}

    score_events(tmp_path, [delivered("e1", city="quanzhou", late_min=3), before], book=named)

    assert {net for net, _ in nets(tmp_path / "run").values()} == {-3_000}
    assert len(nets(tmp_path / "run")) == 2


def test_large_inputs_and_comparisons_ask_for_the_platform_as_well(tmp_path: Path) -> None:
    """By buckets, and for each side of `compare` and `books impact`."""
    events, named = write_events(tmp_path / "events.csv", [delivered("e1", late_min=3)]), two_platforms(tmp_path)
    out = tmp_path / "out"
    with pytest.raises(InputError, match="meituan, taobao"):
        score_bucketed([events], named, out, num_workers=1)
    for command in (compare_files, compare_bucketed):
        with pytest.raises(InputError, match="meituan, taobao"):
            command("compare", [events], (JD, named), out)
        done = command("impact", [events], (JD, named), tmp_path / command.__name__, platform="taobao")
        assert done.summary["totals"]["points_deducted_mp"]["b"] == 1_000
    score_bucketed([events], named, out, num_workers=1, platform="taobao")

    assert list(nets(out).values()) == [(-1_000, 0)]
    for words in (["compare", str(events), "--books", f"{JD},auto"], ["books", "impact", "--from", JD, "--to", "auto"]):
        rest = [] if words[0] == "compare" else ["--events", str(events)]
        command_line = [*words, *rest, "--out", str(tmp_path / words[0])]
        assert CliRunner().invoke(main, command_line).exit_code == 2
        assert CliRunner().invoke(main, [*command_line, "--platform", "taobao"]).exit_code == 0


@pytest.mark.parametrize("platform", ["douyin", "taoboa"])
def test_a_platform_that_the_table_does_not_know_is_refused(tmp_path: Path, platform: str) -> None:
    """Exit 2 with those that it names, and the one that was meant."""
    events = write_events(tmp_path / "events.csv", [delivered("e1")])

    code, said = asked(tmp_path, events, "auto", "--platform", platform, "--lang", "en")

    assert code == 2
    assert "eleme, jd, meituan, taobao" in said
    assert "did you mean taobao" in said or platform == "douyin"


def test_a_row_without_a_platform_holds_for_every_platform(tmp_path: Path) -> None:
    """A table of before judges as it did, whatever platform is named."""
    named = table(tmp_path, row("hangzhou", TAOBAO))
    events = write_events(tmp_path / "events.csv", [delivered("e1", late_min=3)])

    for options in ([], ["--platform", "jd"], ["--platform", "mine"]):
        assert asked(tmp_path, events, named, *options)[0] == 0
        assert list(nets(tmp_path / "out").values()) == [(-1_000, 0)]
        (tmp_path / "out").rename(tmp_path / f"done{len(options)}{options[-1:]}")


def test_an_explanation_reads_the_table_for_the_platform_of_the_run(tmp_path: Path) -> None:
    """What it says comes from the rows that judged."""
    events = write_events(tmp_path / "events.csv", [delivered("e1", late_min=3)])
    assert asked(tmp_path, events, two_platforms(tmp_path), "--platform", "taobao")[0] == 0

    done = CliRunner().invoke(
        main, ["explain", str(tmp_path / "out"), "--rider", "r1", "--event", "e1", "--lang", "en"]
    )

    assert "assessed against" in done.output
    assert "has changed since the run" not in done.output


def test_ele_me_pilots_are_judged_before_the_published_version(tmp_path: Path) -> None:
    """In their cities, by the version that is ours; elsewhere nobody is, on those days."""
    days = [delivered(name, rider_id=name, city=name, late_min=3) for name in ("nantong", "hangzhou")]
    for event in days:
        event |= {name: at - 40 * DAY_US for name, at in event.items() if name.endswith("_us")}

    run = score_events(tmp_path, days, book="auto", platform="eleme")

    assert [net for net, _ in nets(tmp_path / "run").values()] == [-1_000]
    assert run.document["counts"]["what_if"] == 0
    assert [(reject["reason"], reject["value"]) for reject in rejects_of(tmp_path / "run")] == [("no_book", "hangzhou")]
