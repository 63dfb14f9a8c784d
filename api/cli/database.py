"""Commands that work on a database: where it is, whether it can be used."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import click

from api.cli.console import FAILED, USAGE, say
from rules.text import Lang

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


@contextmanager
def opened(url: str, lang: Lang) -> Iterator[Any]:
    """A store by URL; what is wrong with it ends the command."""
    from api.store.units import InMemoryError, Store, UnknownDatabaseError, UnreachableError, told

    try:
        store = Store(url)
    except UnknownDatabaseError as error:
        say(lang, "store.unknown_url", url=error)
        sys.exit(USAGE)
    except InMemoryError as error:
        say(lang, "store.in_memory", url=error)
        sys.exit(USAGE)
    try:
        with told():
            yield store
    except UnreachableError as error:
        say(lang, "store.unreachable", url=store.shown_url, reason=error)
        sys.exit(FAILED)
    finally:
        store.close()


def need_head(store: Any, lang: Lang) -> None:
    """End the command if not all migrations are in."""
    from api.store import schema

    found, wanted = schema.revision_of(store), schema.head()
    if found != wanted:
        key = "store.empty" if found is None else "store.outdated"
        say(lang, key, url=store.shown_url, found=found, revision=wanted)
        sys.exit(USAGE)
