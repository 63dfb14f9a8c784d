"""`riderscore compare`: the same deliveries under two books, side by side."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from api.cli.console import (
    json_option,
    lang_option,
    out_console,
    platform_option,
    print_json,
    progress_bar,
    say,
    show_faults,
)
from api.cli.places import OUT
from api.cli.reading_options import reading_options
from api.cli.results import max_rejects_option, replace_option, tell_rejects
from api.files.readers import FORMATS, Format
from api.files.reading_options import AS_IT_IS, Reading
from api.runs.bucketed_compare import compare_lake
from api.runs.bucketed_run import is_lake
from api.runs.compare import Command, Compared, compare_files
from rules.text import Lang, text
from rules.units import FEN_PER_YUAN, MP_PER_POINT, points_text
from scoring.comparison import books_in_use

# (row, how the amount is written); the words are `compare.row_<row>`.
ROWS = (
    ("fees_fen", "money"),
    ("fines_fen", "money"),
    ("fines_not_liable_fen", "money"),
    ("bonus_fen", "money"),
    ("income_fen", "money"),
    ("points_awarded_mp", "points"),
    ("points_deducted_mp", "points"),
    ("num_on_time", "count"),
    ("num_late", "count"),
    ("num_exempt", "count"),
    ("late_s", "minutes"),
    ("exempted_late_s", "minutes"),
)

# Wider than any table here.
PIPED_WIDTH = 240


def parse_books(ctx: click.Context, param: click.Parameter, value: str) -> tuple[str, str]:
    """`A,B` as two references."""
    names = tuple(name.strip() for name in value.split(","))
    if len(names) != 2 or not all(names):
        raise click.BadParameter(f"{value!r}: two books, A,B")
    return names[0], names[1]


@click.command()
@click.argument("events", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--books", "references", required=True, callback=parse_books, metavar="A,B", help="Two books to compare.")
@click.option("--out", required=True, type=OUT, help="Folder to write.")
@click.option("--format", "format_", type=click.Choice(FORMATS), default="native", show_default=True)
@platform_option("Whose events these are: where A or B is a deployment table, it is read for this platform.")
@reading_options
@max_rejects_option
@replace_option
@lang_option
@json_option
def compare(
    events: tuple[Path, ...],
    references: tuple[str, str],
    out: Path,
    format_: Format,
    platform: str,
    reading: Reading,
    max_rejects: Decimal,
    replace: bool,
    lang: Lang,
    as_json: bool,
) -> None:
    """Score the same EVENTS under two books: points, fines, bonuses, income, who gains and who loses.

    EVENTS are CSV, NDJSON or Parquet files, or folders of them; with --format mdrp an INSTANCE_DIR and a SOLUTION_DIR.
    A and B are book ids, ID@DATE, TOML files or `auto`. Rows that either book cannot judge are left out of both.
    """
    done = run_both("compare", events, references, out, format_, platform, lang, reading, replace=replace)
    if as_json:
        print_json(done.summary)
    else:
        show_comparison(done, lang)
    tell_left_out(done, out, max_rejects, lang)


def run_both(
    command: Command,
    events: tuple[Path, ...],
    references: tuple[str, str],
    out: Path,
    format_: Format,
    platform: str,
    lang: Lang,
    reading: Reading = AS_IT_IS,
    *,
    replace: bool,
) -> Compared:
    """Compare with a progress bar, by buckets where the input is large; ends the command if it cannot be done."""
    with progress_bar() as bar:
        task = bar.add_task(text(lang, "cli.stage_read"), total=None)

        def tell(stage: str, done: int, total: int) -> None:
            bar.update(task, description=text(lang, f"cli.stage_{stage}"), completed=done, total=total)

        run = compare_lake if is_lake(events, format_, None) else compare_files
        compared = run(
            command, events, references, out, format=format_, platform=platform, reading=reading, replace=replace,
            progress=tell,
        )  # fmt: skip
    show_faults(compared.warnings, lang)
    return compared


def tell_left_out(done: Compared, out: Path, max_rejects: Decimal, lang: Lang) -> None:
    """On stderr: rows left out, and events older than a book; ends with 3 where the first are too many."""
    counts = done.document["counts"]
    what_if = max(counts["what_if_a"], counts["what_if_b"])
    if what_if:
        say(lang, "cli.what_if", what_if=what_if)
    if counts["unknown_kitchen"]:
        own = {f"exempt_{side}": counts[f"unknown_kitchen_exempt_{side}"] for side in "ab"}
        words = {"unknown": counts["unknown_kitchen"], "late": counts["unknown_kitchen_late"]}
        say(lang, "cli.unknown_kitchen_both", **words, **own)
    tell_rejects(done.document, out, max_rejects, lang)


def show_comparison(done: Compared, lang: Lang) -> None:
    """The whole comparison as a person reads it."""
    summary, console = done.summary, out_console()
    parts = (
        headline(done, lang),
        totals_table(summary, lang),
        income_table(summary, lang),
        moves_text(summary, lang),
        bands_table(done, lang),
    )
    with tidy(console):
        for part in parts:
            console.print(part)
            console.print()
        console.print(text(lang, "compare.bands_note"))


@contextmanager
def tidy(console: Console) -> Iterator[None]:
    """Where no terminal needs it, fold no line of a table and leave out the spaces that fill it up."""
    if console.is_terminal:
        yield
        return
    console.width = PIPED_WIDTH
    with console.capture() as held:
        yield
    click.echo("\n".join(line.rstrip() for line in held.get().splitlines()))


def headline(done: Compared, lang: Lang) -> str:
    """What is compared, over how much."""
    lines = [
        text(
            lang,
            "compare.headline",
            num_delivered=f"{done.summary['num_delivered']:,}",
            num_riders=f"{done.summary['num_riders']:,}",
            unit=text(lang, "compare.unit_mdrp" if done.document["format"] == "mdrp" else "compare.unit_native"),
        )
    ]
    for side, chosen in zip("AB", done.plans, strict=True):
        title = getattr(chosen.program.books[-1].model.title, lang)
        known = text(lang, "compare.auto_title") if chosen.reference == "auto" else title
        lines.append(f"  {side}  {chosen.reference}: {known}")
    return "\n".join(lines)


def plain_table(*headings: str, left: int = 1) -> Table:
    """A table without lines; all columns but the first `left` hold numbers."""
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


def _minutes(seconds: int) -> str:
    return f"{'−' if seconds < 0 else ''}{abs(seconds) // 60:,}"


def _count(number: int) -> str:
    return f"{'−' if number < 0 else ''}{abs(number):,}"


WRITTEN: dict[str, Callable[[int], str]] = {"money": money, "points": points, "minutes": _minutes, "count": _count}


def signed(written: str) -> str:
    """A difference with its sign; zero has none."""
    return written if written.startswith("−") or not any(digit in written for digit in "123456789") else f"+{written}"


def totals_table(summary: dict[str, Any], lang: Lang) -> Table:
    """Sums under both books."""
    table = plain_table(text(lang, "compare.in_sum"), "A", "B", "B − A")
    for name, unit in ROWS:
        write, row = WRITTEN[unit], summary["totals"][name]
        table.add_row(
            text(lang, f"compare.row_{name}"), write(row["a"]), write(row["b"]), signed(write(row["difference"]))
        )
    return table


def income_table(summary: dict[str, Any], lang: Lang) -> Table:
    """Distribution of income over riders."""
    table = plain_table(text(lang, "compare.income_per_rider"), "A", "B", text(lang, "compare.of_the_difference"))
    sides = [summary["income_fen"][side] for side in ("a", "b", "difference")]
    for name in ("mean", "median", "p10", "p90"):
        a, b, difference = (side[name] for side in sides)
        table.add_row(text(lang, f"compare.{name}"), money(a), money(b), signed(money(difference)))
    shares = ["–" if side["gini_permille"] is None else f"{side['gini_permille'] / 1000:.3f}" for side in sides[:2]]
    table.add_row(text(lang, "compare.gini"), *shares, "")
    return table


def moves_text(summary: dict[str, Any], lang: Lang) -> str:
    """Who gains and who loses money and points."""
    lines = []
    for name, write in (("income_fen", money), ("points_mp", points)):
        moves = summary["moves"][name]
        lines.append(
            text(
                lang,
                f"compare.moves_{name}",
                num_gain=_count(moves["num_gain"]),
                num_lose=_count(moves["num_lose"]),
                num_same=_count(moves["num_same"]),
                gain=write(moves["gain"]),
                lose=write(moves["lose"]),
            )
        )
    return "\n".join(lines)


def bands_table(done: Compared, lang: Lang) -> Table:
    """Income by score band, so that a hidden fine would show."""
    side = done.comparison.band_book
    titles = tier_titles(done, side, lang)
    table = plain_table(
        text(lang, "compare.band", side=side.upper()),
        text(lang, "compare.band_riders"),
        text(lang, "compare.band_deliveries"),
        text(lang, "compare.band_fines", side="A"),
        text(lang, "compare.band_bonus", side="B"),
        text(lang, "compare.band_income", side="A"),
        text(lang, "compare.band_income", side="B"),
        text(lang, "compare.band_priority"),
    )
    for band in done.comparison.bands:
        num = max(band.num_delivered, 1)
        table.add_row(
            titles.get(band.tier, band.tier),
            _count(band.num_riders),
            _count(band.num_delivered),
            money(band.fines_a_fen),
            money(band.bonus_b_fen),
            money(band.income_a_fen // num),
            money(band.income_b_fen // num),
            f"{band.priority_permille / 1000:g}",
        )
    return table


def tier_titles(done: Compared, side: str, lang: Lang) -> dict[str, str]:
    """Titles by id of all tiers of the books in use on one side, `a` or `b`."""
    books = books_in_use(done.comparison.riders, done.plans["ab".index(side)].program, f"book_digest_{side}")
    return {tier.id: getattr(tier.title, lang) for book in books for tier in book.model.tier}
