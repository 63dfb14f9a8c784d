"""The reference is what the code says, and nothing that a user can name is without a page."""

import re

import click
import pytest

from docs.generated import PAGES, PLACE, commands, main


def options(command: click.Command) -> list[str]:
    """The long names of a command's options."""
    return [
        name
        for parameter in command.params
        if isinstance(parameter, click.Option) and not parameter.hidden
        for name in (*parameter.opts, *parameter.secondary_opts)
        if name.startswith("--")
    ]


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_what_the_code_says(name: str) -> None:
    """`python -m docs.generated` would change nothing."""
    assert (PLACE / name).read_text(encoding="utf-8") == PAGES[name](), "run `make docs-reference`"


def test_every_command_and_option_has_its_place() -> None:
    """Each command is a heading of the page about the command line, each of its options a row below it."""
    page = (PLACE / "command-line.md").read_text(encoding="utf-8")
    sections = dict(re.findall(r"^## (riderscore[^\n]*)\n(.*?)(?=^## |\Z)", page, re.MULTILINE | re.DOTALL))

    assert list(sections) == [path for path, _ in commands()]
    missing = {
        path: [name for name in options(command) if f"`{name}`" not in sections[path]] for path, command in commands()
    }
    assert {path: names for path, names in missing.items() if names} == {}


def test_every_code_of_an_error_has_words() -> None:
    """No row of the page about errors is without words."""
    page = (PLACE / "errors.md").read_text(encoding="utf-8")

    assert re.findall(r"^\| `[a-z_0-9]+` \|\s*\|", page, re.MULTILINE) == []


def test_writing_again_changes_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    """The pages do not depend on where, when or by whom they are made."""
    assert main() == 0
    assert capsys.readouterr().out == ""
