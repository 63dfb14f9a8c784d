"""What commands that score files share: how many rows may be rejected, and what may be replaced."""

import re
import sys
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any, Final, TypeVar

import click

from api.cli.console import FOUND, say, tell_reasons
from api.runs.outcome import MAX_REJECTS, has_too_many_rejects, lines_of, reasons_of
from rules.text import Lang

F = TypeVar("F", bound=Callable[..., Any])
_SHARE: Final = re.compile(r"(\d{1,3}(?:\.\d{0,9})?|\.\d{1,9})(%?)")


def parse_share(ctx: click.Context, param: click.Parameter, value: str) -> Decimal:
    """A share from 0 to 1, or from 0% to 100%."""
    found = _SHARE.fullmatch(value.strip())
    share = Decimal(found[1]) / (100 if found[2] else 1) if found else Decimal(-1)
    if not 0 <= share <= 1:
        raise click.BadParameter(f"{value!r}: a share from 0 to 1, such as 0.05 or 5%")
    return share


def max_rejects_option(command: F) -> F:
    """Add `--max-rejects`."""
    return click.option(
        "--max-rejects",
        default=str(MAX_REJECTS),
        show_default=True,
        callback=parse_share,
        metavar="SHARE",
        help="Exit code 3 if a larger share of the rows is rejected; the result is written all the same.",
    )(command)


def replace_option(command: F) -> F:
    """Add `--replace`."""
    return click.option(
        "--replace",
        is_flag=True,
        help="Replace what --out holds even if it is of another book or of other input paths.",
    )(command)


def tell_rejects(document: dict[str, Any], out: Path, max_rejects: Decimal, lang: Lang) -> None:
    """Rows left out on stderr; ends the command where they are too many."""
    number = document["counts"]["rejected"]
    if not number:
        return
    file = out / "rejects.ndjson"
    say(lang, "cli.rejected", rejected=number, file=file)
    if has_too_many_rejects(document, max_rejects):
        tell_reasons(reasons_of(document["rejected"], lines_of(file)), lang)
        num_rows = sum(one["rows"] for one in document["inputs"])
        say(
            lang,
            "cli.too_many_rejects",
            rejected=number,
            rows=num_rows,
            limit=f"{max_rejects * 100:f}".rstrip("0").rstrip("."),
        )
        sys.exit(FOUND)
