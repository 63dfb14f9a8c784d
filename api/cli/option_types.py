"""What values of options are: numbers in a range, shares, dates, instants, time zones, paths to write to.

A value that is none of them is a usage error, before any work is done.
"""

import datetime as dt
import math
import os
import re
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import click

from api.cli.click_words import default_lang
from api.cli.console import LANG_KEY, usage_text

# Seeds and counts are kept as 64 bits with a sign.
INT64_MAX: Final = 2**63 - 1
SECONDS_MAX: Final = 10**9
JOBS_MAX: Final = 4_096
SEEDS_MAX: Final = 100_000
DAYS_MAX: Final = 3_660
_SHARE: Final = re.compile(r"(\d{1,3}(?:\.\d{0,9})?|\.\d{1,9})(%?)")


class WholeNumber(click.IntRange):
    """A whole number within a range, both ends included."""

    name = "number"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """The number, or a usage error."""
        try:
            int(value)
        except ValueError:
            self.fail(usage_text(ctx, "whole_number", given=str(value)), param, ctx)
        number: int = super().convert(value, param, ctx)
        return number


class FiniteNumber(click.FloatRange):
    """A finite number within a range; `nan` is none."""

    name = "number"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """The number, or a usage error."""
        try:
            float(value)
        except ValueError:
            self.fail(usage_text(ctx, "number", given=str(value)), param, ctx)
        number: float = super().convert(value, param, ctx)
        if not math.isfinite(number):
            self.fail(usage_text(ctx, "range", given=str(number), allowed=self._describe_range()), param, ctx)
        return number


def parse_books(ctx: click.Context, param: click.Parameter, value: str) -> tuple[str, str]:
    """`A,B` as two references."""
    names = tuple(name.strip() for name in value.split(","))
    if len(names) != 2 or not all(names):
        raise click.BadParameter(usage_text(ctx, "two_books", given=value))
    return names[0], names[1]


class OutputPath(click.Path[Path]):
    """A path to write to; `s3://…` and `http://…` are none."""

    def __init__(self) -> None:
        super().__init__(path_type=Path)

    def convert(self, value: str | os.PathLike[str], param: click.Parameter | None, ctx: click.Context | None) -> Path:
        """The path, or a usage error."""
        from api.files.atomic import check_is_local
        from api.files.errors import InputError

        try:
            check_is_local(Path(value))
        except InputError as error:
            lang = None if ctx is None else ctx.meta.get(LANG_KEY)
            self.fail(" ".join(error.faults[0].in_words(lang or default_lang())), param, ctx)
        return super().convert(value, param, ctx)


def parse_as_of(ctx: click.Context, param: click.Parameter, value: str | None) -> int | None:
    """An ISO-8601 instant with an offset as µs UTC."""
    from rules.calendar import instant_us, read_moment

    if value is None:
        return None
    try:
        moment = read_moment(value)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise click.BadParameter(usage_text(ctx, "instant", given=value))
    return instant_us(moment)


class DateOption(click.ParamType[dt.date]):
    """A date written 2025-12-03."""

    name = "date"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> dt.date:
        """The date, or a usage error."""
        if isinstance(value, dt.date):
            return value
        try:
            return dt.date.fromisoformat(str(value))
        except ValueError:
            self.fail(usage_text(ctx, "date", given=str(value)), param, ctx)


def parse_zone(ctx: click.Context, param: click.Parameter, value: str | None) -> str:
    """The name of a time zone, as the IANA database has it."""
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

    from rules.near_names import near_name

    if value is None:
        return ""
    try:
        ZoneInfo(value)
    except (OSError, ValueError, ZoneInfoNotFoundError):
        meant = near_name(value, sorted(available_timezones()))
        words = usage_text(ctx, "zone_near", given=value, near=meant) if meant else usage_text(ctx, "zone", given=value)
        raise click.BadParameter(words) from None
    return value


def parse_share(ctx: click.Context, param: click.Parameter, value: str) -> Decimal:
    """A share from 0 to 1, or from 0% to 100%."""
    match = _SHARE.fullmatch(value.strip())
    share = Decimal(match[1]) / (100 if match[2] else 1) if match else Decimal(-1)
    if not 0 <= share <= 1:
        raise click.BadParameter(usage_text(ctx, "share", given=value))
    return share


SEED: Final = WholeNumber(0, INT64_MAX)
SECONDS: Final = FiniteNumber(min=0, max=SECONDS_MAX)
SHARE: Final = FiniteNumber(min=0, max=1, min_open=True, max_open=True)
OUTPUT_PATH: Final = OutputPath()
DATE: Final = DateOption()
