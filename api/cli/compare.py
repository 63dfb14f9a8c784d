"""`riderscore compare` and `riderscore books impact`: the same deliveries under two books, side by side."""

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import click
from rich.table import Table

from api.cli.console import (
    json_option,
    lang_option,
    platform_option,
    print_json,
    print_message,
    show_faults,
)
from api.cli.option_types import parse_books
from api.cli.scoring_commands import (
    events_at_hand,
    format_option,
    max_rejects_option,
    out_option,
    reading_options,
    replace_option,
    run_progress,
    show_rejects,
)
from api.cli.tables import count, minutes, money, plain_table, points, print_parts, signed
from api.files.reading_options import DEFAULT_READING, Format, ReadingOptions
from api.runs.any_size import compare_any_size
from api.runs.compare import ComparedFiles, ComparisonCommand
from rules.text import Lang, text
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


@click.command()
@click.argument("events", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--books", "references", required=True, callback=parse_books, metavar="A,B", help="Two books to compare.")
@out_option("Folder to write.")
@format_option
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
    reading: ReadingOptions,
    max_rejects: Decimal,
    replace: bool,
    lang: Lang,
    as_json: bool,
) -> None:
    """Score the same EVENTS under two books: points, fines, bonuses, income, who gains and who loses.

    EVENTS are CSV, NDJSON or Parquet files, folders of them, or `-` for stdin; with --format mdrp an INSTANCE_DIR and a SOLUTION_DIR.
    A and B are book ids, ID@DATE, TOML files or `auto`. Rows that either book cannot judge are left out of both.
    """
    done = run_both("compare", events, references, out, format_, platform, lang, reading, replace=replace)
    if as_json:
        print_json(done.summary)
    else:
        show_comparison(done, lang)
    show_left_out(done, out, max_rejects, lang)


@click.command()
@click.option("--from", "from_", required=True, metavar="A", help="The book in force.")
@click.option("--to", required=True, metavar="B", help="The book that is to replace it.")
@click.option(
    "--events",
    multiple=True,
    required=True,
    type=click.Path(path_type=Path),
    metavar="FILE [FILE]...",
    help="Event files to judge under both books.",
)
@click.argument("more", nargs=-1, type=click.Path(path_type=Path), metavar="")
@out_option("Folder to write.")
@format_option
@platform_option("Whose events these are: where A or B is a deployment table, it is read for this platform.")
@reading_options
@max_rejects_option
@replace_option
@lang_option
@json_option
def impact(
    from_: str,
    to: str,
    events: tuple[Path, ...],
    more: tuple[Path, ...],
    out: Path,
    format_: Format,
    platform: str,
    reading: ReadingOptions,
    max_rejects: Decimal,
    replace: bool,
    lang: Lang,
    as_json: bool,
) -> None:
    """Show who would move tier, points or money if book B replaced book A, on deliveries that happened.

    FILE is a CSV, NDJSON or Parquet file, a folder of them, or `-` for stdin; with --format mdrp give INSTANCE_DIR SOLUTION_DIR. Writes
    affected.parquet, summary.json, run.json and rejects.ndjson.
    """
    done = run_both("impact", (*events, *more), (from_, to), out, format_, platform, lang, reading, replace=replace)
    if as_json:
        print_json(done.summary)
    else:
        show_impact(done, lang)
    show_left_out(done, out, max_rejects, lang)


def run_both(
    command: ComparisonCommand,
    events: tuple[Path, ...],
    references: tuple[str, str],
    out: Path,
    format_: Format,
    platform: str,
    lang: Lang,
    reading: ReadingOptions = DEFAULT_READING,
    *,
    replace: bool,
) -> ComparedFiles:
    """Compare with a progress bar, by buckets where the input is large; ends the command if it cannot be done."""
    with events_at_hand(events, out) as paths, run_progress(lang) as progress:
        compared = compare_any_size(
            command, paths, references, out, format=format_, platform=platform, reading=reading, replace=replace,
            progress=progress,
        )  # fmt: skip
    show_faults(compared.warnings, lang)
    return compared


def show_left_out(done: ComparedFiles, out: Path, max_rejects: Decimal, lang: Lang) -> None:
    """On stderr: rows left out, and events older than a book; ends with 3 where the first are too many."""
    counts = done.document["counts"]
    what_if = max(counts["what_if_a"], counts["what_if_b"])
    if what_if:
        print_message(lang, "cli.what_if", what_if=what_if)
    if counts["unknown_kitchen"]:
        exempt_counts = {f"exempt_{side}": counts[f"unknown_kitchen_exempt_{side}"] for side in "ab"}
        words = {"unknown": counts["unknown_kitchen"], "late": counts["unknown_kitchen_late"]}
        print_message(lang, "cli.unknown_kitchen_both", **words, **exempt_counts)
    show_rejects(done.document, out, max_rejects, lang)


def show_comparison(done: ComparedFiles, lang: Lang) -> None:
    """The whole comparison as a person reads it."""
    summary = done.summary
    parts = (
        headline(done, lang),
        totals_table(summary, lang),
        income_table(summary, lang),
        moves_text(summary, lang),
        bands_table(done, lang),
    )
    print_parts(parts, text(lang, "compare.bands_note"))


def show_impact(done: ComparedFiles, lang: Lang) -> None:
    """Who is affected, and how, as a person reads it."""
    summary = done.summary
    moves: dict[str, Any] = summary["tier_moves"]
    who = (
        text(lang, "compare.affected", num_affected=summary["num_affected"], num_riders=summary["num_riders"]),
        text(lang, "compare.tier_moves", **moves),
        moves_text(summary, lang),
    )
    parts = (
        headline(done, lang),
        "\n".join(who),
        tiers_table(done, lang),
        totals_table(summary, lang),
        income_table(summary, lang),
    )
    print_parts(parts)


def headline(done: ComparedFiles, lang: Lang) -> str:
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


WRITTEN: dict[str, Callable[[int], str]] = {"money": money, "points": points, "minutes": minutes, "count": count}


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
                num_gain=count(moves["num_gain"]),
                num_lose=count(moves["num_lose"]),
                num_same=count(moves["num_same"]),
                gain=write(moves["gain"]),
                lose=write(moves["lose"]),
            )
        )
    return "\n".join(lines)


def bands_table(done: ComparedFiles, lang: Lang) -> Table:
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
            count(band.num_riders),
            count(band.num_delivered),
            money(band.fines_a_fen),
            money(band.bonus_b_fen),
            money(band.income_a_fen // num),
            money(band.income_b_fen // num),
            f"{band.priority_permille / 1000:g}",
        )
    return table


def tiers_table(done: ComparedFiles, lang: Lang) -> Table:
    """Riders by tier under A (down) and under B (across)."""
    tiers = done.comparison.tiers
    rows, columns = (list(dict.fromkeys(pair[side] for pair in tiers)) for side in (0, 1))
    titles_a, titles_b = (tier_titles(done, side, lang) for side in ("a", "b"))
    columns.sort(key=list(titles_b).index)
    table = plain_table(text(lang, "compare.from_to"), *(titles_b[tier] for tier in columns))
    for row in rows:
        table.add_row(titles_a[row], *(str(tiers.get((row, column), 0)) for column in columns))
    return table


def tier_titles(done: ComparedFiles, side: str, lang: Lang) -> dict[str, str]:
    """Titles by id of all tiers of the books in use on one side, `a` or `b`."""
    books = books_in_use(done.comparison.riders, done.plans["ab".index(side)].program, f"book_digest_{side}")
    return {tier.id: getattr(tier.title, lang) for book in books for tier in book.model.tier}
