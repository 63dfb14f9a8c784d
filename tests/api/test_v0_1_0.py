"""What 0.1.0 left behind is taken up by this version: databases, ledgers with their states, a demo."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from sqlalchemy import func, select, text
from starlette.testclient import TestClient

from api.app.create import create_app
from api.books.draft_content import content_of, read_places, stored_document
from api.db import schema
from api.db.decision_words import changed_words
from api.db.store import Store
from api.db.tables import (
    appeal_decisions,
    books,
    decision_texts,
    draft_revisions,
    metadata,
    review_decisions,
    suspension_lifts,
)
from api.ledger.verify import verify_store
from api.settings import Settings
from rules.parse import book_of
from tests.api.cli.commands import run
from tests.fixtures.v0_1_0 import kept
from tests.fixtures.v0_1_0.kept import END_US, Kept

pytestmark = pytest.mark.slow

REVISION = "r0003"
# Of ledgers: under the deployment table that was shipped then, and under a book that resets every week.
BOOKS = ("auto", "weekly")


@pytest.fixture
def opened(v0_1_0: Kept) -> Iterator[Store]:
    """The database, as it was left."""
    store = Store(v0_1_0.url)
    yield store
    store.close()


@pytest.fixture
def ledgers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the ledgers, where their events were read from."""
    folder = kept.ledgers(tmp_path)
    monkeypatch.chdir(folder)
    return folder


def counts_of(store: Store, names: set[str]) -> dict[str, int]:
    """Rows of some tables."""
    with store.reading() as unit:
        return {
            table.name: unit.connection.scalar(select(func.count()).select_from(table)) or 0
            for table in metadata.sorted_tables
            if table.name in names
        }


def test_the_database_is_filled(v0_1_0: Kept, opened: Store) -> None:
    """It stands at the revision of 0.1.0 with rows in every table of that version."""
    counts = counts_of(opened, set(v0_1_0.known["counts"]) - {"open_reviews"})

    assert schema.revision_of(opened) == REVISION
    assert all(counts.values()), counts
    assert counts.items() <= v0_1_0.known["counts"].items()


def test_an_upgrade_reaches_the_newest_revision_and_loses_nothing(v0_1_0: Kept, opened: Store) -> None:
    """Every event, entry, decision and audit row is there afterwards, and the ledger vouches for itself."""
    written_once = {"events", "entries", "books", "appeals", "appeal_decisions", "review_decisions", "draft_revisions"}
    before = counts_of(opened, written_once)

    upgraded = run("db", "upgrade", "--database-url", v0_1_0.url)

    assert upgraded.exit_code == 0, upgraded.output
    assert schema.revision_of(opened) == schema.head()
    assert counts_of(opened, written_once) == before
    with opened.reading() as unit:
        verified = verify_store(unit)
    assert [one for one in verified.found if not one.holds] == []
    assert verified.num_entries == v0_1_0.known["counts"]["entries"]
    assert run("verify", "--database", v0_1_0.url).exit_code == 0
    assert run("db", "check", "--database-url", v0_1_0.url).exit_code == 0


def test_its_books_and_drafts_keep_their_digests(v0_1_0: Kept, opened: Store) -> None:
    """A stored document is read as the same book, and a revision of a draft as what was approved."""
    schema.upgrade(opened)

    with opened.reading() as unit:
        stored = unit.connection.execute(select(books.c.digest, books.c.document)).all()
        revisions = unit.connection.execute(select(draft_revisions)).all()

    assert {row.digest: book_of(stored_document(row.document), "stored").digest for row in stored} == {
        row.digest: row.digest for row in stored
    }
    assert len(revisions) > 0
    for row in revisions:
        kept_content = content_of(stored_document(row.document), read_places(row.targets))
        assert kept_content.digest == row.content_digest


