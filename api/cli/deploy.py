"""`riderscore deploy`: which book is in force where, and the first one for a city that has none."""

import datetime as dt
from typing import Any

import click

from api.cli.console import json_option, lang_option, out_console, print_json, print_message, usage_text
from api.cli.database import check_is_upgraded, check_platform, database_option, open_store
from rules.errors import BookError
from rules.events import RIDER_KINDS
from rules.text import Lang, text

ACTOR = "cli:deploy"
CITY_LENGTH_MAX = 128


def parse_city(ctx: click.Context, param: click.Parameter, value: str) -> str:
    """A city as events name it."""
    city = value.strip()
    if not (city.isprintable() and 0 < len(city) <= CITY_LENGTH_MAX):
        raise click.BadParameter(usage_text(ctx, "city", given=value, most=CITY_LENGTH_MAX))
    return city


@click.group("deploy")
def deploy() -> None:
    """Which rule book is in force in which city, for which riders, since when."""


@deploy.command("list")
@click.option("--city", default=None, help="Only this city.")
@database_option
@lang_option
@json_option
def list_command(city: str | None, database_url: str, lang: Lang, as_json: bool) -> None:
    """Show where books are in force or will be, with source and confidence of each row."""
    from api.books.in_force import deployed
    from api.cli.tables import plain_table

    with open_store(database_url, lang) as store:
        check_is_upgraded(store, lang)
        with store.reading() as unit:
            rows = [row for row in deployed(unit) if city in (None, row.city)]
        shown = store.shown_url
    rows.sort(key=lambda row: (row.city, row.rider_kind, row.from_))
    if as_json:
        print_json({"database": shown, "rows": [_document(row) for row in rows]})
    elif rows:
        names = ("city", "rider_kind", "book", "from", "confidence", "source")
        table = plain_table(*(text(lang, f"deploy.column_{name}") for name in names), left=len(names))
        for row in rows:
            kind = text(lang, f"word.{row.rider_kind}")
            table.add_row(row.city, kind, row.book, row.from_.isoformat(), row.confidence or "–", row.source or "–")
        out_console().print(table)
    else:
        print_message(lang, "deploy.nothing", url=shown)


@deploy.command("set")
@click.option("--city", required=True, callback=parse_city, help="As events name it.")
@click.option("--rider-kind", "kind", type=click.Choice(RIDER_KINDS), help="By default all kinds that the book is for.")
@click.option("--book", "reference", required=True, help="Id of a stored or shipped book, or a TOML file.")
@click.option(
    "--from",
    "day",
    type=click.DateTime(["%Y-%m-%d"]),
    help="The local day from which it judges (default: today, or its own first day if that is later).",
)
@click.option("--source", default=None, help="Where the decision stands, for `deploy list` and the audit trail.")
@database_option
@lang_option
@json_option
def set_command(
    city: str, kind: str | None, reference: str, day: dt.datetime | None, source: str | None, database_url: str,
    lang: Lang, as_json: bool,
) -> None:  # fmt: skip
    """Put a rule book in force in a city where none is; a running service judges by it at once.

    Where a book is in force already, or will be, changes go through a draft and a second person's approval.
    """
    from api.books.deployment import need_free, put_in_force
    from api.clock import now_us

    with open_store(database_url, lang) as store:
        check_is_upgraded(store, lang)
        check_platform(store, lang)
        with store.writing(now_us()) as unit:
            versions = _versions(unit, reference)
            rows = _rows(versions, city, kind, None if day is None else day.date(), source, unit.recorded_us)
            need_free(unit, rows)
            put_in_force(unit, ACTOR, rows, versions)
        shown = store.shown_url
    if as_json:
        print_json({"database": shown, "rows": [_document(row) for row in rows]})
        return
    for row in rows:
        named = {"city": row.city, "kind": text(lang, f"word.{row.rider_kind}")}
        click.echo(text(lang, "deploy.done", url=shown, book=row.book, date=row.from_.isoformat(), **named))


def _versions(unit: Any, reference: str) -> tuple[Any, ...]:
    """The book: the stored one of that id, else a shipped one or a file."""
    from api.books.in_force import books_stored
    from rules.shelf import deployable, find, shipped

    stored = tuple(book for book in books_stored(unit) if book.id == reference)
    if stored:
        # A day before what is stored may be that of a pilot.
        early = deployable(reference) if reference in shipped() else ()
        return (*(book for book in early if book.model.effective_from < stored[0].model.effective_from), *stored)
    return deployable(reference) if reference in shipped() else find(reference)


def _rows(
    versions: tuple[Any, ...], city: str, kind: str | None, day: dt.date | None, source: str | None, now_us: int
) -> list[Any]:
    """A row for each kind of riders; faults of the book for them end the command."""
    from rules.calendar import calendar
    from rules.deployment import Deploy, row_faults

    model = versions[0].model
    if day is None:
        day = max(calendar(model.time_zone, model.day_starts).date_of(now_us), model.effective_from)
    kinds = model.rider_kinds if kind is None else (kind,)
    fields = {"city": city, "book": model.id, "from": day, "source": source or ACTOR, "confidence": "ours"}
    rows = [Deploy.model_validate(fields | {"rider_kind": rider_kind}) for rider_kind in kinds]
    faults = tuple(fault for row in rows for fault in row_faults(row, "deploy set", lambda _book: versions))
    if faults:
        raise BookError(faults)
    return rows


def _document(row: Any) -> dict[str, Any]:
    """A row as JSON."""
    document: dict[str, Any] = row.model_dump(mode="json", by_alias=True, exclude_none=True, exclude={"example"})
    return document


def put_table(store: Any, chosen: Any, lang: Lang) -> dict[str, Any]:
    """Put the rows of a deployment table in force where nothing is: in how many places, and which stay as they are."""
    from api.books.deployment import put_in_force
    from api.clock import now_us

    with store.writing(now_us()) as unit:
        done = put_in_force(unit, "cli:serve", chosen.table.rows, chosen.books)
    return {
        "places": len({(row.city, row.rider_kind) for row in done.rows}),
        "kept": [place.words for place in done.kept],
    }


def table_for(reference: str, platform: str, lang: Lang) -> Any:
    """A deployment table for a database of a platform; what is wrong with it ends the command."""
    from api.runs.plan import table_of_platform

    return table_of_platform(reference, platform)
