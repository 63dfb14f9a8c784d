"""Tables that commands print, and the numbers in them: yuan, points, minutes, counts, and differences with a sign."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import click

from api.cli.console import out_console
from rules.units import FEN_PER_YUAN, MP_PER_POINT, points_text

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

# Columns of a table that is piped: wider than any table here.
TABLE_WIDTH: Final = 240


@contextmanager
def aligned(console: "Console") -> Iterator[None]:
    """Where no terminal needs it, fold no line of a table and leave out the spaces that fill it up."""
    if console.is_terminal:
        yield
        return
    console.width = TABLE_WIDTH
    with console.capture() as capture:
        yield
    click.echo("\n".join(line.rstrip() for line in capture.get().splitlines()))


def print_parts(parts: Sequence["str | Table"], note: str = "") -> None:
    """Print texts and tables on stdout, an empty line after each, then a note."""
    console = out_console()
    with aligned(console):
        for part in parts:
            console.print(part)
            console.print()
        if note:
            console.print(note)


def plain_table(*headings: str, left: int = 1) -> "Table":
    """A table without lines; all columns but the first `left` hold numbers."""
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    for k, heading in enumerate(headings):
        table.add_column(heading, justify="left" if k < left else "right", no_wrap=True)
    return table


def money(fen: int) -> str:
    """Fen as yuan with two decimals and grouped digits."""
    sign = "−" if fen < 0 else ""
    return f"{sign}{abs(fen) // FEN_PER_YUAN:,}.{abs(fen) % FEN_PER_YUAN:02d}"


def points(points_mp: int) -> str:
    """Milli-points as points, grouped digits and at least one decimal."""
    whole, rest = divmod(abs(points_mp), MP_PER_POINT)
    decimals = points_text(MP_PER_POINT + rest)[2:] or "0"
    return f"{'−' if points_mp < 0 else ''}{whole:,}.{decimals}"


def minutes(seconds: int) -> str:
    """Whole minutes of some seconds, grouped digits."""
    return f"{'−' if seconds < 0 else ''}{abs(seconds) // 60:,}"


def count(number: int) -> str:
    """A number with grouped digits."""
    return f"{'−' if number < 0 else ''}{abs(number):,}"


def signed(written: str) -> str:
    """A difference with its sign; zero has none."""
    return written if written.startswith("−") or not any(digit in written for digit in "123456789") else f"+{written}"
