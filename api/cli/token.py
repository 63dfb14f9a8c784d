"""`riderscore token`: keys for programs and people."""

import sys
from dataclasses import asdict

import click

from api.cli.console import USAGE, json_option, lang_option, print_json, say
from api.cli.database import database_option, opened
from rules.text import Lang, text

ROLES = ("rider", "ops", "approver", "policy", "platform")


@click.group("token")
def token() -> None:
    """API keys: each is shown once, when it is made."""


@token.command("create")
@click.option("--role", type=click.Choice(ROLES), required=True, help="What the key may do.")
@click.option("--subject", default="", help="Who has it: a person, a platform; for riders their own rider id.")
@click.option("--city", "cities", multiple=True, help="Where it is good; again for more cities; everywhere without.")
@click.option("--expires-days", type=click.IntRange(1, 3_650), help="Days until it ends; without, never.")
@database_option
@lang_option
@json_option
def create_command(
    role: str,
    subject: str,
    cities: tuple[str, ...],
    expires_days: int | None,
    database_url: str,
    lang: Lang,
    as_json: bool,
) -> None:
    """Make a key and print it, alone on stdout; its secret is stored as a hash."""
    from api.clock import now_us
    from api.store import keys, schema
    from rules.units import US_PER_DAY

    if role == "rider" and not subject:
        say(lang, "token.needs_subject")
        sys.exit(USAGE)
    with opened(database_url, lang) as store:
        if store.engine.dialect.name == "sqlite":
            schema.upgrade(store)
        with store.writing(now_us()) as unit:
            days_us = None if expires_days is None else unit.recorded_us + expires_days * US_PER_DAY
            made, written = keys.create_key(
                unit, keys.role_of(role), subject or role, cities, expires_us=days_us, actor="cli:token"
            )
    if as_json:
        print_json({"token": written, **asdict(made)})
    else:
        click.echo(text(lang, "token.made", role=role, subject=made.subject, key_id=made.key_id), err=True)
        click.echo(written)
