"""`riderscore books impact`: who moves tier, points or money before a rule goes live."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import click
from rich.table import Table

from api.cli.compare import (
    headline,
    income_table,
    moves_text,
    plain_table,
    run_both,
    tell_left_out,
    tidy,
    tier_titles,
    totals_table,
)
from api.cli.console import json_option, lang_option, out_console, platform_option, print_json
from api.cli.places import OUT
from api.cli.reading_options import reading_options
from api.cli.results import max_rejects_option, replace_option
from api.files.readers import FORMATS, Format
from api.files.reading_options import Reading
from api.runs.compare import Compared
from rules.text import Lang, text


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
@click.option("--out", required=True, type=OUT, help="Folder to write.")
@click.option("--format", "format_", type=click.Choice(FORMATS), default="native", show_default=True)
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
    reading: Reading,
    max_rejects: Decimal,
    replace: bool,
    lang: Lang,
    as_json: bool,
) -> None:
    """Show who would move tier, points or money if book B replaced book A, on deliveries that happened.

    FILE is a CSV, NDJSON or Parquet file or a folder of them; with --format mdrp give INSTANCE_DIR SOLUTION_DIR. Writes
    affected.parquet, summary.json, run.json and rejects.ndjson.
    """
    done = run_both("impact", (*events, *more), (from_, to), out, format_, platform, lang, reading, replace=replace)
    if as_json:
        print_json(done.summary)
    else:
        show_impact(done, lang)
    tell_left_out(done, out, max_rejects, lang)


def show_impact(done: Compared, lang: Lang) -> None:
    """Who is affected, and how, as a person reads it."""
    console, summary = out_console(), done.summary
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
    with tidy(console):
        for part in parts:
            console.print(part)
            console.print()


def tiers_table(done: Compared, lang: Lang) -> Table:
    """Riders by tier under A (down) and under B (across)."""
    tiers = done.comparison.tiers
    rows, columns = (list(dict.fromkeys(pair[side] for pair in tiers)) for side in (0, 1))
    titles_a, titles_b = (tier_titles(done, side, lang) for side in ("a", "b"))
    columns.sort(key=list(titles_b).index)
    table = plain_table(text(lang, "compare.from_to"), *(titles_b[tier] for tier in columns))
    for row in rows:
        table.add_row(titles_a[row], *(str(tiers.get((row, column), 0)) for column in columns))
    return table
