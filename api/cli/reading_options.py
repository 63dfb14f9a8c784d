"""Options of every command that reads event files: what a person says about times, ids and columns in them."""

from collections.abc import Callable
from functools import wraps
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

import click

from api.batch.reading import Reading
from rules.names import near_name


def parse_zone(ctx: click.Context, param: click.Parameter, value: str | None) -> str:
    """The name of a time zone, as the IANA database has it."""
    if value is None:
        return ""
    try:
        ZoneInfo(value)
    except (OSError, ValueError, ZoneInfoNotFoundError):
        meant = near_name(value, sorted(available_timezones()))
        hint = f"; did you mean {meant}?" if meant else ""
        raise click.BadParameter(f"{value!r} is no IANA time zone, such as Asia/Shanghai{hint}") from None
    return value


def reading_options(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options, as one argument `reading`."""

    @click.option(
        "--zone", callback=parse_zone, metavar="ZONE", help="Of times without an offset, such as Asia/Shanghai."
    )
    @click.option(
        "--ids-as-they-are",
        is_flag=True,
        help="Take ids that look damaged (1.23E+17, 7.0, blanks), but for reserved ones.",
    )
    @click.option(
        "--ignore-column", "ignored", multiple=True, metavar="NAME", help="Leave out a column; may stand several times."
    )
    @wraps(command)
    def with_reading(*args: Any, zone: str, ids_as_they_are: bool, ignored: tuple[str, ...], **given: Any) -> None:
        command(*args, reading=Reading(zone, ids_as_they_are, tuple(sorted(set(ignored)))), **given)

    return with_reading