def test_an_upgraded_database_is_served(v0_1_0: Kept, opened: Store) -> None:
    """Keys of people and platforms go on; each rider's card shows the score that 0.1.0 had for them."""
    schema.upgrade(opened)
    app = create_app(Settings(database_url=v0_1_0.url), hooks=(), clock=lambda: END_US + 60_000_000)
    ops = {"Authorization": f"Bearer {v0_1_0.token('ops-everywhere')}"}

    with TestClient(app) as client:
        found = {
            rider: client.get(f"/v1/riders/{rider}/card", headers=ops).json()["score_mp"]
            for rider in v0_1_0.known["riders"]
        }
        open_ = client.get("/v1/appeals", headers=ops).json()["items"]

    assert found == {rider: row["score_mp"] for rider, row in v0_1_0.known["riders"].items()}
    assert v0_1_0.known["appeals"]["open"] in {appeal["appeal_id"] for appeal in open_}


def test_words_of_decisions_move_to_where_they_can_be_erased(v0_1_0: Kept, opened: Store) -> None:
    """The sealed rows hold salted digests of them and no words; who had asked for an erasure gets it for them, too."""
    said = ("照片和门店记录一致", "记录无误", "多次虚假送达", "先上课", "危险驾驶", "已电话沟通", "已沟通")
    with opened.engine.begin() as connection:
        connection.execute(
            text(
                "INSERT INTO audit (recorded_us, actor, action, subject, detail) "
                f"VALUES ({END_US}, 'ops:x', 'person_erased', 'hangzhou-r00001', '{{}}')"
            )
        )

    schema.upgrade(opened)

    with opened.reading() as unit:
        kept_words = unit.connection.execute(select(decision_texts)).all()
        rows = [
            str(row)
            for table in (appeal_decisions, review_decisions, suspension_lifts)
            for row in unit.connection.execute(select(table))
        ]
        assert list(changed_words(unit)) == []
    assert {row.reason for row in kept_words} <= {*said}
    assert {row.reason for row in kept_words} >= {"先上课", "已电话沟通", "已沟通"}
    assert [row for row in kept_words if row.rider_id == "hangzhou-r00001"] == []
    assert [row for row in rows if any(words in row for words in said)] == []
    schema.downgrade(opened, "r0006")
    with opened.reading() as unit:
        old = unit.connection.execute(text("SELECT reason FROM review_decisions ORDER BY reason")).scalars().all()
    assert set(old) == {"", "(erased)", "先上课", "危险驾驶", "已电话沟通"}
    schema.upgrade(opened)


@pytest.mark.parametrize("book", BOOKS)
def test_a_ledger_still_verifies(ledgers: Path, book: str) -> None:
    """Both runs, by the books and readings of their version."""
    for number in (1, 2):
        done = run("verify", f"{book}-ledger-{number}")
        assert done.exit_code == 0, done.output


@pytest.mark.parametrize("book", BOOKS)
def test_a_ledger_is_explained(ledgers: Path, book: str) -> None:
    """Each line of a rider of 0.1.0 has its sentence, with the minutes that its own column states."""
    entries = pq.read_table(f"{book}-ledger-1/entries.parquet")
    late = entries.filter(pc.and_(pc.greater(entries["late_s"], 0), pc.less(entries["delta_mp"], 0))).slice(0, 1)
    (line,) = late.to_pylist()

    done = run(
        "explain",
        f"{book}-ledger-1",
        "--rider",
        line["rider_id"],
        "--event",
        line["event_id"],
        "--json",
        "--lang",
        "en",
    )

    assert done.exit_code == 0, done.output
    (explained,) = [
        entry for entry in json.loads(done.stdout)["entries"] if entry["line"]["entry_id"] == line["entry_id"]
    ]
    assert explained["line"]["late_s"] == line["late_s"]
    assert "of_late_s" not in entries.column_names


@pytest.mark.parametrize("book", BOOKS)
def test_a_ledger_is_loaded_and_compared(ledgers: Path, book: str) -> None:
    """The lines of both runs stand in a new database as 0.1.0 wrote them, line by line, and it vouches for them."""
    whole = in_one(ledgers, book)
    url = f"sqlite:///{ledgers / 'loaded.db'}"
    upgraded = run("db", "upgrade", "--database-url", url)

    loaded = run("db", "load", str(whole), "--state", f"{book}-state", "--database-url", url)

    assert (upgraded.exit_code, loaded.exit_code) == (0, 0), loaded.output
    for number in (1, 2):
        compared = run("verify", f"{book}-ledger-{number}", "--database", url)
        assert compared.exit_code == 0, compared.output
    assert run("verify", "--database", url).exit_code == 0


