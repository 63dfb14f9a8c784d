"""`riderscore token`: keys for programs and people, made, listed and ended on the server."""

import datetime as dt
import sys
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from api.cli.console import USAGE, json_option, lang_option, print_json, print_message
from api.cli.database import check_is_upgraded, check_platform, database_option, open_store
from api.cli.option_types import WholeNumber
from rules.text import Lang, text

if TYPE_CHECKING:
    from api.access.keys import Key

ROLES = ("rider", "ops", "approver", "policy", "platform")
EVERYWHERE = "*"


@click.group("token")
def token() -> None:
    """API keys: each is shown once, when it is made."""


@token.command("create")
@click.option("--role", type=click.Choice(ROLES), required=True, help="What the key may do.")
@click.option("--subject", default="", help="Who has it: a person, a platform; for riders their own rider id.")
@click.option("--city", "cities", multiple=True, help="Where it is good; again for more cities. Riders: their own.")
@click.option("--all-cities", is_flag=True, help="It is good everywhere.")
@click.option(
    "--expires-days",
    type=WholeNumber(1, 3_650),
    help="Days until it ends; without: riders 30 (at most), people 90, platforms 365.",
)
@database_option
@lang_option
@json_option
def create_command(
    role: str,
    subject: str,
    cities: tuple[str, ...],
    all_cities: bool,
    expires_days: int | None,
    database_url: str,
    lang: Lang,
    as_json: bool,
) -> None:
    """Make a key and print it, alone on stdout; its secret is stored as a hash.

    Asks on a terminal where the key is good if neither --city nor --all-cities is there; elsewhere that is refused.
    """
    from api.access import key_rights, keys
    from api.clock import now_us
    from api.db import clock_guard

    if role == "rider" and not subject:
        print_message(lang, "token.needs_subject")
        sys.exit(USAGE)
    if role != "rider":
        cities = _places(cities, all_cities, lang)
    elif all_cities:
        print_message(lang, "token.rider_city")
        sys.exit(USAGE)
    with open_store(database_url, lang) as store:
        check_is_upgraded(store, lang)
        check_platform(store, lang)
        print_message(lang, "token.database", url=store.shown_url)
        with store.writing(now_us()) as unit:
            clock_guard.require_believed_clock(unit)
            key, written = key_rights.make_key(
                unit, key_rights.ServerCommand(), keys.role_of(role), subject or role, cities, expires_days
            )
    if as_json:
        print_json({"token": written, **asdict(key)})
    else:
        until = "" if key.expires_us is None else _day(key.expires_us)
        click.echo(
            text(lang, "token.made", role=role, subject=key.subject, key_id=key.key_id, until=until), err=True
        )  # fmt: skip
        click.echo(written)


def _places(cities: Sequence[str], all_cities: bool, lang: Lang) -> tuple[str, ...]:
    """Where a key is to be good, empty for everywhere; asked for on a terminal."""
    if cities and all_cities:
        print_message(lang, "token.city_or_all")
        sys.exit(USAGE)
    if not cities and not all_cities:
        if not sys.stdin.isatty():
            print_message(lang, "token.needs_city")
            sys.exit(USAGE)
        typed = click.prompt(text(lang, "token.which_cities", everywhere=EVERYWHERE), err=True)
        cities = [city.strip() for city in typed.replace("，", ",").split(",") if city.strip()]
        all_cities = cities == [EVERYWHERE]
    if all_cities:
        return ()
    if not cities or not all(city.strip() == city != "" and city != EVERYWHERE for city in cities):
        print_message(lang, "token.no_such_city")
        sys.exit(USAGE)
    return tuple(dict.fromkeys(cities))


@token.command("list")
@database_option
@lang_option
@json_option
def list_command(database_url: str, lang: Lang, as_json: bool) -> None:
    """List all keys, ended ones included, and say which have no end."""
    from api.access import keys
    from api.clock import now_us

    with open_store(database_url, lang) as store:
        check_is_upgraded(store, lang)
        with store.reading() as unit:
            listed = keys.all_keys(unit)
    at_us = now_us()
    if as_json:
        print_json(
            [asdict(key) | {"state": _state(key, at_us), "has_end": key.expires_us is not None} for key in listed]
        )
    else:
        _show(listed, at_us, lang)
    endless = [key.key_id for key in listed if key.expires_us is None and key.is_good(at_us)]
    if endless:
        print_message(lang, "token.without_end", num=len(endless), keys=", ".join(endless))


@token.command("revoke")
@click.argument("key_id")
@click.option("--with-children", is_flag=True, help="End the keys that it made, too, those that these made, and so on.")
@database_option
@lang_option
@json_option
def revoke_command(key_id: str, with_children: bool, database_url: str, lang: Lang, as_json: bool) -> None:
    """End a key at once, with its sessions and open streams; keys that it made live on without --with-children."""
    from api.access import key_rights, keys
    from api.clock import now_us

    with open_store(database_url, lang) as store:
        check_is_upgraded(store, lang)
        with store.writing(now_us()) as unit:
            revoked = keys.revoke_key(unit, key_id, key_rights.ServerCommand().name, with_children=with_children)
    if as_json:
        print_json({"revoked": list(revoked.keys), "num_left": revoked.num_left})
        return
    click.echo(text(lang, "token.revoked", num=len(revoked.keys), keys=", ".join(revoked.keys)))
    if revoked.num_left:
        print_message(lang, "token.left", num=revoked.num_left)


def _state(key: "Key", at_us: int) -> str:
    if key.revoked_us is not None:
        return "revoked"
    return "good" if key.is_good(at_us) else "expired"


def _show(listed: "Sequence[Key]", at_us: int, lang: Lang) -> None:
    from api.cli.console import out_console
    from api.cli.tables import aligned, plain_table

    heads = ("key", "role", "holder", "cities", "maker", "until", "state")
    table = plain_table(*(text(lang, f"token.head_{head}") for head in heads), left=len(heads))
    for key in listed:
        table.add_row(*_cells(key, at_us, lang))
    console = out_console()
    with aligned(console):
        console.print(table)


def _cells(key: "Key", at_us: int, lang: Lang) -> tuple[Any, ...]:
    from rich.markup import escape

    until = text(lang, "token.never") if key.expires_us is None else _day(key.expires_us)
    where = ", ".join(key.cities) or text(lang, "token.everywhere")
    state = text(lang, f"token.state_{_state(key, at_us)}")
    cells = (key.key_id, text(lang, f"login.as_{key.role}"), key.subject, where, key.parent or key.created_by)
    return (*map(escape, cells), until, state)


def _day(at_us: int) -> str:
    return dt.datetime.fromtimestamp(at_us // 1_000_000, dt.UTC).date().isoformat()
