"""The one door to books on disk."""

import datetime as dt
import os
from pathlib import Path

import pytest

from rules import shelf
from rules.errors import BookError
from rules.parse import parse

GOOD = (Path(__file__).parent / "gallery" / "good.toml").read_text("utf-8")
SHIPPED = (
    "gbt-46862-reference",
    "jd-service-score",
    "legacy-fine",
    "meituan-anzhun",
    "taobao-crowdsourced",
    "taobao-dedicated",
)


def codes_of(reference: str) -> list[str]:
    """The codes of the faults that a reference gives."""
    with pytest.raises(BookError) as caught:
        shelf.find(reference)
    return [fault.code for fault in caught.value.faults]


def put(folder: Path, day: str, text: str = GOOD, book_id: str = "good") -> Path:
    """A version of the good book in a folder, in force from a day."""
    folder.mkdir(exist_ok=True)
    path = folder / f"{day}.toml"
    path.write_text(text.replace("2026-01-01", day).replace('"good"', f'"{book_id}"'), "utf-8")
    return path


def test_the_six_books_are_shipped() -> None:
    """The ids that the interfaces name, and no others."""
    assert shelf.shipped() == SHIPPED


@pytest.mark.parametrize("book_id", SHIPPED)
def test_a_book_written_out_in_full_is_the_same_book(book_id: str) -> None:
    """`show` can be parsed again to the same digest, whatever the book extends."""
    for book in shelf.versions(book_id):
        again = parse(shelf.to_toml(book), "shown.toml")

        assert again.digest == book.digest


def test_a_bare_id_gives_all_versions() -> None:
    """The caller chooses the version by each event's time."""
    assert shelf.find("legacy-fine") == shelf.versions("legacy-fine")


def test_a_date_picks_the_version_in_force(tmp_path: Path) -> None:
    """A version is in force from its date on; before the first, the first stands in."""
    for day in ("2026-01-01", "2026-03-01"):
        put(tmp_path / "good", day)
    books = shelf.find(str(tmp_path / "good"))

    found = [shelf.in_force(books, dt.date(2026, month, day)) for month, day in ((2, 28), (3, 1))]
    before = shelf.in_force(books, dt.date(2018, 1, 1))

    assert [book.model.effective_from.month for book in found] == [1, 3]
    assert before is books[0]


def test_an_id_with_a_date_is_one_version() -> None:
    """`id@date` names the version in force on that day."""
    found = shelf.find("taobao-crowdsourced@2026-05-01")

    assert [book.model.effective_from for book in found] == [dt.date(2025, 12, 3)]


def test_a_file_is_one_book(tmp_path: Path) -> None:
    """A path to a TOML file needs no shelf."""
    path = put(tmp_path, "2026-01-01")

    found = shelf.find(str(path))

    assert [book.id for book in found] == ["good"]


def test_a_file_extends_a_shipped_book_by_id(tmp_path: Path) -> None:
    """A city builds on a shipped book without copying it."""
    path = tmp_path / "city.toml"
    path.write_text('id = "city"\neffective_from = 2026-02-01\nextends = "taobao-crowdsourced"\n', "utf-8")

    book = shelf.find(str(path))[0]

    assert [rule.id for rule in book.model.rule] == ["on_time", "late_5", "late_over_5"]


def test_a_folder_beside_comes_before_a_shipped_book(tmp_path: Path) -> None:
    """An operator's own national book is found next to the city's folder, in the version then in force."""
    put(tmp_path / "national", "2026-01-01", book_id="national")
    put(tmp_path / "national", "2026-06-01", GOOD.replace("points = -2", "points = -1.5"), book_id="national")
    city = tmp_path / "city"
    city.mkdir()
    (city / "2026-03-01.toml").write_text('id = "city"\neffective_from = 2026-03-01\nextends = "national"\n', "utf-8")

    book = shelf.find(str(city))[0]

    assert book.model.rule[-1].points_mp == -2_000


