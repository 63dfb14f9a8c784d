"""`riderscore db`: bring a database up to date, or say whether it is."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import click

from api.cli.console import FAILED, FOUND, USAGE, json_option, lang_option, print_json, say
from rules.text import Lang, text

F = TypeVar("F", bound=Callable[..., Any])


def database_option(command: F) -> F:
    """Add `--database-url`."""
    return click.option(
        "--database-url",
        envvar="RIDERSCORE_DATABASE_URL",
        default="sqlite:///riderscore.db",
        show_default=True,
        show_envvar=True,
        help="sqlite:///FILE or postgresql://USER@HOST/NAME.",
    )(command)


@click.group("db")
def db() -> None:
    """Tables of the service's database: SQLite by default, PostgreSQL by URL."""


@db.command("upgrade")
@database_option
@lang_option
@json_option
def upgrade_command(database_url: str, lang: Lang, as_json: bool) -> None:
    """Create the tables, or bring older ones up to date."""
    from api.store import schema

    with opened(database_url, lang) as store:
        schema.upgrade(store)
        shown = store.shown_url
    if as_json:
        print_json({"database": shown, "revision": schema.head()})
    else:
        click.echo(text(lang, "store.upgraded", url=shown, revision=schema.head()))


@db.command("check")
@database_option
@lang_option
@json_option
def check_command(database_url: str, lang: Lang, as_json: bool) -> None:
    """Say whether all migrations are in; exits with 3 if they are not."""
    from api.store import schema

    with opened(database_url, lang) as store:
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


@contextmanager
def opened(url: str, lang: Lang) -> Iterator[Any]:
    """A store by URL; what is wrong with it ends the command."""
    from api.store.units import Store, UnknownDatabaseError, UnreachableError, told

    try:
        store = Store(url)
    except UnknownDatabaseError:
        say(lang, "store.unknown_url", url=url)
        sys.exit(USAGE)
    try:
        with told():
            yield store
    except UnreachableError as error:
        say(lang, "store.unreachable", url=store.shown_url, reason=error)
        sys.exit(FAILED)
    finally:
        store.close()
