"""What people read and install from: README, docs, locked versions, and nothing of one machine in any file."""

import dataclasses
import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from api.app.create import create_app
from api.cli.main import main
from api.settings import PREFIX, Settings
from tests.architecture.sources import PACKAGES, ROOT, tracked

README_LINES_MAX, README_BYTES_MAX = 120, 8_192
CODE_PATH = re.compile(r"`([a-z_]+/[\w/]+\.(?:py|toml|md|json))`")
OF_THE_PAST = {"CHANGELOG.md", "openapi-changes.md"}
LINK = re.compile(r"\]\(([^)\s]+)\)")
# Folders that exist on the machine of whoever wrote a file, and nowhere else.
MACHINE = ("/" + "work/main", "/" + "work/shared", "/" + "root/", "/" + "opt/wheels", str(Path.home()) + "/")


def commands(group: click.Command, path: tuple[str, ...] = ("riderscore",)) -> Iterator[tuple[str, click.Command]]:
    """Every command that can be called, with the words that call it."""
    if not isinstance(group, click.Group):
        yield " ".join(path), group
        return
    with click.Context(group) as context:
        for name in group.list_commands(context):
            command = group.get_command(context, name)
            assert command is not None, name
            yield from commands(command, (*path, name))


def test_every_key_of_a_book_is_described() -> None:
    """Each has a row on the page about rule books."""
    from rules.json_form import book_schema

    page = (ROOT / "docs" / "reference" / "book.md").read_text(encoding="utf-8")
    keys = {key for part in [book_schema(), *book_schema()["$defs"].values()] for key in part.get("properties", {})}

    assert [key for key in sorted(keys) if f"| `{key}`" not in page] == []


def test_every_setting_has_a_row() -> None:
    """Each variable of the environment that is read."""
    page = (ROOT / "docs" / "reference" / "settings.md").read_text(encoding="utf-8")

    assert [name for name in settings() if f"| `{name}`" not in page] == []


def settings() -> list[str]:
    """The variables' names."""
    return [f"{PREFIX}{field.name.upper()}" for field in dataclasses.fields(Settings)]


def test_every_route_has_a_heading() -> None:
    """Each path of the API with each of its methods."""
    page = (ROOT / "docs" / "reference" / "http.md").read_text(encoding="utf-8")
    routes = create_app(Settings()).openapi()["paths"].items()

    missing = [
        f"{verb.upper()} {path}"
        for path, methods in routes
        for verb in methods
        if f"### {verb.upper()} {path}\n" not in page
    ]
    assert missing == []


def test_readme_is_short() -> None:
    """What a newcomer reads first fits on a few screens; everything else is in docs."""
    for name in ("README.md", "README.zh-CN.md"):
        text = (ROOT / name).read_text(encoding="utf-8")
        assert len(text.splitlines()) <= README_LINES_MAX, name
        assert len(text.encode()) <= README_BYTES_MAX, name


def test_every_command_says_what_it_does() -> None:
    """Each command and each option has a line of help, but for those whose choices say it."""
    silent = [
        f"{path} {'/'.join(parameter.opts)}"
        for path, command in commands(main)
        for parameter in command.params
        if isinstance(parameter, click.Option) and not parameter.help and not isinstance(parameter.type, click.Choice)
    ]

    assert silent == []
    assert [path for path, command in commands(main) if not command.help] == []


def test_links_in_documents_lead_somewhere() -> None:
    """Every relative link of a Markdown file names a file that is there."""
    broken = [
        f"{path.relative_to(ROOT)}: {target}"
        for path in tracked()
        if path.suffix == ".md"
        for target in LINK.findall(path.read_text(encoding="utf-8"))
        if not re.match(r"[a-z]+:|#", target) and not (path.parent / target.partition("#")[0]).exists()
    ]

    assert broken == []


def test_files_that_documents_name_are_there() -> None:
    """A path of code in a Markdown file, such as `scoring/kernel.py`, leads somewhere; changes and decisions may name old ones."""
    missing = [
        f"{path.relative_to(ROOT)}: {name}"
        for path in tracked()
        if path.suffix == ".md" and path.name not in OF_THE_PAST
        for name in CODE_PATH.findall(path.read_text(encoding="utf-8"))
        if name.partition("/")[0] in (*PACKAGES, "tests", "docs") and not (ROOT / name).exists()
    ]

    assert missing == []


def test_locked_versions_name_no_address() -> None:
    """Requirement files work with any index: versions and hashes, no address, every package pinned by hash."""
    for path in sorted((ROOT / "requirements").glob("*.txt")):
        text = path.read_text(encoding="utf-8")
        assert not re.search(r"https?:|file:|--index|--find-links|--extra|@ ", text), path.name
        pins = re.findall(r"^[A-Za-z0-9_.\-]+(?:\[[^]]+\])?==\S+.*\\\n\s+--hash=sha256:", text, re.MULTILINE)
        assert len(pins) == len(re.findall(r"^[A-Za-z0-9]", text, re.MULTILINE)), path.name


def test_the_lock_of_client_tools_names_no_address() -> None:
    """The npm lock holds versions and hashes alone: no place to fetch from, nobody's page for donations."""
    for path in sorted((ROOT / "requirements").rglob("*.json")):
        assert re.findall(r"\bhttps?://\S+", path.read_text(encoding="utf-8")) == [], path.name


@pytest.mark.parametrize("folder", MACHINE)
def test_no_file_names_a_folder_of_one_machine(folder: str) -> None:
    """Nothing under version control depends on where it was written."""
    needle = folder.encode()

    assert [str(path.relative_to(ROOT)) for path in tracked() if needle in path.read_bytes()] == []
