"""`riderscore db`: bring a database up to date, say whether it is, load a ledger into it."""

import sys
from dataclasses import asdict

import click

from api.cli.console import FOUND, json_option, lang_option, print_json
from api.cli.database import database_option, need_platform, opened, upgraded
from api.cli.db_load import load_command
from rules.text import Lang, text


@click.group("db")
def db() -> None:
    """Tables of the service's database: SQLite by default, PostgreSQL by URL."""


@db.command("upgrade")
@database_option
@lang_option
@json_option
def upgrade_command(database_url: str, lang: Lang, as_json: bool) -> None:
    """Create the tables, or bring older ones up to date; says which keys that ends."""
    from api.db import schema

    with opened(database_url, lang, makes=True) as store:
        ended = upgraded(store, lang)
        shown, platform = store.shown_url, need_platform(store, lang)
    if as_json:
        done = {"database": shown, "revision": schema.head(), "platform": platform}
        print_json(done | {"keys_ended": [asdict(key) for key in ended]})
    else:
        click.echo(text(lang, "store.upgraded", url=shown, revision=schema.head()))


@db.command("check")
@database_option
@lang_option
@json_option
def check_command(database_url: str, lang: Lang, as_json: bool) -> None:
    """Say whether all migrations are in; exits with 3 if they are not."""
    from api.db import schema

    # Looking makes no file.
    with opened(database_url, lang, makes=True) as store:
        shown, found = store.shown_url, schema.revision_of(store)
    wanted = schema.head()
    if as_json:
        print_json({"database": shown, "revision": found, "head": wanted, "at_head": found == wanted})
    elif found == wanted:
        click.echo(text(lang, "store.at_head", url=shown, revision=wanted))
    elif found is None:
        click.echo(text(lang, "store.empty", url=shown, revision=wanted))
    else:
        click.echo(text(lang, "store.outdated", url=shown, found=found, revision=wanted))
    if found != wanted:
        sys.exit(FOUND)


db.add_command(load_command)