def test_a_version_may_extend_the_one_before(tmp_path: Path) -> None:
    """A new version states its changes only."""
    put(tmp_path / "good", "2026-01-01")
    (tmp_path / "good" / "2026-03-01.toml").write_text(
        'id = "good"\neffective_from = 2026-03-01\nannounced = 2026-02-01\nextends = "good"\nlate_days = 3\n', "utf-8"
    )

    books = shelf.find(str(tmp_path / "good"))

    assert [book.model.late_days for book in books] == [7, 3]


def test_faults_of_all_versions_come_together(tmp_path: Path) -> None:
    """One broken version does not hide another's faults, nor a wrong name or id."""
    put(tmp_path / "good", "2026-01-01")
    put(tmp_path / "good", "2026-02-01", GOOD.replace("points = -2", "points = x"))
    put(tmp_path / "good", "2026-03-01", GOOD.replace("base = 70", 'base = "70"'))
    put(tmp_path / "good", "2026-04-01", book_id="other").rename(tmp_path / "good" / "spring.toml")

    codes = codes_of(str(tmp_path / "good"))

    assert codes == ["toml_syntax", "expected_number", "name_not_date", "mixed_ids"]


@pytest.mark.parametrize(
    ("reference", "code"),
    [
        ("taobao-crowdsorced", "unknown_book"),
        ("", "no_such_book"),
        ("taobao-crowdsourced@soon", "bad_reference_date"),
        ("nowhere@2026-01-01", "no_such_book"),
        ("nowhere/at/all.toml", "not_found"),
        ("nowhere/at/all", "not_found"),
    ],
)
def test_what_is_not_there_is_told(reference: str, code: str) -> None:
    """A reference to nothing is a fault that says what there is."""
    assert codes_of(reference) == [code]


def test_a_misspelt_id_is_met_with_the_nearest() -> None:
    """The message guesses what was meant."""
    with pytest.raises(BookError, match="did you mean taobao-crowdsourced") as caught:
        shelf.find("taobao-crowdsorced")

    assert "legacy-fine" in caught.value.faults[0].allowed


def test_folders_and_files_that_cannot_be_read_are_faults(tmp_path: Path) -> None:
    """An empty folder, a folder named like a file, a file without permission, an empty file."""
    (tmp_path / "empty").mkdir()
    (tmp_path / "folder.toml").mkdir()
    (tmp_path / "nothing.toml").touch()
    secret = put(tmp_path, "2026-01-01")
    secret.chmod(0)

    assert codes_of(str(tmp_path / "empty")) == ["no_versions"]
    assert codes_of(str(tmp_path / "folder.toml")) == ["is_directory"]
    assert codes_of(str(tmp_path / "nothing.toml")) == ["empty_file"]
    if os.geteuid() != 0:
        assert codes_of(str(secret)) == ["unreadable"]


def test_a_stored_book_extends_a_shipped_one() -> None:
    """A document from a database finds the shipped version in force on its day, and no files."""
    text = 'id = "city"\neffective_from = 2026-02-01\nextends = "{parent}"\n'

    book = parse(text.format(parent="legacy-fine"), "city@2026-02-01", shelf.shipped_parent)
    with pytest.raises(BookError) as caught:
        parse(text.format(parent="../legacy-fine/2020-01-01.toml"), "city@2026-02-01", shelf.shipped_parent)

    assert book.model.regime == "legacy"
    assert [fault.code for fault in caught.value.faults] == ["unknown_parent"]


def test_free_words_of_the_reference_are_plain() -> None:
    """The newest version says what a minute costs, in both languages; the words of older versions stay as they were."""
    notes = [
        next(rule.note for rule in book.model.rule if rule.id == "late")
        for book in shelf.versions("gbt-46862-reference")
    ]

    assert [note is not None and "断崖" in note.zh for note in notes] == [True, False]
    assert notes[-1] is not None
    assert notes[-1].en.startswith("Points are taken off minute by minute")
