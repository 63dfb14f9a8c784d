"""`riderscore init`: a folder to begin with, that holds a rule book, a deployment table, a day of events, and what to type."""

import sys
from pathlib import Path
from typing import Final

import click

from api.cli.console import USAGE, lang_option, print_message
from api.cli.option_types import OUTPUT_PATH
from rules.text import Lang, text

STARTER: Final = Path(__file__).parent / "starter"
_FILES: Final = ("day.csv", "my-city.toml", "deployment.toml")
_README: Final = "README.md"


@click.command("init")
@click.argument("directory", metavar="DIR", type=OUTPUT_PATH)
@lang_option
def init(directory: Path, lang: Lang) -> None:
    """Make a folder to begin with: a rule book, a deployment table, a sample day, and a README that uses them.

    DIR is made if need be. Nothing that stands there is replaced: exit code 2 where a file of one of these names is there.
    """
    from api.files.atomic import atomic_file

    there = [name for name in (*_FILES, _README) if (directory / name).exists()]
    if there:
        print_message(lang, "init.there", folder=directory, names=", ".join(there))
        sys.exit(USAGE)
    sources = {name: STARTER / name for name in _FILES} | {_README: STARTER / f"README.{lang}.md"}
    for name, source in sources.items():
        with atomic_file(directory / name) as path:
            path.write_bytes(source.read_bytes())
    click.echo(text(lang, "init.done", folder=directory, readme=directory / _README))