def in_one(folder: Path, book: str) -> Path:
    """The two ledgers of a book as one run would have left them: the second began where the first ended."""
    whole = folder / f"{book}-whole"
    shutil.copytree(folder / f"{book}-ledger-2", whole)
    parts = [pq.read_table(folder / f"{book}-ledger-{number}" / "entries.parquet") for number in (1, 2)]
    lines = pa.concat_tables([part.cast(parts[0].schema) for part in parts])
    pq.write_table(lines, whole / "entries.parquet")
    document = json.loads((whole / "run.json").read_text(encoding="utf-8"))
    document |= {"carried": None, "counts": document["counts"] | {"entries": lines.num_rows}}
    (whole / "run.json").write_text(json.dumps(document), encoding="utf-8")
    return whole


@pytest.mark.parametrize("book", BOOKS)
def test_a_state_goes_on(ledgers: Path, book: str) -> None:
    """Another day after the state of 0.1.0 gives the scores of one run over all days, and `verify` passes."""
    named = str(kept.TABLE) if book == "auto" else f"{book}.toml"

    went_on = run("score", "days-3.csv", "--book", named, "--state", f"{book}-state", "--out", "next")
    at_once = run("score", "days-1.csv", "days-2.csv", "days-3.csv", "--book", named, "--out", "whole")

    assert (went_on.exit_code, at_once.exit_code) == (0, 0), went_on.output + at_once.output
    assert run("verify", "next").exit_code == 0
    stated = pq.read_table("next/entries.parquet")
    assert {"of_late_s", "late_counted_s", "money_kind"} <= {*stated.column_names}
    assert stated["rider_id"].type == pa.string()
    whole = scores_of(ledgers / "whole")
    assert {rider: whole[rider] for rider in scores_of(ledgers / "next")} == scores_of(ledgers / "next")


def scores_of(folder: Path) -> dict[str, int]:
    """Each rider's score at the end of a run."""
    riders = pq.read_table(folder / "riders.parquet", columns=["rider_id", "score_mp"])
    return dict(zip(*(column.to_pylist() for column in riders.columns), strict=True))


def test_a_demo_is_opened_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same city goes on: nothing of it is made anew, and its database stays a demo's."""
    folder = kept.demo(tmp_path)
    monkeypatch.chdir(tmp_path)
    before = json.loads((folder / "demo.json").read_text(encoding="utf-8"))
    events = set(pq.read_table(folder / "events.parquet")["event_id"].to_pylist())

    shown = run("demo", "--no-serve", "--dir", "demo-data", "--lang", "en")

    assert shown.exit_code == 0, shown.output
    after = json.loads((folder / "demo.json").read_text(encoding="utf-8"))
    # Its data go up to now, so it has more days.
    assert {name: after[name] for name in before if name != "days"} | {"days": before["days"]} == before
    assert events <= set(pq.read_table(folder / "events.parquet")["event_id"].to_pylist())
    assert before["first_day"] in shown.stderr
    assert run("verify", "demo-data/ledger").exit_code == 0


def test_the_database_of_a_demo_is_served_as_one(tmp_path: Path) -> None:
    """With one-click roles, as 0.1.0 served it."""
    folder = kept.demo(tmp_path)
    shutil.rmtree(folder / "ledger-fine")
    store = Store(f"sqlite:///{folder / 'riderscore.db'}")
    schema.upgrade(store)
    store.close()
    settings = Settings(database_url=f"sqlite:///{folder / 'riderscore.db'}", demo=True)

    with TestClient(create_app(settings, hooks=(), clock=lambda: END_US + 60_000_000)) as client:
        page = client.get("/login")

    assert page.status_code == 200
    assert page.text.count('action="/login/demo"') > 3
