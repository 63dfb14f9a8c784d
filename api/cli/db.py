"""`riderscore db`: bring a database up to date, say whether it is, load a ledger into it."""

import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from api.cli.console import (
    DIFFERENCES,
    json_option,
    lang_option,
    print_json,
    print_message,
)
from api.cli.database import check_is_upgraded, check_platform, database_option, open_store, upgrade_store
from api.cli.progress import shown_progress
from api.clock import now_us
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

    with open_store(database_url, lang, makes=True) as store:
        ended = upgrade_store(store, lang)
        shown, platform = store.shown_url, check_platform(store, lang)
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
    with open_store(database_url, lang, makes=True) as store:
        shown, current = store.shown_url, schema.revision_of(store)
    wanted = schema.head()
    if as_json:
        print_json({"database": shown, "revision": current, "head": wanted, "at_head": current == wanted})
    elif current == wanted:
        click.echo(text(lang, "store.at_head", url=shown, revision=wanted))
    elif current is None:
        click.echo(text(lang, "store.empty", url=shown, revision=wanted))
    else:
        click.echo(text(lang, "store.outdated", url=shown, found=current, revision=wanted))
    if current != wanted:
        sys.exit(DIFFERENCES)


@db.command("load")
@click.argument("ledger", metavar="LEDGER_DIR", type=click.Path(path_type=Path))
@click.option(
    "--state", required=True, type=click.Path(path_type=Path), help="The state that the same run of score wrote."
)
@database_option
@lang_option
@json_option
def load_command(ledger: Path, state: Path, database_url: str, lang: Lang, as_json: bool) -> None:
    """Load what `riderscore score … --out LEDGER_DIR --state STATE_DIR` wrote; posting events goes on from there.

    Books, where they are in force (in cities that have none), events, entries with their chain of hashes and what the next
    post needs of each rider, some thousand riders a transaction. Run it again after a kill: riders who are there are left as they are. Daily ledgers go in day by day.
    """
    with open_store(database_url, lang) as store:
        check_is_upgraded(store, lang)
        check_platform(store, lang)
        loaded = _load(store, ledger, state, lang)
        placed = _place(store, ledger, state, lang)
        shown = store.shown_url
    counts = {
        "riders": loaded.num_riders,
        "riders_there": loaded.num_there,
        "entries": loaded.num_entries,
        "events": loaded.num_events,
    }
    if placed:
        print_message(lang, "deploy.loaded", places=placed)
    if as_json:
        print_json({"database": shown, **counts, "places_in_force": placed})
    else:
        click.echo(text(lang, "store.loaded", url=shown, **counts))


def _place(store: Any, ledger: Path, state: Path, lang: Lang) -> int:
    """Put in force, where nothing is, what the ledger was scored by; how many cities and kinds of riders that are."""
    from api.books.deployment import COMMAND, put_in_force
    from api.runs.loadable import books_of_state, places_of_ledger

    books = books_of_state(state)
    fines = {book.id for book in books if book.model.regime == "legacy"}
    rows = places_of_ledger(ledger, state)
    for book_id in sorted({row.book for row in rows} & fines):
        print_message(lang, "deploy.legacy", book=book_id, command=COMMAND)
    with store.writing(now_us()) as unit:
        done = put_in_force(unit, "cli:db_load", [row for row in rows if row.book not in fines], books)
    if done.kept:
        print_message(lang, "deploy.kept", places=", ".join(place.words for place in done.kept))
    return len({(row.city, row.rider_kind) for row in done.rows})


def _load(store: Any, ledger: Path, state: Path, lang: Lang) -> Any:
    """Books first, then the riders block by block, each block a transaction."""
    from api.books import in_force
    from api.books.deployment import need_unchanged
    from api.ledger.loading import LedgerPart, LoadCounts, agree_on_readings, load_part
    from api.runs.loadable import books_of_state, loadable_parts, num_riders

    loaded, published = LoadCounts(), False
    with shown_progress(lang, text(lang, "cli.stage_load")) as shown:
        for part in loadable_parts(ledger, state):
            if not published:
                with store.writing(now_us()) as unit:
                    agree_on_readings(unit, part)
                    need_unchanged(unit, books_of_state(state))
                    in_force.publish(unit, books_of_state(state))
                published = True
                shown.update(total=num_riders(ledger))
            done = 0
            for stop_, block in load_part(store, LedgerPart(part), now_us):
                loaded = loaded.plus(block)
                shown.advance(stop_ - done)
                done = stop_
    return loaded
