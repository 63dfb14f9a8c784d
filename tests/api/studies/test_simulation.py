"""Studies as long work: what is finished is kept, so that whoever takes them up goes on from there."""

from pathlib import Path

import pytest
from sqlalchemy import select

from api.clock import now_us
from api.db.store import Store
from api.db.tables import study_files
from api.studies import jobs, leases
from api.studies.simulation import Shelf, book_named
from rules.errors import BookError
from rules.shelf import versions
from simulations import scenario_files
from tests.api.ledger.posts import BOOK, publish
from tests.api.studies.worlds import other_server, run_out, study, wait_for, working

pytestmark = pytest.mark.slow

SMALL = {
    "scenario": "ordinary-week", "books": ["legacy-fine", BOOK], "seeds": 1, "days": 1,
    "sets": ["riders=20", "orders_per_day=200"], "sensitivity": "off", "lang": "en",
}  # fmt: skip


def begun(store: Store, folder: Path) -> Shelf:
    """A shelf of work that somebody has taken up."""
    with store.writing(now_us()) as unit:
        study_id = jobs.start_study(unit, "policy:wang", SMALL)
        assert leases.lease_next_study(unit, "me") is not None
    folder.mkdir(parents=True, exist_ok=True)
    return Shelf(store, study_id, "me", folder)


def put(folder: Path, name: str, content: str) -> None:
    """Write a file of the work."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)


def test_finished_parts_move_to_another_machine(store: Store, tmp_path: Path) -> None:
    """Whole files in folders of any depth; what is being written is not taken for finished."""
    here, there = tmp_path / "here", tmp_path / "there"
    shelf = begun(store, here)
    for name in ("study.json", "seeds/a-1.parquet", ".hidden", "seeds/b.parquet.tmp", "seeds/.c.parquet"):
        put(here, name, name)

    shelf.keep()
    with store.reading() as unit:
        study_id = jobs.studies_of(unit).items[0].study_id
    Shelf(store, study_id, "me", there).restore()

    found = {path.relative_to(there).as_posix(): path.read_text() for path in there.rglob("*") if path.is_file()}
    assert found == {name: name for name in ("study.json", "seeds/a-1.parquet")}


def test_a_changed_file_replaces_the_former(store: Store, tmp_path: Path) -> None:
    """And what only served to go on is let go at the end."""
    shelf = begun(store, tmp_path)
    put(tmp_path, "summary.json", "{}")
    put(tmp_path, "seeds/a-1.parquet", "part")
    shelf.keep()
    put(tmp_path, "summary.json", '{"a": 1}')

    shelf.keep()
    shelf.tidy()

    with store.reading() as unit:
        rows = unit.connection.execute(select(study_files.c.name, study_files.c.content)).all()
    assert [(row.name, bytes(row.content)) for row in rows] == [("summary.json", b'{"a": 1}')]


def test_a_killed_study_goes_on(store: Store, url: str) -> None:
    """SIGKILL after the first finished runs: another server keeps those and does the rest; the report is there."""
    with store.writing(now_us()) as unit:
        study_id = jobs.start_study(unit, "policy:wang", SMALL)

    def parts() -> dict[str, int]:
        with store.reading() as unit:
            rows = unit.connection.execute(select(study_files.c.name, study_files.c.recorded_us)).all()
        return {row.name: row.recorded_us for row in rows if row.name.endswith(".parquet")}

    with other_server(url) as process:
        wait_for(lambda: len(parts()) >= 2, 200)
        process.kill()
        process.wait()
    before = parts()
    run_out(store, study_id)
    with working(store):
        wait_for(lambda: len(parts()) > len(before) or study(store, study_id).has_ended, 200)
        after = parts()
        wait_for(lambda: study(store, study_id).has_ended, 200)

    done = study(store, study_id)
    assert (done.state, done.failure) == ("done", None)
    still = before.keys() & after.keys()
    assert {name: after[name] for name in still} == {name: before[name] for name in still}
    assert done.result is not None
    assert "report.html" in done.result["files"]
    with store.reading() as unit:
        report = jobs.file_of(unit, study_id, "report.html")
    assert report is not None
    assert report.lstrip().lower().startswith(b"<!doctype html>")


def test_books_are_found_by_name_or_digest_alone(store: Store, tmp_path: Path) -> None:
    """Never by a path, whatever is there."""
    publish(store, BOOK)
    (tmp_path / "x.toml").write_text("")
    digest = versions(BOOK)[-1].digest

    with store.reading() as unit:
        assert book_named(unit, digest)[0].digest == digest
        assert book_named(unit, BOOK) == versions(BOOK)
        assert len(book_named(unit, f"{BOOK}@2026-01-01")) == 1
        for reference in (str(tmp_path / "x.toml"), str(tmp_path), "../rules/books", "no-such-book", "0" * 64):
            with pytest.raises(BookError):
                book_named(unit, reference)


def test_shipped_scenarios_are_offered() -> None:
    """By name."""
    assert {"ordinary-week", "rain-week", "slow-kitchens", "new-riders", "under-staffed"} <= set(
        scenario_files.shipped()
    )
