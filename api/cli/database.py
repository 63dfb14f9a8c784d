"""Commands that work on a database: where it is, whether it can be used."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import click

from api.cli.console import USAGE, print_message
from api.cli.failures import end_on
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


@contextmanager
def open_store(url: str, lang: Lang, *, makes: bool = False) -> Iterator[Any]:
    """A store by URL; what is wrong with it ends the command.

    Parameters
    ----------
    makes
        A missing SQLite file is made; else it ends the command.
    """
    from api.db.store import InMemoryError, Store, UnknownDatabaseError, UnreachableError, driver_errors

    try:
        store = Store(url)
    except UnknownDatabaseError as error:
        end_on(error, lang, [text(lang, "store.unknown_url", url=error)])
    except InMemoryError as error:
        end_on(error, lang, [text(lang, "store.in_memory", url=error)])
    try:
        if not makes and store.is_missing:
            print_message(lang, "store.missing", url=store.shown_url, path=store.path)
            sys.exit(USAGE)
        with driver_errors():
            yield store
    except UnreachableError as error:
        end_on(error, lang, [text(lang, "store.unreachable", url=store.shown_url, reason=error)])
    finally:
        store.close()


def upgrade_store(store: Any, lang: Lang) -> tuple[Any, ...]:
    """Bring a database up to date; riders' keys that this ended are told on stderr, a line each, and returned."""
    from api.access import keys
    from api.clock import now_us
    from api.db import schema

    before, began_us = schema.revision_of(store), now_us()
    if schema.is_of_others(store, before):
        print_message(lang, "store.of_others", url=store.shown_url)
        sys.exit(USAGE)
    schema.upgrade(store)
    if before == schema.head():
        return ()
    with store.reading() as unit:
        ended, endless = keys.ended_by_upgrade(unit, began_us), keys.num_without_end(unit)
    if ended:
        print_message(lang, "store.keys_ended", num=len(ended))
    for key in ended:
        print_message(
            lang, "store.key_ended",
            key_id=key.key_id, rider=key.rider_id, city=key.city or "", maker=key.created_by,
        )  # fmt: skip
    if endless:
        print_message(lang, "store.keys_without_end", num=endless)
    return ended


def check_platform(store: Any, lang: Lang) -> str:
    """Name the platform of a database that has none, or end the command where it serves another one."""
    from api.clock import now_us
    from api.db.identity import OtherPlatformError, claim_platform

    name = platform_of_environment(lang)
    try:
        with store.writing(now_us()) as unit:
            claim_platform(unit, name)
    except OtherPlatformError as error:
        shown = {"url": store.shown_url, "stored": error.stored, "asked": error.asked}
        end_on(error, lang, [text(lang, "store.other_platform", **shown)])
    return name


def platform_of_environment(lang: Lang) -> str:
    """The platform that the environment names (`RIDERSCORE_PLATFORM`)."""
    from api.settings import Settings

    return Settings.from_environment().platform


def check_is_upgraded(store: Any, lang: Lang) -> None:
    """End the command if not all migrations are in."""
    from api.db import schema

    current, head = schema.revision_of(store), schema.head()
    if current != head:
        key = "store.empty" if current is None else "store.outdated"
        print_message(lang, key, url=store.shown_url, found=current, revision=head)
        sys.exit(USAGE)
