"""`riderscore simulate`: a study of two rule books in a living city."""

from pathlib import Path
from typing import Any

import click
from rich.table import Table

from api.cli.console import json_option, lang_option, out_console, print_json, print_message
from api.cli.option_types import (
    DAYS_MAX,
    INT64_MAX,
    JOBS_MAX,
    OUTPUT_PATH,
    SEED,
    SEEDS_MAX,
    SHARE,
    WholeNumber,
    parse_books,
)
from api.cli.progress import shown_progress
from api.cli.tables import aligned, plain_table
from api.runs.engines import ENGINES, EngineName
from api.studies.design import SENSITIVITIES, Sensitivity, StudyRequest
from api.studies.run_study import StudyStopped, run_study
from rules.text import Lang, text
from simulations.report.words import headline, interval_text, metric_title, value_text


@click.command()
@click.argument("scenario")
@click.option(
    "--books", "references", required=True, callback=parse_books, metavar="A,B", help="The old and the new book."
)
@click.option("--seeds", type=WholeNumber(1, SEEDS_MAX), default=20, show_default=True, help="How many pairs of runs.")
@click.option("--days", type=WholeNumber(1, DAYS_MAX), default=7, show_default=True, help="Days after the switch.")
@click.option("--out", required=True, type=OUTPUT_PATH, help="Folder to write; finished runs in it are used again.")
@click.option(
    "--jobs",
    type=WholeNumber(1, JOBS_MAX),
    default=None,
    help="Runs side by side (default: all cores); results do not depend on it.",
)
@click.option(
    "--engine", type=click.Choice(ENGINES), default="local", show_default=True, help="Where the runs are done."
)
@click.option("--ray-address", envvar="RAY_ADDRESS", help="Of a Ray cluster (default: a Ray of this machine).")
@click.option(
    "--set", "sets", multiple=True, metavar="KEY=VALUE", help="A value of the scenario; a:KEY, b:KEY of a book."
)
@click.option("--sweep", "sweeps", multiple=True, metavar="KEY=V,V,…", help="Repeat the study at each value of a key.")
@click.option("--sensitivity", type=click.Choice(SENSITIVITIES), default="one-at-a-time", show_default=True)
@click.option(
    "--precision", type=SHARE, default=None, help="Stop once every primary interval is ± this share; from 20 seeds on."
)
@click.option(
    "--orders",
    default=None,
    metavar="PATH",
    help="A Grubhub instance folder or meituan file: real orders and couriers.",
)
@click.option("--seed", "first_seed", type=SEED, default=1, show_default=True, help="The first seed.")
@lang_option
@json_option
def simulate(
    scenario: str,
    references: tuple[str, str],
    seeds: int,
    days: int,
    out: Path,
    jobs: int | None,
    engine: EngineName,
    ray_address: str | None,
    sets: tuple[str, ...],
    sweeps: tuple[str, ...],
    sensitivity: Sensitivity,
    precision: float | None,
    orders: str | None,
    first_seed: int,
    lang: Lang,
    as_json: bool,
) -> None:
    """What changes for riders, customers and the platform when book B replaces book A.

    SCENARIO is a shipped name (ordinary-week, rain-week, slow-kitchens, new-riders, under-staffed) or a TOML file. Writes
    report.html, summary.json, tables and charts into --out. A killed study goes on where it was by the same command.
    """
    if first_seed + seeds - 1 > INT64_MAX:
        words = text(lang, "usage.last_seed", seeds=seeds, first=first_seed, most=INT64_MAX)
        raise click.BadParameter(words, param_hint="'--seed'")
    request = StudyRequest(
        scenario,
        references,
        seeds,
        days,
        jobs,
        sets,
        first_seed,
        precision,
        sensitivity,
        sweeps,
        lang,
        orders,
        engine,
        ray_address,
    )
    summary = _run(request, out, lang)
    if as_json:
        print_json(summary)
        return
    console = out_console()
    with aligned(console):
        console.print(headline(summary, lang), soft_wrap=True)
        console.print()
        console.print(_table(summary, lang))
    print_message(lang, "study.written", file=out / "report.html")


def _run(request: StudyRequest, out: Path, lang: Lang) -> dict[str, Any]:
    """Run the study with a progress bar; ends the command if it cannot be done."""
    try:
        with shown_progress(lang, text(lang, "study.stage_runs"), 1000) as shown:

            def tell(permille: int, stage: str) -> None:
                shown.update(permille, stage=text(lang, f"study.stage_{stage}"))

            return run_study(request, out, tell)
    except KeyboardInterrupt:
        raise StudyStopped from None


def _table(summary: dict[str, Any], lang: Lang) -> Table:
    """All metrics: under A, under B, the difference and its interval; primary ones first and marked."""
    table = plain_table(text(lang, "study.metric"), "A", "B", "B − A", text(lang, "study.interval"))
    for name, metric in summary["metrics"].items():
        mark = "● " if metric["primary"] else "  "
        table.add_row(
            mark + metric_title(lang, name),
            value_text(lang, metric["unit"], metric["mean_a"]),
            value_text(lang, metric["unit"], metric["mean_b"]),
            value_text(lang, metric["unit"], metric["difference"], signed=True),
            interval_text(lang, metric["unit"], metric["ci_low"], metric["ci_high"]),
        )
    return table
