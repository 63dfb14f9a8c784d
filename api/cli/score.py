"""`riderscore score`: event files into a ledger directory."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import click

from api.cli.console import json_option, lang_option, platform_option, print_json, print_message, show_faults
from api.cli.option_types import JOBS_MAX, OUTPUT_PATH, WholeNumber, parse_as_of
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
from api.files.reading_options import Format, ReadingOptions
from api.runs.engines import ENGINES, EngineName
from rules.text import Lang, text


@click.command("score")
@click.argument("events", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--book", "reference", required=True, help="Book id, ID@DATE, TOML file (a book, or a deployment table), or `auto`."
)
@out_option("Ledger directory to write.")
@format_option
@click.option("--state", type=OUTPUT_PATH, help="Carried state: read if there, replaced at the end.")
@click.option("--as-of", "as_of_us", callback=parse_as_of, help="Write fades and resets up to this instant.")
@click.option(
    "--engine",
    type=click.Choice(ENGINES),
    default="local",
    show_default=True,
    help="Where it runs; an mdrp instance always runs here.",
)
@click.option(
    "--jobs",
    type=WholeNumber(1, JOBS_MAX),
    help="Tasks side by side above 4 M rows (default: all cores), each of up to about 1 GB; results do not depend on it.",
)
@click.option("--ray-address", envvar="RAY_ADDRESS", help="Of a Ray cluster (default: a Ray of this machine).")
@platform_option("Whose events these are; run.json names it, and a deployment table is read for it.")
@reading_options
@max_rejects_option
@replace_option
@click.option("--profile", is_flag=True, help="Print the seconds spent by stage, on stderr.")
@lang_option
@json_option
def score_command(
    events: tuple[Path, ...],
    reference: str,
    out: Path,
    format_: Format,
    state: Path | None,
    as_of_us: int | None,
    engine: EngineName,
    jobs: int | None,
    ray_address: str | None,
    platform: str,
    max_rejects: Decimal,
    replace: bool,
    profile: bool,
    reading: ReadingOptions,
    lang: Lang,
    as_json: bool,
) -> None:
    """Score EVENTS under a rule book into an exact, explained ledger.

    EVENTS are CSV, NDJSON or Parquet files, folders of them, or `-` for stdin; with --format mdrp an INSTANCE_DIR and a SOLUTION_DIR.
    Bad rows go to rejects.ndjson and the run goes on; exit code 3 where they are more than --max-rejects, 2 where they are
    all.
    """
    from api.runs.any_size import score_any_size

    with events_at_hand(events, out) as paths, run_progress(lang) as progress:
        run = score_any_size(
            paths, reference, out, format=format_, state=state, as_of_us=as_of_us, engine_name=engine, num_workers=jobs,
            address=ray_address, platform=platform, reading=reading, replace=replace, progress=progress,
        )  # fmt: skip
    show_faults(run.warnings, lang)
    counts = run.document["counts"]
    if as_json:
        print_json(run.document)
    else:
        click.echo(text(lang, "cli.scored", out=out, **counts))
    if profile:
        show_seconds(run.document["seconds"], lang)
    if counts["what_if"]:
        print_message(lang, "cli.what_if", what_if=counts["what_if"])
    _tell_unknown(counts, lang)
    show_rejects(run.document, out, max_rejects, lang)


def _tell_unknown(counts: dict[str, int], lang: Lang) -> None:
    """How many deliveries have a kitchen of which no time is known, and what the book made of them."""
    if counts["unknown_kitchen"]:
        late, exempt = counts["unknown_kitchen_late"], counts["unknown_kitchen_exempt"]
        words = {"unknown": counts["unknown_kitchen"], "late": late, "assessed": late - exempt, "exempt": exempt}
        print_message(lang, "cli.unknown_kitchen", **words)


def show_seconds(seconds: dict[str, Any], lang: Lang) -> None:
    """Seconds by stage: of the run, and added up over its workers."""
    for stage, spent in seconds.items():
        if isinstance(spent, dict):
            print_message(lang, "cli.profile_workers")
            show_seconds(spent, lang)
        else:
            print_message(lang, "cli.profile_stage", stage=stage, seconds=f"{spent:.1f}")
