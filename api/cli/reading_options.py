"""Options of every command that reads event files: what a person says about times, ids and columns in them."""

from collections.abc import Callable
from functools import wraps
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

import click

from api.files.reading_options import Reading
from rules.near_names import near_name


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
    @click.option(
        "--quotes-as-they-are",
        is_flag=True,
        help="Take what stands inside quotes as one value, of however many lines.",
    )
    @wraps(command)
    def with_reading(
        *args: Any, zone: str, ids_as_they_are: bool, ignored: tuple[str, ...], quotes_as_they_are: bool, **given: Any
    ) -> None:
        left_out = tuple(sorted(set(ignored)))
        reading = Reading(zone, ids_as_they_are, left_out, quotes_as_they_are=quotes_as_they_are)
        command(*args, reading=reading, **given)

    return with_reading
