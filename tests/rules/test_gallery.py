"""One deliberately broken book per mistake: `gallery/<fault code>.toml`, the expected messages in its first lines."""

from pathlib import Path

import pytest

from rules import shelf
from rules.check import check
from rules.errors import BookError, Fault
from rules.text import LANGS, Lang

GALLERY = Path(__file__).parent / "gallery"
BROKEN = sorted(path.stem for path in GALLERY.glob("*.toml") if path.stem != "good")


def faults_of(file: str) -> tuple[Fault, ...]:
    """Everything that reading and checking one file finds."""
    try:
        return check(shelf.find(file))
    except BookError as error:
        return error.faults


def expected(name: str, lang: Lang) -> list[str]:
    """The messages that a file of the gallery announces in its first lines."""
    content = (GALLERY / f"{name}.toml").read_bytes()
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = content.decode("gbk")
    return [line.removeprefix(f"# {lang}: ") for line in text.splitlines() if line.startswith(f"# {lang}: ")]


def test_the_good_book_has_no_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    """The book that the gallery breaks is faultless itself, so each file shows its own mistake only."""
    monkeypatch.chdir(GALLERY)

    found = faults_of("good.toml")

    assert found == ()


@pytest.mark.parametrize("lang", LANGS)
@pytest.mark.parametrize("name", BROKEN)
def test_each_mistake_is_told_with_place_value_and_remedy(
    name: str, lang: Lang, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each broken book gives exactly the messages it announces, in both languages, under the code it is named after."""
    monkeypatch.chdir(GALLERY)

    found = faults_of(f"{name}.toml")

    assert [fault.describe(lang) for fault in found] == expected(name, lang)
    assert name.split("-", 1)[0] in {fault.code for fault in found}


@pytest.mark.parametrize("name", BROKEN)
def test_each_message_names_the_file_and_what_was_given(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A message begins with its file and holds the rule, the key's value and one line."""
    monkeypatch.chdir(GALLERY)

    found = faults_of(f"{name}.toml")

    for fault in found:
        line = fault.describe("en")
        assert line.startswith(f"{name}.toml: ")
        assert fault.rule in line
        assert "\n" not in line
